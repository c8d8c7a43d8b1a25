"""What a program takes of every core, and what each layer takes of the chips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array
from snnc.targets.target import Usage
from snnc.targets.usage import LayerOnCores, usage_of

from .blocks import NEEDS
from .compartment import PROFILE
from .limits import LOIHI, LoihiLimits
from .program import LoihiProgram, SynapticMemory, Tile


@dataclass(frozen=True, eq=False)
class CoreUses:
    """What every core of a program holds, arrays (cores,) int64 in the units of the limits of the same names."""

    compartments: Array
    input_axons: Array
    output_axons: Array
    synapse_bits: Array
    synapse_formats: Array
    threshold_tables: Array
    compartment_profiles: Array


def core_uses(program: LoihiProgram) -> CoreUses:
    """What every core of a program holds."""
    cores = 1 + max((tile.core for tile in program.tiles), default=-1)
    compartments, input_axons, synapse_bits = (np.zeros(cores, np.int64) for _ in range(3))
    formats: list[set[object]] = [set() for _ in range(cores)]
    thresholds: list[set[int]] = [set() for _ in range(cores)]
    profiles: list[set[bytes]] = [set() for _ in range(cores)]
    bits = [memory_bits(memory) for memory in program.memories]
    for tile in program.tiles:
        each = 2 if program.populations[tile.population].subtract else 1
        compartments[tile.core] += each * len(tile.neurons)
        input_axons[tile.core] += np.count_nonzero(tile.slot_width)
        synapse_bits[tile.core] += bits[tile.memory]
        formats[tile.core].update(program.memories[tile.memory].formats)
        thresholds[tile.core].update(np.unique(tile.threshold).tolist())
        profiles[tile.core].update(row.tobytes() for row in distinct_profiles(tile))
    return CoreUses(
        compartments,
        input_axons,
        output_axons(program, cores),
        synapse_bits,
        np.array([len(own) for own in formats], np.int64),
        np.array([len(own) for own in thresholds], np.int64),
        np.array([len(own) for own in profiles], np.int64),
    )


def distinct_profiles(tile: Tile) -> Array:
    """(profiles, 3) int64, the sets of decays and refractory period of a tile's neurons."""
    registers = [np.asarray(getattr(tile, name), np.int64) for name in PROFILE]
    if all(len(values) and (values == values[0]).all() for values in registers):
        return np.array([[values[0] for values in registers]])
    return np.unique(np.stack(registers, axis=1), axis=0)


def memory_bits(memory: SynapticMemory) -> int:
    """Bits of a synaptic memory: the lists of a block are stored, and rounded up to words, together."""
    if not len(memory.list_format):
        return 0
    ends = np.concatenate([[0], np.cumsum(memory.run_length, dtype=np.int64)])[memory.list_runs]
    blocks, first, where = np.unique(memory.list_block, return_index=True, return_inverse=True)
    sizes = np.bincount(where.reshape(-1), np.diff(ends), len(blocks)).astype(np.int64)
    kinds, often = np.unique(np.stack([sizes, memory.list_format[first]]), axis=1, return_counts=True)
    return sum(
        int(count) * memory.formats[int(form)].list_bits(int(size))
        for (size, form), count in zip(kinds.T, often, strict=True)
    )


def neuron_cores(program: LoihiProgram) -> tuple[Array, ...]:
    """For each population the core of every neuron, (neurons,) int64, -1 on the host."""
    cores = [np.full(int(np.prod(population.shape)), -1) for population in program.populations]
    for tile in program.tiles:
        cores[tile.population][tile.neurons] = tile.core
    return tuple(cores)


def output_axons(program: LoihiProgram, cores: int) -> Array:
    """Output axon entries of every core, (cores,) int64.

    A core has the entries of a hardware axon of another core (or its own) once, however many of its neurons use it
    as atoms of a population axon.
    """
    held = neuron_cores(program)
    offsets = np.cumsum([0, *(len(part) for part in held)])
    core_of = np.concatenate(held)
    total, row = np.zeros(cores, np.int64), np.zeros(cores, np.int64)
    for tile in program.tiles:
        sender = core_of[offsets[tile.axon_population] + tile.axon_neuron]
        on_chip = sender >= 0
        sender, slot = sender[on_chip], tile.axon_slot[on_chip]
        senders = np.flatnonzero(np.bincount(sender))
        row[senders] = np.arange(len(senders))
        used = np.zeros((len(senders), len(tile.slot_width)), bool)
        used[row[sender], slot] = True
        total[senders] += used @ tile.slot_width.astype(np.int64)
    return total


def synapses_of_tiles(program: LoihiProgram) -> Array:
    """(tiles,) int64, synapses that lead into each tile, without the inhibition of reset by subtraction."""
    of_lists = [_list_synapses(memory) for memory in program.memories]
    return np.array(
        [int(of_lists[tile.memory][tile.axon_list[~tile.axon_resets]].sum()) for tile in program.tiles],
        np.int64,
    )


def _list_synapses(memory: SynapticMemory) -> Array:
    ends = np.concatenate([[0], np.cumsum(memory.run_length, dtype=np.int64)])[memory.list_runs]
    return np.diff(ends)


def usage(program: LoihiProgram, limits: LoihiLimits = LOIHI) -> Usage:
    """What a program takes, layer by layer."""
    uses, synapses = core_uses(program), synapses_of_tiles(program)
    owner = np.array([tile.population for tile in program.tiles], np.int64)
    core = np.array([tile.core for tile in program.tiles], np.int64)
    layers = []
    for number, population in enumerate(program.populations):
        if population.source is None:
            own = owner == number
            size = int(np.prod(population.shape))
            cores = np.unique(core[own]).tolist()
            layers.append(LayerOnCores(population.name, size, int(synapses[own].sum()), cores))
    used = {text: (getattr(uses, name), getattr(limits, name)) for name, text in NEEDS.items()}
    return usage_of(program.target, layers, used, program.cores, -(-program.cores // limits.cores))
