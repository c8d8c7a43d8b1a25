"""What a program has beside its cores: names and windows of populations, the host's share, and the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from snnc.errors import MappingError
from snnc.graph.evaluate import check_samples
from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron
from snnc.graph.node import Node
from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.interface import Input, Output
from snnc.kernels.rows import add_rows
from snnc.simulate.functional import check_call
from snnc.simulate.readout import readings
from snnc.simulate.trace import EventCounts, Trace, join

from .host import host_graph, host_signals
from .layers import Layers, N
from .partition import Piece

BATCH = 32
"""Samples that run at once."""


@dataclass(frozen=True)
class Population:
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
        answer: a graph of its own of the population that is read and of its Output.
    """

    populations: tuple[Population, ...]
    host: Graph
    answer: Graph

    @staticmethod
    def of(graph: Graph, layers: Layers[N]) -> Frame:
        """That of a graph; raises MappingError T004 unless it has one answer, of a population of the chip."""
        output, (source, *_) = graph.outputs[0], graph.outputs[0].inputs
        if len(graph.outputs) > 1 or source not in {layer.node.name for layer in layers.own.values()}:
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
            Population(layer.node.name, layer.shape, layer.start, layer.first, readers.get(layer.node.name))
            for layer in layers.layers
        )
        current = Node("current", Input(graph.shapes[source]), ())
        read = Node(source, graph[source].operator, ("current",))
        return Frame(populations, host, Graph("answer", (current, read, output)))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the populations."""
        return tuple(population.name for population in self.populations)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of the populations."""
        return tuple(population.size for population in self.populations)

    @cached_property
    def depth(self) -> int:
        """Chip ticks before the last window opens."""
        return max((population.start for population in self.populations), default=0)

    def simulate(
        self,
        run: Callable[[Run], None],
        x: Array,
        ticks: int,
        *,
        pieces: Sequence[Piece],
        record: Iterable[str] = (),
        first_sample: int = 0,
        threads: int | None = None,
    ) -> Trace:
        """The trace of all samples, some at a time.

        Args:
            run: runs the cores from the first to the last tick.
            x: (samples, *input shape), or (samples, ticks, *input shape).
            ticks: how long the samples are presented.
            pieces: on the cores.
            record: any of ``RECORDABLE`` but currents, which are not kept.
            first_sample: index of the first sample in the data set.
            threads: not looked at.

        Raises:
            UsageError U201 to U204, DataError D101 and D102: the call is wrong, see the functional simulator.
        """
        wanted = frozenset(record)
        check_samples(self.host, x)
        check_call(self.host, x, ticks, wanted, None, threads)
        traces = []
        for start in range(0, max(len(x), 1), BATCH):
            part = Run.of(self, x[start : start + BATCH], ticks, wanted, first_sample + start, pieces)
            run(part)
            traces.append(part.trace())
        return join(traces)


