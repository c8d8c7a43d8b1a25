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

from .bits import bit_count, highest_bit, lowest_bit
from .crossbar import NEURONS, WORDS, bits_of
from .event_driven import Messages, Schedule, deliver_messages, finish_tick
from .jit import inner_kernel, kernel
from .timing import IDLE, LINK, SYNAPSES, WAY, Lengths, Ways
from .timing import NEURONS as NEURON_STAGE

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


OWN, ARRIVAL, SERVICE, LAST = range(4)
"""Times of a core in a tick: of all it does itself; the first message's arrival; of all messages; the last's end."""


class Stages(NamedTuple):
    """The state of one tick.

    Attributes:
        times: (cores + 1, samples, 4) float64, nanoseconds, see ``OWN`` and its neighbours.
        changes: (samples, columns, rows, 4) int64, by how many messages a link from (x, y) to the east, west, north or
            south has more than the one before it in that direction: a way changes two links of each of its legs.
    """

    times: Array
    changes: Array


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


class Tally(NamedTuple):
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


@inner_kernel
def count_block(
    activity: Activity, sends: Sends, ways: Ways, weigh_hops: bool, digits: Array, tally: Tally
) -> None:
    """Count all events of a block but those of the host.

    Hops of single samples are only counted with ``weigh_hops``, which takes a look at every spike; all other sums take
    the spikes of 64 neurons at once.

    Args:
        activity: the block's.
        sends: where spikes go.
        ways: of the program.
        weigh_hops: whether to count the hops of single samples.
        digits: (digits, 4) uint64, zeros before and after.
        tally: added to.
    """
    ticks, cores, samples = activity.synapses.shape
    for sample in range(samples):
        tally.each[sample, UPDATE] += ticks * cores * NEURONS
    for core in range(cores):  # one after the other, since the pairs of a core are neighbours
        for place in range(ticks):
            tally.events[activity.first + place, core, UPDATE] += samples * NEURONS
            count_arrivals(activity, place, core, tally)
            count_spikes(activity, place, core, sends, ways, weigh_hops, digits, tally)


@inner_kernel
def count_arrivals(activity: Activity, place: int, core: int, tally: Tally) -> None:
    """Count what a core read in a tick."""
    arrived, each = activity.arrived, tally.each
    all_axons, all_synapses = int64(0), int64(0)
    for sample in range(len(each)):
        axons = int64(0)
        for word in range(WORDS):
            axons += int64(bit_count(arrived[place, core, sample, word]))
        if axons:
            read = int64(activity.synapses[place, core, sample])
            each[sample, AXON] += axons
            each[sample, SYNAPSE] += read
            all_axons += axons
            all_synapses += read
    tally.events[activity.first + place, core, AXON] += all_axons
    tally.events[activity.first + place, core, SYNAPSE] += all_synapses


@inner_kernel
def count_spikes(
    activity: Activity,
    place: int,
    core: int,
    sends: Sends,
    ways: Ways,
    weigh_hops: bool,
    digits: Array,
    tally: Tally,
) -> None:
    """Count what a core sent in a tick; ``digits`` are zeros before and after."""
    fired, mask, each = activity.fired, sends.mask, tally.each
    all_spikes, levels = int64(0), int64(0)
    for sample in range(len(each)):
        spikes, sent = int64(0), int64(0)
        for word in range(WORDS):
            spikes += int64(bit_count(fired[place, core, sample, word]))
        if spikes:
            for word in range(WORDS):
                sent += int64(bit_count(fired[place, core, sample, word] & mask[core, word]))
            each[sample, SPIKE] += spikes
            each[sample, OUT] += sent
            each[sample, IN] += sent
            all_spikes += spikes
            for word in range(WORDS):
                levels = max(levels, add_bits(digits, word, fired[place, core, sample, word]))
            if weigh_hops:
                add_hops(fired, place, core, sample, sends.pair, ways.hops, each)
    tally.events[activity.first + place, core, SPIKE] += all_spikes
    if levels:
        take_messages(digits, levels, core, sends, ways, activity.first + place, tally)


