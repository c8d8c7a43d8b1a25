"""Fill cores with neurons one after the other, a new core where one does not fit."""

from __future__ import annotations

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.bits import bit_count
from snnc.kernels.jit import kernel


@kernel
def fill_cores(
    order: Array,
    first: Array,
    line: Array,
    needed: Array,
    copies: Array,
    lines: int,
    axons: int,
    neurons: int,
) -> tuple[Array, int]:
    """The core of every neuron, and how many axons all cores have.

    Args:
        order: (neurons,) int64, in which they are put on cores.
        first: (neurons + 1,) int64, where each neuron's synapses begin.
        line: (synapses,) int64, the line of each.
        needed: (synapses,) uint64, the kinds of axons of its line that each needs, a bit each.
        copies: (neurons,) int64, places that each neuron takes.
        lines: number of lines.
        axons: of a core.
        neurons: of a core.
    """
    core = np.zeros(len(order), np.int64)
    held = np.zeros(lines, np.uint64)
    since = np.full(lines, -1, np.int64)
    current, used, places, total = 0, 0, 0, 0
    for neuron in order:
        more, alone = 0, 0
        for at in range(first[neuron], first[neuron + 1]):
            here = held[line[at]] if since[line[at]] == current else np.uint64(0)
            more += bit_count(needed[at] & ~here)
            alone += bit_count(needed[at])
        if used + more > axons or places + copies[neuron] > neurons:
            current, total, used, places, more = current + 1, total + used, 0, 0, alone
        for at in range(first[neuron], first[neuron + 1]):
            if since[line[at]] != current:
                since[line[at]] = current
                held[line[at]] = np.uint64(0)
            held[line[at]] |= needed[at]
        core[neuron] = current
        used += more
        places += copies[neuron]
    return core, total + used
