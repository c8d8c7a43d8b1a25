"""Time and energy of runs: counts against the simulator, queues against a plain model, sums, figures of eval."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from dense_programs import Connection, layer, program
from hypothesis import given, settings
from integer_networks import integer_networks
from plain_events import PlainNeuron, PlainTick, path, plain_tick, tile

from snnc.errors import MappingError
from snnc.formats.timeline_file import write_timeline
from snnc.graph.operators.base import Array
from snnc.kernels.event_driven import deliver_messages, sent_messages
from snnc.simulate.costs import RunCosts
from snnc.simulate.trace import EventCounts
from snnc.targets import RunOptions
from snnc.targets.costs import CostSet, cost_set_named
from snnc.targets.loihi import TARGET
from snnc.targets.loihi.lower import lower
from snnc.targets.loihi.program import LoihiProgram
from snnc.targets.loihi.simulate import simulate_program
from snnc.targets.loihi.synapses import SynapseFormat
from snnc.targets.loihi.timing import LoihiCostModel, by_kind, simulate_with_costs
from snnc.targets.loihi.traffic import MESH, traffic
from snnc.targets.spike_costs import SpikeActivity

SANAFE, DAVIES = cost_set_named("sanafe-loihi"), cost_set_named("davies2018")


def recurrent(seed: int, tiles: int = 3, cores: tuple[int, ...] = ()) -> LoihiProgram:
    """Spikes of the host, a recurrent layer with delays, a layer behind it; ``cores`` of the tiles if given."""
    rng = np.random.default_rng(seed)
    hidden = layer(
        "hidden", 20, threshold=rng.integers(20, 60, 20), reset=rng.integers(20, 60, 20),
        bias=rng.integers(-60, 60, 20), start=1, tiles=tiles,
    )  # fmt: skip
    last = layer("last", 5, threshold=50, initial=1600, start=2, current_decay=4096)
    connections = [
        Connection(0, 1, rng.integers(-100, 120, (9, 20)) // 2 * 2),
        Connection(1, 1, rng.integers(-100, 100, (20, 20)) // 2 * 2, delay=1),
        Connection(1, 2, rng.integers(-100, 100, (20, 5)) // 2 * 2, SynapseFormat(8, -1, index_bits=6)),
    ]
    made = program([layer("in", 9, source="source"), hidden, last], connections)
    if not cores:
        return made
    moved = tuple(replace(old, core=core) for old, core in zip(made.tiles, cores, strict=True))
    return replace(made, tiles=moved)


def samples(seed: int, count: int = 5, ticks: int = 12) -> Array:
    return (np.random.default_rng(seed).random((count, ticks, 9)) < 0.4).astype(np.float32)


def by_core(costs: RunCosts, cores: int, *kinds: str) -> Array:
    """(cores, chip ticks) events of some kinds, without the host's."""
    total = np.zeros((cores, costs.events.shape[2]), np.int64)
    for unit, core in enumerate(costs.unit_core):
        if core >= 0:
            total[core] += sum(costs.events[costs.kinds.index(kind), unit] for kind in kinds)
    return total


SYNAPSES = ("synapse_dense", "synapse_sparse", "synapse_conv")


def check_counts(costs: RunCosts, counts: EventCounts) -> None:
    """The counts of the cost model are those of the simulator, core by core."""
    cores = len(counts.spikes)
    for kinds, name in (
        (("neuron_access",), "neuron_updates"),
        (("spike",), "spikes"),
        (("message_out",), "messages"),
    ):
        np.testing.assert_array_equal(by_core(costs, cores, *kinds), getattr(counts, name))
    for kinds, name in ((SYNAPSES, "synaptic_operations"), (("axon_event",), "axon_events")):
        found = by_core(costs, cores, *kinds).sum(axis=1)
        np.testing.assert_array_equal(found, getattr(counts, name).sum(axis=1))