@inner_kernel
def add_bits(digits: Array, word: int, bits: uint64) -> int64:
    """Add 64 bits to as many sums side by side, a word of ``digits`` for each binary digit; how many changed."""
    level = int64(0)
    while bits:
        before = digits[level, word]
        digits[level, word] = before ^ bits
        bits &= before
        level += 1
    return level


@inner_kernel
def add_hops(fired: Array, place: int, core: int, sample: int, pair: Array, hops: Array, each: Array) -> None:
    """Add the hops of a sample's spikes of one core and tick to ``each``."""
    for word in range(WORDS):
        left = fired[place, core, sample, word]
        while left:
            way = pair[core, 64 * word + int64(lowest_bit(left))]
            left &= left - uint64(1)
            if way >= 0:
                for direction in range(3):
                    each[sample, HOPS + direction] += hops[way, direction]


@inner_kernel
def take_messages(
    digits: Array, levels: int64, core: int, sends: Sends, ways: Ways, tick: int, tally: Tally
) -> None:
    """Count the messages of a core's neurons, as often as ``digits`` say, which are set to 0."""
    for level in range(levels):
        for word in range(WORDS):
            left = digits[level, word] & sends.mask[core, word]
            digits[level, word] = uint64(0)
            while left:
                way = sends.pair[core, 64 * word + int64(lowest_bit(left))]
                left &= left - uint64(1)
                add_messages(int64(1) << level, way, core, ways, tick, tally)


@inner_kernel
def add_messages(count: int64, way: int, core: int, ways: Ways, tick: int, tally: Tally) -> None:
    """Count messages of a core, and what they are for its target."""
    tally.messages[way, tick] += count
    tally.events[tick, core, OUT] += count
    tally.events[tick, ways.target[way], IN] += count
    for direction in range(3):
        tally.events[tick, core, HOPS + direction] += count * ways.hops[way, direction]


@kernel
def line_fires(host: HostLines, line: int, tick: int, sample: int) -> bool:
    """Whether the host sends a spike along a line in a chip tick."""
    given = tick - host.hold[line]
    if given < 0 or given >= host.spikes.shape[1]:
        return False
    return bool(host.source[line] < 0 or host.spikes[sample, given, host.source[line]])


@kernel
def count_host(counts: Array, host: HostLines, ways: Ways, tally: Tally) -> None:
    """Count the messages of the host.

    Args:
        counts: (ticks, neurons of the host + 1) int64, spikes over all samples; the last column is for lines that are
            always on.
        host: its lines.
        ways: of the program.
        tally: added to, but for ``each``.
    """
    ticks, units, _ = tally.events.shape
    for tick in range(ticks):
        for line in range(len(host.source)):
            given = tick - host.hold[line]
            if 0 <= given < len(counts) and counts[given, host.source[line]]:
                add_messages(counts[given, host.source[line]], host.pair[line], units - 1, ways, tick, tally)


@kernel
def count_host_samples(host: HostLines, ways: Ways, chip_ticks: int, counts: Array, each: Array) -> None:
    """Count the messages of the host of every sample, and its spikes.

    Args:
        host: its lines.
        ways: of the program.
        chip_ticks: how long all runs; what the host still holds back then is not sent.
        counts: (ticks, neurons of the host + 1) int64, see ``count_host``; filled, must hold zeros.
        each: (samples, kinds) int64, added to.
    """
    samples, ticks, neurons = host.spikes.shape
    caused, fires = zeros((neurons + 1, 5), int64), zeros(neurons + 1, int64)
    for line in range(len(host.source)):
        if chip_ticks - host.hold[line] >= ticks:
            add_message(caused[host.source[line]], ways.hops[host.pair[line]])
        else:
            count_held_line(host, line, ways, chip_ticks, each)
    counts[:, neurons] = samples
    for sample in range(samples):
        fires[:neurons], fires[neurons] = 0, ticks
        for tick in range(ticks):
            for neuron in range(neurons):
                counts[tick, neuron] += host.spikes[sample, tick, neuron]
                fires[neuron] += host.spikes[sample, tick, neuron]
        for neuron in range(neurons + 1):
            if fires[neuron]:
                for kind in range(5):
                    each[sample, OUT + kind] += fires[neuron] * caused[neuron, kind]


