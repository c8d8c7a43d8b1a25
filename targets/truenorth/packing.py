"""A TrueNorth program as flat arrays and a small header, and back with everything checked."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from snnc.formats.graph_data import graph_from_data, graph_to_data
from snnc.formats.packed import Packed
from snnc.formats.plain import from_plain
from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.interface import Readout
from snnc.graph.operators.linear import SparseLinear
from snnc.targets.readback import refused

from .program import Cores, InputLines, Reading, TrueNorthPopulation, TrueNorthProgram
from .validity import check_arrays

Columns = Mapping[str, type[np.generic]]
"""Names and dtypes of arrays."""

_CORES: Columns = {
    "x": np.int32,
    "y": np.int32,
    "axon_type": np.uint8,
    "crossbar": np.uint8,
    "weight": np.int16,
    "stochastic_synapse": np.bool_,
    "leak": np.int16,
    "leak_reversal": np.bool_,
    "stochastic_leak": np.bool_,
    "threshold": np.int32,
    "mask_bits": np.uint8,
    "negative_threshold": np.int32,
    "saturates": np.bool_,
    "reset_mode": np.uint8,
    "reset_potential": np.int32,
    "initial_potential": np.int32,
    "stream": np.int64,
    "target_core": np.int32,
    "target_axon": np.uint8,
    "target_delay": np.uint8,
}
_LINES: Columns = {
    "population": np.int32,
    "neuron": np.int32,
    "core": np.int32,
    "axon": np.uint8,
    "delay": np.int32,
}
_PLACES: Columns = {"core": np.int32, "neuron": np.int32}
_WEIGHTS: Columns = {"rows": np.int64, "columns": np.int64, "values": np.int64}


def pack(program: TrueNorthProgram) -> Packed:
    """The program as plain data.

    Fields of cores and lines are arrays of their names under ``core/`` and ``line/``; the places of all populations'
    neurons stand one after another under ``place/``, ``place/offsets`` saying where each begins; the entries of the
    map behind the first reading are under ``reading/0/``, and so on; the host's graph is under ``host/``.
    """
    host, populations = graph_to_data(program.host), program.populations
    header = {
        "name": program.name,
        "populations": [
            {"name": p.name, "shape": list(p.shape), "start": p.start, "source": p.source}
            for p in populations
        ],
        "readings": [
            {
                "population": part.population,
                "shape": None if part.weights is None else list(part.weights.out_shape),
            }
            for part in program.readings
        ],
        "readout": program.readout.value,
        "seed": program.seed,
        "host": host.header,
    }
    arrays = {
        "scale": np.asarray(program.scale, np.float64),
        "offset": np.asarray(program.offset, np.float64),
        **{f"host/{key}": array for key, array in host.arrays.items()},
        **{f"core/{name}": _as(getattr(program.cores, name), kind) for name, kind in _CORES.items()},
        **{f"line/{name}": _as(getattr(program.lines, name), kind) for name, kind in _LINES.items()},
        "place/offsets": np.concatenate([[0], np.cumsum([len(p.core) for p in populations])]).astype(
            np.int64
        ),
    }
    for number, part in enumerate(program.readings):
        if part.weights is not None:
            arrays |= {
                f"reading/{number}/{name}": _as(getattr(part.weights, name), kind)
                for name, kind in _WEIGHTS.items()
            }
    for name, kind in _PLACES.items():
        parts = [_as(getattr(population, name), kind) for population in populations]
        arrays[f"place/{name}"] = np.concatenate([np.zeros(0, kind), *parts])
    return Packed(header, arrays)


def unpack(packed: Packed) -> TrueNorthProgram:
    """The program that ``pack`` made the data from.

    Raises:
        ArtifactError: A121, the program contradicts itself; A122, the data do not make a program.
    """
    with refused():
        header, arrays = packed.header, packed.arrays
        host = {key.removeprefix("host/"): array for key, array in arrays.items() if key.startswith("host/")}
        populations = _populations(header["populations"], arrays)
        program = TrueNorthProgram(
            name=from_plain(str, header["name"]),
            cores=Cores(**_columns("core", _CORES, arrays)),
            lines=InputLines(**_columns("line", _LINES, arrays)),
            populations=populations,
            host=graph_from_data(Packed(header["host"], host)),
            readings=_readings(header["readings"], populations, arrays),
            readout=from_plain(Readout, header["readout"]),
            scale=arrays["scale"],
            offset=arrays["offset"],
            seed=from_plain(int, header["seed"]),
        )
        check_arrays(program)
    return program


def _as(array: Array, kind: type[np.generic]) -> Array:
    """An array in the file's dtype; raises ValueError where its values do not fit."""
    converted = np.ascontiguousarray(array, kind)
    if not np.array_equal(converted, array):
        raise ValueError(f"values do not fit {np.dtype(kind)}")
    return converted


def _columns(place: str, columns: Columns, arrays: Mapping[str, Array]) -> dict[str, Array]:
    found = {}
    for name, kind in columns.items():
        array = arrays[f"{place}/{name}"]
        if array.dtype != kind:
            raise ValueError(f"array {place}/{name} is {array.dtype}, not {np.dtype(kind)}")
        found[name] = array
    return found


def _populations(rows: Any, arrays: Mapping[str, Array]) -> tuple[TrueNorthPopulation, ...]:
    offsets, places = arrays["place/offsets"], _columns("place", _PLACES, arrays)
    if not isinstance(rows, list) or offsets.dtype != np.int64 or offsets.shape != (len(rows) + 1,):
        raise ValueError("array place/offsets does not divide the populations")
    length = len(places["core"])
    if offsets[0] != 0 or offsets[-1] != length or (np.diff(offsets) < 0).any():
        raise ValueError("array place/offsets is out of order")
    found = []
    for row, (start, end) in zip(rows, pairwise(offsets.tolist()), strict=True):
        if set(row) != {"name", "shape", "start", "source"}:
            raise ValueError("a population has other fields")
        found.append(
            TrueNorthPopulation(
                name=from_plain(str, row["name"]),
                shape=from_plain(Shape, row["shape"]),
                start=from_plain(int, row["start"]),
                core=places["core"][start:end],
                neuron=places["neuron"][start:end],
                source=None if row["source"] is None else from_plain(str, row["source"]),
            )
        )
    return tuple(found)


def _readings(
    rows: Any, populations: tuple[TrueNorthPopulation, ...], arrays: Mapping[str, Array]
) -> tuple[Reading, ...]:
    if not isinstance(rows, list):
        raise ValueError("readings is no list")
    found = []
    for number, row in enumerate(rows):
        if set(row) != {"population", "shape"}:
            raise ValueError("a reading has other fields")
        population, weights = from_plain(int, row["population"]), None
        if not 0 <= population < len(populations):
            raise ValueError(f"there is no population {population}")
        if row["shape"] is not None:
            columns = _columns(f"reading/{number}", _WEIGHTS, arrays)
            shape = from_plain(Shape, row["shape"])
            weights = SparseLinear(**columns, in_shape=populations[population].shape, out_shape=shape)
        found.append(Reading(population, weights))
    return tuple(found)
