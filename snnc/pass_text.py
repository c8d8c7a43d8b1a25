"""Passes as text, ``name{option=value,...}``: one syntax for the command line, records and help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from .errors import UsageError
from .fields import UnfitValueError, options_of
from .graph.operators.base import Level
from .pipeline import Pass


@cache
def known_passes() -> Mapping[str, type[Pass]]:
    """All passes by name: snnc's own and those of installed packages (entry point group ``snnc.passes``).

    By the level that they work on, and of one level by name.
    """
    from snnc.passes import PASSES

    steps = [*PASSES, *(point.load() for point in entry_points(group="snnc.passes"))]
    return {step.name: step for step in sorted(steps, key=_level_and_name)}


def _level_and_name(step: type[Pass]) -> tuple[int, str]:
    levels = [need for need in step.requires if isinstance(need, Level)]
    return list(Level).index(levels[0]) if levels else 0, step.name


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
    return tuple(made_pass(kind, words) for kind, words in read_passes(text))


def read_passes(text: str) -> Iterator[tuple[type[Pass], dict[str, str]]]:
    """The passes that a text names, each with the words given for its options; raises UsageError U101 and U102."""
    for part in _split(text):
        name, brace, rest = part.partition("{")
        items = filter(None, rest.removesuffix("}").split(",") if brace else [])
        pairs = (item.partition("=") for item in items)
        yield pass_named(name), {option.strip(): value.strip() for option, _, value in pairs}


def made_pass(kind: type[Pass], words: Mapping[str, str]) -> Pass:
    """The pass with its options given as words; raises UsageError U103 and U104."""
    values = {name.replace("-", "_"): _parse_value(kind, name, word) for name, word in words.items()}
    return kind(**values)


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