def check_sums(costs: RunCosts) -> None:
    """What was sent arrives, and energies by kind, layer, core and sample have one sum."""
    total = dict(zip(costs.kinds, costs.events.sum(axis=(1, 2)).tolist(), strict=True))
    assert total["message_out"] == total["message_in"] == costs.messages.sum()
    np.testing.assert_array_equal(
        costs.events[costs.kinds.index("message_out")].sum(axis=0), costs.messages.sum(axis=0)
    )
    whole = costs.dynamic_joules.sum()
    for parts in (costs.joules_by_kind(), costs.joules_by_population(), costs.joules_by_core()):
        assert sum(parts.values()) == pytest.approx(whole, rel=1e-12)
    assert sum(costs.critical.values()) == costs.nanoseconds.size


@settings(deadline=None, max_examples=25)
@given(integer_networks(), st.integers(1, 6), st.sampled_from([SANAFE, DAVIES]))
def test_counts_and_sums_of_any_network(network: object, ticks: int, costs: CostSet) -> None:
    try:
        chip = lower(network.graph if hasattr(network, "graph") else network)  # type: ignore[arg-type]
    except MappingError:
        return
    shape = chip.host.shapes[chip.host.inputs[0].name]
    x = np.random.default_rng(0).random((3, *shape)).astype(np.float32)
    found = simulate_with_costs(chip, x, ticks, costs, RunOptions(threads=1))
    assert found.trace.counts is not None
    check_counts(found.costs, found.trace.counts)
    check_sums(found.costs)


@pytest.mark.parametrize("seed", range(4))
def test_counts_with_delays_and_hops(seed: int) -> None:
    chip = recurrent(seed, cores=(1, 30, 127, 64))
    found = simulate_with_costs(chip, samples(seed), 12, SANAFE)
    assert found.trace.counts is not None
    check_counts(found.costs, found.trace.counts)
    check_sums(found.costs)
    hops = dict.fromkeys(("hop_east_west", "hop_north_south"), 0)
    for source, target, count in zip(
        found.costs.message_source, found.costs.message_target, found.costs.messages.sum(axis=1), strict=True
    ):
        (x, y), (to_x, to_y) = tile(max(int(source), 0)), tile(int(target))
        hops["hop_east_west"] += abs(x - to_x) * int(count)
        hops["hop_north_south"] += abs(y - to_y) * int(count)
    total = dict(zip(found.costs.kinds, found.costs.events.sum(axis=(1, 2)).tolist(), strict=True))
    assert {name: total[name] for name in hops} == hops and min(hops.values()) > 0


def test_synapses_count_in_the_tick_that_sent_them() -> None:
    chip = program([layer("in", 9, source="source"), layer("last", 5, threshold=50, start=1)],
                   [Connection(0, 1, np.full((9, 5), 10))])  # fmt: skip
    found = simulate_with_costs(chip, samples(3), 12, SANAFE)
    assert found.trace.counts is not None
    read = by_core(found.costs, 1, *SYNAPSES)
    np.testing.assert_array_equal(read[:, :-1], found.trace.counts.synaptic_operations[:, 1:])
    assert read.sum() > 0


@pytest.mark.parametrize("decay", [4096, 1000])
def test_active_neurons(decay: int) -> None:
    """Active: the potential or a current that is kept was not 0, or is not after what arrived, or there is a bias."""
    last = layer("last", 5, threshold=30, start=1, current_decay=decay, bias=np.array([0, 0, 0, 0, 2]))
    chip = program([layer("in", 9, source="source"), last],
                   [Connection(0, 1, np.where(np.eye(9, 5) > 0, 20, 0))])  # fmt: skip
    x = samples(4, count=6, ticks=20) * (np.random.default_rng(5).random((6, 20, 9)) < 0.2)
    found = simulate_with_costs(
        chip, x.astype(np.float32), 20, SANAFE, RunOptions(record=("voltage", "current"))
    )
    voltage, current = (
        recorded["last"].astype(bool) for recorded in (found.trace.voltage, found.trace.current)
    )
    before = np.zeros((6, 1, 5), bool)
    active = np.concatenate([before, voltage[:, :-1]], axis=1)
    if decay < 4096:
        active |= np.concatenate([before, current[:, :-1]], axis=1)
    active |= current | (np.arange(5) == 4)
    counted = by_core(found.costs, 1, "neuron_active")[0, 1:]
    np.testing.assert_array_equal(counted, active.sum(axis=(0, 2)))
    assert 0 < active.mean() < 1


