"""Windows of populations: as early as spikes can be there, and no earlier than delays can bridge."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.graph import Delay, Graph, Input, Linear, Output, Readout
from snnc.graph.neurons import IF, RateSource
from snnc.graph.projections import drives
from snnc.targets.schedule import Schedule


def layer(graph: Graph, name: str, *sources: str) -> Graph:
    for source in sources:
        graph = graph.add(f"{source}-{name}", Linear(np.eye(2)), source)
    return graph.add(name, IF(), *(f"{source}-{name}" for source in sources))


def ladder() -> Graph:
    """A chain in > a > b > c > d, and a side branch in > s > d."""
    graph = Graph("ladder").add("input", Input((2,))).add("in", RateSource(), "input")
    for name, sources in (("a", ["in"]), ("b", ["a"]), ("c", ["b"]), ("s", ["in"]), ("d", ["c", "s"])):
        graph = layer(graph, name, *sources)
    return graph.add("out", Output(Readout.COUNT), "d")


@pytest.mark.parametrize(("longest", "opening"), [(None, 1), (3, 1), (2, 2), (1, 3)])
def test_a_short_branch_opens_late_enough(longest: int | None, opening: int) -> None:
    graph = ladder()
    found = drives(graph)
    schedule = Schedule.of(graph, found, longest)
    assert schedule.starts == {"in": 0, "a": 1, "b": 2, "c": 3, "s": opening, "d": 4}
    delays = {p.source: schedule.delay(p, "d") for p in found["d"].projections}
    assert delays == {"c": 1, "s": 4 - opening}


def test_a_cycle_opens_as_a_whole_and_takes_a_tick_inside() -> None:
    graph = Graph("cycle").add("input", Input((2,))).add("in", RateSource(), "input")
    graph = graph.add("back", Linear(np.eye(2)), "late").add("to", Linear(np.eye(2)), "in")
    graph = graph.add("wait", Delay(3), "back").add("early", IF(), "to", "wait")
    graph = layer(graph, "late", "early").add("out", Output(Readout.COUNT), "late")
    found = drives(graph)
    schedule = Schedule.of(graph, found)
    assert schedule.starts == {"in": 0, "early": 1, "late": 1}
    assert {p.source: schedule.delay(p, "early") for p in found["early"].projections} == {"in": 1, "late": 4}
    (inner,) = found["late"].projections
    assert (schedule.window_ticks(inner, "late"), schedule.delay(inner, "late")) == (1, 1)