@kernel
def count_held_line(host: HostLines, line: int, ways: Ways, chip_ticks: int, each: Array) -> None:
    """Count a line of which not all is sent in time."""
    for sample in range(len(each)):
        for tick in range(chip_ticks):
            if line_fires(host, line, tick, sample):
                add_message(each[sample, OUT:], ways.hops[host.pair[line]])


@kernel
def add_message(found: Array, hops: Array) -> None:
    """Add to ``found`` (kinds from ``OUT`` on,) what a message with these hops is."""
    found[0] += 1
    for direction in range(3):
        found[1 + direction] += hops[direction]
    found[4] += 1


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
    activity: Activity,
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
    stages = Stages(zeros((cores + 1, samples, 4), float64), zeros((samples, columns, rows, 4), int64))
    carried = zeros((rows, 2), int64)
    for place in range(ticks):
        stages.times[:], stages.times[..., ARRIVAL] = 0.0, np.inf
        for core in range(cores):
            for sample in range(samples):
                run_core(activity, place, core, sample, sends, first, members, ways, ends, time, stages)
        tick = activity.first + place
        for sample in range(samples):
            run_host(host, tick, sample, ways, ends, time, stages)
            found = slowest(stages.times, sample)
            if link_time > 0.0:
                load, link = busiest_link(stages.changes, sample, height, carried)
                if load * link_time > found[0]:
                    found = (float(load * link_time), LINK, int(link))
            write_length(found, shortest, sample, tick, lengths)


@inner_kernel
def run_core(
    activity: Activity,
    place: int,
    core: int,
    sample: int,
    sends: Sends,
    first: Array,
    members: Array,
    ways: Ways,
    ends: Array,
    time: Array,
    stages: Stages,
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
                one = leaves(fired, place, core, sample, sends.mask, low, begin, work, time)
                last = one
                if high > low:
                    last = leaves(fired, place, core, sample, sends.mask, high, begin, work, time)
                send(way, sample, count, one, last, ways, ends, time, stages)


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
    host: HostLines, tick: int, sample: int, ways: Ways, ends: Array, time: Array, stages: Stages
) -> None:
    """What the host sends in a tick."""
    sent, given_ticks, units = int64(0), host.spikes.shape[1], len(stages.times)
    for line in range(len(host.source)):
        given, source = tick - host.hold[line], host.source[line]
        if 0 <= given < given_ticks and (source < 0 or host.spikes[sample, given, source]):
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
    stages: Stages,
) -> None:
    """Send some spikes one way, the first and the last at these times."""
    times, target, nanoseconds = stages.times, ways.target[way], ways.nanoseconds[way]
    times[target, sample, ARRIVAL] = min(times[target, sample, ARRIVAL], first + nanoseconds)
    times[target, sample, SERVICE] += count * time[IN]
    times[target, sample, LAST] = max(times[target, sample, LAST], last + nanoseconds + time[IN])
    x, y, to_x, to_y = ends[way, 0], ends[way, 1], ends[way, 2], ends[way, 3]
    if x != to_x:
        direction = 0 if to_x > x else 1
        stages.changes[sample, x, y, direction] += count
        stages.changes[sample, to_x, y, direction] -= count
    if y != to_y:
        direction = 2 if to_y > y else 3
        stages.changes[sample, to_x, y, direction] += count
        stages.changes[sample, to_x, to_y, direction] -= count


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
        changes: see ``Stages``; those of the sample are zeros afterwards.
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
            for direction in range(4):
                changes[sample, x, y, direction] = 0
                if loads[direction] > most:
                    most, link = loads[direction], int64(4 * (x * height + y) + direction)
    return most, link


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
    return Messages(ways[:count], sent[:count], none[0], none[1], none[2], np.full(count, time[IN]))


@kernel
def synapses_of(reaching: Array, active: Array, neuron: int) -> int64:
    """How many active axons reach a neuron."""
    found = int64(0)
    for word in range(WORDS):
        found += bit_count(reaching[word, neuron] & active[word])
    return found


