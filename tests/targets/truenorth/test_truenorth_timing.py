"""Time and energy on TrueNorth: counts and queues against a plain model, sums, the published sets, clocks."""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, replace
from itertools import pairwise
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hand_made import chip, everything, lines, plain_neuron, program
from hypothesis import given, settings
from plain_timing import HOST, Place, PlainTick, crosses, path, plain_tick
from plain_truenorth import PlainCore, run
from small_models import small_data, small_model
from test_truenorth_simulate import random_program, samples
from truenorth_networks import truenorth_networks

import snnc
from snnc.errors import MappingError, UsageError
from snnc.formats.timeline_file import write_timeline
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.report.evaluation import evaluate
from snnc.simulate.costs import RunCosts
from snnc.simulate.trace import EventCounts
from snnc.targets import RunOptions
from snnc.targets.costs import cost_set_named
from snnc.targets.truenorth import TARGET
from snnc.targets.truenorth import batch as batches
from snnc.targets.truenorth.costs import TrueNorthCosts, TrueNorthEvents
from snnc.targets.truenorth.lower import lower
from snnc.targets.truenorth.program import TrueNorthProgram
from snnc.targets.truenorth.simulate import simulate_program
from snnc.targets.truenorth.timing import TrueNorthCostModel, simulate_with_costs

AKOPYAN: TrueNorthCosts = cost_set_named("akopyan2015")
MEROLLA: TrueNorthCosts = cost_set_named("merolla2014")
TIMED = replace(
    AKOPYAN,
    energy=TrueNorthEvents(0.5, 2.25, 0.125, 1.5, 3.0, 2.0, 2.5, 40.0, 0.75),
    time=TrueNorthEvents(3.0, 1.5, 2.0, 4.0, 5.0, 6.5, 7.5, 60.0, 9.0),
    link=12.0,
    shortest_tick=0.0,
)
PLACES: list[Place] = [(0, 0), (1, 0), (0, 3), (5, 2), (63, 63), (64, 60), (70, 64), (2, 200)]


@dataclass(frozen=True)
class Case:
    """A program in two forms, and the spikes of the host."""

    cores: list[PlainCore]
    places: list[Place]
    entries: list[tuple[int, int, int, int]]
    program: TrueNorthProgram
    x: Array


def case(seed: int, places: list[Place], ticks: int = 7) -> Case:
    """Small recurrent cores at some places."""
    rng = np.random.default_rng(seed)

    def neuron(index: int) -> object:
        target = (int(rng.integers(len(places))), int(rng.integers(6)), int(rng.integers(1, 5)))
        return plain_neuron(
            weights=rng.integers(-10, 20, 4).tolist(), leak=int(rng.integers(-1, 4)), alpha=int(rng.integers(1, 30)),
            target=target if index % 4 else None,
        )  # fmt: skip

    cores = [
        PlainCore(
            rng.integers(0, 4, 6).tolist(), rng.integers(0, 2, (6, 8)).tolist(), [neuron(n) for n in range(8)]
        )  # type: ignore[misc]
        for _ in places
    ]
    columns = [rng.integers(-1, 5, 7), rng.integers(len(places), size=7), rng.integers(6, size=7)]
    rows = np.stack([*columns, rng.choice([1, 2, 15, 17], 7)], axis=1)
    entries = [tuple(row) for row in rows.tolist()]
    made = chip(cores)
    made.x[:], made.y[:] = np.array(places).T
    x = (rng.random((2, ticks, 5)) < 0.5).astype(np.float32)
    return Case(cores, places, entries, program(made, 5, entries, everything(cores)), x)


