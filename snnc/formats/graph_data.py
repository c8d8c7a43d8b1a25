"""A graph as plain data and back, for any registered operator, with everything checked and nothing executed."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

import numpy as np

from snnc.errors import ArtifactError, SnncError
from snnc.graph.graph import Graph
from snnc.graph.node import Node, Role
from snnc.graph.operators.base import Array, Operator, registered_operator
from snnc.graph.verify import verify

from .packed import Packed

LARGEST_SHAPE = 2**33
"""Elements that a node's value may have; a forged shape must not make a simulator allocate without end."""

_NUMBERS = "biuf"


def graph_to_data(graph: Graph) -> Packed:
    """A graph as a JSON header and arrays.

    An operator is written as the name of its class and its fields: numbers, texts, booleans and None as they
    are, ``{"array": key}``, ``{"scalar": key}`` (a numpy number), ``{"tuple": [...]}``, ``{"enum": value}``
    and ``{"float": "inf"}`` where JSON has no such number.
    """
    arrays: dict[str, Array] = {}
    nodes = []
    for number, node in enumerate(graph):
        values = {
            item.name: _written(getattr(node.operator, item.name), f"{number}/{item.name}", arrays)
            for item in fields(node.operator)
        }
        nodes.append(
            {
                "name": node.name,
                "operator": type(node.operator).__name__,
                "fields": values,
                "inputs": list(node.inputs),
                "sources": list(node.sources),
                **({"role": node.role.value} if node.role else {}),
                **({"group": node.group} if node.group is not None else {}),
            }
        )
    return Packed({"name": graph.name, "nodes": nodes}, arrays)


def graph_from_data(packed: Packed) -> Graph:
    """The graph that ``graph_to_data`` packed.

    Raises:
        ArtifactError: A122, the data do not make a graph; the message names the node and field.
    """
    with _refused("the graph"):
        header = packed.header
        nodes = [_node(entry, packed.arrays) for entry in _listed(header["nodes"])]
        graph = Graph(_text(header["name"]), nodes)
        verify(graph)
        for name, shape in graph.shapes.items():
            if math.prod(shape) > LARGEST_SHAPE:
                raise ValueError(f"node {name!r} has the shape {shape}")
    return graph


@contextmanager
def _refused(place: str) -> Iterator[None]:
    """Report whatever senseless data make Python, numpy or an operator say as A122."""
    try:
        yield
    except ArtifactError:
        raise
    except (
        SnncError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise ArtifactError(
            "A122", f"{place} cannot be read back: {error}", remedy="compile the model again"
        ) from None


def _written(value: object, key: str, arrays: dict[str, Array]) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        arrays[key] = np.asarray(value)
        return {"array" if isinstance(value, np.ndarray) else "scalar": key}
    if isinstance(value, Enum):
        return {"enum": value.value}
    if isinstance(value, tuple | list):
        return {"tuple": [_written(item, f"{key}/{index}", arrays) for index, item in enumerate(value)]}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a field of type {type(value).__name__} cannot be written")


def _node(entry: Mapping[str, Any], arrays: Mapping[str, Array]) -> Node:
    name = _text(entry["name"])
    with _refused(f"node {name!r}"):
        kind = registered_operator(_text(entry["operator"]))
        return Node(
            name,
            _operator(kind, entry["fields"], arrays),
            tuple(_text(item) for item in _listed(entry["inputs"])),
            tuple(_text(item) for item in _listed(entry["sources"])),
            Role(entry["role"]) if "role" in entry else None,
            _text(entry["group"]) if "group" in entry else None,
        )


def _operator(kind: type[Operator], data: Mapping[str, Any], arrays: Mapping[str, Array]) -> Operator:
    names = {item.name for item in fields(kind)}
    if set(data) != names:
        raise ValueError(f"{kind.__name__} has the fields {sorted(names)}, not {sorted(data)}")
    hints = typing.get_type_hints(kind)
    values = {name: _FieldReader(hints[name], name, arrays).read(data[name]) for name in names}
    return kind(**values)


@dataclass(frozen=True)
class _FieldReader:
    """Reads one field.

    Attributes:
        hint: its declared type.
        name: its name, for messages.
        arrays: of the file.
    """

    hint: Any
    name: str
    arrays: Mapping[str, Array] = field(repr=False)

    def read(self, data: Any) -> Any:
        """The value, checked against the declared type."""
        alternatives = typing.get_args(self.hint) if _is_union(self.hint) else (self.hint,)
        for kind in alternatives:
            value = self._as(kind, data)
            if value is not _NOTHING:
                return value
        raise ValueError(f"its field {self.name} cannot be {str(data)[:80]}")

    def _as(self, kind: Any, data: Any) -> Any:
        """The value as one of the declared alternatives, or ``_NOTHING``."""
        if isinstance(data, dict):
            ((tag, content),) = data.items()
            readers: Mapping[str, Callable[[Any, Any], Any]] = {
                "array": self._array,
                "scalar": self._scalar,
                "tuple": self._tuple,
                "enum": self._enum,
                "float": self._float,
            }
            return readers[tag](kind, content)
        if data is None:
            return None if kind is type(None) else _NOTHING
        fits = type(data) is kind or (kind is float and type(data) is int)
        return data if fits and kind in (bool, int, float, str) else _NOTHING

    def _array(self, kind: Any, key: Any) -> Any:
        if typing.get_origin(kind) is not np.ndarray:
            return _NOTHING
        array = self.arrays[key]
        if array.dtype.kind not in _NUMBERS:
            raise ValueError(f"its field {self.name} is no array of numbers")
        return array

    def _scalar(self, kind: Any, key: Any) -> Any:
        """A numpy number; it stands where a Python number or an array may stand."""
        if kind not in (bool, int, float) and typing.get_origin(kind) is not np.ndarray:
            return _NOTHING
        array = self.arrays[key]
        if array.shape != () or array.dtype.kind not in _NUMBERS:
            raise ValueError(f"its field {self.name} is no number")
        return array[()]

    def _tuple(self, kind: Any, items: Any) -> Any:
        if typing.get_origin(kind) is not tuple:
            return _NOTHING
        kinds = typing.get_args(kind)
        if kinds[-1] is Ellipsis:
            kinds = (kinds[0],) * len(_listed(items))
        pairs = zip(kinds, _listed(items), strict=True)
        return tuple(_FieldReader(each, self.name, self.arrays).read(item) for each, item in pairs)

    def _enum(self, kind: Any, content: Any) -> Any:
        return kind(content) if isinstance(kind, type) and issubclass(kind, Enum) else _NOTHING

    def _float(self, kind: Any, content: Any) -> Any:
        return float(_text(content)) if kind is float else _NOTHING


_NOTHING = object()
"""Says that an alternative of a declared type does not fit."""


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _text(data: Any) -> str:
    if not isinstance(data, str):
        raise ValueError(f"{str(data)[:80]} is no text")
    return data


def _listed(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise ValueError(f"{str(data)[:80]} is no list")
    return data
