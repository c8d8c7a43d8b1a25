"""A Loihi program as a few dozen flat arrays and a small header, and back with everything checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from snnc.formats.graph_data import graph_from_data, graph_to_data
from snnc.formats.packed import Packed
from snnc.formats.plain import from_plain, to_plain
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Readout
from snnc.targets.readback import refused

from .program import LoihiPopulation, LoihiProgram, SynapticMemory, Tile
from .synapses import Sign, SynapseFormat
from .validity import check_arrays

Columns = Mapping[str, type[np.generic]]
"""Names and dtypes of arrays that are as long as each other."""

_TILES: Columns = {"core": np.int64, "population": np.int64, "memory": np.int64}
_NEURONS: Columns = {
    "neurons": np.int64,
    "threshold": np.int32,
    "bias_mantissa": np.int32,
    "bias_exponent": np.int8,
    "initial_voltage": np.int64,
}
_AXONS: Columns = {
    "axon_population": np.int32,
    "axon_neuron": np.int32,
    "axon_delay": np.int16,
    "axon_list": np.int32,
    "axon_base": np.int32,
    "axon_slot": np.int32,
    "axon_resets": np.bool_,
}
_SLOTS: Columns = {"slot_width": np.int8}
_TILE_GROUPS: Mapping[str, Columns] = {"neuron": _NEURONS, "axon": _AXONS, "slot": _SLOTS}

_MEMORY_GROUPS: Mapping[str, Columns] = {
    "weight": {"weights": np.int16},
    "bound": {"list_runs": np.int64},
    "run": {"run_first": np.int32, "run_weight": np.int32, "run_length": np.int32},
    "list": {"list_format": np.int32, "list_block": np.int32},
}
_FORMATS: Columns = {
    "weight_bits": np.int8,
    "exponent": np.int8,
    "sign": np.int8,
    "delay_bits": np.int8,
    "index_bits": np.int8,
}
_SIGNS = tuple(Sign)


def pack(program: LoihiProgram) -> Packed:
    """The program as plain data.

    The arrays of all tiles stand one after another in one array a field (``tile/threshold``), and so do those
    of all memories; ``tile/neuron_offsets`` and its like, one longer than there are tiles, say where each
    begins. The host's graph is under ``host/``.
    """
    host = graph_to_data(program.host)
    header = {
        "name": program.name,
        "populations": to_plain(program.populations),
        "components": to_plain(program.components),
        "output": program.output,
        "readout": program.readout.value,
        "host": host.header,
    }
    arrays = {
        "scale": np.asarray(program.scale, np.float64),
        "offset": np.asarray(program.offset, np.float64),
        **{f"host/{key}": array for key, array in host.arrays.items()},
        **{f"tile/{name}": _numbers(program.tiles, name, kind) for name, kind in _TILES.items()},
        **_packed_groups("tile", program.tiles, _TILE_GROUPS),
        **_packed_groups("memory", program.memories, _MEMORY_GROUPS),
        **_packed_formats(program.memories),
    }
    return Packed(header, arrays)


def unpack(packed: Packed) -> LoihiProgram:
    """The program that ``pack`` made the data from.

    Raises:
        ArtifactError: A121, the program contradicts itself; A122, the data do not make a program.
    """
    with refused():
        header, arrays = packed.header, packed.arrays
        host = {key.removeprefix("host/"): array for key, array in arrays.items() if key.startswith("host/")}
        program = LoihiProgram(
            name=from_plain(str, header["name"]),
            populations=from_plain(tuple[LoihiPopulation, ...], header["populations"]),
            components=from_plain(tuple[tuple[int, ...], ...], header["components"]),
            tiles=_tiles(arrays),
            memories=_memories(arrays),
            host=graph_from_data(Packed(header["host"], host)),
            output=from_plain(int, header["output"]),
            readout=from_plain(Readout, header["readout"]),
            scale=arrays["scale"],
            offset=arrays["offset"],
        )
        check_arrays(program)
    return program


def _numbers(items: Sequence[object], name: str, kind: type[np.generic]) -> Array:
    return np.array([getattr(item, name) for item in items], kind)


def _packed_groups(place: str, items: Sequence[object], groups: Mapping[str, Columns]) -> Mapping[str, Array]:
    """The arrays of all items one behind another, and where each item's begin."""
    found: dict[str, Array] = {}
    for group, columns in groups.items():
        lengths = [len(getattr(item, next(iter(columns)))) for item in items]
        found[f"{place}/{group}_offsets"] = _offsets(lengths)
        for name, kind in columns.items():
            parts = [getattr(item, name) for item in items]
            found[f"{place}/{name}"] = np.concatenate(
                [np.zeros(0, kind), *parts], dtype=kind, casting="same_kind"
            )
    return found


