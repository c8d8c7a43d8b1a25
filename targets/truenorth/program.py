"""What TrueNorth chips hold for one network: cores, their places, the host's input lines, and what is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Readout
from snnc.targets.columns import Bool, Int16, Int32, Int64, Uint8
from snnc.targets.frame import Population, ProgramShell

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

    x: Int32
    y: Int32
    axon_type: Uint8
    crossbar: Uint8
    weight: Int16
    stochastic_synapse: Bool
    leak: Int16
    leak_reversal: Bool
    stochastic_leak: Bool
    threshold: Int32
    mask_bits: Uint8
    negative_threshold: Int32
    saturates: Bool
    reset_mode: Uint8
    reset_potential: Int32
    initial_potential: Int32
    stream: Int64
    target_core: Int32
    target_axon: Uint8
    target_delay: Uint8

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

    population: Int32
    neuron: Int32
    core: Int32
    axon: Uint8
    delay: Int32

    def __len__(self) -> int:
        return len(self.population)


@dataclass(frozen=True, eq=False)
class TrueNorthPopulation(Population):
    """A population by its name in the graph, and where each of its neurons is read.

    All neurons of the chip run from tick 0 on; a window says which ticks of them are the population's. That of a
    population on the host opens at tick 0.

    Attributes:
        core, neuron: (neurons,) int32, a core and a neuron of it for every neuron in flat order; of duplicates
            any one. Both are empty on the host.
    """

    core: Int32
    neuron: Int32


@dataclass(frozen=True, eq=False)
class TrueNorthProgram(ProgramShell[TrueNorthPopulation]):
    """A network for one or more TrueNorth chips.

    Attributes:
        cores: all cores.
        lines: from the host to cores.
        seed: of the random numbers.
    """

    populations: tuple[TrueNorthPopulation, ...]
    cores: Cores
    lines: InputLines
    seed: int = 0

    target = "truenorth"

    @property
    def forgets(self) -> bool:
        """Whether no neuron of a population keeps anything from tick to tick, and answers are those of the tick."""
        cores = self.cores
        for population in self.populations:
            at = population.core, population.neuron
            kept = (cores.reset_potential, cores.negative_threshold, cores.mask_bits, cores.reset_mode)
            if any(values[at].any() for values in kept) or (cores.threshold[at] > 1).any():
                return False
        return all(answer.readout is not Readout.POTENTIAL for answer in self.answers)

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
