"""Move cores from site to site of a mesh until their messages have short ways and no link has too many."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import uint64

from snnc.graph.operators.base import Array

from .jit import kernel
from .mesh import direction

_LEVELS = 60
"""Temperatures of an annealing."""

_GOAL = 0.44
"""Share of moves that should be accepted; the reach of moves follows it (Lam and Delosme 1988; VPR)."""

_TILE_MOVES = 4
"""One move in so many changes all cores of two routers, where a router has several."""


class Net(NamedTuple):
    """Messages between cores, each pair in the lists of both; the host is one more core that never moves.

    Attributes:
        first: (cores + 2,) int64, where the list of each begins.
        other: (entries,) int64 core.
        sent, received: (entries,) float64 messages to and from the other.
    """

    first: Array
    other: Array
    sent: Array
    received: Array


class Grid(NamedTuple):
    """The sites of a mesh.

    Attributes:
        x, y: (routers,) float64 coordinates between which ways are measured; borders of chips may be wide.
        sites: (routers * capacity,) int64 sites of each router, -1 where there are none. Router x * height + y is
            in column x and row y.
        router: (sites,) int64.
        width, height: of the mesh.
        capacity: sites of a router.
    """

    x: Array
    y: Array
    sites: Array
    router: Array
    width: int
    height: int
    capacity: int


class Spots(NamedTuple):
    """Where cores are.

    Attributes:
        site: (cores,) int64.
        router: (cores + 1,) int64; that of the host is the last.
        core: (sites,) int64, -1 where a site is free.
        used: (routers,) int64, cores of each.
    """

    site: Array
    router: Array
    core: Array
    used: Array


@kernel
def random_bits(state: Array) -> uint64:
    """The next 64 bits (xorshift, Marsaglia 2003); ``state`` (1,) uint64 is not 0."""
    bits: uint64 = state[0]
    bits ^= bits << uint64(13)
    bits ^= bits >> uint64(7)
    bits ^= bits << uint64(17)
    state[0] = bits
    return bits


@kernel
def random_below(state: Array, count: int) -> int:
    """A random number from 0 to ``count`` - 1; count is below 2^31."""
    return int((random_bits(state) >> uint64(33)) * uint64(count) >> uint64(31))


@kernel
def accepts(state: Array, change: float, temperature: float) -> bool:
    """Whether a change of the costs is taken."""
    if change <= 0.0:
        return True
    if temperature <= 0.0:
        return False
    return bool(float(random_bits(state) >> uint64(11)) * 2.0**-53 < np.exp(-change / temperature))


@kernel
def anneal(net: Net, grid: Grid, spots: Spots, moves: int, hot: float, cold: float, state: Array) -> None:
    """Simulated annealing of the sum of messages times ways, ending with moves that make it smaller only.

    No more routers are used than before. ``spots`` is changed in place; ``hot`` and ``cold`` are the first and the last
    temperature, in messages times ways, and ``state`` is that of the random numbers.
    """
    longest = float(max(grid.width, grid.height))
    reach, temperature = longest, hot
    tried = max(moves // _LEVELS, 1)
    for level in range(_LEVELS):
        accepted = 0
        if level == _LEVELS - 1:
            temperature = 0.0
        for _ in range(tried):
            core = random_below(state, len(spots.site))
            router = neighbour(grid, spots.router[core], int(reach), state)
            if router >= 0:
                accepted += attempt(net, grid, spots, core, router, temperature, state)
        reach = min(max(reach * (1.0 - _GOAL + accepted / tried), 1.0), longest)
        temperature *= (cold / hot) ** (1.0 / (_LEVELS - 1))


@kernel
def neighbour(grid: Grid, router: int, reach: int, state: Array) -> int:
    """Another router not more than ``reach`` away along x and y, or -1 if the one that was drawn has no sites."""
    x, y = router // grid.height, router % grid.height
    left, right = max(0, x - reach), min(grid.width - 1, x + reach)
    low, high = max(0, y - reach), min(grid.height - 1, y + reach)
    x = left + random_below(state, right - left + 1)
    y = low + random_below(state, high - low + 1)
    drawn = x * grid.height + y
    return drawn if drawn != router and grid.sites[drawn * grid.capacity] >= 0 else -1


@kernel
def attempt(
    net: Net, grid: Grid, spots: Spots, core: int, router: int, temperature: float, state: Array
) -> bool:
    """Let a core, or all of its router, change places with a site of ``router``, or all; False if not accepted."""
    if grid.capacity > 1 and random_below(state, _TILE_MOVES) == 0:
        here = spots.router[core]
        change = exchange_change(net, grid, spots, here, router) + exchange_change(
            net, grid, spots, router, here
        )
        if accepts(state, change, temperature):
            exchange(grid, spots, here, router)
            return True
        return False
    site = target_site(grid, spots, core, router, state)
    if site >= 0 and accepts(state, move_change(net, grid, spots, core, site), temperature):
        move(grid, spots, core, site)
        return True
    return False


@kernel
def target_site(grid: Grid, spots: Spots, core: int, router: int, state: Array) -> int:
    """A site of ``router``, or -1 if a router more than before would be used."""
    site = int(grid.sites[router * grid.capacity + random_below(state, grid.capacity)])
    if spots.used[router] == 0 and spots.used[spots.router[core]] > 1:
        return -1
    return site


@kernel
def way(grid: Grid, start: int, end: int) -> float:
    """The length of the way between routers."""
    return float(abs(grid.x[start] - grid.x[end]) + abs(grid.y[start] - grid.y[end]))


@kernel
def change_at(net: Net, grid: Grid, spots: Spots, core: int, router: int, but: int) -> float:
    """How costs change when a core goes to ``router``, without its messages with core ``but``."""
    total, here = 0.0, spots.router[core]
    for entry in range(net.first[core], net.first[core + 1]):
        other = net.other[entry]
        if other != but:
            there = spots.router[other]
            weight = net.sent[entry] + net.received[entry]
            total += weight * (way(grid, router, there) - way(grid, here, there))
    return total


@kernel
def move_change(net: Net, grid: Grid, spots: Spots, core: int, site: int) -> float:
    """How costs change when a core goes to a site and who is there comes to its own."""
    other = spots.core[site]
    change = change_at(net, grid, spots, core, grid.router[site], other)
    if other >= 0:
        change += change_at(net, grid, spots, other, spots.router[core], core)
    return change


@kernel
def move(grid: Grid, spots: Spots, core: int, site: int) -> None:
    """Let a core go to a site, and who is there come to its own."""
    before, other = spots.site[core], spots.core[site]
    put(grid, spots, core, site)
    spots.core[before] = other
    if other >= 0:
        put(grid, spots, other, before)
    else:
        spots.used[grid.router[before]] -= 1
        spots.used[grid.router[site]] += 1


@kernel
def put(grid: Grid, spots: Spots, core: int, site: int) -> None:
    """Write down where a core is."""
    spots.site[core], spots.core[site], spots.router[core] = site, core, grid.router[site]


@kernel
def exchange_change(net: Net, grid: Grid, spots: Spots, here: int, there: int) -> float:
    """How costs change by the cores of router ``here`` when all of it and of ``there`` change places."""
    total = 0.0
    for entry in range(here * grid.capacity, (here + 1) * grid.capacity):
        core = spots.core[grid.sites[entry]]
        if core < 0:
            continue
        for link in range(net.first[core], net.first[core + 1]):
            other = spots.router[net.other[link]]
            inside = net.other[link] < len(spots.site) and other in (here, there)
            if not inside:
                weight = net.sent[link] + net.received[link]
                total += weight * (way(grid, there, other) - way(grid, here, other))
    return total


@kernel
def exchange(grid: Grid, spots: Spots, here: int, there: int) -> None:
    """Let all cores of two routers change places."""
    for number in range(grid.capacity):
        left, right = grid.sites[here * grid.capacity + number], grid.sites[there * grid.capacity + number]
        first, second = spots.core[left], spots.core[right]
        spots.core[left], spots.core[right] = -1, -1
        if first >= 0:
            put(grid, spots, first, right)
        if second >= 0:
            put(grid, spots, second, left)
    spots.used[here], spots.used[there] = spots.used[there], spots.used[here]


@kernel
def link_loads(net: Net, grid: Grid, spots: Spots, loads: Array) -> float:
    """Add all messages to the links of their ways; returns the sum of the loads' fourth powers.

    ``loads`` is (routers * 4,) float64: the links of each router to the east, west, north and south.
    """
    total = 0.0
    for core in range(len(net.first) - 1):
        for entry in range(net.first[core], net.first[core + 1]):
            total += load(grid, loads, spots.router[core], spots.router[net.other[entry]], net.sent[entry])
    return total


@kernel
def load(grid: Grid, loads: Array, router: int, target: int, messages: float) -> float:
    """Add messages to the links of a way, x first and then y; returns the change of the loads' fourth powers."""
    if messages == 0.0:
        return 0.0
    change, height = 0.0, grid.height
    steps = target // height - router // height
    link, step = direction(0, 0, steps), height if steps > 0 else -height
    for _ in range(abs(steps)):
        change += add(loads, router * 4 + link, messages)
        router += step
    steps = target - router
    link, step = direction(1, 0, steps), 1 if steps > 0 else -1
    for _ in range(abs(steps)):
        change += add(loads, router * 4 + link, messages)
        router += step
    return change


