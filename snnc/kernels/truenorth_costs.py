"""Count the events of a TrueNorth run and time its ticks: from counts, or event by event.

In a tick a core takes the axons that its scheduler holds and then its neurons one after the other: the synapses of a
neuron with these axons, its update, and where it fires its spike, which leaves at once (Akopyan et al. 2015, section
V). Schedulers take spikes side by side with that. A tick ends when all cores are done and no spike is on its way, and
not before the shortest tick. How long any of this takes is not published: times are those of a user's cost set.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import empty, float64, int64, uint64, zeros

from snnc.graph.operators.base import Array

from .bits import bit_count
from .crossbar import NEURONS, WORDS, bits_of
from .event_driven import Messages, Schedule, deliver_messages, finish_tick
from .jit import kernel
from .timing import IDLE, Lengths, Stages, Ways, most_loaded_link, slowest_core

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


class Activity(NamedTuple):
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


class Tally(NamedTuple):
    """What is counted; filled in place.

    Attributes:
        events: (chip ticks, cores + 1, kinds) int64, sums over samples, the host last.
        messages: (chip ticks, pairs) int64, sums over samples, in the tick that sends them.
        each: (samples, kinds) int64, sums over cores and ticks.
    """

    events: Array
    messages: Array
    each: Array


@kernel
def count_block(activity: Activity, pair: Array, ways: Ways, tally: Tally) -> None:
    """Count all events of a block but those of the host; ``pair`` (cores, 256) is -1 for neurons without a target."""
    ticks, cores, samples = activity.synapses.shape
    counts, any_fired, found = zeros(NEURONS, int64), zeros(WORDS, uint64), zeros(len(KINDS), int64)
    for place in range(ticks):
        tick = activity.first + place
        for core in range(cores):
            any_fired[:] = 0
            for sample in range(samples):
                fired = activity.fired[place, core, sample]
                found[:] = 0
                found[AXON] = bits_of(activity.arrived[place, core, sample])
                found[SYNAPSE] = activity.synapses[place, core, sample]
                found[UPDATE] = NEURONS
                if fired[0] | fired[1] | fired[2] | fired[3]:
                    any_fired |= fired
                    count_spikes(fired, pair[core], ways.hops, counts, found)
                add_all(tally.each[sample], found)
                add_all(tally.events[tick, core], found)
                tally.each[sample, IN] += found[OUT]
            spread_counts(any_fired, counts, pair[core], ways, tally, tick)


@kernel
def add_all(into: Array, found: Array) -> None:
    """Add ``found`` (kinds,)."""
    for kind in range(len(found)):
        into[kind] += found[kind]


@kernel
def count_spikes(fired: Array, pair: Array, hops: Array, counts: Array, found: Array) -> None:
    """Add a sample's spikes to ``counts`` (256,), and what their core does to ``found`` (kinds,)."""
    spikes, sent, along_x, along_y, crossings = int64(0), int64(0), int64(0), int64(0), int64(0)
    for word in range(WORDS):
        left = fired[word]
        while left:
            lowest = left & (~left + uint64(1))
            left ^= lowest
            neuron = 64 * word + bit_count(lowest - uint64(1))
            counts[neuron] += 1
            spikes += 1
            way = pair[neuron]
            if way >= 0:
                sent += 1
                along_x += hops[way, 0]
                along_y += hops[way, 1]
                crossings += hops[way, 2]
    found[SPIKE], found[OUT] = spikes, sent
    found[HOPS], found[HOPS + 1], found[HOPS + 2] = along_x, along_y, crossings


@kernel
def spread_counts(fired: Array, counts: Array, pair: Array, ways: Ways, tally: Tally, tick: int) -> None:
    """Count the messages of the neurons that ``fired`` (4,), ``counts`` (256,) times each, which are set to 0."""
    for word in range(WORDS):
        left = fired[word]
        while left:
            lowest = left & (~left + uint64(1))
            left ^= lowest
            neuron = 64 * word + bit_count(lowest - uint64(1))
            if pair[neuron] >= 0:
                tally.messages[tick, pair[neuron]] += counts[neuron]
                tally.events[tick, ways.target[pair[neuron]], IN] += counts[neuron]
            counts[neuron] = 0


@kernel
def line_fires(host: HostLines, line: int, tick: int, sample: int) -> bool:
    """Whether the host sends a spike along a line in a chip tick."""
    given = tick - host.hold[line]
    if given < 0 or given >= host.spikes.shape[1]:
        return False
    return bool(host.source[line] < 0 or host.spikes[sample, given, host.source[line]])


@kernel
def count_host(host: HostLines, ways: Ways, tally: Tally) -> None:
    """Count the messages of the host in all ticks of a batch."""
    ticks, core = tally.events.shape[0], tally.events.shape[1] - 1
    for line in range(len(host.source)):
        way = host.pair[line]
        for tick in range(ticks):
            count = int64(0)
            for sample in range(len(tally.each)):
                if line_fires(host, line, tick, sample):
                    count += 1
                    add_messages(tally.each[sample], 1, ways.hops[way])
                    tally.each[sample, IN] += 1
            if count:
                add_messages(tally.events[tick, core], count, ways.hops[way])
                tally.events[tick, ways.target[way], IN] += count
                tally.messages[tick, way] += count


