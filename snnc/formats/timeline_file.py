"""A run in time as a file in the Chrome trace event format, which Perfetto and chrome://tracing open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snnc.graph.operators.base import Array
from snnc.simulate.costs import Timeline, in_cycles

from .files import replaced_file

MICRO = 1e-3
"""Nanoseconds in the format's unit."""

NEURONS, SYNAPSES = 0, 1
"""Rows of a core."""


def write_timeline(path: Path, timeline: Timeline) -> int:
    """Write a timeline as a whole or not at all; raises ArtifactError A201 to A203 when it cannot be written.

    A core is a process of two rows, e.g. its neurons and its synapses; the ticks are a process of their own, with what
    each waited for, its barrier, and the messages of every link as counters. Where the chip has a clock every span says
    its first cycle and number of cycles.

    Returns:
        The number of events.
    """
    events = [*_names(timeline), *_ticks(timeline), *_cores(timeline), *_links(timeline)]
    text = json.dumps({"traceEvents": events, "displayTimeUnit": "ns"})
    with replaced_file(path) as stream:
        stream.write(text.encode())
    return len(events)


def _names(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for process, name in enumerate(("ticks", *timeline.cores)):
        yield {"ph": "M", "pid": process, "name": "process_name", "args": {"name": name}}
        yield {"ph": "M", "pid": process, "name": "process_sort_index", "args": {"sort_index": process}}
        rows = ("ticks", "barrier") if process == 0 else timeline.stages
        for row, title in enumerate(rows):
            yield {"ph": "M", "pid": process, "tid": row, "name": "thread_name", "args": {"name": title}}


def _span(
    name: str, process: int, row: int, start: float, end: float, cycle_ns: float | None, **arguments: Any
) -> dict[str, Any]:
    if cycle_ns is not None:
        first, cycles = (in_cycles(np.array(value), cycle_ns).item() for value in (start, end - start))
        arguments = {**arguments, "first_cycle": first, "cycles": cycles}
    return {
        "ph": "X", "name": name, "pid": process, "tid": row, "ts": start * MICRO, "dur": (end - start) * MICRO,
        "args": arguments,
    }  # fmt: skip


def _ticks(timeline: Timeline) -> Iterator[dict[str, Any]]:
    cycle = timeline.cycle_ns
    for tick, (start, length) in enumerate(zip(timeline.starts, timeline.nanoseconds, strict=True)):
        end = start + length
        yield _span(f"tick {tick}", 0, 0, start, end, cycle, waits_for=timeline.critical[tick])
        if timeline.barrier:
            yield _span("barrier", 0, 1, end - timeline.barrier, end, cycle)


def _cores(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """The stages of all cores; what has events but no time fills its tick."""
    cycle = timeline.cycle_ns
    for tick, start in enumerate(timeline.starts):
        updated, begun, done = timeline.updated[tick], timeline.begun[tick], timeline.done[tick]
        for core in np.flatnonzero((updated > 0) | _has_events(timeline, tick)).tolist():
            counts = {kind: int(counts[tick, core]) for kind, counts in timeline.counts.items()}
            if updated[core] > 0:
                yield _span("update", core + 1, NEURONS, start, start + updated[core], cycle, **counts)
            else:
                end = start + timeline.nanoseconds[tick]
                yield _span("not timed", core + 1, NEURONS, start, end, cycle, **counts)
        for core in np.flatnonzero(np.isfinite(begun) & (done > begun)).tolist():
            first, last = start + begun[core], start + done[core]
            yield _span("receive", core + 1, SYNAPSES, first, last, cycle)


def _has_events(timeline: Timeline, tick: int) -> Array:
    """(cores,) bool, whether anything was counted."""
    found = np.zeros(len(timeline.cores), bool)
    for counts in timeline.counts.values():
        found |= counts[tick] > 0
    return found


def _links(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for link, name in timeline.links.items():
        for tick, start in enumerate(timeline.starts):
            messages = int(timeline.link_messages[tick, link])
            yield {
                "ph": "C", "name": f"link {name}", "pid": 0, "ts": start * MICRO, "args": {"messages": messages},
            }  # fmt: skip
