"""An operator with memory is one class: two that are defined here alone run, are recorded and are packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from snnc.errors import UsageError
from snnc.formats.graph_data import graph_from_data, graph_to_data
from snnc.graph import IF, Graph, Input, Linear, Output, SpikeSource
from snnc.graph.neurons.base import Neuron, full
from snnc.graph.operators.base import SPIKING_LEVELS, Array, LinearMap, Shape, State
from snnc.simulate import simulate


@dataclass(frozen=True, eq=False)
class AdaptiveThreshold(Neuron):
    """v <- v + z; a spike where v >= 1 + a; then v <- 0 and a <- a + step; a decays by half in every tick."""

    step_size: float = 0.5

    variables = ("voltage", "adaptation")

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        return {"voltage": full(0, shape, samples, dtype), "adaptation": full(0, shape, samples, dtype)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        voltage = state["voltage"] + current
        spikes = voltage >= 1 + state["adaptation"]
        adaptation = state["adaptation"] / 2 + self.step_size * spikes
        return {"voltage": np.where(spikes, 0, voltage), "adaptation": adaptation}, spikes


@dataclass(frozen=True, eq=False)
class Difference(LinearMap):
    """y(t) = x(t) - x(t - 1), with 0 before the first tick."""

    levels = SPIKING_LEVELS
    variables = ("last",)

    def infer_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, *inputs: Array) -> Array:
        return np.zeros_like(inputs[0])

    def magnitude(self, *bounds: Array) -> Array:
        return np.asarray(2 * bounds[0])

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        return {"last": np.zeros((len(samples), *shape))}

    def receive(self, state: State, inputs: Sequence[Array]) -> tuple[State, Array]:
        return {"last": inputs[0]}, inputs[0] - state["last"]


def adaptive() -> Graph:
    graph = Graph("adaptive").add("in", Input((2,))).add("n", AdaptiveThreshold(0.75), "in")
    return graph.add("out", Output(), "n")


def test_a_neuron_of_ones_own_runs_and_its_variable_is_recorded() -> None:
    x = np.random.default_rng(0).integers(0, 9, (3, 40, 2)) / 8
    trace = simulate(adaptive(), x, 40, record=("adaptation", "spikes"))
    assert trace.spikes["n"].any()
    for sample in range(3):
        for place in range(2):
            voltage, adaptation = Fraction(0), Fraction(0)
            for tick in range(40):
                voltage += Fraction(x[sample, tick, place])
                fired = voltage >= 1 + adaptation
                adaptation = adaptation / 2 + (Fraction(3, 4) if fired else 0)
                voltage = Fraction(0) if fired else voltage
                assert trace.spikes["n"][sample, tick, place] == fired
                assert trace.recorded("adaptation")["n"][sample, tick, place] == float(adaptation)


def test_a_graph_with_it_is_packed_and_read_again() -> None:
    graph = graph_from_data(graph_to_data(adaptive()))
    x = np.random.default_rng(1).random((2, 20, 2))
    first, second = (simulate(g, x, 20, record=("adaptation",)) for g in (adaptive(), graph))
    assert (first.output == second.output).all()
    assert (first.recorded("adaptation")["n"] == second.recorded("adaptation")["n"]).all()


def test_a_map_with_memory_runs_in_front_of_populations_and_behind_them() -> None:
    graph = Graph("edges").add("in", Input((1,))).add("s", SpikeSource(), "in").add("d", Difference(), "s")
    graph = graph.add("n", IF(1.0), "d").add("out", Output(), "n")
    x = np.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 1], float).reshape(1, 10, 1)
    trace = simulate(graph, x, 10, record=("last", "voltage", "spikes"))
    assert (trace.recorded("last")["d"] == x).all()
    steps = np.diff(x[0, :, 0], prepend=0)
    voltage = Fraction(0)
    for tick in range(10):
        voltage += Fraction(steps[tick])
        fired = voltage >= 1
        voltage -= fired
        assert trace.spikes["n"][0, tick, 0] == fired and trace.voltage["n"][0, tick, 0] == voltage


def test_in_a_cycle_it_sees_the_spikes_of_the_tick_before() -> None:
    graph = Graph("loop").add("in", Input((1,)))
    graph = (
        graph.add("d", Difference(), "n").add("w", Linear(-np.ones((1, 1))), "d").add("n", IF(1.0), "in", "w")
    )
    graph = graph.add("out", Output(), "n").add("out2", Output(), "d")
    x = np.random.default_rng(2).integers(0, 9, (1, 30, 1)) / 8
    trace = simulate(graph, x, 30, record=("spikes", "voltage", "last"))
    voltage, before, last = Fraction(0), 0, 0
    for tick in range(30):
        voltage += Fraction(x[0, tick, 0]) - (before - last)
        before, last = int(voltage >= 1), before
        voltage -= before
        assert trace.spikes["n"][0, tick, 0] == before and trace.voltage["n"][0, tick, 0] == voltage
        assert trace.recorded("last")["d"][0, tick, 0] == before


def test_what_a_network_has_not_is_refused_with_what_it_has() -> None:
    with pytest.raises(UsageError, match="cannot record adaption") as error:
        simulate(adaptive(), np.zeros((1, 2)), 3, record=("adaption",))
    assert error.value.code == "U202" and "adaptation" in str(error.value)
