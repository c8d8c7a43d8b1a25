"""A run in time as a file in the Chrome trace event format, which Perfetto and chrome://tracing open."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain
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

TICKS, WAITING, BARRIER = 0, 1, 2
"""Rows of the ticks."""


def write_timeline(path: Path, timeline: Timeline) -> int:
    """Write a timeline as a whole or not at all; raises ArtifactError A201 to A203 when it cannot be written.

    Processes from top to bottom: the ticks, with what each waited for and its barrier; every core that does
    something, in the order that the timeline gives, with two rows, e.g. its neurons and its synapses; the messages of
    every link in each tick, as counters. Where the chip has a clock every span says its first cycle and number of
    cycles.

    Returns:
        The number of events.
    """
    counted, links = _has_events(timeline), 1 + len(timeline.cores)
    receives = np.isfinite(timeline.begun) & (timeline.done > timeline.begun)
    works: Array = np.asarray(((timeline.updated > 0) | receives | counted).any(axis=0))
    busy = [core for core in timeline.order or range(len(works)) if works[core]]
    events = [
        *_process(0, 0, "ticks", ("ticks", "waits for", "barrier")[: 3 if timeline.barrier else 2]),
        *chain.from_iterable(
            _process(core + 1, place, timeline.cores[core], timeline.stages)
            for place, core in enumerate(busy, start=1)
        ),
        *(_process(links, links, "links", ()) if timeline.links else ()),
        *_ticks(timeline),
        *(event for core in busy for event in _core(timeline, core, counted[:, core], receives[:, core])),
        *_links(timeline, links),
    ]
    text = json.dumps({"traceEvents": events, "displayTimeUnit": "ns"})
    with replaced_file(path) as stream:
        stream.write(text.encode())
    return len(events)


def _process(process: int, place: int, name: str, rows: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Name and place of a process and its rows."""
    yield {"ph": "M", "pid": process, "tid": 0, "name": "process_name", "args": {"name": name}}
    yield {"ph": "M", "pid": process, "tid": 0, "name": "process_sort_index", "args": {"sort_index": place}}
    for row, title in enumerate(rows):
        yield {"ph": "M", "pid": process, "tid": row, "name": "thread_name", "args": {"name": title}}
        yield {
            "ph": "M",
            "pid": process,
            "tid": row,
            "name": "thread_sort_index",
            "args": {"sort_index": row},
        }


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
        end, element = start + length, timeline.critical[tick]
        yield _span(f"tick {tick}", 0, TICKS, start, end, cycle, waits_for=element)
        yield _span(element, 0, WAITING, start, end - timeline.barrier, cycle)
        if timeline.barrier:
            yield _span("barrier", 0, BARRIER, end - timeline.barrier, end, cycle)


def _core(timeline: Timeline, core: int, counted: Array, receives: Array) -> Iterator[dict[str, Any]]:
    """The stages of a core; what has events but no time fills its tick."""
    cycle, updated = timeline.cycle_ns, timeline.updated[:, core]
    begun, done = timeline.begun[:, core], timeline.done[:, core]
    for tick in np.flatnonzero((updated > 0) | counted).tolist():
        counts = {kind: int(counts[tick, core]) for kind, counts in timeline.counts.items()}
        name, length = (
            ("update", updated[tick]) if updated[tick] else ("not timed", timeline.nanoseconds[tick])
        )
        start = timeline.starts[tick]
        yield _span(name, core + 1, NEURONS, start, start + length, cycle, tick=tick, **counts)
    for tick in np.flatnonzero(receives).tolist():
        start = timeline.starts[tick]
        yield _span("receive", core + 1, SYNAPSES, start + begun[tick], start + done[tick], cycle, tick=tick)


def _has_events(timeline: Timeline) -> Array:
    """(ticks, cores) bool, whether anything was counted."""
    busy = np.zeros(timeline.updated.shape, bool)
    for counts in timeline.counts.values():
        busy |= counts > 0
    return busy


def _links(timeline: Timeline, process: int) -> Iterator[dict[str, Any]]:
    """Counters, each from the start of its tick on; 0 behind the last tick."""
    starts = [*timeline.starts, timeline.nanoseconds.sum()]
    for link, name in timeline.links.items():
        for start, messages in zip(starts, [*timeline.link_messages[:, link].tolist(), 0], strict=True):
            yield {
                "ph": "C", "name": f"link {name}", "pid": process, "tid": 0, "ts": start * MICRO,
                "args": {"messages": messages},
            }  # fmt: skip
