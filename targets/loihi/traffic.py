"""What every spike of a Loihi program sends where: messages, axon events, synapses by format, ways on the mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.messages import Units
from snnc.targets.costs.mesh import Mesh, Routes, routes
from snnc.targets.spike_traffic import SpikeTraffic, traffic_of

from .kernel_form import Row, row_of
from .limits import LOIHI
from .program import LoihiProgram, SynapticMemory, Tile

MESH = Mesh(width=8, height=4, cores=4)
"""32 tiles of 4 cores (Davies et al. 2018, Table 2: barrier over 1 to 32 tiles); 8 x 4 is SANA-FE's choice."""

assert MESH.chip_cores == LOIHI.cores

DENSE, SPARSE, CONV = range(3)


def traffic(program: LoihiProgram) -> SpikeTraffic:
    """The events that the spikes of a program cause; the host's come from the tile of core 0."""
    row = row_of(program)
    units, names = _units(program, row)
    cores = 1 + max((tile.core for tile in program.tiles), default=-1)

    def ways(source: Array, target: Array) -> Routes:
        return replace(routes(MESH, np.where(source == cores, 0, source), target), source=source)

    chips = max(len(np.unique(MESH.chip(_cores(program)))), 1)
    return traffic_of(units, names, cores, _entries(program, row), ways, chips)


def tiles_in_use(program: LoihiProgram) -> int:
    """Number of mesh tiles that hold a core."""
    return len(np.unique(MESH.tile(_cores(program))))


def _cores(program: LoihiProgram) -> Array:
    return np.unique([tile.core for tile in program.tiles]).astype(np.int64)


def _units(program: LoihiProgram, row: Row) -> tuple[Units, tuple[str, ...]]:
    populations, tiles = program.populations, program.tiles
    on_host = [number for number, population in enumerate(populations) if population.source is not None]
    parts = [tile.population for tile in tiles] + on_host
    sizes = [len(tile.neurons) for tile in tiles]
    sizes += [int(np.prod(populations[number].shape)) for number in on_host]
    cores = [tile.core for tile in tiles]
    subtract = [2 if populations[tile.population].subtract else 1 for tile in tiles]
    units = Units(
        first=np.cumsum([0, *sizes]).astype(np.int64),
        core=np.array(cores + [1 + max(cores, default=-1)] * len(on_host), np.int64),
        start=np.array([populations[part].start for part in parts], np.int64),
        compartments=np.array(subtract + [0] * len(on_host), np.int64),
    )
    return units, tuple(populations[part].name for part in parts)


def _entries(program: LoihiProgram, row: Row) -> tuple[Array, Array]:
    """Places (entries,) ascending, and (entries, 7): unit, shift, messages, synapses by format, axon events."""
    lists = [_list_synapses(memory) for memory in program.memories]
    parts = [
        _tile_entries(number, tile, row, lists[tile.memory], _forms(tile, program.memories[tile.memory]))
        for number, tile in enumerate(program.tiles)
    ]
    places = np.concatenate([np.zeros(0, np.int64), *(place for place, _ in parts)])
    columns = np.concatenate([np.zeros((0, 7), np.int64), *(part for _, part in parts)])
    order = np.argsort(places, kind="stable")
    return places[order], columns[order]


def _list_synapses(memory: SynapticMemory) -> Array:
    ends = np.concatenate([[0], np.cumsum(memory.run_length, dtype=np.int64)])[memory.list_runs]
    return np.asarray(np.diff(ends))


def _forms(tile: Tile, memory: SynapticMemory) -> Array:
    """(axons,) DENSE, SPARSE or CONV: shared weights are lists that axons use from several compartments on."""
    indexed = np.array([form.index_bits > 0 for form in memory.formats], bool)
    forms = np.where(indexed[memory.list_format[tile.axon_list]], SPARSE, DENSE)
    delivered = np.flatnonzero(~tile.axon_resets)
    which, base = tile.axon_list[delivered].astype(np.int64), tile.axon_base[delivered]
    low = np.full(len(memory.list_format), np.iinfo(np.int64).max)
    high = np.full(len(memory.list_format), -1)
    np.minimum.at(low, which, base)
    np.maximum.at(high, which, base)
    forms[delivered[(low != high)[which]]] = CONV
    return np.asarray(forms)


def _tile_entries(number: int, tile: Tile, row: Row, sizes: Array, forms: Array) -> tuple[Array, Array]:
    """The entries of one tile: one for each source neuron, hardware axon and delay."""
    place = row.of(tile, np.arange(len(tile.axon_list)))
    slot, delay = tile.axon_slot.astype(np.int64), tile.axon_delay.astype(np.int64)
    keys, which = _numbered((place, slot, delay))
    entries = len(keys[0])
    columns = np.zeros((entries, 7), np.int64)
    columns[:, 0], columns[:, 1] = number, 1 + keys[2]
    same = (np.diff(keys[0], prepend=-1) == 0) & (np.diff(keys[1], prepend=-1) == 0)
    columns[:, 2] = ~same
    np.add.at(columns, (which, 3 + forms), sizes[tile.axon_list])
    columns[:, 6] = np.bincount(which, minlength=entries)
    return keys[0], columns


def _numbered(columns: Sequence[Array]) -> tuple[tuple[Array, ...], Array]:
    """The different rows of some columns in lexicographic order, and the number of each row among them."""
    distinct, which = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return tuple(distinct.T), which.reshape(-1)