@kernel
def number_pairs(targets: Array, first: int, marked: Array, before: Array, pairs: Array, found: Array) -> int:
    """Number the pairs of a core and its targets, ascending; a bit for each core, so nothing is sorted.

    Args:
        targets: (neurons,) int32 cores, -1 for none.
        first: number of the first pair.
        marked: (cores / 64,) uint64, zeros before and after.
        before: (cores / 64,) int64, overwritten.
        pairs: (neurons,) int64, set to the numbers, -1 for none.
        found: (pairs,) int64, set to the targets from ``first`` on.

    Returns:
        The number behind the last one.
    """
    for neuron in range(len(targets)):
        if targets[neuron] >= 0:
            marked[targets[neuron] >> 6] |= uint64(1) << uint64(targets[neuron] & 63)
    for word in range(len(marked)):
        before[word], left = first, marked[word]
        while left:
            found[first] = 64 * word + int64(lowest_bit(left))
            left &= left - uint64(1)
            first += 1
    for neuron in range(len(targets)):
        target = targets[neuron]
        below = (uint64(1) << uint64(target & 63)) - uint64(1)
        word = target >> 6
        pairs[neuron] = before[word] + int64(bit_count(marked[word] & below)) if target >= 0 else -1
    marked[:] = uint64(0)
    return first


@kernel
def number_all_pairs(targets: Array, lines: Array, pairs: Array, line_pairs: Array, found: Array) -> Array:
    """Number the pairs of all cores and, behind them, of the host.

    Args:
        targets: (cores, 256) int32, -1 for none.
        lines: (lines,) int32, cores that the host sends to.
        pairs: (cores, 256) int64, set to the numbers.
        line_pairs: (lines,) int64, set to the numbers.
        found: (pairs,) int64, room for their targets.

    Returns:
        (cores + 2,) int64, the first pair of each core and of the host, and that behind the last.
    """
    cores = len(targets)
    words = cores // 64 + 1
    marked, before, first = zeros(words, uint64), zeros(words, int64), zeros(cores + 2, int64)
    for core in range(cores):
        first[core + 1] = number_pairs(targets[core], first[core], marked, before, pairs[core], found)
    first[cores + 1] = number_pairs(lines, first[cores], marked, before, line_pairs, found)
    return first


@kernel
def write_hops(places: Array, first: Array, target: Array, side: int, hops: Array) -> None:
    """The hops along x and y, and the borders of chips, of every pair.

    Args:
        places: (cores + 1, 2) int64, x and y.
        first: (cores + 2,) int64, pairs of each core.
        target: (pairs,) int64.
        side: cores along a chip's side.
        hops: (pairs, 3) int32, filled.
    """
    chips = places // side
    for core in range(len(places)):
        x, y, chip_x, chip_y = places[core, 0], places[core, 1], chips[core, 0], chips[core, 1]
        for pair in range(first[core], first[core + 1]):
            end = target[pair]
            hops[pair, 0], hops[pair, 1] = abs(x - places[end, 0]), abs(y - places[end, 1])
            hops[pair, 2] = abs(chip_x - chips[end, 0]) + abs(chip_y - chips[end, 1])


@kernel
def write_routes(
    start: Array, end: Array, height: int, side: int, times: Array, first: Array, link: Array, hop: Array
) -> None:
    """The links of every pair, along x first and then along y, numbered as ``Mesh`` does.

    Args:
        start: (pairs, 2) int64, x and y of each pair's first core.
        end: the same of its last.
        height: rows of cores of all chips.
        side: cores along a chip's side.
        times: (3,) float64, nanoseconds of a hop along x and along y, and of the border of a chip.
        first: (pairs + 1,) int64, where the links of each pair begin.
        link: int64, filled.
        hop: float64, nanoseconds of each link with its border, filled.
    """
    place = zeros(2, int64)
    for pair in range(len(start)):
        at = first[pair]
        place[:] = start[pair]
        for axis in range(2):
            while place[axis] != end[pair, axis]:
                forward = end[pair, axis] > place[axis]
                crosses = (place[axis] + (1 if forward else 0)) % side == 0
                link[at] = (place[0] * height + place[1]) * 4 + 2 * axis + (0 if forward else 1)
                hop[at] = times[axis] + (times[2] if crosses else 0.0)
                place[axis] += 1 if forward else -1
                at += 1
