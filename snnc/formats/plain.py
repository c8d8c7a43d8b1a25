"""Frozen dataclasses as plain data that JSON can hold, and back again with every type checked."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


Write = Callable[[object], Any]
"""Gives what stands for a value that is no plain data itself, or None for all others."""

Read = Callable[[Any, Any, str], Any]
"""From a declared type, data and a place to the value that ``Write`` wrote, or None for all other types."""


def to_plain(value: object, write: Write | None = None) -> Any:
    """A value made of dataclasses, enums, tuples, lists, mappings and scalars as plain data; others by ``write``."""
    written = write(value) if write else None
    if written is not None:
        return written
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_plain(getattr(value, item.name), write) for item in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_plain(item, write) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item, write) for item in value]
    return value


def from_plain(kind: type[T], data: Any, read: Read | None = None) -> T:
    """The value of type ``kind`` that ``to_plain`` made ``data`` from; ``read`` reads what was written by others.

    Raises:
        ValueError: the data do not make one; the message names the field.
    """
    return typing.cast(T, _read(kind, data, kind.__name__, read))


def _read(kind: Any, data: Any, place: str, read: Read | None) -> Any:
    value = read(kind, data, place) if read else None
    if value is not None:
        return value
    origin = typing.get_origin(kind)
    if origin is tuple:
        return _read_tuple(typing.get_args(kind), data, place, read)
    if origin in (typing.Union, types.UnionType):
        return _read_union(typing.get_args(kind), data, place, read)
    if is_dataclass(kind):
        return _read_dataclass(kind, data, place, read)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    return _read_scalar(kind, data, place)


def _read_tuple(kinds: tuple[Any, ...], data: Any, place: str, read: Read | None) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise ValueError(f"{place} is no list")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(data)
    if len(kinds) != len(data):
        raise ValueError(f"{place} has {len(data)} entries, not {len(kinds)}")
    pairs = enumerate(zip(kinds, data, strict=True))
    return tuple(_read(kind, item, f"{place}[{index}]", read) for index, (kind, item) in pairs)


def _read_union(kinds: tuple[Any, ...], data: Any, place: str, read: Read | None) -> Any:
    if data is None and type(None) in kinds:
        return None
    (kind,) = (kind for kind in kinds if kind is not type(None))
    return _read(kind, data, place, read)


def _read_dataclass(kind: Any, data: Any, place: str, read: Read | None) -> Any:
    names = {item.name for item in fields(kind)}
    if not isinstance(data, dict) or set(data) != names:
        present = sorted(data) if isinstance(data, dict) else type(data).__name__
        raise ValueError(f"{place} needs the fields {sorted(names)}, not {present}")
    hints = type_hints(kind)
    return kind(**{name: _read(hints[name], data[name], f"{place}.{name}", read) for name in names})


def type_hints(kind: Any) -> Mapping[str, Any]:
    """The declared types of a dataclass's fields, with what is annotated to them."""
    return _type_hints(kind)


@cache
def _type_hints(kind: Any) -> Mapping[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _read_scalar(kind: Any, data: Any, place: str) -> Any:
    if kind is float and type(data) is int:
        data = float(data)
    if type(data) is not kind or (kind is float and not math.isfinite(data)):
        raise ValueError(f"{place} is no {kind.__name__}: {data!r}")
    return data
