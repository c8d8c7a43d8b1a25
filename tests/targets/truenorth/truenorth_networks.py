"""Random INTEGER networks for TrueNorth: chains, branches, cycles and delays of dense, sparse and window maps."""

from __future__ import annotations

from dataclasses import dataclass

import hypothesis.strategies as st
import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.neurons import PoissonSource, RateSource, SpikeSource
from snnc.graph.operators import (
    Bias,
    Concat,
    Conv,
    Delay,
    Flatten,
    Gather,
    Input,
    Linear,
    Operator,
    Output,
    Readout,
    Scale,
    SparseLinear,
)
from snnc.graph.operators.base import Array, Shape
from snnc.targets.truenorth.neuron import NegativeMode, ResetMode, TrueNorthNeuron


@dataclass
class Builder:
    """A graph that grows, the names of its populations, and the range and unit of its weights."""

    draw: st.DrawFn
    graph: Graph
    random: np.random.Generator
    populations: list[str]
    levels: tuple[int, int]
    step: int

    def add(self, operator: Operator, *inputs: str) -> str:
        name = f"{type(operator).__name__.lower()}{len(self.graph)}"
        self.graph = self.graph.add(name, operator, *inputs)
        return name

    def shape(self, name: str) -> Shape:
        return self.graph.shapes[name]

    def weights(self, *shape: int) -> Array:
        """Weights that four values sum up to, some zero."""
        low, high = self.levels
        return self.random.integers(low, high + 1, shape) * self.step * (self.random.random(shape) < 0.8)

    def linear_map(self, source: str, shape: Shape | None = None) -> str:
        """A map of a kind that fits, to ``shape`` where one is given."""
        kinds = ["sparse"] if shape else ["sparse", "conv", "scale", "dense"]
        kind, own = self.draw(st.sampled_from(kinds)), self.shape(source)
        if kind == "conv" and len(own) == 3:
            groups = self.draw(st.sampled_from([1, own[0]]))
            weight = self.weights(groups * 2, own[0] // groups, 2, 2)
            return self.add(Conv(weight, None, (1, 1), ((1, 0), (0, 1)), (1, 1), groups), source)
        if kind == "scale":
            return self.add(Scale(self.weights(own[0]).reshape(-1, *(1,) * (len(own) - 1))), source)
        if kind == "dense":
            flat = source if len(own) == 1 else self.add(Flatten(), source)
            return self.add(Linear(self.weights(self.draw(st.integers(1, 9)), int(np.prod(own)))), flat)
        to = shape or (self.draw(st.integers(1, 9)),)
        rows, columns = (self.random.integers(0, int(np.prod(end)), 20) for end in (to, own))
        unique = np.unique(np.stack([rows, columns]), axis=1)
        return self.add(SparseLinear(*unique, self.weights(unique.shape[1]), own, to), source)

    def neuron(self, shape: Shape) -> TrueNorthNeuron:
        """Registers of all kinds that keep their start without input: no negative leak, or one from below."""
        threshold = self.random.integers(20, 60, shape)
        reset = self.draw(st.sampled_from(ResetMode))
        return TrueNorthNeuron(
            threshold=threshold,
            negative_threshold=self.random.integers(20, 300, shape),
            reset=reset,
            negative=self.draw(st.sampled_from(NegativeMode)),
            reset_potential=np.array(self.draw(st.sampled_from([0, 1, 3, -7]))),
            leak=self.random.integers(-1, 2, shape) if self.draw(st.booleans()) else None,
            initial_potential=self.random.integers(-2, 3, shape),
        )

    def fire(self, *inputs: str) -> str:
        name = self.add(self.neuron(self.shape(inputs[0])), *inputs)
        self.populations.append(name)
        return name


@st.composite
def truenorth_networks(draw: st.DrawFn) -> Graph:
    """A graph with an input of a shape, 1 to 4 populations and perhaps a cycle."""
    shape = draw(st.sampled_from([(5,), (2, 3, 3)]))
    graph = Graph("random").add("in", Input(shape))
    levels = draw(st.sampled_from([(-1, 1), (0, 3), (-4, 3), (-8, 7), (-7, 8), (2, 2)]))
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    builder = Builder(draw, graph, random, [], levels, draw(st.sampled_from([1, 3, 16])))
    source = draw(st.sampled_from([RateSource(1.0, 0.5), PoissonSource(1.0, 3), SpikeSource()]))
    builder.populations.append(builder.add(source, "in"))
    for _ in range(draw(st.integers(1, 4))):
        _grow(builder)
    if draw(st.booleans()):
        _close_a_cycle(builder)
    for name in builder.graph:
        if not builder.graph.consumers[name.name] and name.name != builder.populations[-1]:
            builder.add(Output(Readout.COUNT), name.name)
    last = builder.populations[-1]
    answer = Output(Readout.COUNT, np.array(0.5), np.array(1.0))
    nodes = [*builder.graph][:1]
    graph = Graph("random", nodes).add("answer", answer, last)
    return Graph("random", [*graph, *(node for node in builder.graph if node.name not in graph)])


def _grow(builder: Builder) -> None:
    draw = builder.draw
    first = builder.linear_map(draw(st.sampled_from(builder.populations)))
    inputs = [first]
    if draw(st.booleans()):
        other = builder.linear_map(draw(st.sampled_from(builder.populations)), builder.shape(first))
        inputs.append(builder.add(Delay(draw(st.integers(1, 4))), other) if draw(st.booleans()) else other)
    if draw(st.integers(0, 3)) == 0:
        inputs[0] = builder.add(Bias(np.array(builder.step)), inputs[0])
    if draw(st.integers(0, 3)) == 0 and len(builder.shape(first)) == 1:
        parts = [builder.add(Concat(axis=0), *[one, one]) for one in inputs]
        indices = builder.random.permutation(builder.shape(parts[0])[0])[: builder.shape(first)[0]]
        inputs = [builder.add(Gather(indices, builder.shape(part)), part) for part in parts]
    builder.fire(*inputs)


def _close_a_cycle(builder: Builder) -> None:
    """Let a population hear a later one, or itself."""
    chip = builder.populations[1:]
    at = builder.draw(st.integers(0, len(chip) - 1))
    early, late = chip[at], chip[builder.draw(st.integers(at, len(chip) - 1))]
    back = builder.linear_map(late, builder.shape(early))
    edit = builder.graph.edit()
    edit.set(early, inputs=(*builder.graph[early].inputs, back))
    builder.graph = Graph("random", [edit[node.name] for node in builder.graph])
