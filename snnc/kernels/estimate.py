"""Time the ticks of a run: a fast estimate from counts.

A tick of a core has two stages that run side by side, as the core's units do (Davies et al. 2018, p. 86): one takes
the compartments in order, updates them and sends the messages of those that fire; the other takes the messages that
arrive in the order of their arrival and reads their synapses. A tick ends with a barrier, when no message is on its
way. So a message is received in the tick that sent it; what its synapses add counts from the next tick on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import empty, float64, int64, uint64, zeros

from snnc.graph.operators.base import Array

from .bits import SAMPLES, samples_in
from .counting import count_samples
from .jit import kernel
from .messages import (
    ACCESS,
    ACTIVE,
    IDLE,
    IN,
    LINK,
    NEURONS,
    OUT,
    SPIKE,
    SYNAPSES,
    WAY,
    Lengths,
    SpikeFanout,
    Units,
    Ways,
)

FEW = 6
"""Below this number of samples a loop over them is faster than one over all."""

PARTS = 8
"""Messages to a core are told apart by where on its core the neuron stands that sends them: so many parts."""


class UnitStages(NamedTuple):
    """The state of one tick, nanoseconds of each sample of a batch.

    Attributes:
        before: (cores,) int64, compartments of the units before the present one.
        updated: (cores, samples) float64, time of the units before the present one.
        sent: (cores, samples) float64, time of all spikes and messages so far.
        arrival: (cores, PARTS, samples) float64, of the first message of each part of the senders.
        service: (cores, PARTS, samples) float64, time of all messages of each part at their target.
        last: (cores, samples) float64, when the last message is received if none waits.
        load: (pairs, samples) float64, messages.
        received: (entries, 2) float64, time of each entry at its target, without its synapses and with them.
    """

    before: Array
    updated: Array
    sent: Array
    arrival: Array
    service: Array
    last: Array
    load: Array
    received: Array


@kernel
def entry_times(fanout: SpikeFanout, time: Array) -> Array:
    """(entries, 2) float64, nanoseconds that the receiver needs, where its window is closed and where it is open."""
    times = empty((len(fanout.unit), 2), float64)
    for entry in range(len(times)):
        times[entry, 0] = times[entry, 1] = fanout.received[entry, 0] * time[IN]
        for kind in range(1, fanout.received.shape[1]):
            times[entry, 1] += fanout.received[entry, kind] * time[IN + kind]
    return times


@kernel
def estimate_ticks(
    spikes: Array,
    active: Array,
    units: Units,
    fanout: SpikeFanout,
    ways: Ways,
    time: Array,
    link_time: float,
    barrier: float,
    lengths: Lengths,
) -> None:
    """Estimate how long every tick of a batch takes.

    A stage takes the sum of its events. Messages leave when the neurons before theirs are done, active ones being
    spread evenly over their unit, and take their way without queues. A tick takes as long as its slowest core, most
    loaded link or longest way, and the barrier. A core is done with some of its messages no sooner than the first
    one's arrival and the time of all of them. That holds for any of them, and is taken for all messages, for those of
    neurons that stand behind the first part of a core, the first two parts and so on, and for the last message.

    Args:
        spikes: (ticks, neurons) uint64, a bit a sample.
        active: the same of the neurons that had something to integrate.
        units: of the program.
        fanout: of the program.
        ways: of the program.
        time: (kinds,) float64, nanoseconds.
        link_time: nanoseconds between messages on one link.
        barrier: nanoseconds.
        lengths: filled.
    """
    samples, chip_ticks = lengths.nanoseconds.shape
    ticks, cores, pairs = len(spikes), 1 + units.core.max(), len(ways.target)
    stages = UnitStages(
        zeros(cores, int64),
        zeros((cores, samples), float64),
        zeros((cores, samples), float64),
        zeros((cores, PARTS, samples), float64),
        zeros((cores, PARTS, samples), float64),
        zeros((cores, samples), float64),
        zeros((pairs if link_time else 0, samples), float64),
        entry_times(fanout, time),
    )
    loads = zeros(1 + ways.link.max() if len(ways.link) else 0, float64)
    largest = largest_core(units, cores)
    for tick in range(chip_ticks):
        stages.updated[:], stages.sent[:], stages.service[:], stages.last[:] = 0.0, 0.0, 0.0, 0.0
        stages.before[:], stages.arrival[:], stages.load[:] = 0, np.inf, 0
        for unit in range(len(units.core)):
            window = tick - units.start[unit]
            if 0 <= window < ticks:
                run_unit(unit, tick, largest, spikes, active, units, fanout, ways, time, stages)
        for sample in range(samples):
            longest = slowest_core(stages, sample)
            if link_time:
                longest = most_loaded_link(stages.load[:, sample], ways, link_time, loads, longest)
            lengths.nanoseconds[sample, tick] = longest[0] + barrier
            lengths.element[sample, tick], lengths.place[sample, tick] = longest[1], longest[2]


@kernel
def largest_core(units: Units, cores: int) -> int:
    """The largest number of compartments on a core; spikes of the host count as one each."""
    compartments = zeros(cores, int64)
    for unit in range(len(units.core)):
        compartments[units.core[unit]] += max(units.compartments[unit], 1) * (
            units.first[unit + 1] - units.first[unit]
        )
    return int(max(compartments.max(), 1))


@kernel
def run_unit(
    unit: int,
    tick: int,
    largest: int,
    spikes: Array,
    active: Array,
    units: Units,
    fanout: SpikeFanout,
    ways: Ways,
    time: Array,
    stages: UnitStages,
) -> None:
    """One unit's neurons in one tick, for all samples."""
    core, compartments, window = units.core[unit], units.compartments[unit], tick - units.start[unit]
    low, high = units.first[unit], units.first[unit + 1]
    samples = stages.sent.shape[1]
    updates, begin, which = zeros(samples, float64), empty(samples, float64), empty(SAMPLES, int64)
    actives, fired = zeros(samples, int64), zeros(samples, float64)
    if compartments:
        count_samples(active[window, low:high], actives)
        updates[:] = compartments * ((high - low) * time[ACCESS] + actives * time[ACTIVE])
    for place in range(low, high):
        word = spikes[window, place]
        if word == uint64(0):
            continue
        part = float64(place + 1 - low) / (high - low)
        stands = (stages.before[core] + max(compartments, 1) * (place - low)) * PARTS // largest
        begin[:], fired[:] = np.inf, 0.0
        chosen = which[: samples_in(word, which)]
        for sample in chosen:
            begin[sample] = stages.updated[core, sample] + stages.sent[core, sample] + part * updates[sample]
            fired[sample] = 1.0
        offset = time[SPIKE] if compartments else 0.0
        for entry in range(fanout.first[place], fanout.first[place + 1]):
            pair, messages = fanout.pair[entry], fanout.messages[entry]
            offset += messages * time[OUT]
            window_of_target = tick + fanout.shift[entry] - units.start[fanout.unit[entry]]
            service = stages.received[entry, 1 if 0 <= window_of_target < len(spikes) else 0]
            target = ways.target[pair]
            arrivals, services = stages.arrival[target, stands], stages.service[target, stands]
            lasts = stages.last[target]
            if len(chosen) < FEW:
                receive_few(
                    chosen, begin, offset + ways.nanoseconds[pair], service, arrivals, services, lasts
                )
            else:
                receive(fired, begin, offset + ways.nanoseconds[pair], service, arrivals, services, lasts)
            if len(stages.load):
                add_scaled(stages.load[pair], fired, float64(messages))
        for sample in chosen:
            stages.sent[core, sample] += offset
    stages.updated[core] += updates
    stages.before[core] += max(compartments, 1) * (high - low)


