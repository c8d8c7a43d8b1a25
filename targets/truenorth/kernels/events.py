"""Kinds of events of TrueNorth, and what is read and filled where they are counted and timed: data of kernels."""

from __future__ import annotations

from typing import NamedTuple

from snnc.graph.operators.base import Array

KINDS = (
    "axon_event",
    "synaptic_event",
    "neuron_update",
    "spike",
    "message_out",
    "hop_east_west",
    "hop_north_south",
    "chip_crossing",
    "message_in",
)
"""Kinds of events that are counted."""

AXON, SYNAPSE, UPDATE, SPIKE, OUT, HOPS = range(6)

IN = 8

DIGITS = 32
"""Binary digits of a number of samples."""


class CoreActivity(NamedTuple):
    """What all cores did in a block of ticks; see the fields of the same name in ``Watch``.

    Attributes:
        arrived: (block ticks, cores, samples, 4) uint64.
        synapses: (block ticks, cores, samples) int32.
        fired: (block ticks, cores, samples, 4) uint64.
        first: the block's first chip tick.
    """

    arrived: Array
    synapses: Array
    fired: Array
    first: int


class Sends(NamedTuple):
    """Where the spikes of cores go.

    Attributes:
        pair: (cores, 256) int64, pair of cores, -1 for neurons without a target.
        mask: (cores, 4) uint64, the neurons with one.
    """

    pair: Array
    mask: Array


class HostLines(NamedTuple):
    """What the host sends; it is one more core behind the others.

    Attributes:
        source: (lines,) int32, neuron among all of the host's, or -1 for a line that is always on.
        hold: (lines,) int64, ticks for which the host holds a spike back before it sends it.
        pair: (lines,) int64, from the host to a core.
        spikes: (samples, ticks, neurons of the host) bool.
    """

    source: Array
    hold: Array
    pair: Array
    spikes: Array


class CoreEventCounts(NamedTuple):
    """What is counted; filled in place.

    Attributes:
        events: (chip ticks, cores + 1, kinds) int64, sums over samples, the host last.
        messages: (pairs, chip ticks) int32, sums over samples, in the tick that sends them. A full chip may have a pair
            for every neuron, so this is what takes memory.
        each: (samples, kinds) int64, sums over cores and ticks; hops of cores only where they are weighed.
    """

    events: Array
    messages: Array
    each: Array
