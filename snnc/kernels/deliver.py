"""Deliver spikes: add the weights of the synapse lists of all axons that a tick's spikes arrive at."""

from __future__ import annotations

from typing import NamedTuple

from numpy import int16

from snnc.graph.operators.base import Array

from .jit import kernel


class Synapses(NamedTuple):
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
    """Which lists the spikes of which source blocks lead to, and when.

    Attributes:
        lists: (axons,) int32, list of each axon.
        base: (axons,) int32, destination that its runs are counted from.
        source_block: (sources,) int32, block that the spikes come from; one source a block and delay.
        source_shift: (sources,) int32; what the block fires in tick k of its window arrives in tick k + shift.
        source_lookup: (sources,) int64, where the source's part of ``lookup`` starts.
        lookup: int32; with o = source_lookup[s], neuron n of source s has the axons lookup[o + n] to
            lookup[o + n + 1].
    """

    lists: Array
    base: Array
    source_block: Array
    source_shift: Array
    source_lookup: Array
    lookup: Array


class Events(NamedTuple):
    """All spikes of a batch of samples, as lists of neurons.

    Attributes:
        first: (blocks, samples, ticks) int64, where the spikes of a block, sample and tick start in ``neurons``.
        length: (blocks, samples, ticks) int32, how many there are.
        neurons: (capacity,) int16, indices within the block, ascending.
        used: (1,) int64, entries of ``neurons`` that are filled.
    """

    first: Array
    length: Array
    neurons: Array
    used: Array


@kernel
def add_run(sums: Array, weights: Array) -> None:
    """Add int16 ``weights`` to ``sums``, as long; given as slices, whose indices cannot be negative, it vectorises."""
    for i in range(len(sums)):
        sums[i] = int16(sums[i] + weights[i])


@kernel
def deliver(
    sums: Array, synapses: Synapses, axons: Axons, events: Events, sample: int, tick: int
) -> tuple[int, int]:
    """Add everything that arrives at one core part in one tick of its window to ``sums``.

    Args:
        sums: (destinations,) int16, changed in place; wraps around.
        synapses: lists of the core part.
        axons: of the core part.
        events: the spikes so far.
        sample: which one of the batch.
        tick: of the core part's window.

    Returns:
        Spikes that arrived at an axon, and synapses read.
    """
    arrived, operations = 0, 0
    ticks = events.length.shape[2]
    for source in range(len(axons.source_block)):
        fired_at = tick - axons.source_shift[source]
        if fired_at < 0 or fired_at >= ticks:
            continue
        block, offset = axons.source_block[source], axons.source_lookup[source]
        first = events.first[block, sample, fired_at]
        for event in range(first, first + events.length[block, sample, fired_at]):
            entry = offset + events.neurons[event]
            for axon in range(axons.lookup[entry], axons.lookup[entry + 1]):
                which, base = axons.lists[axon], axons.base[axon]
                for run in range(synapses.list_runs[which], synapses.list_runs[which + 1]):
                    to, weight = base + synapses.run_first[run], synapses.run_weight[run]
                    length = synapses.run_length[run]
                    add_run(sums[to : to + length], synapses.weights[weight : weight + length])
                arrived += 1
                operations += synapses.list_synapses[which]
    return arrived, operations
