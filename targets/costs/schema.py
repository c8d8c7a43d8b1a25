"""What a chip's cost sets hold: its kinds of events, further tables, and how a set is made of a checked file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from .cost_set import CostSet

ENERGY_UNITS = {"fJ": 1e-3, "pJ": 1.0, "nJ": 1e3}
TIME_UNITS = {"ps": 1e-3, "ns": 1.0, "us": 1e3}
POWER_UNITS = {"mW": 1e-3, "W": 1.0}
CYCLES = "cycles"
"""Unit of times where the file gives ``cycle_ns``."""


@dataclass(frozen=True)
class CostTable:
    """A table of a file.

    Attributes:
        name: of the table.
        units: what its ``unit`` may be, each in the unit of the cost set.
        numbers: keys that need a number from 0 up.
        others: further keys that are needed, which the chip checks.
        optional: keys that may be there, which the chip checks.
    """

    name: str
    units: Mapping[str, float]
    numbers: tuple[str, ...]
    others: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """All keys that are needed."""
        return ("unit", *self.numbers, *self.others)


@dataclass(frozen=True)
class CostFileContents:
    """A file's contents with nothing missing or unknown.

    Attributes:
        data: as read.
        factors: of each table, its unit in the unit of the cost set.
    """

    data: Mapping[str, Any]
    factors: Mapping[str, float]

    def number(self, table: str, key: str) -> float:
        """A number in the unit of the cost set."""
        return float(self.data[table][key] * self.factors[table])

    def numbers(self, table: str, key: str) -> tuple[float, ...]:
        """An optional list of numbers in the unit of the cost set."""
        return tuple(float(value * self.factors[table]) for value in self.data[table].get(key, ()))


@dataclass(frozen=True)
class Schema:
    """The cost sets of a chip.

    Attributes:
        target: name of the chip.
        events: its kinds of events, a frozen dataclass of one float each.
        own: tables beside energy, time and power.
        mistakes: what is wrong with values of these tables that are no single numbers (U407).
        make: the set, of the fields that all chips share and a file's contents.
    """

    target: str
    events: type
    own: tuple[CostTable, ...]
    mistakes: Callable[[Mapping[str, Any]], list[str]]
    make: Callable[[Mapping[str, Any], CostFileContents], CostSet[Any]]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the kinds of events."""
        return tuple(field.name for field in fields(self.events))

    @property
    def tables(self) -> tuple[CostTable, ...]:
        """All tables."""
        return (
            CostTable("energy", ENERGY_UNITS, self.kinds),
            CostTable("time", TIME_UNITS, (*self.kinds, "link")),
            CostTable("power", POWER_UNITS, ("static_per_chip",)),
            *self.own,
        )

    def cost_set(self, contents: CostFileContents) -> CostSet[Any]:
        """The set that a file describes."""
        data = contents.data
        shared = {
            "name": data["name"],
            "source": data["source"],
            "target": data["target"],
            "energy": self.events(*(contents.number("energy", kind) for kind in self.kinds)),
            "time": self.events(*(contents.number("time", kind) for kind in self.kinds)),
            "link": contents.number("time", "link"),
            "static_watts": contents.number("power", "static_per_chip"),
            "cycle_ns": float(data["cycle_ns"]) if "cycle_ns" in data else None,
        }
        return self.make(shared, contents)


LARGEST = 1e15
"""Of a number: sums over any run stay finite, and no unit of energy, time or power needs more."""


def is_cost(value: object) -> bool:
    """Whether a value is a number from 0 to ``LARGEST``."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST
