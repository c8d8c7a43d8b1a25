"""What every chip's program has beside its cores: populations and their windows, the host's share, the answers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron
from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.interface import Output, Readout
from snnc.graph.operators.linear import SparseLinear

from .columns import Float64
from .program_checks import require, within

LARGEST_START = 2**20
"""The last tick at which a window may open."""

LARGEST_POPULATION = 2**31 - 1
LARGEST_WEIGHT = 2**31


@dataclass(frozen=True, eq=False)
class Population:
    """A population; chips add what they hold of it.

    Attributes:
        name, shape: as in the graph.
        start: chip tick at which its window opens.
        source: name of the host graph's output that gives its spikes, or None for a population on the chip.
    """

    name: str
    shape: Shape
    start: int
    source: str | None = field(default=None, kw_only=True)

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


P = TypeVar("P", bound=Population, covariant=True)
"""A chip's populations."""


@dataclass(frozen=True, eq=False)
class ReadoutTerm:
    """A part of an answer: a population, and the linear map off the chip that its reading goes through.

    Attributes:
        population: index of the population that is read.
        weights: map of whole numbers from its reading, int64, to the answer: which neurons count for which class,
            those of all copies that vote, -1 for the negative part of a signed answer. None for the reading itself.
    """

    population: int
    weights: SparseLinear | None = None

    def weighted(self, reading: Array) -> Array:
        """Its part in the answer, (..., *answer's shape), of what is read, (..., *population's shape)."""
        if self.weights is None:
            return reading
        lead = reading.shape[: reading.ndim - len(self.weights.in_shape)]
        answers = self.weights.evaluate(reading.reshape(math.prod(lead), *self.weights.in_shape))
        return answers.reshape(*lead, *self.weights.out_shape)


@dataclass(frozen=True, eq=False)
class Answer:
    """What one output of the network is: offset + scale * the sum of its readings.

    Attributes:
        name: of the Output in the graph.
        readings: the parts, all of one shape.
        readout, scale, offset: how populations are read and in what unit, see ``Output``; ``VALUE`` is their spikes,
            like ``COUNT``, behind linear maps.
    """

    name: str
    readings: tuple[ReadoutTerm, ...]
    readout: Readout
    scale: Float64
    offset: Float64

    @staticmethod
    def of_output(name: str, output: Output, population: int) -> Answer:
        """That of an Output that reads a population as it is."""
        scale, offset = np.asarray(output.scale, np.float64), np.asarray(output.offset, np.float64)
        return Answer(name, (ReadoutTerm(population),), output.readout, scale, offset)

    @property
    def output(self) -> Output:
        """Readout and units."""
        return Output(self.readout, self.scale, self.offset)


@dataclass(frozen=True, eq=False)
class ProgramShell(Generic[P]):
    """The program of a chip without its cores; a chip's own program adds them.

    Attributes:
        name: the network's.
        populations: in dataflow order, those whose spikes the host makes included.
        host: what the host computes: Input, linear maps, QuantiseCurrent, spike sources, each read by an Output.
        answers: one for each output of the network.
    """

    name: str
    populations: tuple[P, ...]
    host: Graph
    answers: tuple[Answer, ...]

    target: ClassVar[str]

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
        """Chip ticks from the first presented tick to the start of the last window."""
        return max((population.start for population in self.populations), default=0)

    @property
    def answer(self) -> Answer:
        """The first answer, which is the only one of most networks."""
        return self.answers[0]

    @property
    def read(self) -> frozenset[int]:
        """Indices of the populations that are read."""
        return frozenset(part.population for answer in self.answers for part in answer.readings)

    def shape_of(self, answer: Answer) -> Shape:
        """Shape of an answer."""
        return self._shape_read(answer.readings[0])

    def _shape_read(self, part: ReadoutTerm) -> Shape:
        return self.populations[part.population].shape if part.weights is None else part.weights.out_shape

    def require_consistent(self) -> None:
        """Raise ArtifactError A121 unless populations, the host's share and the answers fit each other."""
        count = len(self.populations)
        require(len(set(self.names)) == count > 0, "populations", "there is none, or two have one name")
        for population in self.populations:
            place = f"population {population.name!r}"
            require(all(size >= 1 for size in population.shape), place, "its shape has an empty axis")
            require(population.size <= LARGEST_POPULATION, place, "it is too large")
            require(0 <= population.start <= LARGEST_START, place, "its window starts at no possible tick")
        self._require_host()
        require(len(self.answers) > 0, "output", "nothing is read")
        require(
            len({answer.name for answer in self.answers}) == len(self.answers), "output", "two have one name"
        )
        for answer in self.answers:
            self._require_answer(answer)

    def require_made_by_host(self, population: Population, output: str) -> None:
        """Raise ArtifactError A121 unless an output of the host fits a population."""
        made = {node.name for node in self.host.outputs}
        fits = output in made and math.prod(self.host.shapes[output]) == population.size
        require(fits, f"population {population.name!r}", "the host does not make its input")

    def _require_host(self) -> None:
        require(len(self.host.inputs) > 0, "host", "it has no input")
        for population in self.populations:
            if population.source is not None:
                self.require_made_by_host(population, population.source)
                (maker,) = self.host[population.source].inputs
                place = f"population {population.name!r}"
                require(
                    isinstance(self.host[maker].operator, Neuron), place, "the host makes no spikes for it"
                )

    def _require_answer(self, answer: Answer) -> None:
        require(len(answer.readings) > 0, "output", "nothing is read")
        require(isinstance(answer.readout, Readout), "output", "it is read in no known way")
        for part in answer.readings:
            self._require_reading(part)
        shape = self.shape_of(answer)
        same = all(self._shape_read(part) == shape for part in answer.readings)
        require(same, "output", "its parts differ in shape")
        for values in (answer.scale, answer.offset):
            numbers = np.asarray(values)
            real = np.issubdtype(numbers.dtype, np.number) and bool(np.isfinite(numbers).all())
            try:
                fits = np.broadcast_shapes(numbers.shape, shape) == shape
            except ValueError:
                fits = False
            require(real and fits, "output", "its units do not fit its shape")

    def _require_reading(self, part: ReadoutTerm) -> None:
        known = 0 <= part.population < len(self.populations)
        chip = known and self.populations[part.population].source is None
        require(chip, "output", "it is no population of the chip")
        weights, shape = part.weights, self.populations[part.population].shape
        if weights is None:
            return
        require(weights.in_shape == shape, "output", "its weights do not fit a population")
        require(all(size >= 1 for size in weights.out_shape), "output", "its shape has an empty axis")
        sizes = math.prod(weights.out_shape), math.prod(shape)
        require(max(sizes) <= LARGEST_POPULATION, "output", "it is too large")
        entries = weights.rows, weights.columns, weights.values
        flat = all(array.ndim == 1 and len(array) == len(weights.rows) for array in entries)
        require(flat, "output", "weights are missing")
        inside = within(weights.rows, 0, sizes[0] - 1) and within(weights.columns, 0, sizes[1] - 1)
        require(inside, "output", "a weight has no place")
        require(within(weights.values, -LARGEST_WEIGHT, LARGEST_WEIGHT), "output", "a weight is out of range")
