"""How a program is run: what is recorded, from which sample on, on how many threads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class RunOptions:
    """What a caller may choose; the bits of the result depend on neither ``batch`` nor ``threads``.

    Attributes:
        record: any of ``RECORDABLE``.
        first_sample: index of the first sample in the data set, for seeded sources and random numbers.
        batch: samples that a thread runs at once; chosen by the simulator when None.
        threads: batches that run side by side; all processors when None.
        detailed: where ticks are timed, simulate the queues of every sample event by event.
    """

    record: Iterable[str] = ()
    first_sample: int = 0
    batch: int | None = None
    threads: int | None = None
    detailed: bool = False


DEFAULT = RunOptions()