def test_an_idle_step_takes_624_nanoseconds() -> None:
    """SANA-FE 2.2.9 on one core with 4 neurons: 600 + 4 * 6.0."""
    chip = program([layer("in", 8, source="source"), layer("lif", 4, threshold=50, start=0)],
                   [Connection(0, 1, np.full((8, 4), 10))])  # fmt: skip
    for detailed in (False, True):
        found = simulate_with_costs(
            chip, np.zeros((1, 3, 8), np.float32), 3, SANAFE, RunOptions(detailed=detailed)
        )
        assert found.costs.nanoseconds.tolist() == [[624.0, 624.0, 624.0]]
        assert found.costs.dynamic_picojoules.tolist() == [pytest.approx(12 * 51.2, rel=1e-12)]
        assert found.costs.critical == {"neurons of core 0": 3}


def plain_neurons(
    chip: LoihiProgram, activity: SpikeActivity, sample: int, chip_tick: int
) -> list[PlainNeuron]:
    """The neurons of one tick, from the program's axons one by one."""
    ticks, host = len(activity.spikes), 1 + max(tile.core for tile in chip.tiles)
    neurons, place = [], 0
    holders = [(t.core, t.population, t.neurons.tolist()) for t in chip.tiles]
    holders += [
        (host, number, list(range(int(np.prod(p.shape)))))
        for number, p in enumerate(chip.populations)
        if p.source is not None
    ]
    for core, population, members in holders:
        window = chip_tick - chip.populations[population].start
        for neuron in members:
            if 0 <= window < ticks:
                bits = [bool(words[window, place] >> np.uint64(sample) & np.uint64(1))
                        for words in (activity.active, activity.spikes)]  # fmt: skip
                compartments = 0 if core == host else 1 + chip.populations[population].subtract
                sends = sends_of(chip, population, neuron, chip_tick, ticks)
                neurons.append(PlainNeuron(core, compartments, *bits, sends))
            place += 1
    return neurons


def sends_of(
    chip: LoihiProgram, population: int, neuron: int, chip_tick: int, ticks: int
) -> list[tuple[int, tuple[int, int, int]]]:
    sends = []
    for t in chip.tiles:
        memory, by_slot = chip.memories[t.memory], {}
        for axon in np.flatnonzero((t.axon_population == population) & (t.axon_neuron == neuron)):
            synapses = by_slot.setdefault(int(t.axon_slot[axon]), [0, 0, 0])
            arrives = chip_tick + 1 + int(t.axon_delay[axon]) - chip.populations[t.population].start
            if 0 <= arrives < ticks:
                which = t.axon_list[axon]
                runs = slice(memory.list_runs[which], memory.list_runs[which + 1])
                sparse = memory.formats[memory.list_format[which]].index_bits > 0
                synapses[int(sparse)] += int(memory.run_length[runs].sum())
        sends += [(t.core, tuple(by_slot[slot])) for slot in sorted(by_slot)]
    return sends  # type: ignore[return-value]


