"""A graph of integers as TrueNorth sees it: neurons numbered through, their synapses, and when windows open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snnc.errors import MappingError
from snnc.graph.composition import sparse_form
from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron
from snnc.graph.node import Node
from snnc.graph.operators.base import Array, Shape
from snnc.graph.projections import Drive, Projection, drives
from snnc.targets.schedule import window_starts

from .limits import TRUENORTH
from .neuron import TrueNorthNeuron


@dataclass(frozen=True, eq=False)
class Synapses:
    """The synapses of a population, ascending by target.

    Attributes:
        target: (synapses,) int64, flat index into the population.
        source: (synapses,) int64, number of a neuron, or ``Layers.count`` for what is always on.
        delay: (synapses,) int64, ticks.
        weight: (synapses,) int64, none of them 0.
        occurrence: (synapses,) int64, number of the synapse among those of one target, source and delay.
    """

    target: Array
    source: Array
    delay: Array
    weight: Array
    occurrence: Array

    def merged(self) -> Synapses:
        """Synapses of one target, source and delay as one."""
        first = np.flatnonzero(self.occurrence == 0)
        total = np.add.reduceat(self.weight, first) if len(first) else self.weight
        kept = first[total != 0]
        columns = self.target[kept], self.source[kept], self.delay[kept], total[total != 0]
        return Synapses(*columns, np.zeros(len(kept), np.int64))


@dataclass(frozen=True, eq=False)
class Layer:
    """A population.

    Attributes:
        node: of the graph.
        shape: of the population.
        first: number of its first neuron; the others count on in flat order.
        start: chip tick at which its window opens.
        neuron: its registers, or None for spikes made by the host.
        drive: what arrives at it.
    """

    node: Node
    shape: Shape
    first: int
    start: int
    neuron: TrueNorthNeuron | None
    drive: Drive

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, eq=False)
class Layers:
    """All populations in dataflow order.

    Attributes:
        layers: the populations.
        component: strongly connected component of each population, by name.
        count: number of neurons of all of them.
    """

    layers: tuple[Layer, ...]
    component: Mapping[str, int]
    count: int

    @staticmethod
    def of(graph: Graph) -> Layers:
        """Those of a graph; raises MappingError T420 for a neuron that the chip has not."""
        found, component = drives(graph), _components(graph)
        begins = starts(graph, found)
        layers, count = [], 0
        for node in graph.populations:
            neuron = node.operator
            if not isinstance(neuron, TrueNorthNeuron) and not getattr(neuron, "takes_samples", False):
                raise _foreign(node)
            shape = graph.shapes[node.name]
            own = neuron if isinstance(neuron, TrueNorthNeuron) else None
            layers.append(Layer(node, shape, count, begins[node.name], own, found[node.name]))
            count += layers[-1].size
        return Layers(tuple(layers), component, count)

    @property
    def on_chip(self) -> Array:
        """(count,) bool: whether a neuron is on the chip and not on the host."""
        return np.repeat(
            [layer.neuron is not None for layer in self.layers], [layer.size for layer in self.layers]
        )

    def synapses(self, layer: Layer) -> Synapses:
        """A population's synapses; raises MappingError T421 where the host gives it a current."""
        if layer.drive.host:
            raise MappingError(
                "T421",
                "it is given values by the host, but TrueNorth takes spikes alone",
                node=layer.node.name,
                source=layer.node.source,
                remedy="let the host make spikes of the samples (--input neurons or poisson)",
            )
        by_name = {each.node.name: each for each in self.layers}
        parts = [self._entries(layer, by_name[p.source], p) for p in layer.drive.projections]
        if layer.drive.bias is not None:
            bias = np.rint(layer.drive.bias).astype(np.int64).ravel()
            places = np.arange(layer.size)
            parts.append((places, np.full(layer.size, self.count), np.full(layer.size, layer.start), bias))
        empty = np.zeros(0, np.int64)
        columns = [np.concatenate([empty, *(part[at] for part in parts)]) for at in range(4)]
        return _ascending(*columns)

    def delay(self, layer: Layer, source: Layer, projection: Projection) -> int:
        """Ticks from a spike of ``source`` to its integration."""
        inner = self.component[source.node.name] == self.component[layer.node.name]
        return layer.start - source.start + projection.delay + inner

    def _entries(
        self, layer: Layer, source: Layer, projection: Projection
    ) -> tuple[Array, Array, Array, Array]:
        target, neuron, weight = entries(projection)
        delay = np.full(len(target), self.delay(layer, source, projection))
        return target, source.first + neuron, delay, weight


