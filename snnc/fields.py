"""Fields of frozen dataclasses as options: declared once with help and bounds, read from text, and checked."""

from __future__ import annotations

import operator
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from functools import cache
from numbers import Real
from typing import Any, TypeVar

T = TypeVar("T")

_DECLARED = "snnc option"


@dataclass(frozen=True)
class _Declared:
    """What a field says of itself beside its type and default."""

    help: str = ""
    least: float | None = None
    above: float | None = None
    most: float | None = None
    flags: str | None = None
    shown: str | None = None


def option(
    default: T,
    help: str,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    flags: str | None = None,
    shown: str | None = None,
) -> T:
    """The default of a dataclass field that is an option; the arguments are those of ``Option``."""
    declared = _Declared(help, least, above, most, flags, shown)
    return field(default=default, metadata={_DECLARED: declared})


class UnfitValueError(ValueError):
    """A value that an option cannot have.

    Attributes:
        option, value: what was given to what.
    """

    def __init__(self, option: Option, value: object) -> None:
        super().__init__(option, value)
        self.option, self.value = option, value

    def __str__(self) -> str:
        return f"{self.option.name} takes {self.option.takes}, not {self.value!r}"


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        name: of the field; texts have ``-`` for ``_``.
        kind: its type: bool, int, float, str, an Enum, or one of these or None.
        default: its default, ``dataclasses.MISSING`` where it has none.
        help: one sentence.
        least: smallest number that it can be.
        above: number that it is larger than.
        most: largest number that it can be.
        flags: of a bool on the command line, if not ``--name/--no-name``.
        shown: the default in words, where it depends on the network.
    """

    name: str
    kind: Any
    default: Any = MISSING
    help: str = ""
    least: float | None = None
    above: float | None = None
    most: float | None = None
    flags: str | None = None
    shown: str | None = None

    @property
    def text_name(self) -> str:
        """The name as texts and the command line have it."""
        return self.name.replace("_", "-")

    @property
    def flag(self) -> str:
        """The option as the command line has it."""
        if bool in self.kinds:
            return self.flags or f"--{self.text_name}/--no-{self.text_name}"
        return f"--{self.text_name}"

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The types that it takes, ``NoneType`` among them if it can be None."""
        return _alternatives(self.kind)

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it takes, if it is an Enum; else none."""
        return tuple(str(member.value) for kind in self.kinds if _is_enum(kind) for member in kind)

    @property
    def kind_text(self) -> str:
        """What it takes, e.g. ``float``, ``int|none`` or ``zero|subtract``."""
        return "|".join(_kind_text(kind) for kind in self.kinds)

    @property
    def default_text(self) -> str:
        """Its default as text."""
        if self.shown is not None:
            return self.shown
        return "required" if self.default is MISSING else value_text(self.default)

    @property
    def takes(self) -> str:
        """What it takes, in words: ``a whole number from 1``."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
        said = " or ".join(names.get(kind, "none") for kind in self.kinds)
        bounds = ((self.least, "from"), (self.above, "above"), (self.most, "at most"))
        limits = [f"{word} {bound:g}" for bound, word in bounds if bound is not None]
        return " ".join([said.removesuffix(" or none"), " and ".join(limits)]).strip()

    def as_plain(self) -> dict[str, str]:
        """What ``--json`` says of it."""
        return {
            "name": self.text_name,
            "kind": self.kind_text,
            "default": self.default_text,
            "help": self.help,
        }

    def checked(self, value: Any) -> Any:
        """``value`` in the option's own type, the text of an Enum as its member; raises UnfitValueError."""
        for kind in self.kinds:
            try:
                result = _as_kind(kind, value)
            except (TypeError, ValueError):
                continue
            if isinstance(result, bool | Enum) or not isinstance(result, int | float) or self._holds(result):
                return result
        raise UnfitValueError(self, value)

    def from_text(self, text: str) -> Any:
        """The value that a text stands for; raises UnfitValueError."""
        for kind in self.kinds:
            try:
                return _from_text(kind, text)
            except (ValueError, KeyError):
                continue
        raise UnfitValueError(self, text)

    def _holds(self, number: float) -> bool:
        """Whether a number is within the bounds; NaN never is, where there are any."""
        return (
            (self.least is None or number >= self.least)
            and (self.above is None or number > self.above)
            and (self.most is None or number <= self.most)
        )


def options_of(owner: type[Any]) -> tuple[Option, ...]:
    """The fields of a dataclass as options, in their order."""
    return _options_of(typing.cast(Any, owner))


@cache
def _options_of(owner: Any) -> tuple[Option, ...]:
    try:
        kinds = typing.get_type_hints(owner)
    except NameError:  # A type that is imported for type checkers alone: its fields are taken as they are.
        kinds = {}
    return tuple(
        Option(
            item.name,
            kinds.get(item.name, Any),
            item.default,
            **vars(item.metadata.get(_DECLARED, _Declared())),
        )
        for item in fields(owner)
    )


def settle(instance: Any, refusal: Callable[[UnfitValueError], Exception]) -> None:
    """Bring a frozen dataclass's fields to their own types while it is made; raises what ``refusal`` gives."""
    for item in options_of(type(instance)):
        raw = getattr(instance, item.name)
        try:
            value = item.checked(raw)
        except UnfitValueError as unfit:
            raise refusal(unfit) from None
        if value is not raw:
            object.__setattr__(instance, item.name, value)


def options_text(owner: type[Any]) -> str:
    """The options of a dataclass as lines of a docstring's section."""
    return "".join(
        f"        {option.name}: {option.help} Takes {option.takes}; default {option.default_text}.\n"
        for option in options_of(owner)
    )


def value_text(value: object) -> str:
    """The value of an option as text."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(value)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _kind_text(kind: Any) -> str:
    if _is_enum(kind):
        return "|".join(str(member.value) for member in kind)
    return "none" if kind is type(None) else getattr(kind, "__name__", str(kind))


def _as_kind(kind: Any, value: Any) -> Any:
    """The value in a type; raises TypeError or ValueError where it is none of it. Other types are not checked."""
    if _is_enum(kind):
        return kind(value)
    if kind is int or kind is float:
        if not isinstance(value, Real) or isinstance(value, bool):
            raise TypeError
        return operator.index(typing.cast(Any, value)) if kind is int else float(value)
    if kind in (bool, str, type(None)) and not isinstance(value, kind):
        raise TypeError
    return value


def _from_text(kind: Any, text: str) -> Any:
    if kind is type(None):
        return {"none": None}[text.lower()]
    if kind is bool:
        return {"true": True, "false": False}[text.lower()]
    return kind(text)
