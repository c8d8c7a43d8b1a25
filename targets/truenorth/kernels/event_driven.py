"""Simulate the ticks of one sample of a TrueNorth run event by event."""

from __future__ import annotations

import numpy as np
from numpy import empty, float64, int64, uint64, zeros

from snnc.graph.operators.base import Array
from snnc.kernels.bits import bit_count
from snnc.kernels.event_driven import EventTimes, TickMessages, deliver_messages, finish_tick
from snnc.kernels.jit import kernel
from snnc.kernels.messages import IDLE, Ways

from .counting import line_fires
from .crossbar import NEURONS, WORDS, bits_of
from .events import AXON, IN, OUT, SPIKE, SYNAPSE, UPDATE, CoreActivity, HostLines


@kernel
def simulate_block(
    activity: CoreActivity,
    sample: int,
    reaching: Array,
    pair: Array,
    host: HostLines,
    ways: Ways,
    time: Array,
    link_time: float,
    shortest: float,
    schedule: EventTimes,
) -> None:
    """Simulate the ticks of a block for one sample, event by event; queues are those of ``simulate_sample``.

    Args:
        activity: the block's.
        sample: which one.
        reaching: (cores, 4, 256) uint64, the axons that reach each neuron.
        pair: (cores, 256) int64, -1 for neurons without a target.
        host: its lines.
        ways: of the program.
        time: (kinds,) float64, nanoseconds.
        link_time: nanoseconds.
        shortest: nanoseconds of the shortest tick.
        schedule: filled; must hold zeros.
    """
    for place in range(len(activity.synapses)):
        tick = activity.first + place
        messages = sent_messages(activity, place, sample, reaching, pair, host, time, schedule.updated[tick])
        deliver_messages(messages, ways, link_time, schedule.links[tick])
        finish_tick(messages, ways, 0.0, tick, schedule)
        if schedule.nanoseconds[tick] <= shortest:
            schedule.nanoseconds[tick], schedule.element[tick], schedule.place[tick] = shortest, IDLE, 0


@kernel
def sent_messages(
    activity: CoreActivity,
    place: int,
    sample: int,
    reaching: Array,
    pair: Array,
    host: HostLines,
    time: Array,
    updated: Array,
) -> TickMessages:
    """The spikes of a tick with the times at which they are sent; ``updated`` (cores + 1,) is filled."""
    cores, size = len(reaching), int64(len(host.source))
    for core in range(cores):
        size += bits_of(activity.fired[place, core, sample])
    ways, sent = empty(size, int64), empty(size, float64)
    count = 0
    for core in range(cores):
        active, fired = activity.arrived[place, core, sample], activity.fired[place, core, sample]
        clock = int64(bits_of(active)) * time[AXON]
        for neuron in range(NEURONS):
            clock += synapses_of(reaching[core], active, neuron) * time[SYNAPSE] + time[UPDATE]
            if (fired[neuron >> 6] >> uint64(neuron & 63)) & uint64(1):
                clock += time[SPIKE]
                if pair[core, neuron] >= 0:
                    clock += time[OUT]
                    ways[count], sent[count] = pair[core, neuron], clock
                    count += 1
        updated[core] = clock
    for line in range(len(host.source)):
        if line_fires(host, line, activity.first + place, sample):
            updated[cores] += time[OUT]
            ways[count], sent[count] = host.pair[line], updated[cores]
            count += 1
    none = zeros((3, count), float64)
    return TickMessages(ways[:count], sent[:count], none[0], none[1], none[2], np.full(count, time[IN]))


@kernel
def synapses_of(reaching: Array, active: Array, neuron: int) -> int64:
    """How many active axons reach a neuron."""
    synapses = int64(0)
    for word in range(WORDS):
        synapses += bit_count(reaching[word, neuron] & active[word])
    return synapses
