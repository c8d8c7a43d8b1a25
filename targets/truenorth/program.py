"""What TrueNorth chips hold for one network: cores, their places, the host's input lines, and what is read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.interface import Readout
from snnc.graph.operators.linear import SparseLinear

from .limits import AXON_TYPES, AXONS, CROSSBAR_BYTES, NEURONS, TRUENORTH

NO_TARGET = -1
"""``Cores.target_core`` of a neuron whose spikes go nowhere."""

ALWAYS_ON = -1
"""``InputLines.population`` of a line that spikes in every presented tick."""


@dataclass(frozen=True, eq=False)
class Cores:
    """All cores, field by field; what is not used is inert (``inert_cores``).

    Parameters of neurons are (cores, 256), see ``TrueNorthNeuron`` for their meaning.

    Attributes:
        x, y: (cores,) int32, place on the mesh of all chips: chip (x // 64, y // 64), core (x % 64, y % 64) of it.
        axon_type: (cores, 256) uint8, 0..3.
        crossbar: (cores, 256, 32) uint8; axon a reaches neuron n where bit n % 8 (1 is bit 0) of byte
            crossbar[core, a, n // 8] is set, see ``pack_crossbar``.
        weight: (cores, 256, 4) int16, the neuron's value for each axon type.
        stochastic_synapse: (cores, 256, 4) bool; such a weight adds its sign with probability abs(weight) / 256.
        leak: int16.
        leak_reversal: bool.
        stochastic_leak: bool.
        threshold: int32.
        mask_bits: uint8.
        negative_threshold: int32.
        saturates: bool, ``NegativeMode.SATURATE``.
        reset_mode: uint8, value of ``ResetMode``.
        reset_potential: int32.
        initial_potential: int32, set by the host before a sample.
        stream: int64, number of the neuron's random stream, see ``random``.
        target_core: int32, index of the core that the neuron's spikes go to, or ``NO_TARGET``.
        target_axon: uint8.
        target_delay: uint8, 1..15; a spike of tick t is integrated in tick t + delay.
    """

    x: Array
    y: Array
    axon_type: Array
    crossbar: Array
    weight: Array
    stochastic_synapse: Array
    leak: Array
    leak_reversal: Array
    stochastic_leak: Array
    threshold: Array
    mask_bits: Array
    negative_threshold: Array
    saturates: Array
    reset_mode: Array
    reset_potential: Array
    initial_potential: Array
    stream: Array
    target_core: Array
    target_axon: Array
    target_delay: Array

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class InputLines:
    """Where the host's spikes go; arrays are (lines,). A neuron of the host may have many lines.

    Attributes:
        population: int32, index of a population on the host, or ``ALWAYS_ON``.
        neuron: int32, flat index into it; 0 for a line that is always on.
        core: int32, index of the core.
        axon: uint8.
        delay: int32, at least 1; a spike of presented tick t is integrated in chip tick t + delay. The packet's
            delay has 4 bits: the host holds a spike back for what is beyond.
    """

    population: Array
    neuron: Array
    core: Array
    axon: Array
    delay: Array

    def __len__(self) -> int:
        return len(self.population)


@dataclass(frozen=True, eq=False)
class TrueNorthPopulation:
    """A population by its name in the graph, and where each of its neurons is read.

    All neurons of the chip run from tick 0 on; a window says which ticks of them are the population's.

    Attributes:
        name, shape: as in the graph.
        start: chip tick at which its window opens; 0 on the host.
        core, neuron: (neurons,) int32, a core and a neuron of it for every neuron in flat order; of duplicates
            any one. Both are empty on the host.
        source: name of the host graph's output that gives its spikes, or None for a population on the chip.
    """

    name: str
    shape: Shape
    start: int
    core: Array
    neuron: Array
    source: str | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """A part of the answer: a population, and the linear map off the chip that its reading goes through.

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
        found = self.weights.evaluate(reading.reshape(math.prod(lead), *self.weights.in_shape))
        return found.reshape(*lead, *self.weights.out_shape)


@dataclass(frozen=True, eq=False)
class TrueNorthProgram:
    """A network for one or more TrueNorth chips.

    Attributes:
        name: the network's.
        cores: all cores.
        lines: from the host to cores.
        populations: what is recorded, those on the host included, in dataflow order.
        host: what the host computes: Input, linear maps, spike sources, each read by an Output.
        readings: the answer is offset + scale * the sum of these parts, all of one shape.
        readout, scale, offset: how populations are read and in what unit, see ``Output``; ``VALUE`` is their spikes,
            like ``COUNT``, behind linear maps.
        seed: of the random numbers.
    """

    name: str
    cores: Cores
    lines: InputLines
    populations: tuple[TrueNorthPopulation, ...]
    host: Graph
    readings: tuple[Reading, ...]
    readout: Readout
    scale: Array
    offset: Array
    seed: int = 0

    target = "truenorth"

    @property
    def depth(self) -> int:
        """Chip ticks from the first presented tick to the start of the last window."""
        return max(population.start for population in self.populations)

    @property
    def output_shape(self) -> Shape:
        """Shape of the answer."""
        first = self.readings[0]
        return self.populations[first.population].shape if first.weights is None else first.weights.out_shape

    @property
    def forgets(self) -> bool:
        """Whether no neuron of a population keeps anything from tick to tick, and the answer is that of the tick."""
        cores = self.cores
        for population in self.populations:
            at = population.core, population.neuron
            kept = (cores.reset_potential, cores.negative_threshold, cores.mask_bits, cores.reset_mode)
            if any(values[at].any() for values in kept) or (cores.threshold[at] > 1).any():
                return False
        return self.readout is not Readout.POTENTIAL

    @property
    def chips(self) -> int:
        """Number of chips that hold a core."""
        side = TRUENORTH.mesh
        return len(set(zip((self.cores.x // side).tolist(), (self.cores.y // side).tolist(), strict=True)))


def inert_cores(count: int) -> Cores:
    """Cores without synapses whose neurons never fire and send nowhere, placed row by row on the first chips.

    The arrays are fresh and may be written to until a program is made of them.
    """
    neurons = (count, NEURONS)
    numbers = np.arange(count)
    chip, place = np.divmod(numbers, TRUENORTH.cores)
    y, x = np.divmod(place, TRUENORTH.mesh)
    return Cores(
        x=(x + chip * TRUENORTH.mesh).astype(np.int32),
        y=y.astype(np.int32),
        axon_type=np.zeros((count, AXONS), np.uint8),
        crossbar=np.zeros((count, AXONS, CROSSBAR_BYTES), np.uint8),
        weight=np.zeros((*neurons, AXON_TYPES), np.int16),
        stochastic_synapse=np.zeros((*neurons, AXON_TYPES), np.bool_),
        leak=np.zeros(neurons, np.int16),
        leak_reversal=np.zeros(neurons, np.bool_),
        stochastic_leak=np.zeros(neurons, np.bool_),
        threshold=np.full(neurons, TRUENORTH.threshold, np.int32),
        mask_bits=np.zeros(neurons, np.uint8),
        negative_threshold=np.full(neurons, TRUENORTH.threshold, np.int32),
        saturates=np.ones(neurons, np.bool_),
        reset_mode=np.ones(neurons, np.uint8),
        reset_potential=np.zeros(neurons, np.int32),
        initial_potential=np.zeros(neurons, np.int32),
        stream=numbers[:, None] * NEURONS + np.arange(NEURONS),
        target_core=np.full(neurons, NO_TARGET, np.int32),
        target_axon=np.zeros(neurons, np.uint8),
        target_delay=np.ones(neurons, np.uint8),
    )


def pack_crossbar(connected: Array) -> Array:
    """Crossbars (..., axons, neurons) bool as bits, (..., axons, neurons / 8) uint8."""
    return np.packbits(connected, axis=-1, bitorder="little")


def unpack_crossbar(crossbar: Array) -> Array:
    """Crossbars (..., axons, bytes) uint8 as (..., axons, 8 * bytes) bool."""
    return np.unpackbits(crossbar, axis=-1, bitorder="little").astype(np.bool_)
