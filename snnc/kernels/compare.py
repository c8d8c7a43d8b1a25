"""Add up the synapses that lists hold and take away those that a network asks for, cell by cell.

A cell stands for a source and a target neuron; the value of a synapse tells weights and numbers of synapses apart. The
cells are all 0 in the end exactly if both are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array

from .jit import kernel


@dataclass(frozen=True, eq=False)
class Cells:
    """Sums by source and target.

    Attributes:
        sums: (sources * targets,) int64.
        targets: number of targets.
        row: (source neurons,) int64, number of the source in ``sums``, -1 for those that have no list.
    """

    sums: Array
    targets: int
    row: Array


@dataclass(frozen=True, eq=False)
class Windows:
    """A convolution over two axes as a network asks for it.

    Attributes:
        values: (out channels, in channels / groups, rows, columns) int64, values of the synapses.
        share: out channels a group.
        space: rows and columns of the input.
        stride, before, dilation: by axis.
        gather: (inputs,) int64, source neuron of each input, -1 for none; empty where they are equal.
    """

    values: Array
    share: int
    space: tuple[int, int]
    stride: tuple[int, int]
    before: tuple[int, int]
    dilation: tuple[int, int]
    gather: Array


def add_lists(
    cells: Cells,
    rows: Array,
    lists: Array,
    base: Array,
    runs: tuple[Array, Array, Array, Array],
    start: Array,
    values: Array,
) -> None:
    """Add the synapses of the lists of axons.

    Args:
        cells: what is added to.
        rows: (axons,) int64, row of each axon's source.
        lists: (axons,) int64, the list of each.
        base: (axons,) int64, the compartment that it is counted from.
        runs: ``list_runs``, ``run_first``, ``run_weight`` and ``run_length`` of a memory, int64.
        start: (lists,) int64, where the values of each list's format begin.
        values: values of the synapses, format after format.
    """
    _add_lists(cells.sums, cells.targets, rows, lists, base, *runs, start, values)


def subtract_entries(cells: Cells, source: Array, target: Array, value: Array) -> int:
    """Take away synapses one by one; the index of the first whose source has no list, or -1."""
    return int(_subtract_entries(cells.sums, cells.targets, cells.row, source, target, value))


def subtract_windows(
    cells: Cells, windows: Windows, target: Array, place: tuple[Array, Array, Array]
) -> tuple[int, int]:
    """Take away the synapses of a convolution that lead to some targets.

    Args:
        cells: what is taken from.
        windows: the convolution.
        target: (n,) int64, number of each target.
        place: channel, row and column of each target in the convolution's output.

    Returns:
        The source neuron and index into ``target`` of a synapse whose source has no list, or -1 and -1.
    """
    source, at = _subtract_windows(
        cells.sums,
        cells.targets,
        cells.row,
        windows.values,
        windows.share,
        windows.space,
        windows.stride,
        windows.before,
        windows.dilation,
        windows.gather,
        target,
        *place,
    )
    return int(source), int(at)


@kernel
def _add_lists(
    sums: Array,
    targets: int,
    rows: Array,
    lists: Array,
    base: Array,
    list_runs: Array,
    run_first: Array,
    run_weight: Array,
    run_length: Array,
    start: Array,
    values: Array,
) -> None:
    for axon in range(len(lists)):
        number = lists[axon]
        corner = rows[axon] * targets + base[axon]
        for run in range(list_runs[number], list_runs[number + 1]):
            cell = corner + run_first[run]
            weight = start[number] + run_weight[run]
            for step in range(run_length[run]):
                sums[cell + step] += values[weight + step]


@kernel
def _subtract_entries(
    sums: Array, targets: int, row: Array, source: Array, target: Array, value: Array
) -> int:
    for entry in range(len(source)):
        if value[entry] == 0:
            continue
        number = row[source[entry]]
        if number < 0:
            return entry
        sums[number * targets + target[entry]] -= value[entry]
    return -1


@kernel
def _subtract_windows(
    sums: Array,
    targets: int,
    row: Array,
    values: Array,
    share: int,
    space: tuple[int, int],
    stride: tuple[int, int],
    before: tuple[int, int],
    dilation: tuple[int, int],
    gather: Array,
    target: Array,
    channel: Array,
    top: Array,
    left: Array,
) -> tuple[int, int]:
    _, per_group, height, width = values.shape
    for at in range(len(target)):
        first = channel[at] // share * per_group
        for down in range(height):
            y = top[at] * stride[0] - before[0] + down * dilation[0]
            if y < 0 or y >= space[0]:
                continue
            for across in range(width):
                x = left[at] * stride[1] - before[1] + across * dilation[1]
                if x < 0 or x >= space[1]:
                    continue
                for inner in range(per_group):
                    value = values[channel[at], inner, down, across]
                    source = ((first + inner) * space[0] + y) * space[1] + x
                    if len(gather):
                        source = gather[source]
                    if value == 0 or source < 0:
                        continue
                    number = row[source]
                    if number < 0:
                        return source, at
                    sums[number * targets + target[at]] -= value
    return -1, -1


def values_of(weights: Array) -> Array:
    """The values of synapses of the given weights in steps of 64, int64; a weight of 0 is no synapse."""
    steps = np.asarray(weights, np.int64)
    return np.where(steps != 0, steps + ONE, 0)


ONE = 2**32
"""What a synapse adds to its cell beside its weight."""
