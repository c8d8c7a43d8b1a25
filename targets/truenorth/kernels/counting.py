"""Count the events of a TrueNorth run, block of ticks by block, and the messages of the host."""

from __future__ import annotations

from numpy import int64, uint64, zeros

from snnc.graph.operators.base import Array
from snnc.kernels.bits import bit_count, lowest_bit
from snnc.kernels.jit import inner_kernel, kernel
from snnc.kernels.messages import Ways

from .crossbar import NEURONS, WORDS
from .events import (
    AXON,
    HOPS,
    IN,
    OUT,
    SPIKE,
    SYNAPSE,
    UPDATE,
    CoreActivity,
    CoreEventCounts,
    HostLines,
    Sends,
)


@inner_kernel
def count_block(
    activity: CoreActivity, sends: Sends, ways: Ways, weigh_hops: bool, digits: Array, tally: CoreEventCounts
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
def count_arrivals(activity: CoreActivity, place: int, core: int, tally: CoreEventCounts) -> None:
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
    activity: CoreActivity,
    place: int,
    core: int,
    sends: Sends,
    ways: Ways,
    weigh_hops: bool,
    digits: Array,
    tally: CoreEventCounts,
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
    digits: Array, levels: int64, core: int, sends: Sends, ways: Ways, tick: int, tally: CoreEventCounts
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
def add_messages(count: int64, way: int, core: int, ways: Ways, tick: int, tally: CoreEventCounts) -> None:
    """Count messages of a core, and what they are for its target."""
    tally.messages[way, tick] += count
    tally.events[tick, core, OUT] += count
    tally.events[tick, ways.target[way], IN] += count
    for direction in range(3):
        tally.events[tick, core, HOPS + direction] += count * ways.hops[way, direction]


@kernel
def line_fires(host: HostLines, line: int, tick: int, sample: int) -> bool:
    """Whether the host sends a spike along a line in a chip tick."""
    presented = tick - host.hold[line]
    if presented < 0 or presented >= host.spikes.shape[1]:
        return False
    return bool(host.source[line] < 0 or host.spikes[sample, presented, host.source[line]])


@kernel
def count_host(counts: Array, host: HostLines, ways: Ways, tally: CoreEventCounts) -> None:
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
            presented = tick - host.hold[line]
            if 0 <= presented < len(counts) and counts[presented, host.source[line]]:
                add_messages(
                    counts[presented, host.source[line]], host.pair[line], units - 1, ways, tick, tally
                )


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
def add_message(counts: Array, hops: Array) -> None:
    """Add to ``counts`` (kinds from ``OUT`` on,) what a message with these hops is."""
    counts[0] += 1
    for direction in range(3):
        counts[1 + direction] += hops[direction]
    counts[4] += 1
