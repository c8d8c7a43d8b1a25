"""How a program is run: what is recorded, from which sample on, on how many threads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snnc.simulate.state import RunState


@dataclass(frozen=True)
class RunOptions:
    """What a caller may choose; the bits of the result depend on neither ``batch`` nor ``threads``.

    Attributes:
        record: what is recorded, any of ``Chip.recordable``.
        first_sample: index of the first sample in the data set, for seeded sources and random numbers.
        batch: samples that a thread runs at once; chosen by the simulator when None.
        threads: batches that run side by side; all processors when None.
        state: ``Trace.state`` of a run of the same program and samples to go on from; ``first_sample`` is its.
        keep_state: whether the trace holds the state after the last presented tick.
        detailed: where ticks are timed, simulate the queues of every sample event by event.
    """

    record: Iterable[str] = ()
    first_sample: int = 0
    batch: int | None = None
    threads: int | None = None
    detailed: bool = False
    state: RunState | None = None
    keep_state: bool = False


DEFAULT = RunOptions()
