"""Count the events of a run and weigh them, sample by sample."""

from __future__ import annotations

from typing import NamedTuple

from numpy import empty, int64, uint64, zeros

from snnc.graph.operators.base import Array

from .bits import SAMPLES, bit_count, samples_in
from .jit import kernel
from .messages import (
    ACCESS,
    ACTIVE,
    HOPS,
    IN,
    OUT,
    SPIKE,
    SpikeFanout,
    Units,
    Ways,
)

DIGITS = 32
"""Binary digits of a number of neurons."""


class UnitEventCounts(NamedTuple):
    """What is counted; filled in place.

    Attributes:
        events: (units, kinds, chip ticks) int64, sums over samples. Synapses and axon events count in the tick that
            sent the message.
        messages: (pairs, chip ticks) int64, sums over samples.
        each: (groups, ticks) float64, picojoules of one spike of a group and all that it causes.
        samples: their number.
    """

    events: Array
    messages: Array
    each: Array
    samples: int


@kernel
def count_samples(words: Array, counts: Array) -> None:
    """How many of the words have bit s set, for every s: the bits of 64 sums side by side, a word a binary digit."""
    digits = zeros(DIGITS, uint64)
    for i in range(len(words)):
        carry, level = words[i], 0
        while carry:
            digit = digits[level]
            digits[level] = digit ^ carry
            carry &= digit
            level += 1
    for sample in range(len(counts)):
        total = int64(0)
        for level in range(DIGITS):
            total += int64((digits[level] >> uint64(sample)) & uint64(1)) << level
        counts[sample] = total


@kernel
def count_events(
    spikes: Array,
    active: Array,
    units: Units,
    fanout: SpikeFanout,
    ways: Ways,
    energy: Array,
    tally: UnitEventCounts,
) -> None:
    """Count all events of a batch, for all neurons of a group at once.

    Args:
        spikes: (ticks, neurons) uint64, a bit a sample.
        active: the same of the neurons that had something to integrate.
        units: of the program.
        fanout: of the program.
        ways: of the program.
        energy: (kinds,) float64, picojoules.
        tally: filled; must hold zeros.
    """
    ticks, groups = len(spikes), len(fanout.group_place)
    counts = zeros((ticks, groups), int64)
    for window in range(ticks):
        for place in range(spikes.shape[1]):
            counts[window, fanout.group[place]] += int64(bit_count(spikes[window, place]))
    for unit in range(len(units.core)):
        compartments, low, high = units.compartments[unit], units.first[unit], units.first[unit + 1]
        for window in range(ticks):
            tick, actives = units.start[unit] + window, int64(0)
            for word in active[window, low:high]:
                actives += int64(bit_count(word))
            tally.events[unit, ACCESS, tick] += tally.samples * (high - low) * compartments
            tally.events[unit, ACTIVE, tick] += actives * compartments
    for group in range(groups):
        group_spikes = counts[:, group].copy()
        if group_spikes.any():
            place, unit = fanout.group_place[group], fanout.group_unit[group]
            count_spikes(place, unit, group_spikes, tally.each[group], units, fanout, ways, energy, tally)


@kernel
def weigh_samples(
    spikes: Array,
    active: Array,
    units: Units,
    fanout: SpikeFanout,
    energy: Array,
    tally: UnitEventCounts,
    picojoules: Array,
) -> None:
    """Add up the energy of every sample, from what ``count_events`` found.

    Args:
        spikes: (ticks, neurons) uint64, a bit a sample.
        active: the same of the neurons that had something to integrate.
        units: of the program.
        fanout: of the program.
        energy: (kinds,) float64, picojoules.
        tally: of ``count_events``.
        picojoules: (samples,) float64, filled; must hold zeros.
    """
    actives, which = zeros(len(picojoules), int64), empty(SAMPLES, int64)
    for unit in range(len(units.core)):
        compartments, low, high = units.compartments[unit], units.first[unit], units.first[unit + 1]
        for window in range(len(spikes)):
            if compartments:
                count_samples(active[window, low:high], actives)
                for sample in range(len(picojoules)):
                    updates = (high - low) * energy[ACCESS] + actives[sample] * energy[ACTIVE]
                    picojoules[sample] += compartments * updates
            for place in range(low, high):
                each = tally.each[fanout.group[place], window]
                for sample in which[: samples_in(spikes[window, place], which)]:
                    picojoules[sample] += each


@kernel
def count_spikes(
    place: int,
    unit: int,
    counts: Array,
    each: Array,
    units: Units,
    fanout: SpikeFanout,
    ways: Ways,
    energy: Array,
    tally: UnitEventCounts,
) -> None:
    """Count what the spikes of a group cause; ``counts`` (ticks,) are they, ``each`` gets the energy of one."""
    ticks, start = len(counts), units.start[unit]
    events, hops, messages, fixed = tally.events[unit], zeros(3, int64), 0, 0.0
    each[:] = 0.0
    for entry in range(fanout.first[place], fanout.first[place + 1]):
        pair, target = fanout.pair[entry], fanout.unit[entry]
        if fanout.messages[entry]:
            messages += 1
            hops += ways.hops[pair]
            fixed += energy[IN]
            add_counts(tally.messages[pair, start:], counts, 1)
            add_counts(tally.events[target, IN, start:], counts, 1)
        shift = start + fanout.shift[entry] - units.start[target]
        low, high = min(max(-shift, 0), ticks), min(max(ticks - shift, 0), ticks)
        read = 0.0
        for kind in range(1, fanout.received.shape[1]):
            number = fanout.received[entry, kind]
            if number:
                add_counts(tally.events[target, IN + kind, start + low :], counts[low:high], number)
                read += number * energy[IN + kind]
        if high - low == ticks:
            fixed += read
        else:
            each[low:high] += read
    for direction in range(3):
        add_counts(events[HOPS + direction, start:], counts, hops[direction])
        fixed += hops[direction] * energy[HOPS + direction]
    add_counts(events[OUT, start:], counts, messages)
    fixed += messages * energy[OUT]
    if units.compartments[unit]:
        add_counts(events[SPIKE, start:], counts, 1)
        fixed += energy[SPIKE]
    each += fixed


@kernel
def add_counts(into: Array, counts: Array, number: int) -> None:
    """Add ``counts`` times ``number`` to the beginning of ``into``."""
    if number:
        for i in range(len(counts)):
            into[i] += counts[i] * number