def plain_ticks(made: Case, sample: int, costs: TrueNorthCosts) -> list[PlainTick]:
    """All ticks of a sample."""
    x, ticks = made.x[sample], made.x.shape[1]
    given_at: dict[int, set[tuple[int, int]]] = {}
    host: dict[int, list[int]] = {}
    for neuron, core, axon, delay in made.entries:
        for tick in range(ticks):
            if neuron < 0 or x[tick, neuron]:
                given_at.setdefault(tick + delay, set()).add((core, axon))
                host.setdefault(tick + max(delay - 15, 0), []).append(core)
    plain = [PlainCore(core.types, core.connected, [replace(n) for n in core.neurons]) for core in made.cores]
    _, spikes = run(plain, {tick: sorted(found) for tick, found in given_at.items()}, ticks, 0, sample)
    for tick, fired in enumerate(spikes):
        for number, core in enumerate(made.cores):
            for index, neuron in enumerate(core.neurons):
                if fired[number][index] and neuron.target is not None:
                    to, axon, delay = neuron.target
                    given_at.setdefault(tick + delay, set()).add((to, axon))
    return [
        plain_tick(made.cores, made.places, given_at.get(tick, set()), fired, host.get(tick, []), costs)
        for tick, fired in enumerate(spikes)
    ]


def of_kind(costs: RunCosts, kind: str) -> Array:
    """(cores, chip ticks), the host last."""
    return np.asarray(costs.events[costs.kinds.index(kind)])


def check_sums(costs: RunCosts) -> None:
    """What was sent arrives, and energies by kind, layer, core and sample have one sum."""
    sent, taken = of_kind(costs, "message_out"), of_kind(costs, "message_in")
    np.testing.assert_array_equal(sent.sum(axis=0), costs.messages.sum(axis=0))
    np.testing.assert_array_equal(taken.sum(axis=0), costs.messages.sum(axis=0))
    for unit, core in enumerate(costs.unit_core):
        np.testing.assert_array_equal(sent[unit], costs.messages[costs.message_source == core].sum(axis=0))
        np.testing.assert_array_equal(taken[unit], costs.messages[costs.message_target == core].sum(axis=0))
    whole = costs.dynamic_joules.sum()
    for parts in (costs.joules_by_kind(), costs.joules_by_population(), costs.joules_by_core()):
        assert sum(parts.values()) == pytest.approx(whole, rel=1e-12)
    assert sum(costs.critical.values()) == costs.nanoseconds.size


def check_counts(costs: RunCosts, counts: EventCounts) -> None:
    """The counts of the cost model are those of the simulator, core by core and tick by tick."""
    for kind, name in (
        ("axon_event", "axon_events"),
        ("synaptic_event", "synaptic_operations"),
        ("neuron_update", "neuron_updates"),
        ("spike", "spikes"),
        ("message_out", "messages"),
    ):
        np.testing.assert_array_equal(of_kind(costs, kind)[:-1], getattr(counts, name))


def check_energy(costs: RunCosts, plain: list[PlainTick], places: list[Place], sample: int) -> None:
    """The energy of a sample, event by event, and its messages; for a run of that sample alone."""
    energy = dict(zip(costs.kinds, astuple(TIMED.energy), strict=True))
    total = 0.0
    for tick, found in enumerate(plain):
        total += energy["axon_event"] * sum(found.axons.values())
        total += energy["synaptic_event"] * sum(found.synapses.values())
        for (source, to), count in found.messages.items():
            way = path((0, 0) if source == HOST else places[source], places[to])
            across = sum(crosses(*hop) for hop in pairwise(way))
            along_x = abs(way[0][0] - way[-1][0])
            along_y = abs(way[0][1] - way[-1][1])
            each = energy["message_out"] + energy["message_in"] + energy["chip_crossing"] * across
            total += count * (each + energy["hop_east_west"] * along_x + energy["hop_north_south"] * along_y)
            pair = (costs.message_source == source) & (costs.message_target == to)
            assert costs.messages[pair, tick].sum() == count
        for core in range(len(places)):
            assert of_kind(costs, "axon_event")[core, tick] == found.axons[core]
            assert of_kind(costs, "synaptic_event")[core, tick] == found.synapses[core]
    total += energy["neuron_update"] * 256 * len(places) * len(plain)
    total += energy["spike"] * of_kind(costs, "spike").sum()
    assert costs.dynamic_picojoules[0] == pytest.approx(total, rel=1e-12)


