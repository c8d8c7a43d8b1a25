"""What a call of the simulator takes, records, decodes and refuses, whatever the batch and threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.errors import DataError, GraphError, SnncError, UsageError
from snnc.graph import (
    IF,
    LIF,
    Add,
    AvgPool,
    Conv,
    CurrentLIF,
    Delay,
    Flatten,
    Graph,
    Input,
    Integrator,
    Linear,
    LowPass,
    Output,
    PoissonSource,
    QuantiseCurrent,
    Readout,
    Relu,
    SpikeSource,
)
from snnc.simulate import RECORDABLE, EventCounts, Trace, join, plan, simulate

RNG = np.random.default_rng(5)


def conv_net() -> Graph:
    """Poisson source, convolution, pool, self-exciting layer: every kind of node once."""
    graph = Graph("net").add("in", Input((2, 6, 6))).add("source", PoissonSource(seed=1), "in")
    graph = graph.add("conv", Conv(RNG.normal(size=(3, 2, 3, 3)), RNG.normal(size=3) / 9), "source")
    graph = graph.add("one", IF(), "conv").add("pool", AvgPool((2, 2), (2, 2)), "one")
    graph = graph.add("flat", Flatten(), "pool").add("dense", Linear(RNG.normal(size=(4, 12))), "flat")
    graph = graph.add("two", CurrentLIF(0.5, 0.5, 0.1), "dense", "loop")
    graph = graph.add("loop", Linear(RNG.normal(size=(4, 4)) / 3), "two")
    return graph.add("end", Integrator(), "two").add("out", Output(Readout.POTENTIAL), "end")


NET = conv_net()
SAMPLES = RNG.random((6, 2, 6, 6), np.float32)


def same(first: Trace, second: Trace) -> bool:
    """Whether two traces have the same bits."""
    pairs = [(first.output, second.output), (first.output_by_tick, second.output_by_tick)]
    for variable in ("spikes", "voltage", "current", "spike_counts"):
        one, two = getattr(first, variable), getattr(second, variable)
        assert one.keys() == two.keys()
        pairs += [(one[name], two[name]) for name in one]
    return all(np.array_equal(one, two) for one, two in pairs)


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 7), st.integers(1, 3), st.booleans())
def test_batch_and_threads_do_not_change_a_bit(batch: int, threads: int, sequence: bool) -> None:
    x = np.repeat(SAMPLES[:, None], 12, 1) * RNG.random((1, 12, 1, 1, 1)) if sequence else SAMPLES
    whole = simulate(NET, x, 12, record=RECORDABLE, threads=1, batch=6)
    assert same(whole, simulate(NET, x, 12, record=RECORDABLE, batch=batch, threads=threads))


def test_joined_parts_are_the_whole() -> None:
    parts = [simulate(NET, SAMPLES[i : i + 2], 8, record=RECORDABLE, first_sample=i) for i in (0, 2, 4)]
    assert same(join(parts), simulate(NET, SAMPLES, 8, record=RECORDABLE))


def test_joined_event_counts_are_summed() -> None:
    trace = simulate(NET, SAMPLES[:1], 2)
    names = ("axon_events", "synaptic_operations", "neuron_updates", "spikes", "messages")
    counts = [EventCounts(*(np.full((3, 2), number + k) for k in range(5))) for number in (1, 10)]
    joined = join([replace(trace, counts=each) for each in counts]).counts
    assert joined is not None
    assert [getattr(joined, name)[0, 0] for name in names] == [11, 13, 15, 17, 19]


def test_constant_samples_are_the_same_array_in_every_tick() -> None:
    repeated = np.repeat(SAMPLES[:, None], 7, axis=1)
    assert same(simulate(NET, SAMPLES, 7, record=("spikes",)), simulate(NET, repeated, 7, record=("spikes",)))


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    short, long = (simulate(NET, SAMPLES, ticks, record=("spikes", "output")) for ticks in (5, 11))
    assert all((long.spikes[name][:, :5] == short.spikes[name]).all() for name in short.spikes)
    assert long.output_by_tick is not None
    assert np.allclose(long.output_by_tick[:, 4], short.output)


ENDS = {
    "count": (IF(1.0), Output(Readout.COUNT, 3.0, 1.0)),
    "potential": (Integrator(), Output(Readout.POTENTIAL, 3.0, 1.0)),
    "map": (Linear(np.array([[0.25, 1.5]])), Output(scale=3.0)),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("block", [1, 4, 5])
def test_blocks_of_ticks_do_not_change_a_bit(end: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights and decays are small dyadic fractions, so every sum is exact."""
    graph = Graph("g").add("in", Input((2,))).add("slow", LowPass(0.5), "in")
    graph = graph.add("a", CurrentLIF(0.75, 0.5, 0.25), "slow", "back").add("back", Delay(2), "loop")
    graph = graph.add("loop", Linear(np.array([[0.5, -0.25], [0.75, 0.0]])), "a").add("d", Delay(3), "loop")
    graph = graph.add("last", ENDS[end][0], "d").add("out", ENDS[end][1], "last")
    x = np.array([[0.125, 0.5], [0.625, 0.25]])
    whole = simulate(graph, x, 13, record=RECORDABLE)
    assert whole.output.any()
    monkeypatch.setattr(plan, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(plan, "_SHORTEST_BLOCK", block)
    assert same(whole, simulate(graph, x, 13, record=RECORDABLE))
    assert whole.output_by_tick is not None
    assert (whole.output_by_tick[:, -1] == whole.output).all()


def test_only_what_is_asked_for_is_recorded() -> None:
    trace = simulate(NET, SAMPLES, 3)
    assert not trace.spikes and not trace.voltage and not trace.current and trace.output_by_tick is None
    assert set(trace.spike_counts) == {"source", "one", "two", "end"}
    full = simulate(NET, SAMPLES, 3, record=RECORDABLE)
    assert full.spikes["one"].shape == (6, 3, 3, 4, 4) and full.spikes["one"].dtype == bool
    assert full.voltage["one"].dtype == np.float64
    assert set(full.current) == {"one", "two", "end"}
    for name, spikes in full.spikes.items():
        assert (spikes.reshape(6, -1).sum(axis=1) == trace.spike_counts[name]).all()
    assert full.latency_ticks == 3
    assert (full.recorded("voltage")["two"] == full.voltage["two"]).all()


def test_no_samples_give_an_empty_trace() -> None:
    trace = simulate(NET, SAMPLES[:0], 3, record=RECORDABLE)
    assert trace.output.shape == (0, 4) and trace.spikes["one"].shape == (0, 3, 3, 4, 4)


def test_value_and_count_of_a_population_are_spikes_per_tick() -> None:
    for readout in (Readout.VALUE, Readout.COUNT):
        graph = Graph("g").add("in", Input((2,))).add("p", IF(), "in")
        graph = graph.add("out", Output(readout, 4.0, 1.0), "p")
        trace = simulate(graph, np.array([[0.25, 0.5]]), 8, record=("output",))
        assert trace.output.tolist() == [[2.0, 3.0]]
        assert trace.output_by_tick is not None
        assert trace.output_by_tick[0, :2].tolist() == [[1.0, 1.0], [1.0, 3.0]]


def test_a_linear_map_at_the_end_is_read_by_its_mean() -> None:
    graph = Graph("g").add("in", Input((1,))).add("p", IF(), "in").add("w", Linear(np.full((1, 1), 8.0)), "p")
    trace = simulate(graph.add("out", Output(scale=0.5), "w"), np.array([[0.25]]), 6, record=("output",))
    assert trace.output_by_tick is not None
    assert trace.output_by_tick[0, :, 0] == pytest.approx([0, 0, 0, 1, 4 / 5, 4 / 6])


def test_constants_and_spikes_are_added() -> None:
    graph = Graph("g").add("in", Input((2,))).add("p", IF(), "in").add("sum", Add(), "in", "p", "in")
    graph = graph.add("end", Integrator(), "sum").add("out", Output(Readout.POTENTIAL), "end")
    trace = simulate(graph, [[0.25, 0.5]], 8)  # type: ignore[arg-type]
    assert trace.output.tolist() == [[0.75, 1.5]]


def test_an_error_in_one_batch_ends_the_run() -> None:
    graph = Graph("g").add("in", Input((1,))).add("q", QuantiseCurrent(1.0), "in").add("p", IF(2), "q", "in")
    x = np.arange(64.0)[:, None]
    graph = graph.add("out", Output(), "p")
    assert simulate(graph, x, 3, batch=1, threads=2).output.shape == (64, 1)
    x[5] = 0.5
    assert failure(graph, x, 3, batch=1, threads=2).code == "G203"


def failure(graph: Graph, x: np.ndarray, ticks: int = 2, **keywords: object) -> SnncError:
    with pytest.raises(SnncError) as error:
        simulate(graph, x, ticks, **keywords)  # type: ignore[arg-type]
    return error.value


def test_wrong_calls_are_refused() -> None:
    graph = Graph("g").add("in", Input((2,))).add("p", IF(), "in").add("out", Output(), "p")
    x = np.zeros((3, 2))
    for error, code in [
        (failure(graph, x, 0), "U201"),
        (failure(graph, x, record=("spikes", "dreams")), "U202"),
        (failure(graph, np.zeros((3, 5, 2))), "U203"),
        (failure(graph, x, batch=0), "U204"),
        (failure(graph, x, threads=0), "U204"),
    ]:
        assert isinstance(error, UsageError) and error.code == code and error.exit_code == 2
    for shape in [(3, 4), (2,), (3, 2, 4), (3, 1, 1, 2)]:
        error = failure(graph, np.zeros(shape))
        assert isinstance(error, DataError) and error.code == "D101" and error.node == "in"
    for value in (np.nan, np.inf, -np.inf, 1j, "one"):
        error = failure(graph, np.full((3, 2), value))
        assert isinstance(error, DataError) and error.code == "D102"


def test_graphs_that_cannot_be_run_are_refused() -> None:
    ann = Graph("g").add("in", Input((1,))).add("r", Relu(), "in").add("out", Output(), "r")
    assert failure(ann, np.zeros((1, 1))).code == "G204"
    reads_map = Graph("g").add("in", Input((1,))).add("p", IF(), "in").add("w", Linear(np.ones((1, 1))), "p")
    assert failure(reads_map.add("out", Output(Readout.COUNT), "w"), np.zeros((1, 1))).code == "G205"
    leaky = Graph("g").add("in", Input((1,))).add("p", LIF(), "in").add("out", Output(Readout.POTENTIAL), "p")
    assert failure(leaky, np.zeros((1, 1))).code == "G106"
    broken = Graph("g").add("p", SpikeSource(), "nowhere")
    error = failure(broken, np.zeros((1, 1)))
    assert isinstance(error, GraphError) and error.code == "G005"