@kernel
def add(loads: Array, link: int, messages: float) -> float:
    """Add to one link; returns the change of its fourth power."""
    before = loads[link] * loads[link]
    loads[link] += messages
    after = loads[link] * loads[link]
    return float(after * after - before * before)


@kernel
def load_core(net: Net, grid: Grid, spots: Spots, loads: Array, core: int, but: int, sign: float) -> float:
    """Add ``sign`` times all messages of a core, without those with core ``but``; returns as ``load`` does."""
    change, here = 0.0, spots.router[core]
    for entry in range(net.first[core], net.first[core + 1]):
        other = net.other[entry]
        if other != but:
            there = spots.router[other]
            change += load(grid, loads, here, there, sign * net.sent[entry])
            change += load(grid, loads, there, here, sign * net.received[entry])
    return change


@kernel
def load_both(net: Net, grid: Grid, spots: Spots, loads: Array, core: int, other: int, sign: float) -> float:
    """The same for a core and, if it is not -1, another."""
    change = load_core(net, grid, spots, loads, core, -1, sign)
    if other >= 0:
        change += load_core(net, grid, spots, loads, other, core, sign)
    return change


@kernel
def relieve(
    net: Net, grid: Grid, spots: Spots, moves: int, effort: int, most: float, length: float, state: Array
) -> None:
    """Greedy moves that take messages from the links that have most; ways grow by little.

    What falls is the sum of the links' loads to the fourth power, which the largest rule. ``spots`` is changed in
    place. At most ``moves`` are tried, and messages with about ``effort`` others looked at; messages times ways are
    ``length`` and may become ``most``.
    """
    loads = np.zeros(len(grid.x) * 4)
    total = link_loads(net, grid, spots, loads)
    longest, looked = max(grid.width, grid.height), 0
    for _ in range(moves):
        if looked > effort or total <= 0.0:
            return
        core = random_below(state, len(spots.site))
        router = neighbour(grid, spots.router[core], longest, state)
        site = -1 if router < 0 else target_site(grid, spots, core, router, state)
        if site < 0:
            continue
        change = move_change(net, grid, spots, core, site)
        if length + change > most:
            continue
        before, other = spots.site[core], spots.core[site]
        shift = load_both(net, grid, spots, loads, core, other, -1.0)
        move(grid, spots, core, site)
        shift += load_both(net, grid, spots, loads, core, other, 1.0)
        looked += entries_of(net, core) + entries_of(net, other)
        if change / length + shift / total < 0.0:
            length, total = length + change, total + shift
        else:
            load_both(net, grid, spots, loads, core, other, -1.0)
            move(grid, spots, core, before)
            load_both(net, grid, spots, loads, core, other, 1.0)


@kernel
def entries_of(net: Net, core: int) -> int:
    """How many others a core has messages with; 0 for core -1."""
    return int(net.first[core + 1] - net.first[core]) if core >= 0 else 0