@settings(deadline=None, max_examples=15)
@given(
    st.integers(0, 10**6),
    st.lists(st.sampled_from([0, 1, 2, 5, 30, 64, 127, 130, 200, 300]), min_size=4, max_size=4),
    st.sampled_from(
        [SANAFE, DAVIES, replace(DAVIES, link=25.0, time=replace(DAVIES.time, chip_crossing=70.0))]
    ),
)
def test_queues_are_those_of_a_plain_model(seed: int, cores: list[int], costs: CostSet) -> None:
    """Every tick, stage, message and link, with cores on one tile, far apart and on several chips."""
    chip = recurrent(seed, cores=tuple(cores))
    seen: list[SpikeActivity] = []
    ticks = 6
    simulate_program(chip, samples(seed, 2, ticks), ticks, RunOptions(threads=1), observe=seen.append)
    model = LoihiCostModel.of(chip, costs)
    host = 1 + max(cores)
    for sample in range(2):
        schedule = model.schedule(seen[0], sample, chip.depth + ticks)
        for tick in range(chip.depth + ticks):
            plain = plain_tick(plain_neurons(chip, seen[0], sample, tick), costs, model.barrier, host)
            assert schedule.nanoseconds[tick] == pytest.approx(plain.end, rel=1e-12)
            for core in range(host + 1):
                assert schedule.updated[tick, core] == pytest.approx(plain.updated[core], rel=1e-12)
                assert schedule.done[tick, core] == pytest.approx(plain.done[core], rel=1e-12)
            check_messages(model, seen[0], sample, tick, plain)
            loads = {MESH.link_name(int(link)): int(schedule.links[tick, link])
                     for link in np.flatnonzero(schedule.links[tick])}  # fmt: skip
            assert loads == {link_name(*link): count for link, count in plain.links.items()}


def check_messages(
    model: LoihiCostModel, activity: SpikeActivity, sample: int, tick: int, plain: PlainTick
) -> None:
    """Every message is sent, arrives, is taken and is done when the plain model says so."""
    found, time, cores = model.traffic, by_kind(model.costs.time), model.traffic.cores + 1
    messages = sent_messages(
        activity.spikes, activity.active, sample, tick, found.units, found.fanout, time, np.zeros(cores)
    )
    deliver_messages(
        messages,
        model.ways,
        model.costs.link,
        np.zeros(model.links, np.int64),
    )
    times = np.stack([messages.sent, messages.arrived, messages.begun, messages.done], axis=1)
    np.testing.assert_allclose(times, np.array(plain.messages).reshape(-1, 4), rtol=1e-12)


def link_name(one: tuple[int, int], other: tuple[int, int]) -> str:
    words = {(1, 0): "east", (-1, 0): "west", (0, 1): "north", (0, -1): "south"}
    return f"({one[0]}, {one[1]}) {words[other[0] - one[0], other[1] - one[1]]}"


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 511), st.integers(0, 511))
def test_routes_lead_along_x_and_then_along_y(source: int, target: int) -> None:
    tiles = path(source, target)
    names = [link_name(one, other) for one, other in pairwise(tiles)]
    assert [MESH.link_name(link) for link in MESH.route(source, target)] == names


@pytest.mark.parametrize("detailed", [False, True])
@pytest.mark.parametrize(("batch", "threads"), [(1, 2), (7, 1), (None, 2)])
def test_batches_and_threads_do_not_change_a_bit(batch: int | None, threads: int, detailed: bool) -> None:
    chip, x = recurrent(7, cores=(0, 9, 40, 200)), samples(7, 40)
    expected = simulate_with_costs(chip, x, 12, DAVIES, RunOptions(threads=1, detailed=detailed)).costs
    found = simulate_with_costs(
        chip, x, 12, DAVIES, RunOptions(batch=batch, threads=threads, detailed=detailed)
    ).costs
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), values)


def test_the_estimate_is_near_the_simulation() -> None:
    """A tick's estimate never exceeds what its queues take, and the whole run is within a tenth."""
    chip, x = recurrent(3, cores=(0, 9, 40, 100)), samples(3, 8)
    for costs in (SANAFE, DAVIES):
        fast = simulate_with_costs(chip, x, 12, costs).costs
        detailed = simulate_with_costs(chip, x, 12, costs, RunOptions(detailed=True)).costs
        np.testing.assert_allclose(fast.latency_seconds, detailed.latency_seconds, rtol=0.1)


