"""Bring a Loihi program into the form that the kernels run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.neurons.base import Reset
from snnc.graph.operators.base import Array
from snnc.kernels.deliver import Axons, SynapseLists

from .compartment import LoihiCompartment
from .kernels.tile import Compartments
from .limits import DECAY_UNIT, UNIT
from .program import LoihiProgram, SynapticMemory, Tile


@dataclass(frozen=True, eq=False)
class TileArrays:
    """A tile as the kernels take it.

    Attributes:
        compartments, synapses, axons: see the kernels.
        place: where its neurons stand in a row of spikes, one behind another.
        sources: the tiles that it takes spikes from.
        bias: (neurons,) int32.
        initial_voltage: (neurons,) int32.
        updates: compartments that are updated in a tick, for one sample.
    """

    compartments: Compartments
    synapses: SynapseLists
    axons: Axons
    place: int
    sources: frozenset[int]
    bias: Array
    initial_voltage: Array
    updates: int


@dataclass(frozen=True, eq=False)
class LoihiArrays:
    """A program as the kernels take it.

    Attributes:
        tiles: as many as the program's.
        tiles_of: numbers of the tiles of each population.
        places: for each population (neurons,) int64, where each neuron's spikes stand in a row of spikes.
        neurons: of all populations, the length of such a row.
        history: ticks of a window that delays look back, at most.
    """

    tiles: tuple[TileArrays, ...]
    tiles_of: tuple[tuple[int, ...], ...]
    places: tuple[Array, ...]
    neurons: int
    history: int


@dataclass(frozen=True, eq=False)
class Row:
    """How the neurons of all populations stand in a row of spikes: tile by tile, then those on the host.

    Attributes:
        tile_places: where each tile begins.
        offset: (populations,) int64, number of each population's first neuron when all are counted.
        place: (neurons,) int64, place of each neuron, by that number.
        tile: (neurons,) int64, the tile at each place, one more than the last for those on the host.
    """

    tile_places: Array
    offset: Array
    place: Array
    tile: Array

    def of(self, tile: Tile, axons: Array) -> Array:
        """Places of the neurons that some axons of a tile come from."""
        return np.asarray(self.place[self.offset[tile.axon_population[axons]] + tile.axon_neuron[axons]])


def to_kernel_arrays(program: LoihiProgram) -> LoihiArrays:
    """The program as the kernels take it; it must have passed ``validity.check_arrays``."""
    row = row_of(program)
    messages = _messages(program, row)
    synapses = [_synapses(memory) for memory in program.memories]
    tiles = tuple(
        _tile(program, number, row, messages, synapses[tile.memory])
        for number, tile in enumerate(program.tiles)
    )
    tiles_of: list[list[int]] = [[] for _ in program.populations]
    for number, tile in enumerate(program.tiles):
        tiles_of[tile.population].append(number)
    sizes = program.sizes
    return LoihiArrays(
        tiles=tiles,
        tiles_of=tuple(map(tuple, tiles_of)),
        places=tuple(row.place[start : start + size] for start, size in zip(row.offset, sizes, strict=True)),
        neurons=len(row.place),
        history=max((int(tile.axons.group_shift.max(initial=1)) for tile in tiles), default=1),
    )


def read_compartment(program: LoihiProgram, population: int) -> LoihiCompartment:
    """A compartment with the charge and the initial potentials of a population that is read."""
    read = program.populations[population]
    charge, initial = np.zeros((2, read.size), np.int64)
    for tile in program.tiles:
        if tile.population == population:
            charge[tile.neurons] = -UNIT * reset_weights(program, tile)
            initial[tile.neurons] = tile.initial_voltage
    return LoihiCompartment(
        threshold=np.zeros((), np.int64),
        reset=Reset.SUBTRACT,
        reset_charge=charge.reshape(read.shape),
        initial_voltage=initial.reshape(read.shape),
    )


def reset_weights(program: LoihiProgram, tile: Tile) -> Array:
    """What each neuron's own spike adds to its sum, (neurons,) int64 in steps of 64; 0 without a reset axon."""
    weights = np.zeros(len(tile.neurons), np.int64)
    inverse = np.full(program.populations[tile.population].size, -1)
    inverse[tile.neurons] = np.arange(len(tile.neurons))
    axons = np.flatnonzero(tile.axon_resets)
    memory = program.memories[tile.memory]
    lists = tile.axon_list[axons]
    mantissas = memory.weights[memory.run_weight[memory.list_runs[lists]]]
    np.add.at(weights, inverse[tile.axon_neuron[axons]], _steps(memory, mantissas, memory.list_format[lists]))
    return weights


