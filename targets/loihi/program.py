"""What a Loihi system holds for one network: populations, tiles on cores, axons and synaptic memories."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.targets.columns import Bool, Int8, Int16, Int32, Int64
from snnc.targets.frame import Population, ProgramShell

from .synapses import SynapseFormat


@dataclass(frozen=True, eq=False)
class SynapticMemory:
    """Synapse lists as runs over a pool of weights; cores with the same contents share one.

    Attributes:
        weights: (entries,) int16 mantissas.
        list_runs: (lists + 1,) int64; list k has the runs list_runs[k] to list_runs[k + 1].
        run_first: (runs,) int32, first destination compartment, counted from the axon's base.
        run_weight: (runs,) int32, where the run's weights start in ``weights``.
        run_length: (runs,) int32, number of consecutive compartments and weights.
        list_format: (lists,) int32, index into ``formats``.
        list_block: (lists,) int32: lists of one block have one format and lie together in memory (those of the
            atoms of a population axon); the memory model counts a block's synapses as one list.
        formats: the core's table of synapse formats.
    """

    weights: Int16
    list_runs: Int64
    run_first: Int32
    run_weight: Int32
    run_length: Int32
    list_format: Int32
    list_block: Int32
    formats: tuple[SynapseFormat, ...]


@dataclass(frozen=True, eq=False)
class Tile:
    """A part of a population on one core. A core may hold several tiles.

    Compartment i (below the number of neurons) integrates for neuron i; with reset by subtraction compartment
    neurons + i is the one that fires for it. Synapses lead to the integrating compartments.

    Attributes:
        core: core number, over all chips.
        population: index into the program's populations.
        neurons: (neurons,) int64, flat indices into the population.
        threshold: (neurons,) int32 mantissas, in steps of 64.
        bias_mantissa, bias_exponent: (neurons,) int32 and int8.
        initial_voltage: (neurons,) int64.
        current_decay, voltage_decay, refractory: (neurons,) int16, int16 and int8, see ``LoihiCompartment``.
        memory: index into the program's memories.
        axon_population: (axons,) int32, population that the axon's spikes come from.
        axon_neuron: (axons,) int32, flat index of the neuron in that population.
        axon_delay: (axons,) int16, synaptic delay in ticks; a spike of chip tick c arrives at c + 1 + delay.
        axon_list: (axons,) int32, list in the memory.
        axon_base: (axons,) int32, compartment that run_first is counted from.
        axon_slot: (axons,) int32, the core's hardware axon; the atoms of a population axon share one. Tiles on one
            core have different ones.
        axon_resets: (axons,) bool, whether the axon carries the inhibition of reset by subtraction.
        slot_width: (slots,) int8, output axon entries that a sending core needs for each of the core's hardware
            axons (pop32 takes 2); 0 for those of other tiles.
    """

    core: int
    population: int
    neurons: Int64
    threshold: Int32
    bias_mantissa: Int32
    bias_exponent: Int8
    initial_voltage: Int64
    current_decay: Int16
    voltage_decay: Int16
    refractory: Int8
    memory: int
    axon_population: Int32
    axon_neuron: Int32
    axon_delay: Int16
    axon_list: Int32
    axon_base: Int32
    axon_slot: Int32
    axon_resets: Bool
    slot_width: Int8


@dataclass(frozen=True, eq=False)
class LoihiPopulation(Population):
    """A population as the chip sees it.

    When its window opens its compartments are set to their initial state and their bias is switched on by the
    management core, and both end with the window.

    Attributes:
        subtract: whether neurons take two compartments, see ``LoihiCompartment``.
        v_min, v_max: bounds of the potential.
        drive: name of the host graph's output that gives it a bias current beside its own, or None; it may have
            synapses as well.
    """

    subtract: bool = False
    v_min: int = -(2**23) + 1
    v_max: int = 2**23 - 1
    drive: str | None = None


@dataclass(frozen=True, eq=False)
class LoihiProgram(ProgramShell[LoihiPopulation]):
    """A network for one or more Loihi chips.

    Attributes:
        components: indices of populations by strongly connected component, in dataflow order.
        tiles: all tiles, those of a population together and in order.
        memories: synaptic memories that tiles name.
    """

    populations: tuple[LoihiPopulation, ...]
    components: tuple[tuple[int, ...], ...]
    tiles: tuple[Tile, ...]
    memories: tuple[SynapticMemory, ...]

    target = "loihi"

    @property
    def cores(self) -> int:
        """Number of cores used."""
        return len({tile.core for tile in self.tiles})