@settings(deadline=None, max_examples=20)
@given(
    st.integers(0, 10**6),
    st.lists(st.sampled_from(PLACES), min_size=1, max_size=4, unique=True),
    st.sampled_from([TIMED, replace(TIMED, link=0.0), replace(TIMED, shortest_tick=700.0)]),
)
def test_events_and_queues_are_those_of_a_plain_model(
    seed: int, places: list[Place], costs: TrueNorthCosts
) -> None:
    """Every event, stage, message and link of every tick, with cores next to each other and on several chips."""
    made = case(seed, places)
    ticks = made.x.shape[1]
    for sample in range(2):
        plain = plain_ticks(made, sample, costs)
        seen: list[batches.TrueNorthActivity] = []
        simulate_program(
            made.program, made.x[sample : sample + 1], ticks, RunOptions(threads=1), observe=seen.append
        )
        model = TrueNorthCostModel.of(made.program, costs, detailed=True)
        schedule = model.empty_schedule(ticks)
        model.simulate(seen[0], 0, schedule)
        for tick, found in enumerate(plain):
            assert schedule.nanoseconds[tick] == pytest.approx(found.end, rel=1e-12)
            for core in range(len(places)):
                assert schedule.updated[tick, core] == pytest.approx(found.updated[core], rel=1e-12)
                assert schedule.done[tick, core] == pytest.approx(found.done[core], rel=1e-12)
            assert schedule.updated[tick, -1] == pytest.approx(found.updated[HOST], rel=1e-12)
            mesh = model.traffic.mesh
            loads = {mesh.link_name(int(link)): int(schedule.links[tick, link])
                     for link in np.flatnonzero(schedule.links[tick])}  # fmt: skip
            assert loads == {link_name(*link): count for link, count in found.links.items()}
        one = simulate_with_costs(
            made.program, made.x[sample : sample + 1], ticks, costs, RunOptions(detailed=True)
        ).costs
        np.testing.assert_array_equal(one.nanoseconds[0], schedule.nanoseconds)
        check_sums(one)
        check_energy(one, plain, places, sample)


def link_name(one: Place, other: Place) -> str:
    words = {(1, 0): "east", (-1, 0): "west", (0, 1): "north", (0, -1): "south"}
    return f"({one[0]}, {one[1]}) {words[other[0] - one[0], other[1] - one[1]]}"


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 12), st.sampled_from([None, 1, 3]))
def test_counts_and_sums_of_any_full_cores(seed: int, cores: int, ticks: int, batch: int | None) -> None:
    made = random_program(seed, max(cores, 1))
    rng = np.random.default_rng(seed)
    made.cores.x[:], made.cores.y[:] = rng.permutation(250)[:cores], rng.integers(0, 250, cores)
    found = simulate_with_costs(made, samples(4), ticks, TIMED, RunOptions(batch=batch, threads=2))
    assert found.trace.counts is not None
    check_counts(found.costs, found.trace.counts)
    check_sums(found.costs)


@settings(deadline=None, max_examples=15)
@given(truenorth_networks(), st.integers(1, 6))
def test_counts_and_sums_of_any_network(network: Graph, ticks: int) -> None:
    try:
        made = lower(network)
    except MappingError:
        return
    shape = made.host.shapes[made.host.inputs[0].name]
    x = np.random.default_rng(0).random((3, *shape)).astype(np.float32)
    found = simulate_with_costs(made, x, ticks, AKOPYAN, RunOptions(threads=1))
    assert found.trace.counts is not None
    check_counts(found.costs, found.trace.counts)
    check_sums(found.costs)
    assert (found.costs.nanoseconds == 1e6).all()