def row_of(program: LoihiProgram) -> Row:
    """How a program's neurons stand in a row of spikes."""
    sizes = program.sizes
    offset = np.cumsum([0, *sizes])
    place = np.zeros(offset[-1], np.int64)
    lengths = [len(tile.neurons) for tile in program.tiles]
    tile_places = np.cumsum([0, *lengths])
    for tile, start in zip(program.tiles, tile_places, strict=False):
        place[offset[tile.population] + tile.neurons] = np.arange(start, start + len(tile.neurons))
    end = int(tile_places[-1])
    for number, population in enumerate(program.populations):
        if population.source is not None:
            place[offset[number] : offset[number + 1]] = np.arange(end, end + sizes[number])
            end += sizes[number]
    tile_at = np.repeat(np.arange(len(lengths) + 1), [*lengths, len(place) - int(tile_places[-1])])
    return Row(tile_places, offset[:-1], place, tile_at)


def _messages(program: LoihiProgram, row: Row) -> Array:
    """Messages that a spike at each place sends: one for each hardware axon of each core that it reaches."""
    on_core: dict[int, list[Tile]] = {}
    for tile in program.tiles:
        on_core.setdefault(tile.core, []).append(tile)
    total = np.zeros(len(row.place), np.int64)
    for tiles in on_core.values():
        place = np.concatenate([row.of(tile, np.arange(len(tile.axon_list))) for tile in tiles])
        slot = np.concatenate([tile.axon_slot for tile in tiles]).astype(np.int64)
        slots = 1 + slot.max(initial=0)
        pairs = np.sort(place * slots + slot)
        np.add.at(total, pairs[np.diff(pairs, prepend=-1) > 0] // slots, 1)
    return total


def _synapses(memory: SynapticMemory) -> SynapseLists:
    """The lists with their weights one behind another, in the order of the compartments.

    So runs that lead to neighbouring compartments, such as the kernel columns of a convolution, become one.
    """
    list_of_run = np.repeat(np.arange(len(memory.list_format)), np.diff(memory.list_runs))
    order = np.lexsort((memory.run_first, list_of_run))
    owner, first = list_of_run[order], memory.run_first[order].astype(np.int64)
    length = memory.run_length[order].astype(np.int64)
    start = np.cumsum(length) - length
    joined = (np.diff(owner, prepend=-1) == 0) & (first == np.roll(first + length, 1))
    heads = np.flatnonzero(~joined)
    entries = np.repeat(memory.run_weight[order] - start, length) + np.arange(int(length.sum()))
    weights = _steps(memory, memory.weights[entries], np.repeat(memory.list_format[owner], length))
    lengths = np.diff(np.append(start[heads], len(entries)))
    list_runs = np.searchsorted(owner[heads], np.arange(len(memory.list_format) + 1))
    until = np.append(0, np.cumsum(lengths))
    return SynapseLists(
        weights=weights,
        run_first=first[heads].astype(np.int32),
        run_weight=start[heads].astype(np.int32),
        run_length=lengths.astype(np.int32),
        list_runs=list_runs.astype(np.int64),
        list_synapses=np.diff(until[list_runs]),
    )


def _steps(memory: SynapticMemory, mantissas: Array, formats: Array) -> Array:
    """Effective weights in steps of 64, int16; every format's fit, the largest being 256 * 2^7."""
    steps = np.zeros(len(mantissas), np.int16)
    for number, form in enumerate(memory.formats):
        chosen = formats == number
        steps[chosen] = form.effective(mantissas[chosen]) // UNIT
    return steps


def _tile(
    program: LoihiProgram, number: int, row: Row, messages: Array, synapses: SynapseLists
) -> TileArrays:
    tile = program.tiles[number]
    population = program.populations[tile.population]
    loops_back = _loops_back(tile, synapses)
    weights = reset_weights(program, tile) if loops_back else np.zeros(len(tile.neurons))
    delivered = np.flatnonzero(~tile.axon_resets) if loops_back else np.arange(len(tile.axon_list))
    place = int(row.tile_places[number])
    axons = _axons(program, tile, delivered, row)
    sources = np.flatnonzero(np.bincount(row.tile[axons.place]))
    compartments = Compartments(
        threshold=(tile.threshold.astype(np.int64) * UNIT).astype(np.int32),
        reset_weight=weights.astype(np.int16),
        messages=messages[place : place + len(tile.neurons)],
        loops_back=loops_back,
        clears=not population.subtract,
        current_keep=(DECAY_UNIT - tile.current_decay.astype(np.int32)).astype(np.int32),
        voltage_keep=(DECAY_UNIT - tile.voltage_decay.astype(np.int32)).astype(np.int32),
        v_min=population.v_min,
        v_max=population.v_max,
        pause=tile.refractory.astype(np.int32) - np.int32(1),
    )
    return TileArrays(
        compartments,
        synapses,
        axons,
        place,
        sources=frozenset(sources.tolist()),
        bias=(tile.bias_mantissa.astype(np.int64) << tile.bias_exponent).astype(np.int32),
        initial_voltage=tile.initial_voltage.astype(np.int32),
        updates=len(tile.neurons) * (2 if population.subtract else 1),
    )


def _loops_back(tile: Tile, synapses: SynapseLists) -> bool:
    """Whether each neuron has exactly one reset axon, of one synapse that leads to itself one tick later.

    Then the kernel takes the spikes of the last tick for these axons instead of looking the lists up.
    """
    axons = np.flatnonzero(tile.axon_resets)
    if len(axons) != len(tile.neurons) or not len(axons):
        return False
    lists = tile.axon_list[axons]
    single = (synapses.list_synapses[lists] == 1) & (np.diff(synapses.list_runs)[lists] == 1)
    if not single.all():
        return False
    target = tile.axon_base[axons] + synapses.run_first[synapses.list_runs[lists]]
    own = (tile.axon_population[axons] == tile.population) & (tile.axon_delay[axons] == 0)
    to_itself = tile.neurons[target] == tile.axon_neuron[axons]
    return bool(own.all() and to_itself.all() and len(np.unique(target)) == len(target))


def _axons(program: LoihiProgram, tile: Tile, chosen: Array, row: Row) -> Axons:
    """Some axons of a tile, sorted by the time that their spikes take, then as their neurons stand in a row."""
    starts = np.array([population.start for population in program.populations])
    own = program.populations[tile.population].start
    shift = starts[tile.axon_population[chosen]] + 1 + tile.axon_delay[chosen] - own
    order = np.lexsort((row.of(tile, chosen), shift))
    chosen, shift = chosen[order], shift[order]
    shifts, first = np.unique(shift, return_index=True)
    return Axons(
        place=row.of(tile, chosen),
        lists=tile.axon_list[chosen].astype(np.int32),
        base=tile.axon_base[chosen].astype(np.int32),
        group_shift=shifts.astype(np.int64),
        group_axons=np.append(first, len(chosen)).astype(np.int64),
    )