@kernel
def add_messages(found: Array, count: int, hops: Array) -> None:
    """Add to ``found`` (kinds,) what ``count`` messages with these hops are for their sender."""
    found[OUT] += count
    for direction in range(3):
        found[HOPS + direction] += count * hops[direction]


@kernel
def estimate_block(
    activity: Activity,
    pair: Array,
    host: HostLines,
    ways: Ways,
    time: Array,
    link_time: float,
    shortest: float,
    lengths: Lengths,
) -> None:
    """Estimate how long the ticks of a block take, from its counts.

    A core takes the sum of its events, its synapses being spread evenly over its neurons. Spikes take their way
    without queues. A tick takes as long as its slowest core, most loaded link or longest way, as ``estimate_ticks`` has
    it, but not less than ``shortest``.

    Args:
        activity: the block's.
        pair: (cores, 256) int64, -1 for neurons without a target.
        host: its lines.
        ways: of the program.
        time: (kinds,) float64, nanoseconds.
        link_time: nanoseconds between messages on one link.
        shortest: nanoseconds of the shortest tick.
        lengths: filled.
    """
    ticks, cores, samples = activity.synapses.shape
    stages = Stages(
        zeros((cores + 1, 1), float64),
        zeros((cores + 1, 1), float64),
        zeros((cores + 1, 1), float64),
        zeros((cores + 1, 1), float64),
        zeros((cores + 1, 1), float64),
        zeros((len(ways.target) if link_time else 0, 1), float64),
        zeros((0, 2), float64),
    )
    loads = zeros(1 + ways.link.max() if len(ways.link) else 0, float64)
    for place in range(ticks):
        tick = activity.first + place
        for sample in range(samples):
            stages.updated[:], stages.sent[:], stages.service[:], stages.last[:] = 0.0, 0.0, 0.0, 0.0
            stages.arrival[:], stages.load[:] = np.inf, 0.0
            for core in range(cores):
                run_core(activity, place, core, sample, pair[core], ways, time, stages)
            for line in range(len(host.source)):
                if line_fires(host, line, tick, sample):
                    send(host.pair[line], cores, 0.0, 0.0, ways, time, stages)
            found = slowest_core(stages, 0)
            if link_time:
                found = most_loaded_link(stages.load[:, 0], ways, link_time, loads, found)
            write_length(found, shortest, sample, tick, lengths)


@kernel
def write_length(
    found: tuple[float, int, int], shortest: float, sample: int, tick: int, lengths: Lengths
) -> None:
    """A tick's length, and what it waited for."""
    waits = found[0] > shortest
    lengths.nanoseconds[sample, tick] = found[0] if waits else shortest
    lengths.element[sample, tick] = found[1] if waits else IDLE
    lengths.place[sample, tick] = found[2] if waits else 0


@kernel
def run_core(
    activity: Activity,
    place: int,
    core: int,
    sample: int,
    pair: Array,
    ways: Ways,
    time: Array,
    stages: Stages,
) -> None:
    """One tick of a core."""
    begin = int64(bits_of(activity.arrived[place, core, sample])) * time[AXON]
    work = activity.synapses[place, core, sample] * time[SYNAPSE] + NEURONS * time[UPDATE]
    for word in range(WORDS):
        left = activity.fired[place, core, sample, word]
        while left:
            lowest = left & (~left + uint64(1))
            left ^= lowest
            neuron = 64 * word + bit_count(lowest - uint64(1))
            done = begin + work * (neuron + 1) / NEURONS
            send(pair[neuron], core, done, time[SPIKE], ways, time, stages)
    stages.updated[core, 0] = begin + work


@kernel
def send(way: int, core: int, done: float, spike: float, ways: Ways, time: Array, stages: Stages) -> None:
    """A spike of a neuron whose update is ``done``, to which the time of the spikes before comes; -1 is no way."""
    stages.sent[core, 0] += spike
    if way >= 0:
        stages.sent[core, 0] += time[OUT]
        target, arrival = ways.target[way], done + stages.sent[core, 0] + ways.nanoseconds[way]
        stages.arrival[target, 0] = min(stages.arrival[target, 0], arrival)
        stages.service[target, 0] += time[IN]
        stages.last[target, 0] = max(stages.last[target, 0], arrival + time[IN])
        if len(stages.load):
            stages.load[way, 0] += 1.0


@kernel
def simulate_block(
    activity: Activity,
    sample: int,
    reaching: Array,
    pair: Array,
    host: HostLines,
    ways: Ways,
    time: Array,
    link_time: float,
    shortest: float,
    schedule: Schedule,
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
    activity: Activity,
    place: int,
    sample: int,
    reaching: Array,
    pair: Array,
    host: HostLines,
    time: Array,
    updated: Array,
) -> Messages:
    """The spikes of a tick with the times at which they are sent; ``updated`` (cores + 1,) is filled."""
    cores, size = len(reaching), len(host.source)
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
    return Messages(ways[:count], sent[:count], none[0], none[1], none[2], np.full(count, time[IN]))


@kernel
def synapses_of(reaching: Array, active: Array, neuron: int) -> int:
    """How many active axons reach a neuron."""
    found = int64(0)
    for word in range(WORDS):
        found += bit_count(reaching[word, neuron] & active[word])
    return found