def _offsets(lengths: Sequence[int]) -> Array:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def _packed_formats(memories: Sequence[SynapticMemory]) -> Mapping[str, Array]:
    formats = [form for memory in memories for form in memory.formats]
    columns = {name: _numbers(formats, name, kind) for name, kind in _FORMATS.items() if name != "sign"}
    columns["sign"] = np.array([_SIGNS.index(form.sign) for form in formats], np.int8)
    return {
        "format/memory_offsets": _offsets([len(memory.formats) for memory in memories]),
        **{f"format/{name}": array for name, array in columns.items()},
    }


def _tiles(arrays: Mapping[str, Array]) -> tuple[Tile, ...]:
    numbers = {name: _column(arrays, f"tile/{name}", kind).tolist() for name, kind in _TILES.items()}
    count = len(numbers["core"])
    columns: Mapping[str, Sequence[Any]] = {**numbers, **_split_groups("tile", count, _TILE_GROUPS, arrays)}
    return tuple(Tile(**{name: parts[index] for name, parts in columns.items()}) for index in range(count))


def _memories(arrays: Mapping[str, Array]) -> tuple[SynapticMemory, ...]:
    count = len(_column(arrays, "memory/weight_offsets", np.int64)) - 1
    split = _split_groups("memory", count, _MEMORY_GROUPS, arrays)
    formats = _formats(count, arrays)
    return tuple(
        SynapticMemory(**{name: parts[index] for name, parts in split.items()}, formats=formats[index])
        for index in range(count)
    )


def _formats(memories: int, arrays: Mapping[str, Array]) -> list[tuple[SynapseFormat, ...]]:
    columns = {name: _column(arrays, f"format/{name}", kind).tolist() for name, kind in _FORMATS.items()}
    columns["sign"] = [_SIGNS[code] if code >= 0 else None for code in columns["sign"]]
    formats = [
        SynapseFormat(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)
    ]
    bounds = _bounds("format/memory_offsets", memories, len(formats), arrays)
    return [tuple(formats[start:end]) for start, end in bounds]


def _split_groups(
    place: str, count: int, groups: Mapping[str, Columns], arrays: Mapping[str, Array]
) -> Mapping[str, list[Array]]:
    found: dict[str, list[Array]] = {}
    for group, columns in groups.items():
        for name, kind in columns.items():
            whole = _column(arrays, f"{place}/{name}", kind)
            bounds = _bounds(f"{place}/{group}_offsets", count, len(whole), arrays)
            found[name] = [whole[start:end] for start, end in bounds]
    return found


def _column(arrays: Mapping[str, Array], name: str, kind: type[np.generic]) -> Array:
    array = arrays[name]
    if array.dtype != kind or array.ndim != 1:
        raise ValueError(f"array {name} is {array.dtype} with {array.ndim} axes, not {np.dtype(kind)} with 1")
    return array


def _bounds(name: str, count: int, length: int, arrays: Mapping[str, Array]) -> list[tuple[Any, Any]]:
    """Start and end of each part; raises ValueError unless the parts fill ``length`` in order."""
    offsets = _column(arrays, name, np.int64)
    ordered = len(offsets) == count + 1 and offsets[0] == 0 and offsets[-1] == length
    if not ordered or (np.diff(offsets) < 0).any():
        raise ValueError(f"array {name} does not divide {length} entries into {count} parts")
    return list(pairwise(offsets.tolist()))
