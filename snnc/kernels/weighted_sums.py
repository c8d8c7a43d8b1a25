"""What synapse lists add up to when numbers arrive at axons instead of spikes."""

from __future__ import annotations

from snnc.graph.operators.base import Array

from .jit import kernel


@kernel
def add_weighted_lists(
    sums: Array,
    numbers: Array,
    lists: Array,
    base: Array,
    list_runs: Array,
    run_first: Array,
    run_weight: Array,
    run_length: Array,
    start: Array,
    values: Array,
) -> None:
    """Add to every target the weights of its synapses times the numbers of their axons.

    Args:
        sums: (rows, targets) float64, changed in place.
        numbers: (axons, rows) float64.
        lists: (axons,) int64, the list of each.
        base: (axons,) int64, the compartment that it is counted from.
        list_runs: (lists + 1,) int64; list k has the runs list_runs[k] to list_runs[k + 1].
        run_first: (runs,) int64, first target, counted from the base.
        run_weight: (runs,) int64, where a run's weights start, counted from the list's ``start``.
        run_length: (runs,) int64, consecutive targets and weights.
        start: (lists,) int64, where the weights of each list's format begin.
        values: float64, weights, format after format.
    """
    for axon in range(len(lists)):
        number = lists[axon]
        for run in range(list_runs[number], list_runs[number + 1]):
            first = base[axon] + run_first[run]
            weight = start[number] + run_weight[run]
            for row in range(len(sums)):
                factor = numbers[axon, row]
                for step in range(run_length[run]):
                    sums[row, first + step] += values[weight + step] * factor
