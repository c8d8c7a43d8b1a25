"""Sums of rows of a matrix: what spikes at the axons of a core with a weight for each axon and neuron add up to."""

from __future__ import annotations

from snnc.graph.operators.base import Array

from .jit import kernel


@kernel
def add_rows(sums: Array, weight: Array, arrived: Array) -> int:
    """Add the row of every axon to the sums of every sample in which a spike arrives at it.

    Args:
        sums: (samples, neurons) int64, changed in place.
        weight: (axons, neurons) int32.
        arrived: (axons, samples) bool.

    Returns:
        Spikes that arrived.
    """
    events = 0
    for axon in range(len(weight)):
        for sample in range(len(sums)):
            if arrived[axon, sample]:
                events += 1
                for neuron in range(weight.shape[1]):
                    sums[sample, neuron] += weight[axon, neuron]
    return events
