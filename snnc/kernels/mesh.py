"""Ways on a mesh, along x first and then along y: links and hops of pairs of cores."""

from __future__ import annotations

from numpy import int64, zeros

from snnc.graph.operators.base import Array

from .jit import inner_kernel, kernel


@inner_kernel
def direction(axis: int, start: int, end: int) -> int:
    """The link that a leg along an axis takes at every step: 0 to the east, 1 west, 2 north, 3 south."""
    return int(2 * axis + (0 if end > start else 1))


@kernel
def write_hops(places: Array, first: Array, target: Array, side: int, hops: Array) -> None:
    """The hops along x and y, and the borders of chips, of every pair.

    Args:
        places: (cores + 1, 2) int64, x and y.
        first: (cores + 2,) int64, pairs of each core.
        target: (pairs,) int64.
        side: cores along a chip's side.
        hops: (pairs, 3) int32, filled.
    """
    chips = places // side
    for core in range(len(places)):
        x, y, chip_x, chip_y = places[core, 0], places[core, 1], chips[core, 0], chips[core, 1]
        for pair in range(first[core], first[core + 1]):
            end = target[pair]
            hops[pair, 0], hops[pair, 1] = abs(x - places[end, 0]), abs(y - places[end, 1])
            hops[pair, 2] = abs(chip_x - chips[end, 0]) + abs(chip_y - chips[end, 1])


@kernel
def write_routes(
    start: Array, end: Array, height: int, side: int, times: Array, first: Array, link: Array, hop: Array
) -> None:
    """The links of every pair, along x first and then along y, numbered as ``Mesh`` does.

    Args:
        start: (pairs, 2) int64, x and y of each pair's first core.
        end: the same of its last.
        height: rows of cores of all chips.
        side: cores along a chip's side.
        times: (3,) float64, nanoseconds of a hop along x and along y, and of the border of a chip.
        first: (pairs + 1,) int64, where the links of each pair begin.
        link: int64, filled.
        hop: float64, nanoseconds of each link with its border, filled.
    """
    place = zeros(2, int64)
    for pair in range(len(start)):
        at = first[pair]
        place[:] = start[pair]
        for axis in range(2):
            while place[axis] != end[pair, axis]:
                forward = end[pair, axis] > place[axis]
                crosses = (place[axis] + (1 if forward else 0)) % side == 0
                link[at] = (place[0] * height + place[1]) * 4 + direction(axis, place[axis], end[pair, axis])
                hop[at] = times[axis] + (times[2] if crosses else 0.0)
                place[axis] += 1 if forward else -1
                at += 1
