"""Parts of populations on cores, what their spikes send where, and how long ticks take: data of kernels."""

from __future__ import annotations

from typing import NamedTuple

from snnc.graph.operators.base import Array

SENDER_KINDS = (
    "neuron_access",
    "neuron_active",
    "spike",
    "message_out",
    "hop_east_west",
    "hop_north_south",
    "chip_crossing",
)
"""Kinds of events that belong to the sender of a message; those of its receiver follow, ``message_in`` first."""

ACCESS, ACTIVE, SPIKE, OUT, HOPS = range(5)

IN = 7

IDLE, NEURONS, SYNAPSES, WAY, LINK = range(5)
"""What a tick waits for: nothing, neurons of a core, synapses of a core, the last message to a core, a link."""


class Units(NamedTuple):
    """Parts of populations on cores, in the order in which their neurons stand in a row of spikes.

    Attributes:
        first: (units + 1,) int64, place of each unit's first neuron.
        core: (units,) int64; spikes of the host have a core of their own behind the others.
        start: (units,) int64, chip tick at which its window opens.
        compartments: (units,) int64, for each neuron; 0 for the host.
    """

    first: Array
    core: Array
    start: Array
    compartments: Array


class SpikeFanout(NamedTuple):
    """What a spike of each neuron sends, one entry for each message and delay.

    Attributes:
        first: (neurons + 1,) int64, entries of each place in a row of spikes.
        unit: (entries,) int64, unit that reads the synapses.
        pair: (entries,) int64, from core to core.
        shift: (entries,) int64, ticks from the spike to the tick in which the synapses count.
        messages: (entries,) int64, 1, or 0 where the entry goes with the message of the one before.
        received: (entries, receiver kinds) int64, events at the receiver: the message, and what its chip counts, such
            as synapses by format and axon events.
        group: (neurons,) int64; the neurons of a group belong to one unit and send the same.
        group_place: (groups,) int64, place of one of its neurons.
        group_unit: (groups,) int64.
    """

    first: Array
    unit: Array
    pair: Array
    shift: Array
    messages: Array
    received: Array
    group: Array
    group_place: Array
    group_unit: Array


class Ways(NamedTuple):
    """The ways between pairs of cores.

    Attributes:
        target: (pairs,) int64 core.
        first_link, link: see ``Routes``.
        hops: (pairs, 3) int64, east-west, north-south, borders of chips.
        nanoseconds: (pairs,) float64, without queues.
        link_hop: (links,) float64, nanoseconds of each entry of ``link``, the border included.
    """

    target: Array
    first_link: Array
    link: Array
    hops: Array
    nanoseconds: Array
    link_hop: Array


class Lengths(NamedTuple):
    """How long ticks take; filled in place.

    Attributes:
        nanoseconds: (samples, chip ticks) float64.
        element, place: (samples, chip ticks) int64, what the tick waited for, and which core or link it is.
    """

    nanoseconds: Array
    element: Array
    place: Array
