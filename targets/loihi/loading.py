"""Bring a Loihi program into the form that the kernels run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snnc.graph.neurons.base import Reset
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Output
from snnc.kernels.deliver import Axons, Synapses
from snnc.kernels.loihi import Compartments

from .compartment import LoihiCompartment
from .limits import DECAY_UNIT, UNIT
from .program import LoihiProgram, SynapticMemory, Tile

HOST_BLOCK = 1024
"""Neurons of a population on the host are cut into blocks of this size, as tiles cut those on the chip."""


@dataclass(frozen=True, eq=False)
class Block:
    """Neurons whose spikes are kept together: a tile, or a part of a population on the host.

    Attributes:
        population: index into the program's populations.
        neurons: (neurons,) int64, flat indices into the population.
    """

    population: int
    neurons: Array


@dataclass(frozen=True, eq=False)
class LoadedTile:
    """A tile as the kernels take it.

    Attributes:
        compartments, synapses, axons: see the kernels.
        bias: (neurons,) int32.
        initial_voltage: (neurons,) int32.
        updates: compartments that are updated in a tick, for one sample.
    """

    compartments: Compartments
    synapses: Synapses
    axons: Axons
    bias: Array
    initial_voltage: Array
    updates: int


@dataclass(frozen=True, eq=False)
class Decoder:
    """How the answer is read.

    Attributes:
        output: readout and units.
        compartment: charge and initial potential of the population that is read.
    """

    output: Output
    compartment: LoihiCompartment


@dataclass(frozen=True, eq=False)
class Loaded:
    """A program as the kernels take it.

    Attributes:
        blocks: the tiles in the program's order, then the blocks of populations on the host.
        of_population: the blocks of each population.
        tiles: as many as the program's.
        cores: number of cores, 1 more than the highest core number.
        decoder: how the answer is read.
    """

    blocks: tuple[Block, ...]
    of_population: tuple[tuple[int, ...], ...]
    tiles: tuple[LoadedTile, ...]
    cores: int
    decoder: Decoder


@dataclass(frozen=True, eq=False)
class _Places:
    """Where each neuron's spikes are kept; neurons of all populations are numbered one after another.

    Attributes:
        offset: (populations,) int64, number of each population's first neuron.
        block, index: (neurons,) int64, block of each neuron and its place within the block.
    """

    offset: Array
    block: Array
    index: Array


def load(program: LoihiProgram) -> Loaded:
    """The program as the kernels take it; it must have passed ``validity.check_arrays``."""
    blocks = _blocks(program)
    places = _places(program, blocks)
    messages = _messages(program, places)
    synapses = [_synapses(memory) for memory in program.memories]
    tiles = tuple(
        _tile(program, number, blocks, places, messages, synapses[tile.memory])
        for number, tile in enumerate(program.tiles)
    )
    of_population: list[list[int]] = [[] for _ in program.populations]
    for number, block in enumerate(blocks):
        of_population[block.population].append(number)
    cores = 1 + max((tile.core for tile in program.tiles), default=-1)
    return Loaded(blocks, tuple(map(tuple, of_population)), tiles, cores, _decoder(program))


def _decoder(program: LoihiProgram) -> Decoder:
    shape = program.populations[program.output].shape
    charge, initial = (np.zeros(_size(program, program.output), np.int64) for _ in range(2))
    for tile in program.tiles:
        if tile.population == program.output:
            charge[tile.neurons] = -UNIT * reset_weights(program, tile)
            initial[tile.neurons] = tile.initial_voltage
    compartment = LoihiCompartment(
        threshold=np.zeros((), np.int64),
        reset=Reset.SUBTRACT,
        reset_charge=charge.reshape(shape),
        initial_voltage=initial.reshape(shape),
    )
    return Decoder(Output(program.readout, program.scale, program.offset), compartment)


def reset_weights(program: LoihiProgram, tile: Tile) -> Array:
    """What each neuron's own spike adds to its sum, (neurons,) int64 in steps of 64; 0 without a reset axon."""
    found = np.zeros(len(tile.neurons), np.int64)
    inverse = np.full(_size(program, tile.population), -1)
    inverse[tile.neurons] = np.arange(len(tile.neurons))
    axons = np.flatnonzero(tile.axon_resets)
    memory = program.memories[tile.memory]
    lists = tile.axon_list[axons]
    mantissas = memory.weights[memory.run_weight[memory.list_runs[lists]]]
    np.add.at(found, inverse[tile.axon_neuron[axons]], _steps(memory, mantissas, memory.list_format[lists]))
    return found


def _size(program: LoihiProgram, population: int) -> int:
    return int(np.prod(program.populations[population].shape))