@dataclass(frozen=True, eq=False)
class Run:
    """Some samples on their way through the cores: what a simulator of cores reads and writes tick by tick.

    Attributes:
        frame: of the program.
        pieces: on the cores.
        numbers: (samples,) int64, indices of the samples in the data set.
        ticks: presented.
        record: what is recorded.
        before: silent ticks in front of the first, so that delays can look back.
        fired: (before + chip ticks, neurons, samples) bool; holds the spikes of the host.
        potentials: of populations whose potentials are wanted, (ticks, neurons, samples) int64, by index.
        counts: (5, cores, chip ticks) int64, in the order of ``EventCounts``.
    """

    frame: Frame
    pieces: Sequence[Piece]
    numbers: Array
    ticks: int
    record: frozenset[str]
    before: int
    fired: Array
    potentials: Mapping[int, Array]
    counts: Array

    @staticmethod
    def of(
        frame: Frame,
        x: Array,
        ticks: int,
        record: frozenset[str],
        first_sample: int,
        pieces: Sequence[Piece],
    ) -> Run:
        """A run that has not begun."""
        length, samples = frame.depth + ticks, len(x)
        before = max((int(piece.delay.max(initial=0)) for piece in pieces), default=0)
        (read,) = frame.answer.populations
        run = Run(
            frame=frame,
            pieces=pieces,
            numbers=np.arange(first_sample, first_sample + samples),
            ticks=ticks,
            record=record,
            before=before,
            fired=np.zeros((before + length, sum(frame.sizes), samples), bool),
            potentials={
                number: np.zeros((ticks, p.size, samples), np.int64)
                for number, p in enumerate(frame.populations)
                if p.host is None and ("voltage" in record or p.name == read.name)
            },
            counts=np.zeros((5, len(pieces), length), np.int64),
        )
        signals = host_signals(frame.host, x, ticks, first_sample=first_sample)
        for population in frame.populations:
            if population.host is not None:
                spikes = np.broadcast_to(signals[population.host], (samples, ticks, *population.shape))
                run._window(population)[:] = spikes.reshape(samples, ticks, -1).transpose(1, 2, 0)
        return run

    @property
    def dtype(self) -> np.dtype:
        """Of potentials and currents."""
        return np.dtype(np.int64)

    @property
    def chip_ticks(self) -> range:
        """All ticks."""
        return range(self.frame.depth + self.ticks)

    def is_open(self, core: int, tick: int) -> bool:
        """Whether it is a tick of the window of a core's population."""
        return 0 <= tick - self._population(core).start < self.ticks

    def current(self, tick: int, core: int) -> Array:
        """(samples, neurons) int64: the sum of the weights of the axons of a core at which spikes arrive."""
        piece = self.pieces[core]
        sums = np.zeros((len(self.numbers), len(piece.neurons)), self.dtype)
        events = add_rows(sums, piece.weight, self.fired[self.before + tick - piece.delay, piece.source])
        self.counts[:2, core, tick] = events, events * len(piece.neurons)
        return sums

    def write(self, tick: int, core: int, spikes: Array, voltage: Array) -> None:
        """What the neurons of a core did in a tick, (samples, neurons) both; the spikes are on their way then."""
        piece = self.pieces[core]
        population, fired = self._population(core), np.count_nonzero(spikes)
        self.fired[self.before + tick, population.first + piece.neurons] = spikes.T
        if piece.population in self.potentials:
            self.potentials[piece.population][tick - population.start, piece.neurons] = voltage.T
        self.counts[2:, core, tick] = spikes.size, fired, fired

    def trace(self) -> Trace:
        """What came out."""
        spikes, voltage = {}, {}
        for number, population in enumerate(self.frame.populations):
            spikes[population.name] = self._by_sample(self._window(population), population)
            if number in self.potentials:
                voltage[population.name] = self._by_sample(self.potentials[number], population)
        (read,), (output,) = self.frame.answer.populations, self.frame.answer.outputs
        assert isinstance(read.operator, Neuron) and isinstance(output.operator, Output)
        answers = readings(output.operator, read.operator, spikes[read.name], voltage[read.name])
        return Trace(
            output=answers[:, -1],
            output_by_tick=answers if "output" in self.record else None,
            recordings={
                "spikes": spikes if "spikes" in self.record else {},
                "voltage": voltage if "voltage" in self.record else {},
            },
            spike_counts={
                name: np.count_nonzero(s.reshape(len(s), -1), axis=1) for name, s in spikes.items()
            },
            counts=EventCounts(*self.counts),
            latency_ticks=self.frame.depth + self.ticks,
        )

    def _population(self, core: int) -> Population:
        return self.frame.populations[self.pieces[core].population]

    def _window(self, population: Population) -> Array:
        """The spikes of a population, (ticks, neurons, samples)."""
        opening, first = self.before + population.start, population.first
        return self.fired[opening : opening + self.ticks, first : first + population.size]

    @staticmethod
    def _by_sample(values: Array, population: Population) -> Array:
        ticks, _, samples = values.shape
        return np.ascontiguousarray(values.transpose(2, 0, 1)).reshape(samples, ticks, *population.shape)
