"""The time of TrueNorth's ticks by Python objects and heapq: what the compiled simulation is held against."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass, field

from plain_truenorth import PlainCore

from snnc.targets.truenorth.costs import TrueNorthCosts

Place = tuple[int, int]
HOST = -1


@dataclass
class PlainTick:
    """What happened in a tick: events by core, messages by (source, target), and when."""

    axons: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    synapses: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    messages: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    updated: dict[int, float] = field(default_factory=dict)
    done: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    links: dict[tuple[Place, Place], int] = field(default_factory=lambda: defaultdict(int))
    end: float = 0.0


def path(start: Place, end: Place) -> list[Place]:
    """Cores from one to another, along x and then along y."""
    (x, y), found = start, [start]
    while x != end[0]:
        x += 1 if end[0] > x else -1
        found.append((x, y))
    while y != end[1]:
        y += 1 if end[1] > y else -1
        found.append((x, y))
    return found


def crosses(one: Place, other: Place) -> bool:
    """Whether a hop leads to another chip of 64 x 64 cores."""
    return (one[0] // 64, one[1] // 64) != (other[0] // 64, other[1] // 64)


def plain_tick(
    cores: list[PlainCore],
    places: list[Place],
    present: set[tuple[int, int]],
    fired: list[list[bool]],
    host: list[int],
    costs: TrueNorthCosts,
) -> PlainTick:
    """One tick; ``present``: (core, axon) with a spike; ``host``: cores that it sends a spike to, in its order."""
    time, tick = costs.time, PlainTick()
    sent: list[tuple[float, int, int]] = []
    for number, core in enumerate(cores):
        active = [axon for axon in range(len(core.types)) if (number, axon) in present]
        tick.axons[number] = len(active)
        clock = len(active) * time.axon_event
        for index in range(256):
            if index < len(core.neurons):
                reached = sum(core.connected[axon][index] for axon in active)
                tick.synapses[number] += reached
                clock += reached * time.synaptic_event
            clock += time.neuron_update
            if index < len(core.neurons) and fired[number][index]:
                clock += time.spike
                target = core.neurons[index].target
                if target is not None:
                    clock += time.message_out
                    sent.append((clock, number, target[0]))
        tick.updated[number] = clock
    clock = 0.0
    for to in host:
        clock += time.message_out
        sent.append((clock, HOST, to))
    tick.updated[HOST] = clock
    deliver(sent, places, costs, tick)
    tick.end = max([costs.shortest_tick, *tick.updated.values(), *tick.done.values()])
    return tick


def deliver(
    sent: list[tuple[float, int, int]], places: list[Place], costs: TrueNorthCosts, tick: PlainTick
) -> None:
    """Bring all messages to their cores, in the order of time and then of sending."""
    time, ways, events = costs.time, [], []
    for number, (clock, source, to) in enumerate(sent):
        tick.messages[source, to] += 1
        ways.append((path((0, 0) if source == HOST else places[source], places[to]), to))
        events.append((clock, number, 0))
    heapq.heapify(events)
    link_free: dict[tuple[Place, Place], float] = defaultdict(float)
    core_free: dict[int, float] = defaultdict(float)
    while events:
        now, number, hop = heapq.heappop(events)
        way, to = ways[number]
        if hop + 1 < len(way):
            link = (way[hop], way[hop + 1])
            start = max(now, link_free[link])
            link_free[link] = start + costs.link
            tick.links[link] += 1
            takes = time.hop_east_west if way[hop][1] == way[hop + 1][1] else time.hop_north_south
            takes += time.chip_crossing if crosses(*link) else 0.0
            heapq.heappush(events, (start + takes, number, hop + 1))
        else:
            core_free[to] = max(now, core_free[to]) + time.message_in
            tick.done[to] = core_free[to]
