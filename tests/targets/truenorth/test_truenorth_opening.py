"""Neurons that wait for their window: they open with their initial potential in every sample, or are refused."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.neurons import SpikeSource
from snnc.graph.operators import Input, Linear, Output, Readout
from snnc.simulate import simulate
from snnc.targets import RunOptions
from snnc.targets.truenorth.lower import lower
from snnc.targets.truenorth.neuron import NegativeMode, ResetMode, TrueNorthNeuron
from snnc.targets.truenorth.simulate import simulate_program

EYE = Linear(np.eye(3, dtype=int) * 20)
HELD = "keep their initial potential"


def late(neuron: TrueNorthNeuron, before: int) -> Graph:
    """A neuron of which the window opens after as many ticks as there are layers in front of it."""
    graph = Graph("late").add("in", Input((3,))).add("spikes", SpikeSource(), "in")
    last = "spikes"
    for number in range(before - 1):
        graph = graph.add(f"map{number}", EYE, last)
        graph, last = (
            graph.add(f"layer{number}", TrueNorthNeuron(np.array(20)), f"map{number}"),
            f"layer{number}",
        )
    graph = graph.add("map", EYE, last).add("late", neuron, "map")
    return graph.add("out", Output(Readout.POTENTIAL), "late")


def assert_same(graph: Graph, samples: int = 40, ticks: int = 12) -> None:
    x = np.random.default_rng(3).random((samples, 3), np.float32)
    record = ("spikes", "voltage", "output")
    expected = simulate(graph, x, ticks, record=record)
    found = simulate_program(lower(graph), x, ticks, RunOptions(record=record))
    np.testing.assert_array_equal(found.voltage["late"], expected.voltage["late"])
    np.testing.assert_array_equal(found.spikes["late"], expected.spikes["late"])
    np.testing.assert_equal(found.outputs_by_tick, expected.outputs_by_tick)


@pytest.mark.parametrize("before", [1, 3])
def test_a_random_leak_that_moves_the_potential_is_refused(before: int) -> None:
    """Sample 0 may keep it by chance, others do not."""
    neuron = TrueNorthNeuron(np.array(90), leak=np.array(-64), stochastic_leak=True, phase=before)
    with pytest.raises(
        MappingError, match=r"T425.*each sample's otherwise[\s\S]*at minus the negative threshold"
    ):
        lower(late(neuron, before))
    assert_same(late(replace(neuron, negative_threshold=np.array(0)), before))
    at_the_bottom = replace(neuron, negative_threshold=np.array(9), initial_potential=np.array(-9))
    assert_same(late(at_the_bottom, before))


def test_a_random_threshold_is_no_matter_to_what_stays_below_it() -> None:
    neuron = TrueNorthNeuron(
        np.array(30), leak=np.array(-2), mask_bits=4, initial_potential=np.array(7), phase=3
    )
    assert_same(late(neuron, 3))
    with pytest.raises(MappingError, match=f"T425.*{HELD}"):
        lower(late(replace(neuron, initial_potential=np.array(26)), 3))  # from 32 it may fire at once


@pytest.mark.parametrize(
    ("leak", "initial"), [(-2, 7), (-2, -7), (-3, 1), (3, 10), (3, -10), (5, 0), (-5, 0)]
)
def test_a_leak_towards_zero_or_away_from_it(leak: int, initial: int) -> None:
    """A start exists, at which the neurons are 2 ticks before their window."""
    neuron = TrueNorthNeuron(
        np.array(60), leak=np.array(leak), leak_reversal=True, initial_potential=np.array(initial)
    )
    assert_same(late(neuron, 2))


@st.composite
def waiting(draw: st.DrawFn) -> tuple[TrueNorthNeuron, int]:
    """A neuron of any modes, and the ticks before its window."""
    before = draw(st.integers(1, 4))
    numbers = st.lists(st.integers(-12, 12), min_size=3, max_size=3).map(np.array)
    neuron = TrueNorthNeuron(
        threshold=np.array(draw(st.integers(0, 20))),
        negative_threshold=np.array(draw(st.integers(0, 12))),
        reset=draw(st.sampled_from(ResetMode)),
        negative=draw(st.sampled_from(NegativeMode)),
        reset_potential=np.array(draw(st.sampled_from([0, 1, -7]))),
        leak=draw(numbers) if draw(st.booleans()) else np.array(draw(st.sampled_from([0, 2, -2, -256]))),
        leak_reversal=draw(st.booleans()),
        stochastic_leak=draw(st.booleans()),
        mask_bits=draw(st.sampled_from([0, 1, 3])),
        initial_potential=draw(numbers),
        phase=before,
    )
    return neuron, before


def silent_starts(neuron: TrueNorthNeuron, before: int) -> bool:
    """Whether each neuron without randomness has a start from -300 to 300 that leads to its initial potential."""
    starts = np.arange(-300, 301)[:, None] + np.zeros(3, int)
    state = {**neuron.start((3,), np.zeros(len(starts)), np.dtype(np.int64)), "voltage": starts}
    fired = np.zeros(starts.shape, bool)
    for _ in range(before):
        state, spikes = neuron.step(state, np.zeros(starts.shape, np.int64))
        fired |= spikes
    good = (state["voltage"] == neuron.initial_potential) & (~fired | neuron.forgets)
    return bool(good.any(axis=0).all())


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(waiting())
def test_any_neuron_opens_as_it_should_or_is_refused(case: tuple[TrueNorthNeuron, int]) -> None:
    """Every potential of every sample, and a refusal only where there is no start (of a neuron without resets)."""
    neuron, before = case
    try:
        assert_same(late(neuron, before), samples=12, ticks=6)
    except MappingError as error:
        assert error.code == "T425"
        plain = neuron.negative is NegativeMode.SATURATE and not neuron.is_stochastic
        assert not (plain and silent_starts(neuron, before))