def test_no_samples_cost_nothing() -> None:
    found = simulate_with_costs(recurrent(1), np.zeros((0, 12, 9), np.float32), 12, SANAFE)
    assert found.costs.nanoseconds.shape == (0, 14) and found.costs.events.sum() == 0


def test_static_power_counts_the_chips_in_use() -> None:
    one, three = traffic(recurrent(1)), traffic(recurrent(1, cores=(0, 130, 131, 400)))
    assert (one.chips, three.chips) == (1, 3)
    found = simulate_with_costs(recurrent(1), samples(1), 12, SANAFE).costs
    np.testing.assert_allclose(found.static_joules, 0.1044 * found.latency_seconds)


@pytest.mark.parametrize(
    ("cores", "share"), [((0, 1, 2, 3), 4 / 128), ((0, 5, 90, 127), 4 / 128), ((0, 130, 131, 400), 4 / 384)]
)
def test_the_share_in_use_counts_cores_with_tiles_and_no_gaps(cores: tuple[int, ...], share: float) -> None:
    """128 cores a chip (Davies 2018); a core between two that are used is not in use."""
    found = simulate_with_costs(recurrent(1, cores=cores), samples(1, 1), 12, SANAFE).costs
    assert found.used_share == pytest.approx(share, rel=1e-12)


@pytest.mark.parametrize("detailed", [False, True])
def test_a_clock_only_changes_the_unit(detailed: bool) -> None:
    """The same run with times that are multiples of a cycle, without a clock and with one."""
    chip, x = recurrent(3, cores=(0, 9, 40, 100)), samples(3)
    plain = simulate_with_costs(chip, x, 12, SANAFE, RunOptions(detailed=detailed)).costs
    clocked = simulate_with_costs(
        chip, x, 12, replace(SANAFE, cycle_ns=0.1), RunOptions(detailed=detailed)
    ).costs
    np.testing.assert_array_equal(clocked.nanoseconds, plain.nanoseconds)
    assert plain.cycles is None and clocked.cycles is not None
    np.testing.assert_allclose(clocked.cycles * 0.1, plain.nanoseconds, rtol=1e-9)
    assert not detailed or (clocked.cycles % 1 == 0).all()


def test_a_timeline_is_the_simulation(tmp_path: Path) -> None:
    """The Chrome trace has every stage of every core at its time, and all messages of links."""
    chip, x = recurrent(3, cores=(0, 9, 40, 100)), samples(3)
    found = TARGET.timeline(chip, x, 12, DAVIES)
    detailed = simulate_with_costs(chip, x[:1], 12, DAVIES, RunOptions(detailed=True)).costs
    np.testing.assert_array_equal(found.nanoseconds, detailed.nanoseconds[0])
    number = write_timeline(tmp_path / "t.json", found)
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    assert number == len(events)
    spans = [event for event in events if event["ph"] == "X"]
    ticks = [event for event in spans if event["name"].startswith("tick ")]
    assert len(ticks) == 14
    assert sum(event["dur"] for event in ticks) == pytest.approx(detailed.nanoseconds.sum() / 1000)
    for first, second in pairwise(ticks):
        assert first["ts"] + first["dur"] == pytest.approx(second["ts"])
    names = {e["pid"]: e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "process_name"}
    updates = [event for event in spans if event["name"] == "update"]
    assert {names[event["pid"]] for event in updates} == {
        "core 0: hidden", "core 9: hidden", "core 40: hidden", "core 100: last", "host",
    }  # fmt: skip
    last = max(event["ts"] + event["dur"] for event in spans if names[event["pid"]] != "ticks")
    assert last < ticks[-1]["ts"] + ticks[-1]["dur"]
    counted = sum(event["args"]["messages"] for event in events if event["ph"] == "C")
    hops = detailed.events[[detailed.kinds.index(kind) for kind in ("hop_east_west", "hop_north_south")]]
    assert counted == hops.sum() > 0
