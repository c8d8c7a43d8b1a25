"""A cost set: what every kind of event takes in energy and time, from one source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Events = TypeVar("Events")
"""A chip's kinds of events: a frozen dataclass of one float each."""


@dataclass(frozen=True)
class CostSet(Generic[Events]):
    """Costs of all events of a chip, from one source, and nothing of another; chips add what only they have.

    Attributes:
        name: of the set.
        source: where the numbers are from.
        target: name of the chip.
        energy: picojoules.
        time: nanoseconds.
        link: nanoseconds for which a message keeps the next one from the same link.
        static_watts: of a chip that does nothing.
        cycle_ns: nanoseconds of a clock cycle; None for a design without a clock.
    """

    name: str
    source: str
    target: str
    energy: Events
    time: Events
    link: float
    static_watts: float
    cycle_ns: float | None
