"""A run in pieces, each from the state of the one before, is the whole run, bit for bit."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.errors import UsageError
from snnc.graph import (
    IF,
    LIF,
    Conv,
    CurrentLIF,
    Delay,
    Flatten,
    Graph,
    Input,
    Integrator,
    Linear,
    LowPass,
    Neuron,
    Output,
    PoissonSource,
    RateSource,
    Readout,
    Reset,
)
from snnc.simulate import RunState, Trace, recordable, simulate
from snnc.targets.truenorth.neuron import TrueNorthNeuron

NEURONS: tuple[Neuron, ...] = (
    IF(0.75),
    IF(1.25, Reset.ZERO),
    LIF(0.5, 0.3),
    CurrentLIF(0.6, 0.4, 0.1, 0.05, 3),
    PoissonSource(1.5, 7),
    RateSource(2.0),
)


def same(whole: Trace, pieces: Sequence[Trace]) -> None:
    assert (whole.output == pieces[-1].output).all()
    assert whole.output_by_tick is not None
    parts = [piece.output_by_tick for piece in pieces if piece.output_by_tick is not None]
    assert (whole.output_by_tick == np.concatenate(parts, axis=1)).all()
    for variable, arrays in whole.recordings.items():
        for name, array in arrays.items():
            joined = np.concatenate([piece.recordings[variable][name] for piece in pieces], axis=1)
            assert (array == joined).all(), (variable, name)
    for name, counts in whole.spike_counts.items():
        assert (counts == sum(piece.spike_counts[name] for piece in pieces)).all()


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """A layer or two with delays, a low-pass and perhaps a cycle, read in any way."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    graph = Graph("net").add("in", Input((3,)))
    tip = "in"
    if draw(st.booleans()):
        graph, tip = graph.add("low", LowPass(0.3), tip), "low"
    graph = graph.add("w0", Linear(rng.normal(size=(4, 3)), rng.normal(size=4) / 8), tip)
    first = draw(st.sampled_from(NEURONS))
    graph = graph.add("p0", first, "w0", *(["back"] if (cycle := draw(st.booleans())) else []))
    delays = draw(st.lists(st.integers(0, 6), min_size=2, max_size=2))
    graph = graph.add("d0", Delay(delays[0]), "p0")
    graph = graph.add("w1", Linear(rng.normal(size=(4, 4)), rng.normal(size=4) / 8), "d0")
    graph = graph.add("d1", Delay(delays[1]), "w1").add("p1", draw(st.sampled_from(NEURONS)), "d1")
    if cycle:
        graph = graph.add("back", Linear(rng.normal(size=(4, 4)) / 3), "p1")
    end = draw(st.sampled_from(["count", "potential", "value"]))
    if end == "count":
        return graph.add("out", Output(Readout.COUNT), "p1")
    graph = graph.add("w2", Linear(rng.normal(size=(2, 4))), "p1")
    if end == "value":
        return graph.add("out", Output(), "w2")
    return graph.add("v", Integrator(), "w2").add("out", Output(Readout.POTENTIAL, 0.5, 0.25), "v")


@settings(deadline=None, max_examples=80)
@given(
    networks(),
    st.lists(st.integers(1, 7), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from([None, 1, 2]),
    st.integers(0, 99),
)
def test_pieces_are_the_whole(
    graph: Graph, lengths: list[int], constant: bool, batch: int | None, seed: int
) -> None:
    ticks = sum(lengths)
    x = np.random.default_rng(seed).random((3, 3) if constant else (3, ticks, 3))
    whole = simulate(graph, x, ticks, record=recordable(graph), first_sample=5)
    state: RunState | None = None
    start, pieces = 0, []
    for length in lengths:
        part = x if constant else x[:, start : start + length]
        piece = simulate(
            graph,
            part,
            length,
            record=recordable(graph),
            batch=batch,
            first_sample=5,
            state=state,
            keep_state=True,
        )
        state, start = pickle.loads(pickle.dumps(piece.state)), start + length
        pieces.append(piece)
    same(whole, pieces)
    assert state is not None and state.ticks == ticks


def test_a_convolution_rounds_alike_whatever_the_length_of_the_piece() -> None:
    rng = np.random.default_rng(3)
    graph = (
        Graph("conv").add("in", Input((2, 9, 9))).add("c", Conv(rng.normal(size=(5, 2, 3, 3)), None), "in")
    )
    graph = graph.add("p", IF(0.9), "c").add("c2", Conv(rng.normal(size=(4, 5, 3, 3)), None), "p")
    graph = graph.add("q", IF(0.8), "c2").add("f", Flatten(), "q")
    graph = graph.add("w", Linear(rng.normal(size=(7, 100))), "f").add("out", Output(), "w")
    x = rng.random((2, 23, 2, 9, 9))
    whole = simulate(graph, x, 23, record=("voltage", "output"))
    first = simulate(graph, x[:, :1], 1, record=("voltage", "output"), keep_state=True)
    second = simulate(graph, x[:, 1:], 22, record=("voltage", "output"), state=first.state)
    same(whole, [first, second])


def test_random_numbers_of_a_chip_neuron_depend_on_the_tick_since_the_beginning() -> None:
    neuron = TrueNorthNeuron(
        np.array(3), leak=np.array(-90), stochastic_leak=True, mask_bits=2, seed=4, phase=11
    )
    graph = Graph("chip").add("in", Input((6,))).add("p", neuron, "in").add("out", Output(Readout.COUNT), "p")
    x = np.random.default_rng(5).integers(0, 4, (4, 30, 6))
    whole = simulate(graph, x, 30, record=("spikes", "voltage", "output"))
    first = simulate(graph, x[:, :13], 13, record=("spikes", "voltage", "output"), keep_state=True)
    second = simulate(graph, x[:, 13:], 17, record=("spikes", "voltage", "output"), state=first.state)
    assert 0 < whole.spikes["p"].mean() < 1
    same(whole, [first, second])


def test_a_state_of_other_samples_or_another_network_is_refused() -> None:
    graph = Graph("a").add("in", Input((2,))).add("p", IF(), "in").add("out", Output(), "p")
    state = simulate(graph, np.ones((3, 2)), 2, keep_state=True).state
    with pytest.raises(UsageError, match=r"3 samples.*run of 2") as error:
        simulate(graph, np.ones((2, 2)), 2, state=state)
    assert error.value.code == "U205"
    other = Graph("a").add("in", Input((2,))).add("p", CurrentLIF(), "in").add("out", Output(), "p")
    with pytest.raises(UsageError, match="U205"):
        simulate(other, np.ones((3, 2)), 2, state=state)


def test_no_state_is_kept_unless_asked_for_and_none_of_no_samples_goes_on() -> None:
    graph = Graph("a").add("in", Input((2,))).add("p", IF(), "in").add("out", Output(), "p")
    assert simulate(graph, np.ones((1, 2)), 2).state is None
    empty = simulate(graph, np.ones((0, 2)), 2, keep_state=True)
    assert empty.state is not None
    assert simulate(graph, np.ones((0, 2)), 2, state=empty.state, keep_state=True).state.ticks == 4  # type: ignore[union-attr]
