"""Passes as text, ``name{option=value,...}``: one syntax for the command line, records and help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from .errors import UsageError
from .fields import UnfitValueError, options_of
from .pipeline import Pass


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


def _parse_value(step: type[Pass], name: str, text: str) -> Any:
    options = {option.text_name: option for option in options_of(step)}
    key = name.replace("_", "-")
    if key not in options:
        known = ", ".join(options) or "none"
        raise UsageError("U103", f"{step.name} has no option {name!r}", remedy=f"its options: {known}")
    try:
        return options[key].from_text(text)
    except UnfitValueError:
        raise UsageError(
            "U104", f"{step.name}: {name} cannot be {text!r}", remedy=f"it takes {options[key].kind_text}"
        ) from None