def entries(projection: Projection) -> tuple[Array, Array, Array]:
    """Target, source (flat indices) and weight of every synapse of a projection."""
    gather = projection.gather_indices()
    if projection.operator is None:
        row = column = np.arange(len(gather))
        value = np.ones(len(gather), np.int64)
    else:
        sparse = sparse_form(projection.operator, projection.in_shape)
        row, column, value = sparse.rows, sparse.columns, np.rint(sparse.values).astype(np.int64)
    source = gather[column]
    if projection.place is not None:
        order = np.argsort(row, kind="stable")
        ordered = row[order]
        wanted = np.flatnonzero(projection.place >= 0)
        first = np.searchsorted(ordered, projection.place[wanted], side="left")
        count = np.searchsorted(ordered, projection.place[wanted], side="right") - first
        at = order[np.arange(int(count.sum())) + np.repeat(first - np.cumsum(count) + count, count)]
        row, source, value = np.repeat(wanted, count), source[at], value[at]
    known = source >= 0
    return row[known].astype(np.int64), source[known].astype(np.int64), value[known]


def _ascending(target: Array, source: Array, delay: Array, weight: Array) -> Synapses:
    """The synapses that are not 0, in order."""
    order = np.lexsort((delay, source, target))
    order = order[weight[order] != 0]
    target, source, delay, weight = (column[order] for column in (target, source, delay, weight))
    new = np.ones(len(target), bool)
    new[1:] = (np.diff(target) != 0) | (np.diff(source) != 0) | (np.diff(delay) != 0)
    first = np.flatnonzero(new)
    occurrence = np.arange(len(target)) - np.repeat(first, np.diff(np.append(first, len(target))))
    return Synapses(target, source, delay, weight, occurrence)


def _components(graph: Graph) -> Mapping[str, int]:
    return {name: number for number, members in enumerate(graph.components) for name in members}


def starts(graph: Graph, found: Mapping[str, Drive]) -> Mapping[str, int]:
    """The chip tick at which each population's window opens.

    As early as spikes can be there, or later where all that read a population are more than the largest delay
    behind it. Spikes made by the host start at 0: the host can hold them back.
    """
    names = [node.name for node in graph.populations]
    index = {name: at for at, name in enumerate(names)}
    component = _components(graph)
    members: dict[int, list[int]] = {}
    for name in names:
        members.setdefault(component[name], []).append(index[name])
    components = [members[number] for number in sorted(members)]
    edges = [(index[p.source], index[name]) for name in names for p in found[name].projections]
    begins = list(window_starts(components, edges))
    longest = TRUENORTH.delay[1]
    slack: dict[int, int] = {}
    for group in reversed(components):
        later = [slack[member] for member in group if member in slack]
        chip = not any(_on_host(graph, names[member]) for member in group)
        wanted = min(later) - longest if later and chip else 0
        for member in group:
            begins[member] = max(begins[member], wanted)
            for projection in found[names[member]].projections:
                source = index[projection.source]
                if source not in group:
                    slack[source] = min(slack.get(source, 10**9), begins[member] + projection.delay)
    return {name: begins[index[name]] for name in names}


def _on_host(graph: Graph, name: str) -> bool:
    operator = graph[name].operator
    return isinstance(operator, Neuron) and operator.takes_samples


def _foreign(node: Node) -> MappingError:
    return MappingError(
        "T420",
        f"TrueNorth has no neurons of the model {type(node.operator).__name__}",
        node=node.name,
        source=node.source,
        remedy="quantise the graph with truenorth-quantise",
    )
