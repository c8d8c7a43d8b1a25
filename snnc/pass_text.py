"""Passes as text, ``name{option=value,...}``: one syntax for the command line, records and help."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from enum import Enum
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from .errors import UsageError
from .pipeline import Pass, value_text


@cache
def known_passes() -> Mapping[str, type[Pass]]:
    """All passes by name: snnc's own and those of installed packages (entry point group ``snnc.passes``)."""
    from snnc.passes import PASSES

    found = {step.name: step for step in PASSES}
    for point in entry_points(group="snnc.passes"):
        step = point.load()
        found[step.name] = step
    return found


def pass_named(name: str) -> type[Pass]:
    """The pass of that name; raises UsageError U102 for an unknown one."""
    if name not in known_passes():
        raise UsageError(
            "U102", f"there is no pass {name!r}", remedy=f"choose from {', '.join(sorted(known_passes()))}"
        )
    return known_passes()[name]


def summary_of(step: type[Pass]) -> str:
    """The first paragraph of a pass's documentation, on one line."""
    paragraph = (step.__doc__ or "").strip().partition("\n\n")[0]
    return " ".join(paragraph.split())


def pipeline_text(passes: tuple[Pass, ...]) -> str:
    """Passes joined by commas, as ``parse_passes`` reads them."""
    return ",".join(step.text for step in passes)


def parse_passes(text: str) -> tuple[Pass, ...]:
    """The passes that a text names; raises UsageError U101 to U104 naming the word that is wrong."""
    return tuple(_parse_one(part) for part in _split(text))


@dataclass(frozen=True)
class Option:
    """One option of a pass, for help texts.

    Attributes:
        name: as written in the text form.
        kind: what it takes, e.g. ``float`` or ``zero|subtract``.
        default: its default as text.
    """

    name: str
    kind: str
    default: str


def options_of(step: type[Pass]) -> tuple[Option, ...]:
    """The options of a pass."""
    hints = typing.get_type_hints(step)
    return tuple(
        Option(
            item.name.replace("_", "-"),
            _kind_text(hints[item.name]),
            "required" if item.default is MISSING else value_text(item.default),
        )
        for item in fields(step)
    )


def _split(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for position, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            yield text[start:position].strip()
            start = position + 1
    if depth:
        raise UsageError(
            "U101", f"the braces of {text!r} do not match", remedy="write name{option=value,...}"
        )
    if text.strip():
        yield text[start:].strip()


def _parse_one(text: str) -> Pass:
    name, brace, rest = text.partition("{")
    step = pass_named(name)
    values: dict[str, Any] = {}
    for item in filter(None, rest.removesuffix("}").split(",") if brace else []):
        option, _, value = item.partition("=")
        values[option.strip().replace("-", "_")] = _parse_value(step, option.strip(), value.strip())
    return step(**values)


def _parse_value(step: type[Pass], option: str, text: str) -> Any:
    found: dict[str, Field[Any]] = {item.name.replace("_", "-"): item for item in fields(step)}
    key = option.replace("_", "-")
    if key not in found:
        known = ", ".join(found) or "none"
        raise UsageError("U103", f"{step.name} has no option {option!r}", remedy=f"its options: {known}")
    kind = typing.get_type_hints(step)[found[key].name]
    for candidate in _alternatives(kind):
        try:
            return _convert(candidate, text)
        except (ValueError, KeyError):
            continue
    raise UsageError(
        "U104", f"{step.name}: {option} cannot be {text!r}", remedy=f"it takes {_kind_text(kind)}"
    )


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)


def _convert(kind: Any, text: str) -> Any:
    if kind is type(None):
        return {"none": None}[text.lower()]
    if kind is bool:
        return {"true": True, "false": False}[text.lower()]
    return kind(text)


def _kind_text(kind: Any) -> str:
    names = []
    for candidate in _alternatives(kind):
        if isinstance(candidate, type) and issubclass(candidate, Enum):
            names.append("|".join(str(member.value) for member in candidate))
        else:
            names.append("none" if candidate is type(None) else candidate.__name__)
    return "|".join(names)
