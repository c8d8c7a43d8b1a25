"""What a user may choose when compiling, checked before any work is done."""

from __future__ import annotations

import operator
from enum import Enum
from typing import TypeVar

from snnc.targets.target import CompileOptions, InputMode

from .errors import UsageError
from .graph.neurons.base import Reset

Choice = TypeVar("Choice", bound=Enum)


def choose_options(
    *,
    ticks: int | None = None,
    reset: Reset | str = Reset.SUBTRACT,
    input: InputMode | str = InputMode.NEURONS,
    weight_bits: int | None = None,
    balance: str = "auto",
    percentile: float = 99.9,
    per_channel: bool = True,
    initial: str = "balanced",
    max_pool: str = "exact",
    readout: str = "potential",
    max_chips: int | None = None,
    placement: str = "traffic",
    copies: int | None = None,
) -> CompileOptions:
    """Checked options, with defaults where None is given; raises UsageError U302 or U303 for a value that cannot be."""
    if not 0.0 < percentile <= 100.0:
        raise UsageError(
            "U303",
            f"percentile is above 0 and at most 100, not {percentile:g}",
            remedy="99.9 is a good start",
        )
    return CompileOptions(
        ticks=CompileOptions.ticks if ticks is None else whole("ticks", ticks),
        reset=_choice("reset", Reset, reset),
        input=_choice("input", InputMode, input),
        weight_bits=None if weight_bits is None else whole("weight_bits", weight_bits),
        balance=balance,
        percentile=float(percentile),
        per_channel=bool(per_channel),
        initial=_word("initial", initial, ("balanced", "half", "zero")),
        max_pool=_word("max_pool", max_pool, ("exact", "average", "gate")),
        readout=_word("readout", readout, ("potential", "count")),
        max_chips=None if max_chips is None else whole("max_chips", max_chips),
        placement=_word("placement", placement, ("traffic", "curve", "rows")),
        copies=None if copies is None else whole("copies", copies),
    )


def _choice(name: str, kind: type[Choice], value: Choice | str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        raise _not_a_choice(name, value, tuple(str(member.value) for member in kind)) from None


def _word(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise _not_a_choice(name, value, choices)
    return value


def _not_a_choice(name: str, value: object, choices: tuple[str, ...]) -> UsageError:
    return UsageError("U302", f"{name} cannot be {value!r}", remedy=f"choose from {', '.join(choices)}")


def whole(name: str, value: int, least: int = 1) -> int:
    """``value`` as an int; raises UsageError U303 for one that is no whole number or below ``least``."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise UsageError(
            "U303", f"{name} is a whole number from {least}, not {value!r}", remedy=f"give {least} or more"
        )
    return number
