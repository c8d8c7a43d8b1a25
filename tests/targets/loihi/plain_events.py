"""A tick's events by Python objects and heapq: what the compiled simulation of queues is held against."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass, field

from snnc.targets.costs import CostSet


@dataclass
class PlainNeuron:
    """A neuron in one tick: ``sends`` has (target core, synapses by format) for each message."""

    core: int
    compartments: int
    active: bool
    spikes: bool
    sends: list[tuple[int, tuple[int, int, int]]] = field(default_factory=list)


@dataclass
class PlainTick:
    """When everything happened."""

    updated: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    done: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    links: dict[tuple[tuple[int, int], tuple[int, int]], int] = field(
        default_factory=lambda: defaultdict(int)
    )
    messages: list[tuple[float, float, float, float]] = field(default_factory=list)
    end: float = 0.0


def tile(core: int) -> tuple[int, int]:
    """Column (over all chips) and row of a core: 4 cores a tile, 8 x 4 tiles a chip, chips in a row."""
    chip, inner = divmod(core, 128)
    row, column = divmod(inner // 4, 8)
    return chip * 8 + column, row


def path(source: int, target: int) -> list[tuple[int, int]]:
    """Tiles from one core to another, along x and then along y."""
    (x, y), (to_x, to_y) = tile(source), tile(target)
    tiles = [(x, y)]
    while x != to_x:
        x += 1 if to_x > x else -1
        tiles.append((x, y))
    while y != to_y:
        y += 1 if to_y > y else -1
        tiles.append((x, y))
    return tiles


def hop_time(costs: CostSet, one: tuple[int, int], other: tuple[int, int]) -> float:
    if one[1] != other[1]:
        return costs.time.hop_north_south
    return costs.time.hop_east_west + (costs.time.chip_crossing if one[0] // 8 != other[0] // 8 else 0.0)


def plain_tick(neurons: list[PlainNeuron], costs: CostSet, barrier: float, host: int) -> PlainTick:
    """One tick; core ``host`` lies where core 0 does."""
    time, tick = costs.time, PlainTick()
    events: list[tuple[float, int, int]] = []
    ways, services = [], []
    for neuron in neurons:
        clock = tick.updated[neuron.core] + neuron.compartments * time.neuron_access
        clock += neuron.compartments * time.neuron_active if neuron.active else 0.0
        if neuron.spikes:
            clock += time.spike if neuron.compartments else 0.0
            for target, (dense, sparse, conv) in neuron.sends:
                clock += time.message_out
                events.append((clock, len(ways), 0))
                ways.append((path(0 if neuron.core == host else neuron.core, target), target))
                synapses = (
                    dense * time.synapse_dense + sparse * time.synapse_sparse + conv * time.synapse_conv
                )
                services.append(time.message_in + synapses)
        tick.updated[neuron.core] = clock
    sent = [clock for clock, _, _ in events]
    found = {}
    heapq.heapify(events)
    link_free: dict[object, float] = defaultdict(float)
    core_free: dict[int, float] = defaultdict(float)
    while events:
        now, number, hop = heapq.heappop(events)
        tiles, target = ways[number]
        if hop + 1 < len(tiles):
            link = (tiles[hop], tiles[hop + 1])
            start = max(now, link_free[link])
            link_free[link] = start + costs.link
            tick.links[link] += 1
            heapq.heappush(events, (start + hop_time(costs, *link), number, hop + 1))
        else:
            begun = max(now, core_free[target])
            core_free[target] = tick.done[target] = begun + services[number]
            found[number] = (sent[number], now, begun, core_free[target])
    tick.messages = [found[number] for number in range(len(ways))]
    tick.end = max([0.0, *tick.updated.values(), *tick.done.values()]) + barrier
    return tick
