"""Read cost sets: those that come with snnc by name, a user's own from a TOML file; every mistake is named."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from snnc.errors import UsageError

from .cost_set import Barrier, CostSet, EventCosts

ENERGY_UNITS = {"fJ": 1e-3, "pJ": 1.0, "nJ": 1e3}
TIME_UNITS = {"ps": 1e-3, "ns": 1.0, "us": 1e3}
POWER_UNITS = {"mW": 1e-3, "W": 1.0}

_EVENTS = tuple(field.name for field in fields(EventCosts))
_NUMBERS = {
    "energy": _EVENTS,
    "time": (*_EVENTS, "link"),
    "power": ("static_per_chip",),
    "barrier": (),
}
_UNITS = {"energy": ENERGY_UNITS, "time": TIME_UNITS, "barrier": TIME_UNITS, "power": POWER_UNITS}
_REQUIRED = {
    "": ("name", "source", *_NUMBERS),
    **{table: ("unit", *names) for table, names in _NUMBERS.items()},
    "barrier": ("unit", "tiles", "time", "between"),
}
_OPTIONAL = {"barrier": ("chips", "chips_time")}
_BETWEEN = ("line", "steps")


def cost_set_names() -> tuple[str, ...]:
    """The sets that come with snnc."""
    found = (Path(entry.name) for entry in files(__package__).iterdir())
    return tuple(sorted(path.stem for path in found if path.suffix == ".toml"))


def cost_set_named(name: str | Path) -> CostSet:
    """The set of that name, or the one in a TOML file.

    Raises:
        UsageError: U401 there is none, U402 no TOML, U403 unknown keys, U404 missing ones, U405 a value is no number
            or negative, U406 a unit is unknown or of another quantity, U407 the barrier's lists do not fit.
    """
    if str(name) in cost_set_names():
        text = files(__package__).joinpath(f"{name}.toml").read_text("utf-8")
        return _checked(tomllib.loads(text), str(name))
    path = Path(name)
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        known = ", ".join(cost_set_names())
        raise UsageError(
            "U401",
            f"there is no cost set {str(name)!r}, and no file: {error.strerror}",
            remedy=f"choose from {known}, or name a TOML file",
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            "U402", f"it is no TOML: {error}", file=str(path), remedy="docs/costs.md shows a file"
        ) from None
    return _checked(data, str(path))


def _checked(data: Mapping[str, Any], file: str) -> CostSet:
    _check_keys(data, file)
    _check_values(data, file)
    factor = {table: units[data[table]["unit"]] for table, units in _UNITS.items()}
    barrier = data["barrier"]

    def costs(table: str) -> EventCosts:
        return EventCosts(*(data[table][name] * factor[table] for name in _EVENTS))

    def times(name: str) -> tuple[float, ...]:
        return tuple(value * factor["barrier"] for value in barrier.get(name, ()))

    return CostSet(
        name=data["name"],
        source=data["source"],
        energy=costs("energy"),
        time=costs("time"),
        link=data["time"]["link"] * factor["time"],
        barrier=Barrier(
            tuple(barrier["tiles"]),
            times("time"),
            barrier["between"] == "line",
            tuple(barrier.get("chips", ())),
            times("chips_time"),
        ),
        static_watts=data["power"]["static_per_chip"] * factor["power"],
    )


def _check_keys(data: Mapping[str, Any], file: str) -> None:
    """Every table has the keys that it needs and no others."""
    no_tables = [name for name in _NUMBERS if name in data and not isinstance(data[name], dict)]
    _refuse("U405", no_tables, file, "these are tables", "write [energy] and its keys below")
    tables = {"": data, **{name: data[name] for name in _NUMBERS if name in data}}
    unknown, missing = [], []
    for table, content in tables.items():
        prefix = f"{table}." if table else ""
        allowed = (*_REQUIRED[table], *_OPTIONAL.get(table, ()))
        unknown += [prefix + key for key in content if key not in allowed]
        missing += [prefix + key for key in _REQUIRED[table] if key not in content]
    _refuse(
        "U403", unknown, file, "the cost set has unknown keys", "remove them; docs/costs.md lists all keys"
    )
    _refuse("U404", missing, file, "the cost set lacks keys", "give each a number; 0 where nothing is known")


def _check_values(data: Mapping[str, Any], file: str) -> None:
    units = [
        f"{table}.unit = {data[table]['unit']!r}; known are {', '.join(known)}"
        for table, known in _UNITS.items()
        if not isinstance(data[table]["unit"], str) or data[table]["unit"] not in known
    ]
    _refuse("U406", units, file, "a unit is not one of its quantity", "convert the numbers")
    wrong = [
        f"{table}.{name} = {data[table][name]!r}"
        for table, names in _NUMBERS.items()
        for name in names
        if not _is_cost(data[table][name])
    ]
    wrong += [f"{name} = {data[name]!r}" for name in ("name", "source") if not isinstance(data[name], str)]
    _refuse("U405", wrong, file, "costs are numbers from 0 up", "correct them")
    barrier = data["barrier"]
    wrong = _list_mistakes(barrier, "tiles", "time")
    if "chips" in barrier or "chips_time" in barrier:
        wrong += _list_mistakes(barrier, "chips", "chips_time")
    if barrier["between"] not in _BETWEEN:
        wrong.append(f"barrier.between = {barrier['between']!r}; known are {', '.join(_BETWEEN)}")
    _refuse(
        "U407", wrong, file, "the barrier's times make no sense", "give ascending numbers and as many times"
    )


def _list_mistakes(barrier: Mapping[str, Any], numbers: str, times: str) -> list[str]:
    """What is wrong with two lists of the barrier."""
    at, cost = barrier.get(numbers), barrier.get(times)
    if not isinstance(at, list) or not isinstance(cost, list) or len(at) != len(cost) or not at:
        return [f"barrier.{numbers} and barrier.{times} are no lists of one length"]
    whole = all(isinstance(value, int) and not isinstance(value, bool) and value > 0 for value in at)
    found = []
    if not whole or sorted(set(at)) != at:
        found.append(f"barrier.{numbers} = {at}: not whole, positive and ascending")
    if not all(_is_cost(value) for value in cost):
        found.append(f"barrier.{times} = {cost}: not all are numbers from 0 up")
    return found


def _is_cost(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    )


def _refuse(code: str, findings: Iterable[str], file: str, message: str, remedy: str) -> None:
    named = tuple(findings)
    if named:
        raise UsageError(code, message, file=file, details=named, remedy=remedy)