def _blocks(program: LoihiProgram) -> tuple[Block, ...]:
    blocks = [Block(tile.population, tile.neurons) for tile in program.tiles]
    for number, population in enumerate(program.populations):
        if population.source is not None:
            neurons = np.arange(_size(program, number))
            parts = range(0, len(neurons), HOST_BLOCK)
            blocks += [Block(number, neurons[start : start + HOST_BLOCK]) for start in parts]
    return tuple(blocks)


def _places(program: LoihiProgram, blocks: Sequence[Block]) -> _Places:
    sizes = [_size(program, number) for number in range(len(program.populations))]
    offset = np.concatenate([[0], np.cumsum(sizes)])
    block_of, index = np.zeros(offset[-1], np.int64), np.zeros(offset[-1], np.int64)
    for number, block in enumerate(blocks):
        neurons = offset[block.population] + block.neurons
        block_of[neurons] = number
        index[neurons] = np.arange(len(neurons))
    return _Places(offset, block_of, index)


def _messages(program: LoihiProgram, places: _Places) -> Array:
    """Messages that a spike of each neuron sends: one for each hardware axon of each core that it reaches."""
    on_core: dict[int, list[Tile]] = {}
    for tile in program.tiles:
        on_core.setdefault(tile.core, []).append(tile)
    total = np.zeros(len(places.block), np.int64)
    for tiles in on_core.values():
        source = np.concatenate([places.offset[tile.axon_population] + tile.axon_neuron for tile in tiles])
        slot = np.concatenate([tile.axon_slot for tile in tiles]).astype(np.int64)
        pairs = np.unique(source * (1 + slot.max(initial=0)) + slot)
        np.add.at(total, pairs // (1 + slot.max(initial=0)), 1)
    return total


def _synapses(memory: SynapticMemory) -> Synapses:
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
    return Synapses(
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
    program: LoihiProgram,
    number: int,
    blocks: Sequence[Block],
    places: _Places,
    messages: Array,
    synapses: Synapses,
) -> LoadedTile:
    tile = program.tiles[number]
    population = program.populations[tile.population]
    loops_back = _loops_back(tile, synapses)
    weights = reset_weights(program, tile) if loops_back else np.zeros(len(tile.neurons))
    delivered = ~tile.axon_resets if loops_back else np.ones(len(tile.axon_list), bool)
    compartments = Compartments(
        threshold=(tile.threshold.astype(np.int64) * UNIT).astype(np.int32),
        reset_weight=weights.astype(np.int16),
        messages=messages[places.offset[tile.population] + tile.neurons],
        loops_back=loops_back,
        clears=not population.subtract,
        current_keep=DECAY_UNIT - population.current_decay,
        voltage_keep=DECAY_UNIT - population.voltage_decay,
        v_min=population.v_min,
        v_max=population.v_max,
        refractory=population.refractory,
    )
    return LoadedTile(
        compartments,
        synapses,
        _axons(program, tile, delivered, blocks, places),
        bias=(tile.bias_mantissa.astype(np.int64) << tile.bias_exponent).astype(np.int32),
        initial_voltage=tile.initial_voltage.astype(np.int32),
        updates=len(tile.neurons) * (2 if population.subtract else 1),
    )


def _loops_back(tile: Tile, synapses: Synapses) -> bool:
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


def _axons(
    program: LoihiProgram, tile: Tile, delivered: Array, blocks: Sequence[Block], places: _Places
) -> Axons:
    """The axons of a tile, sorted by source block, delay and neuron."""
    chosen = np.flatnonzero(delivered)
    neuron = places.offset[tile.axon_population[chosen]] + tile.axon_neuron[chosen]
    block, index = places.block[neuron], places.index[neuron]
    delay = tile.axon_delay[chosen].astype(np.int64)
    order = np.lexsort((index, delay, block))
    chosen, block, index, delay = chosen[order], block[order], index[order], delay[order]
    changes = np.flatnonzero((np.diff(block) != 0) | (np.diff(delay) != 0)) + 1
    starts = np.concatenate([[0], changes]) if len(chosen) else np.zeros(0, np.int64)
    ends = np.append(starts[1:], len(chosen))[: len(starts)]
    own_start = program.populations[tile.population].start
    shifts, lookups = [], []
    for start, end in zip(starts, ends, strict=True):
        source = blocks[block[start]]
        shifts.append(program.populations[source.population].start + 1 + delay[start] - own_start)
        lookups.append(start + np.searchsorted(index[start:end], np.arange(len(source.neurons) + 1)))
    sizes = [len(lookup) for lookup in lookups]
    return Axons(
        lists=tile.axon_list[chosen].astype(np.int32),
        base=tile.axon_base[chosen].astype(np.int32),
        source_block=block[starts].astype(np.int32),
        source_shift=np.array(shifts, np.int32),
        source_lookup=np.concatenate([[0], np.cumsum(sizes)])[: len(sizes)].astype(np.int64),
        lookup=np.concatenate(lookups).astype(np.int32) if lookups else np.zeros(0, np.int32),
    )