def test_a_spike_is_taken_once_and_read_when_its_delay_is_over() -> None:
    """Without merging, every message of a tick is an axon event that many ticks later."""
    sender = PlainCore([0], [[1]], [plain_neuron(weights=[1, 0, 0, 0], alpha=1, target=(1, 0, 3))])
    taker = PlainCore([0], [[1, 1]], [plain_neuron(), plain_neuron()])
    made = program(chip([sender, taker]), 1, [(0, 0, 0, 1)], everything([sender, taker]))
    x = np.zeros((1, 9, 1), np.float32)
    x[0, 1] = 1
    costs = simulate_with_costs(made, x, 9, AKOPYAN).costs
    for kind, core, tick in (
        ("message_out", 2, 1),
        ("axon_event", 0, 2),
        ("message_in", 1, 2),
        ("axon_event", 1, 5),
    ):
        assert of_kind(costs, kind)[core].nonzero()[0].tolist() == [tick]
    assert of_kind(costs, "synaptic_event")[1].tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0]


@pytest.mark.parametrize("detailed", [False, True])
def test_batches_threads_and_blocks_do_not_change_a_bit(
    monkeypatch: pytest.MonkeyPatch, detailed: bool
) -> None:
    made, x = random_program(3), samples(9)
    expected = simulate_with_costs(made, x, 8, TIMED, RunOptions(threads=1, detailed=detailed)).costs
    for batch, threads, room in ((1, 2, 2**26), (4, 1, 2**26), (None, 2, 20000)):
        monkeypatch.setattr("snnc.targets.truenorth.batch._BLOCK_BYTES", room)
        found = simulate_with_costs(
            made, x, 8, TIMED, RunOptions(batch=batch, threads=threads, detailed=detailed)
        ).costs
        for name, values in vars(expected).items():
            np.testing.assert_array_equal(getattr(found, name), values)


def test_counting_changes_no_answer() -> None:
    made, x = random_program(3), samples(5)
    alone = simulate_program(made, x, 9, RunOptions(record=("spikes", "voltage", "output")))
    counted = simulate_with_costs(
        made, x, 9, AKOPYAN, RunOptions(record=("spikes", "voltage", "output"))
    ).trace
    np.testing.assert_equal(alone.outputs_by_tick, counted.outputs_by_tick)
    for name in alone.voltage:
        np.testing.assert_array_equal(alone.voltage[name], counted.voltage[name])
        np.testing.assert_array_equal(alone.spikes[name], counted.spikes[name])


def test_the_published_sets() -> None:
    """Akopyan 2015, figure 17: 68, 71, 94 mW at 11.58, 20.07, 95.93 Hz; Merolla 2014: 26 pJ at 20 Hz is 72 mW or so."""
    events_per_hertz = 4096 * 256 * 128
    for hertz, watts in ((11.58, 0.068), (20.07, 0.071), (95.93, 0.094)):
        model = AKOPYAN.static_watts + AKOPYAN.energy.synaptic_event * 1e-12 * hertz * events_per_hertz
        assert model == pytest.approx(watts, rel=0.006)
    assert MEROLLA.energy.synaptic_event * 1e-12 * 20 * events_per_hertz == pytest.approx(0.072, rel=0.05)
    assert MEROLLA.static_watts == 0
    assert sum(astuple(AKOPYAN.time)) == sum(astuple(MEROLLA.time)) == 0
    assert AKOPYAN.shortest_tick == MEROLLA.shortest_tick == 1e6


def test_energies_of_a_run_follow_from_its_synaptic_events() -> None:
    made, x = random_program(3), samples(5)
    for costs in (AKOPYAN, MEROLLA):
        found = simulate_with_costs(made, x, 9, costs)
        assert found.trace.counts is not None
        synapses = found.trace.counts.synaptic_operations.sum()
        dynamic = found.costs.dynamic_joules.sum()
        assert dynamic == pytest.approx(synapses * costs.energy.synaptic_event * 1e-12)
        seconds = (made.depth + 9) * 1e-3
        np.testing.assert_allclose(found.costs.latency_seconds, seconds)
        np.testing.assert_allclose(found.costs.static_joules, seconds * costs.static_watts)
        assert found.costs.critical == {"shortest tick": 5 * (made.depth + 9)}


