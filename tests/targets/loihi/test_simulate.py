"""Running whole programs: runs and bases, threads and batches, windows, counts, decoding, the host, wrong calls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dense_programs import Connection, Layer, layer, plain, program, read_otherwise
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_loihi import PlainSynapse, run

from snnc.errors import ArtifactError, DataError, GraphError, MappingError, UsageError
from snnc.graph import Graph, Input, Linear, Output, PoissonSource, Readout, SpikeSource
from snnc.graph.operators.base import Array
from snnc.graph.operators.delay import Delay
from snnc.graph.operators.encode import QuantiseCurrent
from snnc.simulate.trace import Trace
from snnc.targets import RunOptions
from snnc.targets.host import host_signals
from snnc.targets.loihi.program import LoihiProgram, SynapticMemory
from snnc.targets.loihi.simulate import simulate_program
from snnc.targets.loihi.synapses import Sign, SynapseFormat

RECORD = ("spikes", "voltage", "current", "output")


def two_layers(
    rng: np.random.Generator, subtract: bool = True, tiles: int = 2
) -> tuple[list[Layer], list[Connection]]:
    """Spikes of the samples, a recurrent layer, and a layer behind it."""
    hidden = layer(
        "hidden",
        20,
        threshold=rng.integers(20, 60, 20),
        reset=rng.integers(20, 60, 20) if subtract else None,
        bias=rng.integers(-60, 60, 20),
        start=1,
        tiles=tiles,
    )
    last = layer("last", 5, threshold=50, reset=50, initial=1600, start=2)
    connections = [
        Connection(0, 1, rng.integers(-100, 120, (9, 20)) // 2 * 2),
        Connection(1, 1, rng.integers(-100, 100, (20, 20)) // 2 * 2, delay=1),
        Connection(1, 2, rng.integers(-100, 100, (20, 5)) // 2 * 2, SynapseFormat(8, -1)),
    ]
    return [layer("in", 9, source="source"), hidden, last], connections


def same(first: Trace, second: Trace) -> None:
    for variable in ("spikes", "voltage", "current", "spike_counts"):
        for name, values in getattr(first, variable).items():
            np.testing.assert_array_equal(values, getattr(second, variable)[name])
    np.testing.assert_equal(first.outputs, second.outputs)
    np.testing.assert_equal(first.outputs_by_tick, second.outputs_by_tick)
    for name, values in vars(first.counts).items():
        np.testing.assert_array_equal(values, getattr(second.counts, name))


@pytest.mark.parametrize(
    ("batch", "threads"), [(None, 1), (None, 2), (1, 2), (3, 1), (4, 3), (70, 1), (100, 2)]
)
@pytest.mark.parametrize("tiles", [1, 3])
def test_threads_and_batches_do_not_change_a_bit(batch: int | None, threads: int, tiles: int) -> None:
    chip = program(*two_layers(np.random.default_rng(1), tiles=tiles))
    noisy = replace(chip, host=poisson_host())
    x = np.random.default_rng(2).random((70, 9)).astype(np.float32)
    expected = simulate_program(noisy, x, 15, RunOptions(record=RECORD, batch=11, threads=1, first_sample=5))
    same(
        expected,
        simulate_program(
            noisy, x, 15, RunOptions(record=RECORD, batch=batch, threads=threads, first_sample=5)
        ),
    )
    part = simulate_program(noisy, x[4:], 15, RunOptions(record=RECORD, first_sample=9))
    np.testing.assert_array_equal(part.voltage["last"], expected.voltage["last"][4:])


def poisson_host() -> Graph:
    return (
        Graph("host").add("x", Input((9,))).add("p", PoissonSource(seed=3), "x").add("source", Output(), "p")
    )


@pytest.mark.parametrize("subtract", [True, False])
def test_event_counts_are_those_of_the_spikes(subtract: bool) -> None:
    chosen, connections = two_layers(np.random.default_rng(4), subtract)
    chip, ticks = program(chosen, connections), 12
    x = (np.random.default_rng(5).random((3, ticks, 9)) < 0.5).astype(np.float32)
    counts = simulate_program(chip, x, ticks).counts
    depth = 2
    assert counts.spikes.shape == (len(chip.tiles), depth + ticks)
    arrived, read, updated, fired, sent = (np.zeros((len(chip.tiles), depth + ticks), int) for _ in range(5))
    for sample in x:
        trains = [np.array(values["spikes"]) for values in run(*plain(chosen, connections, sample), ticks)]
        for core, tile in enumerate(chip.tiles):
            start = chip.populations[tile.population].start
            updated[core, start : start + ticks] += len(tile.neurons) * (
                2 if chosen[tile.population].population.subtract else 1
            )
            fired[core, start : start + ticks] += trains[tile.population][:, tile.neurons].sum(axis=1)
            for axon, (source, neuron) in enumerate(zip(tile.axon_population, tile.axon_neuron, strict=True)):
                length = chip.memories[tile.memory].run_length[tile.axon_list[axon]]
                for emitted in np.flatnonzero(trains[source][:, neuron]) + chip.populations[source].start:
                    for sender, other in enumerate(chip.tiles):
                        if other.population == source and neuron in other.neurons:
                            sent[sender, emitted] += 1
                    arrival = emitted + 1 + tile.axon_delay[axon]
                    if start <= arrival < start + ticks:
                        arrived[core, arrival] += 1
                        read[core, arrival] += length
    np.testing.assert_array_equal(counts.axon_events, arrived)
    np.testing.assert_array_equal(counts.synaptic_operations, read)
    np.testing.assert_array_equal(counts.neuron_updates, updated)
    np.testing.assert_array_equal(counts.spikes, fired)
    np.testing.assert_array_equal(counts.messages, sent)


@st.composite
def run_programs(draw: st.DrawFn) -> tuple[LoihiProgram, list[Layer], list[PlainSynapse]]:
    """One layer whose lists have several runs, in any order and overlapping, and are shared at several bases."""
    inputs, size = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    forms = (SynapseFormat(8, 0), SynapseFormat(8, 7, Sign.EXCITATORY), SynapseFormat(6, -3, Sign.INHIBITORY))
    pool = np.array(draw(st.lists(st.integers(-255, 255), min_size=1, max_size=20)), np.int16)
    lists, reaches, bounds, runs, form_of = draw(st.integers(1, 4)), [], [0], [], []
    for _ in range(lists):
        reach = draw(st.integers(1, size))
        for _ in range(draw(st.integers(0, 4))):
            length = draw(st.integers(1, min(reach, len(pool))))
            runs.append(
                (draw(st.integers(0, reach - length)), draw(st.integers(0, len(pool) - length)), length)
            )
        reaches.append(reach)
        bounds.append(len(runs))
        form_of.append(draw(st.integers(0, 2)))
    first, weight, length = np.array(runs, np.int32).reshape(-1, 3).T
    memory = SynapticMemory(
        pool,
        np.array(bounds),
        first,
        weight,
        length,
        np.array(form_of, np.int32),
        np.arange(lists, dtype=np.int32),
        forms,
    )
    chosen = [layer("in", inputs, source="source"), layer("cells", size, threshold=draw(st.integers(0, 900)))]
    neurons = draw(st.permutations(range(size)))
    axons, synapses = [], []
    for _ in range(draw(st.integers(0, 12))):
        source, which, delay = (
            draw(st.integers(0, inputs - 1)),
            draw(st.integers(0, lists - 1)),
            draw(st.integers(0, 2)),
        )
        base = draw(st.integers(0, size - reaches[which]))
        axons.append((source, delay, which, base))
        for start, entry, count in runs[bounds[which] : bounds[which + 1]]:
            for place in range(count):
                target = (1, neurons[base + start + place])
                mantissa = int(pool[entry + place])
                synapses.append(
                    PlainSynapse((0, source), target, mantissa, forms[form_of[which]].exponent, delay)
                )
    columns = np.array(axons, np.int64).reshape(-1, 4).T
    chip = program(chosen, [])
    tile = replace(
        chip.tiles[0],
        neurons=np.array(neurons),
        axon_population=np.zeros(len(axons), np.int32),
        axon_neuron=columns[0].astype(np.int32),
        axon_delay=columns[1].astype(np.int16),
        axon_list=columns[2].astype(np.int32),
        axon_base=columns[3].astype(np.int32),
        axon_slot=np.arange(len(axons), dtype=np.int32),
        axon_resets=np.zeros(len(axons), np.bool_),
        slot_width=np.ones(len(axons), np.int8),
    )
    return replace(chip, tiles=(tile,), memories=(memory,)), chosen, synapses


@settings(deadline=None, max_examples=150)
@given(run_programs(), st.integers(0, 2**32))
def test_runs_of_any_shape_reach_their_compartments(made: tuple, seed: int) -> None:
    chip, chosen, synapses = made
    x = (np.random.default_rng(seed).random((8, chosen[0].size)) < 0.5).astype(np.float32)
    groups, _ = plain(chosen, [], x)
    expected = run(groups, synapses, 8)[1]
    trace = simulate_program(chip, x[None], 8, RunOptions(record=RECORD))
    np.testing.assert_array_equal(trace.current["cells"][0], expected["u"])
    np.testing.assert_array_equal(trace.voltage["cells"][0], expected["v"])
    np.testing.assert_array_equal(trace.spikes["cells"][0], expected["spikes"])


def test_a_host_population_larger_than_a_core() -> None:
    size = 2500
    rng = np.random.default_rng(6)
    connections = [Connection(0, 1, rng.integers(-100, 100, (size, 4)) * 2)]
    chosen = [layer("in", size, source="source"), layer("cells", 4, threshold=5000, start=1)]
    x = (rng.random((1, 5, size)) < 0.3).astype(np.float32)
    trace = simulate_program(program(chosen, connections), x, 5, RunOptions(record=RECORD))
    expected = run(*plain(chosen, connections, x[0]), 5)[1]
    np.testing.assert_array_equal(trace.voltage["cells"][0], expected["v"])
    np.testing.assert_array_equal(trace.spikes["in"], x > 0)
    assert trace.spike_counts["in"][0] == x.sum()


def test_decoding_by_count_and_by_potential() -> None:
    chosen, connections = two_layers(np.random.default_rng(7))
    x = (np.random.default_rng(8).random((2, 10, 9)) < 0.5).astype(np.float32)
    by_count = program(chosen, connections)
    by_count = read_otherwise(by_count, scale=np.array([0.5]), offset=np.arange(5.0))
    trace = simulate_program(by_count, x, 10, RunOptions(record=RECORD))
    counts = np.cumsum(trace.spikes["last"], axis=1)
    presented = np.arange(1, 11)[:, None]
    np.testing.assert_allclose(trace.output_by_tick, 0.5 * counts / presented + np.arange(5), rtol=1e-15)
    np.testing.assert_array_equal(trace.output, trace.output_by_tick[:, -1])
    assert trace.latency_ticks == 12
    trace = simulate_program(
        read_otherwise(by_count, readout=Readout.POTENTIAL), x, 10, RunOptions(record=RECORD)
    )
    charge = 50 * 64 * counts + trace.voltage["last"] - 1600
    np.testing.assert_allclose(trace.output_by_tick, 0.5 * charge / presented + np.arange(5), rtol=1e-15)
    # Nothing saturates, so the charge is exactly what has arrived.
    arrived = np.einsum("stn,no->sto", trace.spikes["hidden"], np.floor(connections[2].mantissas / 2) * 64)
    np.testing.assert_array_equal(charge, np.cumsum(arrived, axis=1))


def test_only_what_was_asked_for_is_recorded() -> None:
    chip = program(*two_layers(np.random.default_rng(9)))
    trace = simulate_program(chip, np.ones((2, 9), np.float32), 3)
    assert not trace.spikes and not trace.voltage and not trace.current and trace.output_by_tick is None
    assert trace.output.shape == (2, 5) and set(trace.spike_counts) == {"in", "hidden", "last"}
    trace = simulate_program(chip, np.ones((2, 9), np.float32), 3, RunOptions(record=["current"]))
    assert set(trace.current) == {"hidden", "last"} and not trace.voltage


def test_no_samples_give_empty_results() -> None:
    chip = program(*two_layers(np.random.default_rng(10)))
    trace = simulate_program(chip, np.zeros((0, 9), np.float32), 3, RunOptions(record=RECORD))
    assert trace.output.shape == (0, 5) and trace.spikes["hidden"].shape == (0, 3, 20)
    assert not trace.counts.spikes.any()


def driven(scale: float = 1.0, limit: int = 4095 * 128) -> LoihiProgram:
    host = Graph("host").add("x", Input((3,))).add("q", QuantiseCurrent(scale, limit=limit), "x")
    return replace(program([layer("cells", 3, drive="drive")], []), host=host.add("drive", Output(), "q"))


def test_a_current_beyond_the_bias_register_is_refused() -> None:
    x = np.full((1, 3), 1e9, np.float32)
    simulate_program(driven(), x, 2)
    with pytest.raises(MappingError, match=r"T451.*cells"):
        simulate_program(driven(limit=10**6), x, 2)


def test_a_current_that_is_no_whole_number_is_refused() -> None:
    host = Graph("host").add("x", Input((3,))).add("drive", Output(), "x")
    with pytest.raises(GraphError, match="G203"):
        simulate_program(replace(driven(), host=host), np.full((1, 3), 0.5, np.float32), 2)


def test_wrong_calls() -> None:
    chip, x = driven(), np.zeros((2, 3), np.float32)
    for keywords in (
        {"ticks": 0},
        {"ticks": 2, "record": ["u"]},
        {"ticks": 2, "batch": 0},
        {"ticks": 2, "threads": 0},
    ):
        with pytest.raises(UsageError, match="U20"):
            ticks = keywords.pop("ticks")
            simulate_program(chip, x, ticks, RunOptions(**keywords))
    with pytest.raises(DataError, match="D101"):
        simulate_program(chip, np.zeros((2, 4), np.float32), 2)
    with pytest.raises(UsageError, match="U203"):
        simulate_program(chip, np.zeros((2, 5, 3), np.float32), 4)


def test_a_program_that_contradicts_itself_is_refused() -> None:
    chip = program(*two_layers(np.random.default_rng(11), subtract=False))
    tile = chip.tiles[0]
    broken = {
        "synapse leads out": replace(tile, axon_base=tile.axon_base + 1000),
        "no list": replace(tile, axon_list=tile.axon_list + 1000),
        "every neuron once": replace(tile, neurons=tile.neurons * 0),
        "from no neuron": replace(tile, axon_neuron=tile.axon_neuron - 100),
        "threshold": replace(tile, threshold=tile.threshold - 10**6),
    }
    for message, each in broken.items():
        with pytest.raises(ArtifactError, match=f"A121.*{message}"):
            simulate_program(replace(chip, tiles=(each, *chip.tiles[1:])), np.zeros((1, 9), np.float32), 2)


def host_of(x: Array, ticks: int, *, delay: int = 2) -> dict[str, Array]:
    graph = (
        Graph("host")
        .add("x", Input((4,)))
        .add("map", Linear(np.linspace(-1, 1, 12).reshape(3, 4), np.array([1.0, 2.0, 3.0])), "x")
        .add("late", Delay(delay), "map")
        .add("q", QuantiseCurrent(100.0), "late")
        .add("spikes", SpikeSource(), "late")
        .add("current", Output(), "q")
        .add("train", Output(), "spikes")
    )
    return dict(host_signals(graph, x, ticks))


def test_host_delays_show_the_bias_until_the_sample_arrives() -> None:
    x = np.random.default_rng(12).normal(size=(2, 4)).astype(np.float32)
    found = host_of(x, 5)
    weight = np.linspace(-1, 1, 12).reshape(3, 4)
    mapped = np.rint(100 * (x.astype(np.float64) @ weight.T + [1, 2, 3]))
    np.testing.assert_array_equal(found["current"][:, :2], np.broadcast_to([100, 200, 300], (2, 2, 3)))
    np.testing.assert_array_equal(found["current"][:, 2:], np.repeat(mapped[:, None], 3, axis=1))
    assert found["train"].dtype == bool and found["train"].shape == (2, 5, 3)
    np.testing.assert_array_equal(
        host_of(x, 5, delay=9)["current"], np.broadcast_to([100, 200, 300], (2, 5, 3))
    )


def test_host_values_do_not_depend_on_the_batch() -> None:
    x = np.random.default_rng(13).normal(size=(7, 4)).astype(np.float32)
    together = host_of(x, 3)["current"]
    np.testing.assert_array_equal(
        together, np.concatenate([host_of(x[i : i + 1], 3)["current"] for i in range(7)])
    )
