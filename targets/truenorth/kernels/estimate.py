"""Time the ticks of a TrueNorth run: a fast estimate from counts.

In a tick a core takes the axons that its scheduler holds and then its neurons one after the other: the synapses of a
neuron with these axons, its update, and where it fires its spike, which leaves at once (Akopyan et al. 2015, section
V). Schedulers take spikes side by side with that. A tick ends when all cores are done and no spike is on its way, and
not before the shortest tick. How long any of this takes is not published: times are those of a user's cost set.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import float64, int64, uint64, zeros

from snnc.graph.operators.base import Array
from snnc.kernels.bits import bit_count, highest_bit, lowest_bit
from snnc.kernels.jit import inner_kernel, kernel
from snnc.kernels.mesh import direction
from snnc.kernels.messages import IDLE, LINK, SYNAPSES, WAY, Lengths, Ways
from snnc.kernels.messages import NEURONS as NEURON_STAGE

from .crossbar import NEURONS, WORDS
from .events import AXON, IN, OUT, SPIKE, SYNAPSE, UPDATE, CoreActivity, HostLines, Sends

OWN, ARRIVAL, SERVICE, LAST = range(4)
"""Times of a core in a tick: of all it does itself; the first message's arrival; of all messages; the last's end."""


class CoreStages(NamedTuple):
    """The state of one tick.

    Attributes:
        times: (cores + 1, samples, 4) float64, nanoseconds, see ``OWN`` and its neighbours.
        changes: (samples, columns, rows, 4) int64, by how many messages a link from (x, y) to the east, west, north or
            south has more than the one before it in that direction: a way changes two links of each of its legs.
    """

    times: Array
    changes: Array


@kernel
def ways_of_cores(pair: Array, ways: int) -> tuple[Array, Array]:
    """Where the ways of each core begin, (cores + 1,) int64, and the neurons of each, (ways, 4) uint64.

    Pairs are numbered by their first core, so those of a core are neighbours.
    """
    first, members = zeros(len(pair) + 1, int64), zeros((ways, WORDS), uint64)
    for core in range(len(pair)):
        first[core + 1] = first[core]
        for neuron in range(NEURONS):
            if pair[core, neuron] >= 0:
                members[pair[core, neuron], neuron >> 6] |= uint64(1) << uint64(neuron & 63)
                first[core + 1] = max(first[core + 1], pair[core, neuron] + 1)
    return first, members


@kernel
def estimate_block(
    activity: CoreActivity,
    sends: Sends,
    host: HostLines,
    ways: Ways,
    ends: Array,
    height: int,
    time: Array,
    link_time: float,
    shortest: float,
    lengths: Lengths,
) -> None:
    """Estimate how long the ticks of a block take, from its counts.

    A core takes the sum of its events, its synapses being spread evenly over its neurons. Spikes take their way
    without queues. A tick takes as long as its slowest core, most loaded link or longest way, as ``estimate_ticks`` has
    it, but not less than ``shortest``. Of the spikes of a core that go one way only the first and the last matter, and
    how many there are.

    Args:
        activity: the block's.
        sends: where spikes go.
        host: its lines.
        ways: of the program.
        ends: (ways, 4) int64, x and y of each one's first core and of its last.
        height: rows of cores of all chips.
        time: (kinds,) float64, nanoseconds.
        link_time: nanoseconds between messages on one link.
        shortest: nanoseconds of the shortest tick.
        lengths: filled.
    """
    ticks, cores, samples = activity.synapses.shape
    first, members = ways_of_cores(sends.pair, len(ways.target))
    columns, rows = (1 + ends[:, 0::2].max(), 1 + ends[:, 1::2].max()) if len(ends) else (1, 1)
    stages = CoreStages(zeros((cores + 1, samples, 4), float64), zeros((samples, columns, rows, 4), int64))
    carried = zeros((rows, 2), int64)
    for place in range(ticks):
        stages.times[:], stages.times[..., ARRIVAL] = 0.0, np.inf
        for core in range(cores):
            for sample in range(samples):
                run_core(activity, place, core, sample, sends, first, members, ways, ends, time, stages)
        tick = activity.first + place
        for sample in range(samples):
            run_host(host, tick, sample, ways, ends, time, stages)
            longest = slowest(stages.times, sample)
            if link_time > 0.0:
                load, link = busiest_link(stages.changes, sample, height, carried)
                if load * link_time > longest[0]:
                    longest = (float(load * link_time), LINK, int(link))
            write_length(longest, shortest, sample, tick, lengths)


@inner_kernel
def run_core(
    activity: CoreActivity,
    place: int,
    core: int,
    sample: int,
    sends: Sends,
    first: Array,
    members: Array,
    ways: Ways,
    ends: Array,
    time: Array,
    stages: CoreStages,
) -> None:
    """One tick of a core."""
    fired, arrived, axons, spikes, sent = activity.fired, activity.arrived, int64(0), int64(0), int64(0)
    for word in range(WORDS):
        bits = fired[place, core, sample, word]
        axons += int64(bit_count(arrived[place, core, sample, word]))
        spikes += int64(bit_count(bits))
        sent += int64(bit_count(bits & sends.mask[core, word]))
    begin = axons * time[AXON]
    work = activity.synapses[place, core, sample] * time[SYNAPSE] + NEURONS * time[UPDATE]
    stages.times[core, sample, OWN] = begin + work + spikes * time[SPIKE] + sent * time[OUT]
    if sent:
        for way in range(first[core], first[core + 1]):
            count, low, high = int64(0), int64(-1), int64(-1)
            for word in range(WORDS):
                bits = fired[place, core, sample, word] & members[way, word]
                if bits:
                    count += int64(bit_count(bits))
                    low = 64 * word + int64(lowest_bit(bits)) if low < 0 else low
                    high = 64 * word + int64(highest_bit(bits))
            if count:
                departure = leaves(fired, place, core, sample, sends.mask, low, begin, work, time)
                last = departure
                if high > low:
                    last = leaves(fired, place, core, sample, sends.mask, high, begin, work, time)
                send(way, sample, count, departure, last, ways, ends, time, stages)


@inner_kernel
def leaves(
    fired: Array,
    place: int,
    core: int,
    sample: int,
    mask: Array,
    neuron: int64,
    begin: float64,
    work: float64,
    time: Array,
) -> float64:
    """When the spike of a neuron leaves its core."""
    spikes, sent, last = int64(0), int64(0), neuron >> 6
    upto = ~uint64(0) >> uint64(63 - (neuron & 63))
    for word in range(last + 1):
        bits = fired[place, core, sample, word]
        bits = bits & upto if word == last else bits
        spikes += int64(bit_count(bits))
        sent += int64(bit_count(bits & mask[core, word]))
    return float64(begin + work * (neuron + 1) / NEURONS + spikes * time[SPIKE] + sent * time[OUT])


@inner_kernel
def run_host(
    host: HostLines, tick: int, sample: int, ways: Ways, ends: Array, time: Array, stages: CoreStages
) -> None:
    """What the host sends in a tick."""
    sent, given_ticks, units = int64(0), host.spikes.shape[1], len(stages.times)
    for line in range(len(host.source)):
        presented, source = tick - host.hold[line], host.source[line]
        if 0 <= presented < given_ticks and (source < 0 or host.spikes[sample, presented, source]):
            sent += 1
            left = sent * time[OUT]
            send(host.pair[line], sample, int64(1), left, left, ways, ends, time, stages)
    stages.times[units - 1, sample, OWN] = sent * time[OUT]


@inner_kernel
def send(
    way: int,
    sample: int,
    count: int64,
    first: float64,
    last: float64,
    ways: Ways,
    ends: Array,
    time: Array,
    stages: CoreStages,
) -> None:
    """Send some spikes one way, the first and the last at these times."""
    times, target, nanoseconds = stages.times, ways.target[way], ways.nanoseconds[way]
    times[target, sample, ARRIVAL] = min(times[target, sample, ARRIVAL], first + nanoseconds)
    times[target, sample, SERVICE] += count * time[IN]
    times[target, sample, LAST] = max(times[target, sample, LAST], last + nanoseconds + time[IN])
    x, y, to_x, to_y = ends[way, 0], ends[way, 1], ends[way, 2], ends[way, 3]
    if x != to_x:
        link = direction(0, x, to_x)
        stages.changes[sample, x, y, link] += count
        stages.changes[sample, to_x, y, link] -= count
    if y != to_y:
        link = direction(1, y, to_y)
        stages.changes[sample, to_x, y, link] += count
        stages.changes[sample, to_x, to_y, link] -= count


@inner_kernel
def slowest(times: Array, sample: int) -> tuple[float, int, int]:
    """When the last core is done, what it waited for, and which it is."""
    end, element, place = 0.0, IDLE, 0
    for core in range(len(times)):
        if times[core, sample, OWN] > end:
            end, element, place = times[core, sample, OWN], NEURON_STAGE, core
        if times[core, sample, LAST] > 0.0:
            queue = times[core, sample, ARRIVAL] + times[core, sample, SERVICE]
            if queue > end:
                end, element, place = queue, SYNAPSES, core
            if times[core, sample, LAST] > end:
                end, element, place = times[core, sample, LAST], WAY, core
    return end, element, place


@inner_kernel
def busiest_link(changes: Array, sample: int, height: int, carried: Array) -> tuple[int64, int64]:
    """The largest number of messages on a link, and the first such link, numbered as ``Mesh`` does.

    Args:
        changes: see ``CoreStages``; those of the sample are zeros afterwards.
        sample: which one.
        height: rows of cores of all chips.
        carried: (rows, 2) int64, overwritten.
    """
    most, link, columns, rows = int64(0), int64(0), changes.shape[1], changes.shape[2]
    carried[:] = 0
    for x in range(columns):
        north, south = int64(0), int64(0)
        for y in range(rows):
            carried[y, 0] += changes[sample, x, y, 0]
            north += changes[sample, x, y, 2]
            # All that goes back along a line comes from behind: what is there is the sum of the changes in front.
            loads = (carried[y, 0], -carried[y, 1], north, -south)
            carried[y, 1] += changes[sample, x, y, 1]
            south += changes[sample, x, y, 3]
            for way in range(4):
                changes[sample, x, y, way] = 0
                if loads[way] > most:
                    most, link = loads[way], int64(4 * (x * height + y) + way)
    return most, link


@kernel
def write_length(
    longest: tuple[float, int, int], shortest: float, sample: int, tick: int, lengths: Lengths
) -> None:
    """A tick's length, and what it waited for."""
    waits = longest[0] > shortest
    lengths.nanoseconds[sample, tick] = longest[0] if waits else shortest
    lengths.element[sample, tick] = longest[1] if waits else IDLE
    lengths.place[sample, tick] = longest[2] if waits else 0
