"""Runs a converted network a population at a time and keeps the spikes of all samples for the populations behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron
from snnc.graph.operators import Input, LinearMap
from snnc.graph.operators.base import Array, Operator
from snnc.graph.samples import Samples

_BATCH_BYTES = 2**26


@dataclass(eq=False)
class SpikeTrains:
    """The spikes of the populations that have run, packed to bits, and their rates.

    Attributes:
        samples: of the network's inputs, float32, constant over the ticks.
        ticks: of the run.
    """

    samples: Samples
    ticks: int
    _packed: dict[str, Array] = field(default_factory=dict)
    _rates: dict[str, Array] = field(default_factory=dict)

    def batches(self, graph: Graph, population: str) -> Iterator[slice]:
        """Rows of samples, few enough for the values of all ticks in front of a population to fit into memory."""
        inner = _between(graph, graph[population].inputs)
        values = sum(int(np.prod(graph.shapes[name])) for name in (population, *inner))
        size = max(1, _BATCH_BYTES // (4 * values * self.ticks))
        for start in range(0, len(self.samples), size):
            yield slice(start, min(start + size, len(self.samples)))

    def currents(self, graph: Graph, population: str, rows: slice) -> Array:
        """The summed input of a population, (samples, ticks or 1, *shape) float32; 1 where it is constant."""
        values = self._values(graph, graph[population].inputs, rows, self._spikes)
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total

    def mean_values(self, graph: Graph, names: Iterable[str], rows: slice) -> list[Array]:
        """The mean over the ticks of what linear maps give, (samples, *shape) float32 each."""
        values = self._values(graph, tuple(names), rows, lambda name, some: self._rates[name][some][:, None])
        return [value[:, 0] for value in values]

    def fire(self, graph: Graph, population: str) -> None:
        """Run a population on what those before it have fired, and keep its spikes."""
        neuron, shape = graph[population].operator, graph.shapes[population]
        assert isinstance(neuron, Neuron)
        packed, rates = [], []
        for rows in self.batches(graph, population):
            numbers = np.arange(rows.start, rows.stop)
            state = neuron.start(shape, numbers, np.dtype(np.float32))
            _, spikes = neuron.advance(state, [self.currents(graph, population, rows)], self.ticks)
            rates.append(spikes.mean(axis=1, dtype=np.float32))
            packed.append(np.packbits(spikes.reshape(len(spikes), self.ticks, -1), axis=-1))
        self._packed[population], self._rates[population] = np.concatenate(packed), np.concatenate(rates)

    def keep(self, populations: Iterable[str]) -> None:
        """Drop the spikes of all other populations."""
        kept = set(populations)
        for trains in (self._packed, self._rates):
            for name in set(trains) - kept:
                del trains[name]

    def _spikes(self, population: str, rows: slice) -> Array:
        shape = self._rates[population].shape[1:]
        bits = np.unpackbits(self._packed[population][rows], axis=-1, count=int(np.prod(shape)))
        return bits.reshape(*bits.shape[:2], *shape).astype(np.float32)

    def _values(
        self, graph: Graph, names: tuple[str, ...], rows: slice, trains: Callable[[str, slice], Array]
    ) -> list[Array]:
        values: dict[str, Array] = {}
        inner = _between(graph, names)
        read = {source for name in inner for source in graph[name].inputs} | set(names)
        for name in read:
            if isinstance(graph[name].operator, Neuron):
                values[name] = trains(name, rows)
            elif isinstance(graph[name].operator, Input):
                values[name] = self.samples.arrays[name][rows][:, None]
        for name in inner:
            node = graph[name]
            if name not in values:
                values[name] = _over_ticks(node.operator, [values[source] for source in node.inputs])
        return [values[name] for name in names]


def _between(graph: Graph, names: Iterable[str]) -> list[str]:
    """The linear maps from populations or inputs to some nodes, these included, in dataflow order."""
    waiting, on_the_way = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in on_the_way and isinstance(graph[name].operator, LinearMap):
            on_the_way.add(name)
            waiting += graph[name].inputs
    return [node.name for node in graph.ordered if node.name in on_the_way]


def _over_ticks(operator: Operator, inputs: list[Array]) -> Array:
    """The value (samples, ticks or 1, *shape) of a map without memory."""
    samples, ticks = len(inputs[0]), max(value.shape[1] for value in inputs)
    aligned = [np.broadcast_to(value, (samples, ticks, *value.shape[2:])) for value in inputs]
    folded = operator.evaluate(*(value.reshape(samples * ticks, *value.shape[2:]) for value in aligned))
    return folded.reshape(samples, ticks, *folded.shape[1:]).astype(np.float32, copy=False)


def readers_to_come(graph: Graph, done: Mapping[str, object]) -> set[str]:
    """The populations of ``done`` whose spikes a population outside of it reads."""
    sources: set[str] = set()
    for node in graph.populations:
        if node.name in done:
            continue
        maps = _between(graph, node.inputs)
        sources |= {source for name in maps for source in graph[name].inputs} | set(node.inputs)
    return sources & set(done)