def test_static_power_is_that_of_whole_chips() -> None:
    made, x = random_program(3), samples(2)
    one = simulate_with_costs(made, x, 3, AKOPYAN).costs
    assert (one.static_watts, one.used_share) == (AKOPYAN.static_watts, 3 / 4096)
    made.cores.x[2] = 64
    two = simulate_with_costs(made, x, 3, AKOPYAN).costs
    assert (two.static_watts, two.used_share) == (2 * AKOPYAN.static_watts, 3 / 8192)


def test_a_tick_is_as_long_as_its_slowest_core_but_not_shorter_than_the_shortest() -> None:
    """A core without input takes 256 updates; it is the slowest where a tick may be shorter."""
    made, x = case(1, [(0, 0), (1, 0)]).program, np.zeros((1, 4, 5), np.float32)
    idle = replace(made, cores=replace(made.cores, leak=np.zeros_like(made.cores.leak)), lines=lines([]))
    update = TrueNorthEvents(0, 0, 2.0, 0, 0, 0, 0, 0, 0)
    for shortest, length, element in ((0.0, 512.0, "neurons of core 0"), (600.0, 600.0, "shortest tick")):
        for detailed in (False, True):
            costs = replace(AKOPYAN, time=update, shortest_tick=shortest)
            found = simulate_with_costs(idle, x, 4, costs, RunOptions(detailed=detailed)).costs
            assert found.nanoseconds.tolist() == [[length] * 4] and found.critical == {element: 4}


def test_the_estimate_is_near_the_simulation() -> None:
    made, x = random_program(3), samples(5)
    made.cores.x[:], made.cores.y[:] = (0, 3, 5), (1, 0, 2)
    for costs in (TIMED, replace(TIMED, link=0.0)):
        fast = simulate_with_costs(made, x, 9, costs).costs
        detailed = simulate_with_costs(made, x, 9, costs, RunOptions(detailed=True)).costs
        np.testing.assert_allclose(fast.latency_seconds, detailed.latency_seconds, rtol=0.1)


def clocked(folder: Path, cycle_ns: float | None) -> Path:
    """The set of times in cycles of 2.5 ns, written in cycles or in nanoseconds."""
    kinds = [line.split(" =")[0] for line in ("axon_event =", "synaptic_event =", "neuron_update =", "spike =",
             "message_out =", "hop_east_west =", "hop_north_south =", "chip_crossing =", "message_in =")]  # fmt: skip
    cycles, factor = (3, 1, 2, 1, 2, 3, 4, 50, 2), 1.0 if cycle_ns else 2.5
    unit = "cycles" if cycle_ns else "ns"
    text = ['name = "mine"', 'source = "measured"', 'target = "truenorth"']
    text += [f"cycle_ns = {cycle_ns}"] if cycle_ns else []
    text += ["[energy]", 'unit = "pJ"', *(f"{kind} = 1.0" for kind in kinds)]
    text += ["[time]", f'unit = "{unit}"', f"link = {4 * factor}"]
    text += [f"{kind} = {number * factor}" for kind, number in zip(kinds, cycles, strict=True)]
    text += ["[tick]", f'unit = "{unit}"', f"shortest = {1000 * factor}"]
    text += ["[power]", 'unit = "mW"', "static_per_chip = 50"]
    path = folder / f"{unit}.toml"
    path.write_text("\n".join(text))
    return path


@pytest.mark.parametrize("detailed", [False, True])
def test_cycles_and_nanoseconds_agree(tmp_path: Path, detailed: bool) -> None:
    made, x = random_program(3), samples(5)
    in_cycles, in_ns = (
        simulate_with_costs(
            made, x, 9, cost_set_named(clocked(tmp_path, cycle)), RunOptions(detailed=detailed)
        ).costs
        for cycle in (2.5, None)
    )
    np.testing.assert_array_equal(in_cycles.nanoseconds, in_ns.nanoseconds)
    assert in_ns.cycles is None and in_cycles.cycles is not None
    np.testing.assert_allclose(in_cycles.cycles * 2.5, in_ns.nanoseconds, rtol=1e-9)
    if detailed:
        assert (in_cycles.cycles % 1 == 0).all()


