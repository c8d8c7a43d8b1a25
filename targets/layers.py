"""A graph of integers as a chip sees it: neurons numbered through, their synapses one by one, and their windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Generic, TypeVar

import numpy as np

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron
from snnc.graph.node import Node
from snnc.graph.operators.base import Array, Shape
from snnc.graph.projections import Drive, Projection, drives
from snnc.graph.synapses import entries

from .schedule import Schedule

N = TypeVar("N", bound=Neuron)
"""The neuron of a chip."""


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

    @staticmethod
    def of(target: Array, source: Array, delay: Array, weight: Array) -> Synapses:
        """The synapses that are not 0, in order."""
        order = np.lexsort((delay, source, target))
        order = order[weight[order] != 0]
        target, source, delay, weight = (column[order] for column in (target, source, delay, weight))
        new = np.ones(len(target), bool)
        new[1:] = (np.diff(target) != 0) | (np.diff(source) != 0) | (np.diff(delay) != 0)
        first = np.flatnonzero(new)
        occurrence = np.arange(len(target)) - np.repeat(first, np.diff(np.append(first, len(target))))
        return Synapses(target, source, delay, weight, occurrence)

    def merged(self) -> Synapses:
        """Synapses of one target, source and delay as one."""
        first = np.flatnonzero(self.occurrence == 0)
        total = np.add.reduceat(self.weight, first) if len(first) else self.weight
        kept = first[total != 0]
        columns = self.target[kept], self.source[kept], self.delay[kept], total[total != 0]
        return Synapses(*columns, np.zeros(len(kept), np.int64))


@dataclass(frozen=True, eq=False)
class Layer(Generic[N]):
    """A population.

    Attributes:
        node: of the graph.
        shape: of the population.
        first: number of its first neuron; the others count on in flat order.
        start: chip tick at which its window opens.
        neuron: of the chip, or None for spikes made by the host.
        drive: what arrives at it.
    """

    node: Node
    shape: Shape
    first: int
    start: int
    neuron: N | None
    drive: Drive

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))

    def part(self, neurons: Array) -> N:
        """The neurons at flat indices, with all numbers and arrays of the model written out, one a neuron."""
        assert self.neuron is not None
        values = {item.name: getattr(self.neuron, item.name) for item in fields(self.neuron)}
        arrays = {
            name: np.broadcast_to(np.asarray(value), self.shape).ravel()[neurons]
            for name, value in values.items()
            if isinstance(value, int | float | np.ndarray | np.number) and not isinstance(value, bool)
        }
        return replace(self.neuron, **arrays)

    @property
    def channel_last(self) -> Array:
        """(neurons,) int64, flat indices ordered such that all channels of one position stand together."""
        return np.arange(self.size).reshape(*(self.shape[:1] or (1,)), -1).T.ravel()


@dataclass(frozen=True, eq=False)
class Layers(Generic[N]):
    """All populations in dataflow order.

    Attributes:
        layers: the populations.
        schedule: their windows.
        count: number of neurons of all of them.
        chip: name of the chip, for messages.
    """

    layers: tuple[Layer[N], ...]
    schedule: Schedule
    count: int
    chip: str

    @staticmethod
    def of(graph: Graph, kind: type[N], chip: str, longest: int | None = None) -> Layers[N]:
        """Those of a graph.

        Args:
            graph: level INTEGER.
            kind: model of the chip's neurons.
            chip: its name.
            longest: delay, in ticks, that a spike can have; None for no bound.

        Raises:
            MappingError: T002, a neuron that is neither of ``kind`` nor of the host.
        """
        driven_by = drives(graph)
        schedule = Schedule.of(graph, driven_by, longest)
        layers, count = [], 0
        for node in graph.populations:
            neuron = node.operator
            assert isinstance(neuron, Neuron)
            if not isinstance(neuron, kind) and not neuron.takes_samples:
                raise MappingError(
                    "T002",
                    f"{chip} has no neurons of the model {type(neuron).__name__}",
                    node=node.name,
                    source=node.source,
                    remedy="end the passes like the target's own pipeline, which --print-passes shows",
                )
            own = neuron if isinstance(neuron, kind) else None
            starts = schedule.starts[node.name]
            layers.append(Layer(node, graph.shapes[node.name], count, starts, own, driven_by[node.name]))
            count += layers[-1].size
        return Layers(tuple(layers), schedule, count, chip)

    @property
    def on_chip(self) -> Array:
        """(count,) bool: whether a neuron is on the chip and not on the host."""
        return np.repeat(
            [layer.neuron is not None for layer in self.layers], [layer.size for layer in self.layers]
        )

    @property
    def own(self) -> Mapping[int, Layer[N]]:
        """The populations that the host does not compute, by their index."""
        return {number: layer for number, layer in enumerate(self.layers) if layer.neuron is not None}

    def synapses(self, layer: Layer[N]) -> Synapses:
        """A population's synapses, a constant current as synapses of what is always on.

        Raises:
            MappingError: T003, the host gives the population a current.
        """
        if layer.drive.host:
            raise MappingError(
                "T003",
                f"it is given values by the host, but {self.chip} takes spikes alone",
                node=layer.node.name,
                source=layer.node.source,
                remedy="let the host make spikes of the samples (--input neurons or poisson)",
            )
        first = {each.node.name: each.first for each in self.layers}
        parts = [
            np.zeros((4, 0), np.int64),
            *(self._entries(layer, first, p) for p in layer.drive.projections),
        ]
        if layer.drive.bias is not None:
            bias, places = np.rint(layer.drive.bias).astype(np.int64).ravel(), np.arange(layer.size)
            parts.append(
                np.stack([places, np.full_like(places, self.count), np.full_like(places, layer.start), bias])
            )
        return Synapses.of(*np.concatenate(parts, axis=1))

    def delay(self, layer: Layer[N], projection: Projection) -> int:
        """Ticks from a spike of the projection's source to its integration."""
        return self.schedule.delay(projection, layer.node.name)

    def _entries(self, layer: Layer[N], first: Mapping[str, int], projection: Projection) -> Array:
        target, neuron, weight = entries(projection)
        delay = np.full(len(target), self.delay(layer, projection))
        return np.stack([target, first[projection.source] + neuron, delay, weight])
