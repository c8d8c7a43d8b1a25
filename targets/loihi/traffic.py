"""What every spike of a Loihi program sends where: messages, axon events, synapses by format, ways on the mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.messages import Fanout, Units
from snnc.targets.costs.mesh import Mesh, Routes, routes

from .limits import LOIHI
from .loading import Row, row_of
from .program import LoihiProgram, SynapticMemory, Tile

MESH = Mesh(width=8, height=4, cores=4)
"""32 tiles of 4 cores (Davies et al. 2018, Table 2: barrier over 1 to 32 tiles); 8 x 4 is SANA-FE's choice."""

assert MESH.chip_cores == LOIHI.cores

DENSE, SPARSE, CONV = range(3)


@dataclass(frozen=True, eq=False)
class Traffic:
    """The events that spikes cause.

    Attributes:
        units: the program's tiles, then its populations on the host.
        unit_population: population of each unit.
        cores: number of cores; the host's spikes come from core number ``cores``, at the tile of core 0.
        fanout: what each spike sends.
        routes: the ways between cores.
        tiles: mesh tiles in use.
        used: cores in use.
        chips: chips in use.
        span: chips from the first to the last one in use.
    """

    units: Units
    unit_population: tuple[str, ...]
    cores: int
    fanout: Fanout
    routes: Routes
    tiles: int
    used: int
    chips: int
    span: int


def traffic(program: LoihiProgram) -> Traffic:
    """The events that the spikes of a program cause."""
    row = row_of(program)
    units, names = _units(program, row)
    cores = 1 + max((tile.core for tile in program.tiles), default=-1)
    place, columns = _entries(program, row)
    source = units.core[np.searchsorted(units.first, place, side="right") - 1]
    target = units.core[columns[:, 0]]
    keys, pair = np.unique(source * (cores + 1) + target, return_inverse=True)
    pair_source, pair_target = keys // (cores + 1), keys % (cores + 1)
    ways = routes(MESH, np.where(pair_source == cores, 0, pair_source), pair_target)
    first = np.searchsorted(place, np.arange(len(row.place) + 1)).astype(np.int64)
    group, group_place = _groups(units, first, columns)
    used = np.unique([tile.core for tile in program.tiles]).astype(np.int64)
    return Traffic(
        units=units,
        unit_population=names,
        cores=cores,
        fanout=Fanout(
            first=first,
            unit=columns[:, 0].copy(),
            pair=pair.reshape(-1).astype(np.int64),
            shift=columns[:, 1].copy(),
            messages=columns[:, 2].copy(),
            received=columns[:, 2:].copy(),
            group=group,
            group_place=group_place,
            group_unit=np.searchsorted(units.first, group_place, side="right").astype(np.int64) - 1,
        ),
        routes=Routes(
            pair_source,
            ways.target,
            ways.first_link,
            ways.link,
            ways.east_west,
            ways.north_south,
            ways.crossings,
        ),
        tiles=len(np.unique(MESH.tile(used))),
        used=len(used),
        chips=max(len(np.unique(MESH.chip(used))), 1),
        span=-(-max(cores, 1) // MESH.chip_cores),
    )


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


def _groups(units: Units, first: Array, columns: Array) -> tuple[Array, Array]:
    """Groups of places of one unit with the same entries: (places,) number of each one's, and one place of each."""
    number = np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1) if len(columns) else columns[:, 0]
    lengths = np.diff(first)
    unit = np.repeat(np.arange(len(units.core)), np.diff(units.first))
    group, group_place = np.zeros(len(lengths), np.int64), [np.zeros(0, np.int64)]
    groups = 0
    for length in np.unique(lengths).tolist():
        places = np.flatnonzero(lengths == length)
        sequences = number[first[places][:, None] + np.arange(length)]
        keys = np.concatenate([unit[places][:, None], sequences], axis=1)
        _, one, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        group[places] = groups + which.reshape(-1)
        group_place.append(places[one])
        groups += len(one)
    return group, np.concatenate(group_place)


def _list_synapses(memory: SynapticMemory) -> Array:
    ends = np.concatenate([[0], np.cumsum(memory.run_length, dtype=np.int64)])[memory.list_runs]
    return np.asarray(np.diff(ends))


def _forms(tile: Tile, memory: SynapticMemory) -> Array:
    """(axons,) DENSE, SPARSE or CONV: shared weights are lists that axons use from several compartments on."""
    indexed = np.array([form.index_bits > 0 for form in memory.formats], bool)
    found = np.where(indexed[memory.list_format[tile.axon_list]], SPARSE, DENSE)
    delivered = np.flatnonzero(~tile.axon_resets)
    which, base = tile.axon_list[delivered].astype(np.int64), tile.axon_base[delivered]
    low = np.full(len(memory.list_format), np.iinfo(np.int64).max)
    high = np.full(len(memory.list_format), -1)
    np.minimum.at(low, which, base)
    np.maximum.at(high, which, base)
    found[delivered[(low != high)[which]]] = CONV
    return np.asarray(found)


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
    found, which = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return tuple(found.T), which.reshape(-1)