def test_a_timeline_has_counts_and_cycles(tmp_path: Path) -> None:
    made, x = random_program(3), samples(1)
    for costs, name in ((AKOPYAN, "not timed"), (cost_set_named(clocked(tmp_path, 2.5)), "update")):
        found = TARGET.timeline(made, x, 6, costs)
        run_costs = simulate_with_costs(made, x, 6, costs, RunOptions(detailed=True)).costs
        np.testing.assert_array_equal(found.nanoseconds, run_costs.nanoseconds[0])
        write_timeline(tmp_path / "t.json", found)
        events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
        spans = [event for event in events if event["ph"] == "X" and event["name"] == name]
        for kind in ("synaptic_event", "spike"):
            assert sum(span["args"][kind] for span in spans) == of_kind(run_costs, kind).sum() > 0
        ticks = [event for event in events if event["ph"] == "X" and event["name"].startswith("tick ")]
        assert len(ticks) == made.depth + 6
        if costs.cycle_ns is not None:
            assert run_costs.cycles is not None
            assert [tick["args"]["cycles"] for tick in ticks] == run_costs.cycles[0].tolist()
        counted = sum(event["args"]["messages"] for event in events if event["ph"] == "C")
        hops = sum(of_kind(run_costs, kind).sum() for kind in ("hop_east_west", "hop_north_south"))
        assert counted == hops


def test_no_samples_cost_nothing() -> None:
    made = random_program(3)
    found = simulate_with_costs(made, samples(0), 4, AKOPYAN)
    assert found.costs.nanoseconds.shape == (0, made.depth + 4) and found.costs.events.sum() == 0


def test_eval_fills_all_fields(tmp_path: Path) -> None:
    """Also for a set of the user's own, in both modes; a set of another chip is refused."""
    x, _ = small_data(5)
    compiled = snnc.compile(small_model(), "truenorth", calibration=small_data(16, 2)[0], ticks=8)
    by_set = {name: evaluate(compiled, x, costs=name) for name in (None, "akopyan2015", "merolla2014")}
    assert by_set[None] == by_set["akopyan2015"]
    mine = clocked(tmp_path, 2.5)
    for found in (
        *by_set.values(),
        *(evaluate(compiled, x, costs=mine, detailed=mode) for mode in (False, True)),
    ):
        dynamic, static = found.dynamic_joules_per_sample, found.static_joules_per_sample
        assert dynamic is not None and static is not None and found.latency_seconds_per_sample is not None
        assert found.energy_joules_per_sample == pytest.approx(dynamic + static)
        for parts in (found.energy_by_layer, found.energy_by_core, found.energy_by_event):
            assert sum(parts.values()) == pytest.approx(dynamic)
        assert set(found.energy_by_layer) <= {"host", *(layer.name for layer in compiled.usage.layers)}
        assert found.throughput_samples_per_second == pytest.approx(1 / found.latency_seconds_per_sample)
        assert sum(found.critical_elements.values()) <= 1 + 1e-9
        clock = found.latency_cycles_per_sample
        assert (clock is None) == (found.cost_set != "mine")
        assert clock is None or clock * 2.5e-9 == pytest.approx(found.latency_seconds_per_sample)
    published = by_set["akopyan2015"]
    assert published.latency_seconds_per_sample == pytest.approx(published.latency_ticks * 1e-3)
    assert published.pipelined_samples_per_second == pytest.approx(1000 / 8)
    assert published.pipelined_joules_per_sample == pytest.approx(
        published.dynamic_joules_per_sample + 0.0644 * 8e-3  # type: ignore[operator]
    )
    with pytest.raises(UsageError) as raised:
        evaluate(compiled, x, costs="davies2018")
    assert raised.value.code == "U409"
