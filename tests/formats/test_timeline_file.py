"""Timelines are in the Chrome trace event format: every event, by the rules of the format's description."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from snnc.formats.timeline_file import write_timeline
from snnc.simulate.costs import Timeline

NUMBER = (int, float)
METADATA = {
    "process_name": ("name", str),
    "process_sort_index": ("sort_index", int),
    "thread_name": ("name", str),
    "thread_sort_index": ("sort_index", int),
}
KEYS = {
    "M": {"ph", "pid", "tid", "name", "args"},
    "X": {"ph", "pid", "tid", "name", "ts", "dur", "args"},
    "C": {"ph", "pid", "tid", "name", "ts", "args"},
}
"""Of the phases that are used: metadata, complete events, counters."""


def no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def checked(path: Path) -> list[dict[str, Any]]:
    """The events of a file, after every one was checked by itself and in its row."""
    document = json.loads(path.read_text(), parse_constant=no_constant)
    assert set(document) == {"traceEvents", "displayTimeUnit"}
    assert document["displayTimeUnit"] in ("ms", "ns")
    events: list[dict[str, Any]] = document["traceEvents"]
    for event in events:
        check_event(event)
    check_names(events)
    check_rows(events)
    check_counters(events)
    return events


def check_event(event: dict[str, Any]) -> None:
    assert set(event) == KEYS[event["ph"]]
    assert type(event["pid"]) is int and type(event["tid"]) is int
    assert min(event["pid"], event["tid"]) >= 0
    assert type(event["name"]) is str and event["name"] and isinstance(event["args"], dict)
    for time in ("ts", "dur"):
        if time in event:
            assert type(event[time]) in NUMBER and np.isfinite(event[time]) and event[time] >= 0
    if event["ph"] == "M":
        key, kind = METADATA[event["name"]]
        assert set(event["args"]) == {key} and type(event["args"][key]) is kind
    if event["ph"] == "C":
        assert event["args"]
        assert all(type(value) in NUMBER and value >= 0 for value in event["args"].values())


def check_names(events: list[dict[str, Any]]) -> None:
    """Every process and row in use has one name and one place, and comes after it."""
    named: dict[tuple[str, int, int], int] = {}
    for number, event in enumerate(events):
        if event["ph"] == "M":
            key = (event["name"], event["pid"], event["tid"])
            assert key not in named
            named[key] = number
    for number, event in enumerate(events):
        if event["ph"] != "M":
            needed = [("process_name", 0), ("process_sort_index", 0)]
            if event["ph"] == "X":
                needed += [("thread_name", event["tid"]), ("thread_sort_index", event["tid"])]
            for name, row in needed:
                assert named[name, event["pid"], row] < number
    used = {event["pid"] for event in events if event["ph"] != "M"}
    assert {process for _, process, _ in named} <= used


def check_rows(events: list[dict[str, Any]]) -> None:
    """The spans of a row come in order of time and do not overlap: viewers nest those that do."""
    rows = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            rows[event["pid"], event["tid"]].append(event)
    for spans in rows.values():
        for first, second in pairwise(spans):
            assert first["ts"] <= second["ts"]
            assert first["ts"] + first["dur"] <= second["ts"] * (1 + 1e-12) + 1e-9


def check_counters(events: list[dict[str, Any]]) -> None:
    """A counter has the same series throughout, in order of time, and ends at 0."""
    counters = defaultdict(list)
    for event in events:
        if event["ph"] == "C":
            counters[event["pid"], event["name"]].append(event)
    for values in counters.values():
        assert len({tuple(event["args"]) for event in values}) == 1
        assert all(first["ts"] < second["ts"] for first, second in pairwise(values))
        assert set(values[-1]["args"].values()) == {0}


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Ticks, cores and links of any number, idle ones among them; with and without barrier, clock and counts."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ticks, cores, links = (draw(st.integers(0 if most == 3 else 1, most)) for most in (6, 5, 3))
    barrier = draw(st.sampled_from([0.0, 113.0]))
    updated = rng.random((ticks, cores)) * 1e4 * (rng.random((ticks, cores)) < 0.6)
    begun = np.where(rng.random((ticks, cores)) < 0.6, rng.random((ticks, cores)) * 1e4, np.inf)
    done = np.where(np.isfinite(begun), begun + rng.random((ticks, cores)) * 1e4, 0.0)
    ends = np.maximum(updated.max(axis=1), done.max(axis=1))
    counts = {"spike": rng.integers(0, 3, (ticks, cores))} if draw(st.booleans()) else {}
    return Timeline(
        cores=tuple(f"core {core}" for core in range(cores)),
        updated=updated,
        begun=begun,
        done=done,
        links={link: f"({link}, 0) east" for link in range(links)},
        link_messages=rng.integers(0, 9, (ticks, 3)),
        nanoseconds=np.maximum(ends, 1.0) + barrier,
        barrier=barrier,
        critical=tuple(f"neurons of core {tick % cores}" for tick in range(ticks)),
        counts=counts,
        cycle_ns=draw(st.sampled_from([None, 1.0])),
    )


@settings(deadline=None, max_examples=60)
@given(timeline=timelines())
def test_every_timeline_is_in_the_format(
    timeline: Timeline, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("timeline") / "t.json"
    events = checked_file(path, timeline)
    spans = [event for event in events if event["ph"] == "X"]
    ticks = [event for event in spans if event["pid"] == 0 and event["tid"] == 0]
    assert [event["args"]["waits_for"] for event in ticks] == list(timeline.critical)
    assert sum(event["dur"] for event in ticks) == pytest.approx(timeline.nanoseconds.sum() / 1000)
    for name, times in (("update", timeline.updated), ("receive", timeline.done)):
        found = {(event["pid"] - 1, event["args"]["tick"]) for event in spans if event["name"] == name}
        assert found == {(int(core), int(tick)) for tick, core in np.argwhere(times > 0)}
    counted = [event["args"]["messages"] for event in events if event["ph"] == "C"]
    assert sum(counted) == timeline.link_messages[:, list(timeline.links)].sum()


def checked_file(path: Path, timeline: Timeline) -> list[dict[str, Any]]:
    number = write_timeline(path, timeline)
    events = checked(path)
    assert number == len(events)
    return events


def test_what_a_person_sees_from_top_to_bottom(tmp_path: Path) -> None:
    """Ticks first, then the cores that do something in their order, then links; rows by name and in order."""
    timeline = Timeline(
        cores=("core 0: conv", "core 1: idle", "host"),
        updated=np.array([[20.0, 0.0, 5.0]]),
        begun=np.array([[8.0, np.inf, np.inf]]),
        done=np.array([[30.0, 0.0, 0.0]]),
        links={4: "(0, 1) east"},
        link_messages=np.array([[0, 0, 0, 0, 7]]),
        nanoseconds=np.array([143.0]),
        barrier=113.0,
        critical=("synapses of core 0",),
        order=(2, 0, 1),
    )
    events = checked_file(tmp_path / "t.json", timeline)
    names = [(event["pid"], event["args"]["name"]) for event in events if event["name"] == "process_name"]
    assert names == [(0, "ticks"), (3, "host"), (1, "core 0: conv"), (4, "links")]
    places = [event["args"]["sort_index"] for event in events if event["name"] == "process_sort_index"]
    assert places == sorted(places)
    rows = [(e["pid"], e["tid"], e["args"]["name"]) for e in events if e["name"] == "thread_name"]
    assert rows[:5] == [
        *((0, 0, "ticks"), (0, 1, "waits for"), (0, 2, "barrier")),
        *((3, 0, "neurons"), (3, 1, "synapses")),
    ]
    spans = {(e["pid"], e["name"]): (e["ts"], e["dur"]) for e in events if e["ph"] == "X"}
    assert spans[0, "synapses of core 0"] == (0.0, pytest.approx(0.03))
    assert spans[0, "barrier"] == (pytest.approx(0.03), pytest.approx(0.113))
    assert spans[1, "receive"] == (pytest.approx(0.008), pytest.approx(0.022))
    assert [e["args"] for e in events if e["ph"] == "C"] == [{"messages": 7}, {"messages": 0}]
