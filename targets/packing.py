"""Programs that are frozen dataclasses of arrays, graphs and scalars: as plain data, and back with types checked."""

from __future__ import annotations

import typing
from typing import Any, TypeVar

import numpy as np

from snnc.formats.graph_data import graph_from_data, graph_to_data
from snnc.formats.packed import Packed
from snnc.formats.plain import from_plain, to_plain
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array

from .readback import refused

T = TypeVar("T")

_NUMBERS = "biuf"


def packed(program: object) -> Packed:
    """A dataclass whose fields are arrays, graphs, scalars, enums, and tuples and dataclasses of these."""
    arrays: dict[str, Array] = {}

    def write(value: object) -> Any:
        key = str(len(arrays))
        if isinstance(value, np.ndarray):
            arrays[key] = value
            return {"array": key}
        if isinstance(value, Graph):
            graph = graph_to_data(value)
            arrays.update({f"{key}/{name}": array for name, array in graph.arrays.items()})
            return {"graph": key, "header": graph.header}
        return None

    return Packed(to_plain(program, write), arrays)


def unpacked(kind: type[T], data: Packed) -> T:
    """The dataclass that was packed; raises ArtifactError A122 where the data do not make one."""

    def read(wanted: Any, part: Any, place: str) -> Any:
        if wanted is Graph:
            prefix = f"{part['graph']}/"
            arrays = {k.removeprefix(prefix): a for k, a in data.arrays.items() if k.startswith(prefix)}
            return graph_from_data(Packed(part["header"], arrays))
        if _takes_array(wanted) and isinstance(part, dict):
            array = data.arrays[part["array"]]
            if array.dtype.kind not in _NUMBERS:
                raise ValueError(f"{place} is no array of numbers")
            return array
        return None

    with refused():
        return from_plain(kind, data.header, read)


def _takes_array(wanted: Any) -> bool:
    """Whether a declared type is that of arrays, or one of its alternatives is."""
    return any(typing.get_origin(kind) is np.ndarray for kind in (wanted, *typing.get_args(wanted)))
