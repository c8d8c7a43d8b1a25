"""When spikes arrive: random feed-forward and recurrent networks against a recursion over ticks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_networks import Net, Synapses

from snnc.graph import IF, Add, Concat, Delay, Graph, Input, Linear, Output, Reset, Scale, SpikeSource
from snnc.simulate import plan, simulate

EIGHTHS = st.integers(-10, 12).map(lambda number: number / 8)


def matrices(*shape: int) -> st.SearchStrategy[np.ndarray]:
    size = int(np.prod(shape))
    return st.lists(EIGHTHS, min_size=size, max_size=size).map(lambda flat: np.array(flat).reshape(shape))


@st.composite
def nets(draw: st.DrawFn) -> Net:
    count, size = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    synapses = draw(
        st.lists(
            st.builds(
                Synapses,
                source=st.integers(0, count - 1),
                targets=st.lists(st.integers(0, count - 1), min_size=1, max_size=3, unique=True).map(tuple),
                weight=matrices(size, size),
                bias=matrices(size).map(lambda bias: bias / 4),
                delay=st.integers(0, 3),
                delay_first=st.booleans(),
            ),
            max_size=5,
        )
    )
    drives = tuple(draw(matrices(size)) for _ in range(count))
    resets = tuple(draw(st.sampled_from(Reset)) for _ in range(count))
    return Net(drives, resets, tuple(synapses))


@settings(deadline=None, max_examples=120)
@given(nets(), st.integers(1, 12), st.integers(0, 2**16), st.integers(1, 5))
def test_spikes_arrive_when_the_definition_says(net: Net, ticks: int, seed: int, block: int) -> None:
    size = len(net.drives[0])
    x = np.random.default_rng(seed).integers(0, 9, (2, ticks, size)) / 8
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "_BLOCK_BYTES", 1)
        patch.setattr(plan, "_SHORTEST_BLOCK", block)
        trace = simulate(net.graph(), x, ticks, record=("spikes", "voltage"))
    for sample in range(2):
        spikes, voltage = net.run(x[sample], ticks)
        for p in range(len(net.drives)):
            assert (trace.spikes[f"p{p}"][sample] == spikes[p]).all()
            assert (trace.voltage[f"p{p}"][sample] == voltage[p]).all()


def impulse(graph: Graph, ticks: int, *names: str) -> list[list[int]]:
    """The ticks at which the populations spike, for one input spike at tick 0."""
    x = np.zeros((1, ticks, 1))
    x[0, 0] = 1
    trace = simulate(graph, x, ticks, record=("spikes",))
    return [np.flatnonzero(trace.spikes[name][0, :, 0]).tolist() for name in names]


def source() -> Graph:
    return Graph("g").add("in", Input((1,))).add("s", SpikeSource(), "in")


def test_a_chain_takes_no_tick_of_window_time() -> None:
    graph = source().add("a", IF(), "s").add("b", IF(), "a").add("out", Output(), "b")
    assert impulse(graph, 3, "s", "a", "b") == [[0], [0], [0]]


def test_a_delay_takes_its_ticks_and_may_outlast_the_run() -> None:
    graph = source().add("d", Delay(2), "s").add("a", IF(), "d").add("e", Delay(9), "s").add("b", IF(), "e")
    graph = graph.add("out", Output(), "a").add("out2", Output(), "b")
    assert impulse(graph, 5, "a", "b") == [[2], []]


def test_a_self_loop_takes_a_tick() -> None:
    graph = source().add("a", IF(), "s", "a").add("out", Output(), "a")
    assert impulse(graph, 4, "a") == [[0, 1, 2, 3]]


def test_a_ring_goes_round_with_its_delays() -> None:
    graph = source().add("a", IF(), "s", "back").add("b", IF(), "a").add("back", Delay(1), "b")
    graph = graph.add("out", Output(), "b")
    assert impulse(graph, 8, "a", "b") == [[0, 3, 6], [1, 4, 7]]


def test_a_map_of_a_cycle_reaches_the_outside_a_tick_earlier_than_the_cycle() -> None:
    graph = source().add("a", IF(), "s", "w").add("w", Linear(np.ones((1, 1))), "a").add("b", IF(), "w")
    graph = graph.add("out", Output(), "b")
    assert impulse(graph, 4, "a", "b") == [[0, 1, 2, 3], [0, 1, 2, 3]]


def test_a_map_of_spikes_from_inside_and_outside_of_a_cycle() -> None:
    graph = source().add("both", Concat(), "s", "a").add("w", Linear(np.array([[1.0, -0.5]])), "both")
    graph = graph.add("nothing", Scale(np.zeros(1)), "s").add("a", IF(), "w", "nothing")
    graph = graph.add("out", Output(), "a")
    x = np.ones((1, 6, 1))
    trace = simulate(graph, x, 6, record=("spikes", "voltage"))
    v, fired = 0.0, False
    for tick in range(6):
        v += 1 - 0.5 * fired
        fired = v >= 1
        v -= fired
        assert trace.spikes["a"][0, tick, 0] == fired
        assert trace.voltage["a"][0, tick, 0] == v


def test_a_delay_of_constant_samples_starts_with_silence() -> None:
    graph = Graph("g").add("in", Input((1,))).add("d", Delay(2), "in").add("a", IF(), "d", "in")
    graph = graph.add("out", Output(), "a")
    trace = simulate(graph, np.full((1, 1), 0.5), 5, record=("voltage", "spikes"))
    assert trace.spikes["a"][0, :, 0].tolist() == [False, True, True, True, True]


def test_a_delayed_bias_is_there_from_the_first_tick() -> None:
    before = source().add("d", Delay(2), "s").add("w", Linear(np.ones((1, 1)), np.full(1, 0.25)), "d")
    behind = source().add("w", Linear(np.ones((1, 1)), np.full(1, 0.25)), "s").add("d", Delay(2), "w")
    ends = [before.add("a", IF(), "w"), behind.add("a", IF(), "d")]
    assert [impulse(graph.add("out", Output(), "a"), 9, "a") for graph in ends] == [[[2, 3, 7]], [[2, 3, 7]]]


def test_a_delay_in_a_branch_shifts_only_that_branch() -> None:
    graph = source().add("d", Delay(1), "s").add("sum", Add(), "s", "d").add("a", IF(), "sum")
    assert impulse(graph.add("out", Output(), "a"), 3, "a") == [[0, 1]]
