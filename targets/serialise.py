"""Programs that are frozen dataclasses of arrays, graphs and scalars: as plain data, and back with types checked.

A row of dataclasses (the tiles of a program) is written column by column: the arrays of one field stand one behind
another in one array, with an array of offsets that says where each begins, so that the number of arrays does not grow
with the program.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import pairwise
from typing import Annotated, Any, TypeVar

import numpy as np

from snnc.formats.graph_data import graph_from_data, graph_to_data
from snnc.formats.packed import Packed
from snnc.formats.plain import from_plain, type_hints
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array

from .program_checks import refused

T = TypeVar("T")

_NUMBERS = "biuf"


def packed(program: object) -> Packed:
    """A dataclass whose fields are arrays, graphs, scalars, enums, and tuples and dataclasses of these.

    Raises:
        ValueError: values do not fit the dtype that a field declares (``targets.columns``).
    """
    writer = _Writer({})
    assert is_dataclass(program)
    return Packed(writer.fields(program, ""), writer.arrays)


def unpacked(kind: type[T], data: Packed) -> T:
    """The dataclass that was packed; raises ArtifactError A122 where the data do not make one."""
    with refused():
        return from_plain(kind, data.header, _DataclassReader(data.arrays).read)


class _Writer:
    """Writes values as plain data; ``arrays`` are named by the path to them."""

    def __init__(self, arrays: dict[str, Array]) -> None:
        self.arrays = arrays

    def fields(self, value: Any, path: str) -> dict[str, Any]:
        """A dataclass by its fields."""
        hints = type_hints(type(value))
        return {
            item.name: self.value(_cast(getattr(value, item.name), hints[item.name]), _below(path, item.name))
            for item in fields(value)
        }

    def value(self, value: object, path: str) -> Any:
        """Any value."""
        if isinstance(value, np.ndarray):
            self.arrays[path] = value
            return {"array": path}
        if isinstance(value, Graph):
            graph = graph_to_data(value)
            self.arrays.update({f"{path}/{name}": array for name, array in graph.arrays.items()})
            return {"graph": path, "header": graph.header}
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, tuple):
            if value and is_dataclass(value[0]) and len({type(item) for item in value}) == 1:
                return self.table(value, path)
            return [self.value(item, _below(path, str(number))) for number, item in enumerate(value)]
        return self.fields(value, path) if is_dataclass(value) else value

    def table(self, items: Sequence[Any], path: str) -> Any:
        """Dataclasses of one type, column by column."""
        hints = type_hints(type(items[0]))
        columns = {
            item.name: [_cast(getattr(each, item.name), hints[item.name]) for each in items]
            for item in fields(items[0])
        }
        return {
            "columns": {name: self.column(values, _below(path, name)) for name, values in columns.items()}
        }

    def column(self, values: Sequence[Any], path: str) -> Any:
        """The values of one field."""
        arrays = [value for value in values if isinstance(value, np.ndarray) and value.ndim]
        if len(arrays) == len(values) and len({(a.dtype, a.shape[1:]) for a in arrays}) == 1:
            self.arrays[path] = np.concatenate(arrays)
            return {"joined": path, "offsets": self.offsets([len(array) for array in arrays], path)}
        rows = [value for value in values if isinstance(value, tuple)]
        parts = [part for row in rows for part in row]
        if len(rows) == len(values) and parts and all(is_dataclass(part) for part in parts):
            lengths = [len(row) for row in rows]
            return {"joined": self.table(parts, path), "offsets": self.offsets(lengths, path)}
        return [self.value(value, _below(path, str(number))) for number, value in enumerate(values)]

    def offsets(self, lengths: Sequence[int], path: str) -> str:
        """The name of an array of where parts begin; columns whose parts are as long share one."""
        offsets = np.cumsum([0, *lengths], dtype=np.int64)
        beside = path.rpartition("/")[0] + "/"
        for name, array in self.arrays.items():
            if name.startswith(beside) and name.endswith("/offsets") and np.array_equal(array, offsets):
                return name
        self.arrays[f"{path}/offsets"] = offsets
        return f"{path}/offsets"


class _DataclassReader:
    """Reads what a writer wrote."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays

    def read(self, hint: Any, part: Any, place: str) -> Any:
        """The value of a declared type that is an array, a graph or a table; None for others."""
        if hint is Graph:
            prefix = f"{part['graph']}/"
            arrays = {k.removeprefix(prefix): a for k, a in self.arrays.items() if k.startswith(prefix)}
            return graph_from_data(Packed(part["header"], arrays))
        kind = _array_kind(hint)
        if kind is not None and isinstance(part, dict):
            return _checked(self.arrays[part["array"]], kind, place)
        if kind is not None and isinstance(part, np.ndarray):
            return _checked(part, kind, place)
        if typing.get_origin(hint) is tuple and isinstance(part, dict):
            return from_plain(hint, self.rows(part, place), self.read)
        return None

    def rows(self, table: Any, place: str) -> list[Any]:
        """The rows of a table, as plain data whose arrays are at hand."""
        columns = {name: self.column(column, place) for name, column in table["columns"].items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def column(self, column: Any, place: str) -> list[Any]:
        """The values of one field."""
        if isinstance(column, list):
            return column
        joined = column["joined"]
        whole = self.arrays[joined] if isinstance(joined, str) else self.rows(joined, place)
        offsets = self.arrays[column["offsets"]]
        if offsets.dtype != np.int64 or offsets.ndim != 1 or len(offsets) < 1:
            raise ValueError(f"the offsets of {place} are no row of int64")
        ordered = offsets[0] == 0 and offsets[-1] == len(whole) and (np.diff(offsets) >= 0).all()
        if not ordered:
            raise ValueError(f"offsets do not divide the {len(whole)} entries of {place}")
        return [whole[start:end] for start, end in pairwise(offsets.tolist())]


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _array_kind(hint: Any) -> np.dtype | type | None:
    """The dtype that a declared type of arrays asks for, ``object`` for any; None where it takes no array."""
    if typing.get_origin(hint) is Annotated:
        base, kind, *_ = typing.get_args(hint)
        return np.dtype(kind) if typing.get_origin(base) is np.ndarray else None
    kinds = (hint, *typing.get_args(hint))
    return object if any(typing.get_origin(kind) is np.ndarray for kind in kinds) else None


def _checked(array: Array, kind: np.dtype | type, place: str) -> Array:
    if array.dtype.kind not in _NUMBERS:
        raise ValueError(f"{place} is no array of numbers")
    if kind is not object and array.dtype != kind:
        raise ValueError(f"{place} is {array.dtype}, not {np.dtype(kind)}")
    return array


def _cast(value: Any, hint: Any) -> Any:
    """An array in the dtype that its field declares; raises ValueError where its values do not fit."""
    kind = _array_kind(hint)
    if kind is None or kind is object or not isinstance(value, np.ndarray) or value.dtype == kind:
        return value
    converted = np.ascontiguousarray(value, kind)
    if not np.array_equal(converted, value):
        raise ValueError(f"values do not fit {np.dtype(kind)}")
    return converted
