"""Read cost sets: those that come with snnc by name, a user's own from a TOML file; every mistake is named."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from snnc.errors import UsageError

from .cost_set import CostSet
from .schema import CYCLES, LARGEST, TIME_UNITS, CostFileContents, CostTable, Schema, is_cost

_TEXTS = ("name", "source", "target")

_SHORTEST_CYCLE = 1e-6
"""Nanoseconds; a number of cycles stays exact."""


def cost_set_names(target: str | None = None) -> tuple[str, ...]:
    """The sets that come with snnc, or those of one chip."""
    paths = (Path(entry.name) for entry in files(__package__).iterdir())
    names = sorted(path.stem for path in paths if path.suffix == ".toml")
    return tuple(name for name in names if target in (None, tomllib.loads(_own_text(name))["target"]))


def cost_set_named(name: str | Path, target: str | None = None) -> CostSet[Any]:
    """The set of that name, or the one in a TOML file.

    Args:
        name: of a set, or path of a file.
        target: the chip that it must be for; any if None.

    Raises:
        UsageError: U401 there is none, U402 no TOML, U403 unknown keys, U404 missing ones, U405 a value is no number
            or negative, U406 a unit is unknown or of another quantity, U407 the barrier's lists do not fit
            or a tick takes no time, U409 the set is for another chip.
    """
    if str(name) in cost_set_names():
        return _checked(tomllib.loads(_own_text(str(name))), str(name), target)
    path = Path(name)
    try:
        data = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        known = ", ".join(cost_set_names(target))
        raise UsageError(
            "U401",
            f"there is no cost set {str(name)!r}, and no file: {error.strerror}",
            remedy=f"choose from {known}, or name a TOML file",
        ) from None
    except (ValueError, RecursionError) as error:
        # Beside TOML errors: bytes that are no UTF-8, integers of thousands of digits, brackets in thousands.
        raise UsageError(
            "U402", f"it is no TOML: {error}", file=str(path), remedy="docs/costs.md shows a file"
        ) from None
    return _checked(data, str(path), target)


def _own_text(name: str) -> str:
    return files(__package__).joinpath(f"{name}.toml").read_text("utf-8")


def _checked(data: Mapping[str, Any], file: str, target: str | None) -> CostSet[Any]:
    schema = _schema(data, file, target)
    _check_keys(data, schema, file)
    _check_numbers(data, schema, file)
    factors = _factors(data, schema, file)
    message, remedy = (
        "the times make no sense",
        "give lists ascending numbers and as many times; a tick, a time",
    )
    _refuse("U407", schema.mistakes(data), file, message, remedy)
    return schema.cost_set(CostFileContents(data, factors))


def _schema(data: Mapping[str, Any], file: str, target: str | None) -> Schema:
    """What the sets of the file's chip hold; refuses a set for a chip that is not ``target`` or has no costs."""
    from snnc.targets.target import CostedTarget, targets

    chips = {name: chip for name, chip in targets().items() if isinstance(chip, CostedTarget)}
    named = data.get("target", target)
    remedy = f'write target = "{target or next(iter(chips))}", the chip that the numbers are of'
    _refuse("U404", ["target"] if named is None else [], file, "the cost set lacks keys", remedy)
    if isinstance(named, str) and named in chips and target in (None, named):
        return chips[named].cost_schema
    needed = f"this network is for {target}" if target else f"cost sets are for {', '.join(chips)}"
    known = ", ".join(name for chip in ([target] if target else chips) for name in cost_set_names(chip))
    raise UsageError(
        "U409",
        f"the cost set is for {named!r}, but {needed}",
        file=file,
        remedy=f"choose from {known}, or name a file whose target is the chip",
    )


def _check_keys(data: Mapping[str, Any], schema: Schema, file: str) -> None:
    """Every table has the keys that it needs and no others."""
    tables = {table.name: table for table in schema.tables}
    no_tables = [name for name in tables if name in data and not isinstance(data[name], dict)]
    _refuse("U405", no_tables, file, "these are tables", "write [energy] and its keys below")
    unknown = [key for key in data if key not in (*_TEXTS, "cycle_ns", *tables)]
    missing = [key for key in (*_TEXTS, *tables) if key not in data]
    for name, table in tables.items():
        content = data.get(name, dict.fromkeys(table.required))
        unknown += [f"{name}.{key}" for key in content if key not in (*table.required, *table.optional)]
        missing += [f"{name}.{key}" for key in table.required if key not in content]
    _refuse(
        "U403", unknown, file, "the cost set has unknown keys", "remove them; docs/costs.md lists all keys"
    )
    _refuse("U404", missing, file, "the cost set lacks keys", "give each; a number that is not known is 0")


def _check_numbers(data: Mapping[str, Any], schema: Schema, file: str) -> None:
    wrong = [
        f"{table.name}.{name} = {data[table.name][name]!r}"
        for table in schema.tables
        for name in table.numbers
        if not is_cost(data[table.name][name])
    ]
    wrong += [f"{name} = {data[name]!r}: no text" for name in _TEXTS if not isinstance(data[name], str)]
    cycle = data.get("cycle_ns", 1.0)
    if not is_cost(cycle) or cycle < _SHORTEST_CYCLE:
        wrong.append(f"cycle_ns = {cycle!r}: not above 0, from {_SHORTEST_CYCLE:g} up")
    _refuse("U405", wrong, file, f"costs are numbers from 0 to {LARGEST:g}", "correct them")


def _factors(data: Mapping[str, Any], schema: Schema, file: str) -> dict[str, float]:
    """The unit of each table in that of the cost set."""
    factors, wrong = {}, []
    for table in schema.tables:
        unit, known = data[table.name]["unit"], _units(table, data)
        if isinstance(unit, str) and unit in known:
            factors[table.name] = known[unit]
        else:
            clock = f"; {CYCLES} need a cycle_ns" if unit == CYCLES and table.units is TIME_UNITS else ""
            wrong.append(f"{table.name}.unit = {unit!r}; known are {', '.join(known)}{clock}")
    _refuse("U406", wrong, file, "a unit is not one of its quantity", "convert the numbers")
    return factors


def _units(table: CostTable, data: Mapping[str, Any]) -> Mapping[str, float]:
    """The units of a table; times may be in cycles where the file says how long one is."""
    if table.units is TIME_UNITS and "cycle_ns" in data:
        return {**table.units, CYCLES: data["cycle_ns"]}
    return table.units


def _refuse(code: str, findings: Iterable[str], file: str, message: str, remedy: str) -> None:
    named = tuple(findings)
    if named:
        raise UsageError(code, message, file=file, details=named, remedy=remedy)
