"""A run in time as a file in the Chrome trace event format, which Perfetto and chrome://tracing open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snnc.simulate.costs import Timeline

from .files import replaced_file

MICRO = 1e-3
"""Nanoseconds in the format's unit."""

NEURONS, SYNAPSES = 0, 1


def write_timeline(path: Path, timeline: Timeline) -> int:
    """Write a timeline as a whole or not at all; raises ArtifactError A201 to A203 when it cannot be written.

    A core is a process of two rows, its neurons and its synapses; the ticks are a process of their own, with what
    each waited for, its barrier, and the messages of every link as counters.

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
        rows = ("ticks", "barrier") if process == 0 else ("neurons", "synapses")
        for row, title in enumerate(rows):
            yield {"ph": "M", "pid": process, "tid": row, "name": "thread_name", "args": {"name": title}}


def _span(name: str, process: int, row: int, start: float, end: float, **arguments: Any) -> dict[str, Any]:
    return {
        "ph": "X", "name": name, "pid": process, "tid": row, "ts": start * MICRO, "dur": (end - start) * MICRO,
        "args": arguments,
    }  # fmt: skip


def _ticks(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for tick, (start, length) in enumerate(zip(timeline.starts, timeline.nanoseconds, strict=True)):
        end = start + length
        yield _span(f"tick {tick}", 0, 0, start, end, waits_for=timeline.critical[tick])
        yield _span("barrier", 0, 1, end - timeline.barrier, end)


def _cores(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for tick, start in enumerate(timeline.starts):
        for core in np.flatnonzero(timeline.updated[tick] > 0).tolist():
            yield _span("update", core + 1, NEURONS, start, start + timeline.updated[tick, core])
        for core in np.flatnonzero(np.isfinite(timeline.begun[tick])).tolist():
            first, last = start + timeline.begun[tick, core], start + timeline.done[tick, core]
            yield _span("receive", core + 1, SYNAPSES, first, last)


def _links(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for link, name in timeline.links.items():
        for tick, start in enumerate(timeline.starts):
            messages = int(timeline.link_messages[tick, link])
            yield {
                "ph": "C", "name": f"link {name}", "pid": 0, "ts": start * MICRO, "args": {"messages": messages},
            }  # fmt: skip
