"""Which options a target takes: those of every target, and those that it has of its own."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from snnc.errors import UsageError
from snnc.fields import Option, options_of
from snnc.options import CompileOptions

from . import target as registry
from .target import ChoosyTarget, Target


def options_class(target: Target[Any]) -> type[CompileOptions]:
    """The dataclass that holds a target's options."""
    return target.options if isinstance(target, ChoosyTarget) else CompileOptions


def own_options(target: Target[Any]) -> tuple[Option, ...]:
    """The options that not every target has."""
    common = {option.name for option in options_of(CompileOptions)}
    return tuple(option for option in options_of(options_class(target)) if option.name not in common)


def owners() -> Mapping[str, tuple[str, ...]]:
    """For each option that not every target has the targets that have it."""
    names: dict[str, tuple[str, ...]] = {}
    for target in registry.targets().values():
        for option in own_options(target):
            names[option.name] = (*names.get(option.name, ()), target.name)
    return names


def choose_options(target: Target[Any], choices: Mapping[str, Any]) -> CompileOptions:
    """The options of a target, by name; what is absent, or None where an option cannot be, gets its default.

    Raises:
        UsageError: U302 or U303, a value that cannot be; U314, the target has no such option.
    """
    options = {option.name: option for option in options_of(options_class(target))}
    chosen = {name: value for name, value in choices.items() if value is not None or name not in options}
    for name in chosen:
        if name not in options:
            raise _not_an_option(name, target, tuple(options))
    return options_class(target)(**chosen)


def _not_an_option(name: str, target: Target[Any], known: tuple[str, ...]) -> UsageError:
    elsewhere = owners().get(name, ())
    if elsewhere:
        owner = " and ".join(elsewhere)
        return UsageError(
            "U314",
            f"{name} is an option of {owner} alone, not of {target.name}",
            remedy=f"leave it out, or compile for {' or '.join(elsewhere)}",
        )
    near = get_close_matches(name, known, 1)
    said = f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}"
    return UsageError("U314", f"{target.name} has no option {name!r}", remedy=said)
