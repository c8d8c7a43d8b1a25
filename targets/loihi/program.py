"""What a Loihi system holds for one network: populations, tiles on cores, axons and synaptic memories."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.interface import Readout

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

    weights: Array
    list_runs: Array
    run_first: Array
    run_weight: Array
    run_length: Array
    list_format: Array
    list_block: Array
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
    neurons: Array
    threshold: Array
    bias_mantissa: Array
    bias_exponent: Array
    initial_voltage: Array
    memory: int
    axon_population: Array
    axon_neuron: Array
    axon_delay: Array
    axon_list: Array
    axon_base: Array
    axon_slot: Array
    axon_resets: Array
    slot_width: Array


@dataclass(frozen=True)
class LoihiPopulation:
    """A population as the chip sees it.

    Attributes:
        name, shape: as in the graph.
        start: chip tick at which its window opens: its compartments are set to their initial state and their
            bias is switched on by the management core, and both end with the window.
        subtract: whether neurons take two compartments, see ``LoihiCompartment``.
        current_decay, voltage_decay: 1..4096 and 0..4095, see ``LoihiCompartment``.
        refractory: ticks.
        v_min, v_max: bounds of the potential.
        drive: name of the host graph's output that gives it a bias current beside its own, or None; it may have
            synapses as well.
        source: name of the host graph's output that gives its spikes, or None for a population on the chip.
    """

    name: str
    shape: Shape
    start: int
    subtract: bool = False
    current_decay: int = 4096
    voltage_decay: int = 0
    refractory: int = 1
    v_min: int = -(2**23) + 1
    v_max: int = 2**23 - 1
    drive: str | None = None
    source: str | None = None


@dataclass(frozen=True, eq=False)
class LoihiProgram:
    """A network for one or more Loihi chips.

    Attributes:
        name: the network's.
        populations: in dataflow order, those whose spikes the host makes included.
        components: indices of populations by strongly connected component, in dataflow order.
        tiles: all tiles, those of a population together and in order.
        memories: synaptic memories that tiles name.
        host: what the host computes: Input, linear maps, QuantiseCurrent, spike sources, each read by an Output.
        output: index of the population that is read.
        readout, scale, offset: how it is read, see ``Output``.
    """

    name: str
    populations: tuple[LoihiPopulation, ...]
    components: tuple[tuple[int, ...], ...]
    tiles: tuple[Tile, ...]
    memories: tuple[SynapticMemory, ...]
    host: Graph
    output: int
    readout: Readout
    scale: Array
    offset: Array

    target = "loihi"

    @property
    def depth(self) -> int:
        """Chip ticks from the first presented tick to the start of the last window."""
        return max(population.start for population in self.populations)

    @property
    def cores(self) -> int:
        """Number of cores used."""
        return len({tile.core for tile in self.tiles})
