"""Deliver spikes: add the weights of the synapse lists of all axons that a tick's spikes arrive at."""

from __future__ import annotations

from typing import NamedTuple

from numpy import empty, int16, int64, uint64

from snnc.graph.operators.base import Array

from .bits import SAMPLES, samples_in
from .jit import kernel


class SynapseLists(NamedTuple):
    """Synapse lists as runs over a pool of weights.

    Attributes:
        weights: (entries,) int16, in the unit of the sums.
        run_first: (runs,) int32, first destination, counted from the axon's base.
        run_weight: (runs,) int32, where the run's weights start in ``weights``.
        run_length: (runs,) int32.
        list_runs: (lists + 1,) int64, the runs of each list.
        list_synapses: (lists,) int64, the sum of each list's run lengths.
    """

    weights: Array
    run_first: Array
    run_weight: Array
    run_length: Array
    list_runs: Array
    list_synapses: Array


class Axons(NamedTuple):
    """Which lists the spikes of which neurons lead to, and when.

    Attributes:
        place: (axons,) int64, where the neuron's spikes stand in a row of spikes.
        lists: (axons,) int32, list of each axon.
        base: (axons,) int32, destination that its runs are counted from.
        group_shift: (groups,) int64; what the neurons of a group fire in tick k of their window arrives in tick
            k + shift of this one.
        group_axons: (groups + 1,) int64, the axons of each group.
    """

    place: Array
    lists: Array
    base: Array
    group_shift: Array
    group_axons: Array


@kernel
def add_run(sums: Array, weights: Array) -> None:
    """Add int16 ``weights`` to ``sums``, as long; given as slices, whose indices cannot be negative, it vectorises."""
    for i in range(len(sums)):
        sums[i] = int16(sums[i] + weights[i])


@kernel
def deliver(sums: Array, synapses: SynapseLists, axons: Axons, spikes: Array, tick: int) -> tuple[int, int]:
    """Add everything that arrives at one core part in one tick of its window to ``sums``.

    A list is read once for all samples in which its neuron fired: its runs are found and its weights loaded once,
    and the lengths of the loops stay the same, which the processor's branch prediction lives on.

    Args:
        sums: (samples, destinations) int16, changed in place; wraps around.
        synapses: lists of the core part.
        axons: of the core part.
        spikes: (ticks, neurons) uint64, the spikes so far, a bit a sample.
        tick: of the core part's window.

    Returns:
        Spikes that arrived at an axon, and synapses read, in all samples.
    """
    arrived, operations = 0, 0
    samples = empty(SAMPLES, int64)
    for group in range(len(axons.group_shift)):
        fired_at = tick - axons.group_shift[group]
        if fired_at < 0 or fired_at >= len(spikes):
            continue
        row = spikes[fired_at]
        for axon in range(axons.group_axons[group], axons.group_axons[group + 1]):
            word = row[axons.place[axon]]
            if word == uint64(0):
                continue
            count = samples_in(word, samples)
            which, base = axons.lists[axon], axons.base[axon]
            for run in range(synapses.list_runs[which], synapses.list_runs[which + 1]):
                to, weight = base + synapses.run_first[run], synapses.run_weight[run]
                length = synapses.run_length[run]
                weights = synapses.weights[weight : weight + length]
                for sample in samples[:count]:
                    add_run(sums[sample, to : to + length], weights)
            arrived += count
            operations += count * synapses.list_synapses[which]
    return arrived, operations
