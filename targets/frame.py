"""What a program needs beside its cores: names and windows of populations, the host's share, how to read the answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from snnc.errors import MappingError
from snnc.graph.evaluate import check_samples
from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron
from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.interface import Output, Readout
from snnc.simulate.functional import check_call
from snnc.simulate.readout import readings
from snnc.simulate.trace import EventCounts, Trace, join

from .host import host_graph, host_signals
from .layers import Layers

BATCH = 32
"""Samples that run at once."""


@dataclass(frozen=True)
class FramePopulation:
    """A population.

    Attributes:
        name, shape: in the graph.
        start: chip tick at which its window opens.
        first: number of its first neuron.
        host: Output of the host graph that gives its spikes, None where the chip computes them.
    """

    name: str
    shape: Shape
    start: int
    first: int
    host: str | None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, eq=False)
class Frame:
    """The program of a chip without its cores.

    Attributes:
        populations: in the order of ``Layers``.
        host: what the host computes.
        read: index of the population that the answer is read from.
        readout, scale, offset: as in ``Output``.
    """

    populations: tuple[FramePopulation, ...]
    host: Graph
    read: int
    readout: Readout
    scale: Array
    offset: Array

    @staticmethod
    def of(graph: Graph, layers: Layers) -> Frame:
        """That of a graph; raises MappingError T004 unless it has one answer, of a population of the chip."""
        output, operator = graph.outputs[0], graph.outputs[0].operator
        assert isinstance(operator, Output)
        numbers = {layer.node.name: number for number, layer in layers.on_chip.items()}
        if len(graph.outputs) > 1 or output.inputs[0] not in numbers:
            raise MappingError(
                "T004",
                f"a program of {layers.chip} has one answer, read from a population of the chip",
                node=output.name,
                source=output.source,
                remedy="keep one output, and let it read a population",
            )
        given = [layer.node.name for layer in layers.layers if layer.neuron is None]
        host, readers = host_graph(graph, {name: name for name in given})
        populations = tuple(
            FramePopulation(
                layer.node.name, layer.shape, layer.start, layer.first, readers.get(layer.node.name)
            )
            for layer in layers.layers
        )
        scale, offset = (np.asarray(value, np.float64) for value in (operator.scale, operator.offset))
        return Frame(populations, host, numbers[output.inputs[0]], operator.readout, scale, offset)

    @property
    def depth(self) -> int:
        """Chip ticks before the last window opens."""
        return max((population.start for population in self.populations), default=0)

    def in_batches(
        self,
        run: Callable[[Array, int], Trace],
        x: Array,
        ticks: int,
        record: Collection[str],
        first_sample: int,
        threads: int | None,
    ) -> Trace:
        """The trace of all samples; ``run`` takes some of them and the index of the first.

        Raises:
            UsageError U201 to U204, DataError D101 and D102: the call is wrong, see the functional simulator.
        """
        check_samples(self.host, x)
        check_call(self.host, x, ticks, frozenset(record), None, threads)
        return join([run(x[at : at + BATCH], first_sample + at) for at in range(0, max(len(x), 1), BATCH)])

    def raster(self, x: Array, ticks: int, first_sample: int, before: int) -> Array:
        """(before + chip ticks, neurons, samples) bool: spikes of the host, and room for those of the chip.

        The first ``before`` ticks are silent, so that delays can look back.
        """
        count = sum(population.size for population in self.populations)
        fired = np.zeros((before + self.depth + ticks, count, len(x)), bool)
        signals = host_signals(self.host, x, ticks, first_sample=first_sample)
        for population in self.populations:
            if population.host is not None:
                spikes = np.broadcast_to(signals[population.host], (len(x), ticks, *population.shape))
                self._window(fired, population, ticks, before)[:] = spikes.reshape(
                    len(x), ticks, -1
                ).transpose(1, 2, 0)
        return fired

    def trace(
        self,
        fired: Array,
        voltage: Mapping[int, Array],
        neuron: Neuron,
        ticks: int,
        record: Collection[str],
        counts: EventCounts,
    ) -> Trace:
        """What came out.

        Args:
            fired: the raster, (before + chip ticks, neurons, samples) bool.
            voltage: by index of a population, (ticks, neurons of it, samples).
            neuron: of the population that the answer is read from, for its charge.
            ticks: presented.
            record: what was asked for.
            counts: events on the cores.
        """
        before = len(fired) - self.depth - ticks
        spikes, potentials = {}, {}
        for number, population in enumerate(self.populations):
            shape = (fired.shape[2], ticks, *population.shape)
            window = self._window(fired, population, ticks, before)
            spikes[population.name] = np.ascontiguousarray(window.transpose(2, 0, 1)).reshape(shape)
            if number in voltage:
                moved = np.ascontiguousarray(voltage[number].transpose(2, 0, 1))
                potentials[population.name] = moved.reshape(shape)
        name = self.populations[self.read].name
        output = Output(self.readout, self.scale, self.offset)
        answers = readings(output, neuron, spikes[name], potentials.get(name))
        return Trace(
            output=answers[:, -1],
            output_by_tick=answers if "output" in record else None,
            spikes=spikes if "spikes" in record else {},
            voltage=potentials if "voltage" in record else {},
            spike_counts={
                key: train.reshape(len(train), -1).sum(axis=1, dtype=np.int64)
                for key, train in spikes.items()
            },
            counts=counts,
            latency_ticks=self.depth + ticks,
        )

    @staticmethod
    def _window(fired: Array, population: FramePopulation, ticks: int, before: int) -> Array:
        opening, first = before + population.start, population.first
        return fired[opening : opening + ticks, first : first + population.size]
