"""Number the pairs of cores that spikes go between."""

from __future__ import annotations

from numpy import int64, uint64, zeros

from snnc.graph.operators.base import Array
from snnc.kernels.bits import bit_count, lowest_bit
from snnc.kernels.jit import kernel


@kernel
def number_pairs(
    targets: Array, first: int, marked: Array, before: Array, pairs: Array, pair_targets: Array
) -> int:
    """Number the pairs of a core and its targets, ascending; a bit for each core, so nothing is sorted.

    Args:
        targets: (neurons,) int32 cores, -1 for none.
        first: number of the first pair.
        marked: (cores / 64,) uint64, zeros before and after.
        before: (cores / 64,) int64, overwritten.
        pairs: (neurons,) int64, set to the numbers, -1 for none.
        pair_targets: (pairs,) int64, set to the targets from ``first`` on.

    Returns:
        The number behind the last one.
    """
    for neuron in range(len(targets)):
        if targets[neuron] >= 0:
            marked[targets[neuron] >> 6] |= uint64(1) << uint64(targets[neuron] & 63)
    for word in range(len(marked)):
        before[word], left = first, marked[word]
        while left:
            pair_targets[first] = 64 * word + int64(lowest_bit(left))
            left &= left - uint64(1)
            first += 1
    for neuron in range(len(targets)):
        target = targets[neuron]
        below = (uint64(1) << uint64(target & 63)) - uint64(1)
        word = target >> 6
        pairs[neuron] = before[word] + int64(bit_count(marked[word] & below)) if target >= 0 else -1
    marked[:] = uint64(0)
    return first


@kernel
def number_all_pairs(
    targets: Array, lines: Array, pairs: Array, line_pairs: Array, pair_targets: Array
) -> Array:
    """Number the pairs of all cores and, behind them, of the host.

    Args:
        targets: (cores, 256) int32, -1 for none.
        lines: (lines,) int32, cores that the host sends to.
        pairs: (cores, 256) int64, set to the numbers.
        line_pairs: (lines,) int64, set to the numbers.
        pair_targets: (pairs,) int64, room for their targets.

    Returns:
        (cores + 2,) int64, the first pair of each core and of the host, and that behind the last.
    """
    cores = len(targets)
    words = cores // 64 + 1
    marked, before, first = zeros(words, uint64), zeros(words, int64), zeros(cores + 2, int64)
    for core in range(cores):
        first[core + 1] = number_pairs(targets[core], first[core], marked, before, pairs[core], pair_targets)
    first[cores + 1] = number_pairs(lines, first[cores], marked, before, line_pairs, pair_targets)
    return first