@kernel
def receive_few(
    chosen: Array, begin: Array, offset: float, service: float, arrivals: Array, services: Array, lasts: Array
) -> None:
    """As ``receive``, for the samples ``chosen`` one by one."""
    for sample in chosen:
        arrival = begin[sample] + offset
        arrivals[sample] = min(arrivals[sample], arrival)
        services[sample] += service
        lasts[sample] = max(lasts[sample], arrival + service)


@kernel
def receive(
    fired: Array, begin: Array, offset: float, service: float, arrivals: Array, services: Array, lasts: Array
) -> None:
    """A message to a core that was sent at ``begin``, infinite where a sample's neuron did not fire.

    The loops have no branches, so they vectorise; ``fired`` (samples,) float64 is 0 or 1.
    """
    keep_first(arrivals, begin, offset)
    add_scaled(services, fired, service)
    keep_last(lasts, begin, fired, offset, service)


@kernel
def keep_first(arrivals: Array, begin: Array, offset: float) -> None:
    """The smaller of ``arrivals`` and ``begin`` and ``offset``."""
    for i in range(len(arrivals)):
        arrival = begin[i] + offset
        arrivals[i] = arrival if arrival < arrivals[i] else arrivals[i]


@kernel
def keep_last(lasts: Array, begin: Array, fired: Array, offset: float, service: float) -> None:
    """The larger of ``lasts`` and, where the neuron fired, ``begin`` and ``offset`` and ``service``."""
    for i in range(len(lasts)):
        end = begin[i] + offset + service
        lasts[i] = end if (end > lasts[i]) & (fired[i] > 0.0) else lasts[i]


@kernel
def add_scaled(into: Array, values: Array, factor: float) -> None:
    """Add ``values`` times ``factor``."""
    for i in range(len(into)):
        into[i] += values[i] * factor


@kernel
def slowest_core(stages: UnitStages, sample: int) -> tuple[float, int, int]:
    """When the last core is done, what it waited for, and where."""
    longest = (0.0, IDLE, 0)
    for core in range(len(stages.sent)):
        sent = stages.updated[core, sample] + stages.sent[core, sample]
        if sent > longest[0]:
            longest = (sent, NEURONS, core)
        if stages.last[core, sample] > 0.0:
            first, total = np.inf, 0.0
            for part in range(PARTS - 1, -1, -1):
                first = min(first, stages.arrival[core, part, sample])
                total += stages.service[core, part, sample]
                if total > 0.0 and first + total > longest[0]:
                    longest = (first + total, SYNAPSES, core)
            if stages.last[core, sample] > longest[0]:
                longest = (stages.last[core, sample], WAY, core)
    return longest


@kernel
def most_loaded_link(
    load: Array, ways: Ways, link_time: float, loads: Array, longest: tuple[float, int, int]
) -> tuple[float, int, int]:
    """The link that takes longest, if longer than ``longest``; ``loads`` is room for a number a link."""
    loads[:] = 0
    for pair in range(len(load)):
        if load[pair]:
            for hop in range(ways.first_link[pair], ways.first_link[pair + 1]):
                loads[ways.link[hop]] += load[pair]
    for link in range(len(loads)):
        if loads[link] * link_time > longest[0]:
            longest = (loads[link] * link_time, LINK, link)
    return longest
