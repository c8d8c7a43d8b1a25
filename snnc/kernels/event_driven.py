"""Simulate the ticks of one sample event by event: the queues of cores and links, in the order of time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import empty, float64, int64, uint64, zeros

from snnc.graph.operators.base import Array

from .jit import kernel
from .messages import ACCESS, ACTIVE, IDLE, IN, NEURONS, OUT, SPIKE, SYNAPSES, WAY, SpikeFanout, Units, Ways


class TickMessages(NamedTuple):
    """The messages of one tick, in the order in which cores come and then send.

    Attributes:
        pair: (messages,) int64, from core to core.
        sent: (messages,) float64, nanoseconds from the beginning of the tick, as all times.
        arrived: (messages,) float64, at the target.
        begun: (messages,) float64, when the target takes it.
        done: (messages,) float64, when its synapses are read.
        service: (messages,) float64, from begun to done.
    """

    pair: Array
    sent: Array
    arrived: Array
    begun: Array
    done: Array
    service: Array


class EventTimes(NamedTuple):
    """What happens when, in the ticks of one sample; filled in place.

    Attributes:
        updated: (chip ticks, cores) float64, when a core is done with its neurons; 0 where it has nothing to do.
        begun: (chip ticks, cores) float64, when it takes its first message; infinite where there is none.
        done: (chip ticks, cores) float64, when it has read the synapses of the last one.
        links: (chip ticks, links) int64, messages on each link.
        nanoseconds: (chip ticks,) float64, with the barrier.
        element, place: (chip ticks,) int64, what the tick waited for.
    """

    updated: Array
    begun: Array
    done: Array
    links: Array
    nanoseconds: Array
    element: Array
    place: Array


@kernel
def simulate_sample(
    spikes: Array,
    active: Array,
    sample: int,
    units: Units,
    fanout: SpikeFanout,
    ways: Ways,
    time: Array,
    link_time: float,
    barrier: float,
    schedule: EventTimes,
) -> None:
    """Simulate all ticks of one sample.

    Cores and links take messages in the order of their arrival, those of one time in the order of their sending; no
    queue is ever full. A link passes one message every ``link_time``; a hop takes its own time.

    Args:
        spikes: (ticks, neurons) uint64, a bit a sample.
        active: the same of the neurons that had something to integrate.
        sample: which bit.
        units: of the program.
        fanout: of the program.
        ways: of the program.
        time: (kinds,) float64, nanoseconds.
        link_time: nanoseconds.
        barrier: nanoseconds.
        schedule: filled; must hold zeros.
    """
    for tick in range(len(schedule.nanoseconds)):
        messages = sent_messages(spikes, active, sample, tick, units, fanout, time, schedule.updated[tick])
        deliver_messages(messages, ways, link_time, schedule.links[tick])
        finish_tick(messages, ways, barrier, tick, schedule)


@kernel
def sent_messages(
    spikes: Array,
    active: Array,
    sample: int,
    tick: int,
    units: Units,
    fanout: SpikeFanout,
    time: Array,
    updated: Array,
) -> TickMessages:
    """The messages of a tick with the times at which they are sent; ``updated`` (cores,) is filled."""
    mask, ticks = uint64(1) << uint64(sample), len(spikes)
    size = largest_number(spikes, mask, tick, units, fanout)
    messages = TickMessages(
        empty(size, int64), empty(size, float64), empty(size, float64), empty(size, float64), empty(size, float64),
        zeros(size, float64),
    )  # fmt: skip
    count = 0
    for unit in range(len(units.core)):
        window, core = tick - units.start[unit], units.core[unit]
        if window < 0 or window >= ticks:
            continue
        clock, compartments = updated[core], units.compartments[unit]
        for place in range(units.first[unit], units.first[unit + 1]):
            clock += compartments * time[ACCESS]
            if active[window, place] & mask:
                clock += compartments * time[ACTIVE]
            if spikes[window, place] & mask:
                clock += time[SPIKE] if compartments else 0.0
                clock, count = send(place, tick, ticks, clock, count, units, fanout, time, messages)
        updated[core] = clock
    return TickMessages(
        messages.pair[:count], messages.sent[:count], messages.arrived[:count], messages.begun[:count],
        messages.done[:count], messages.service[:count],
    )  # fmt: skip


@kernel
def largest_number(spikes: Array, mask: uint64, tick: int, units: Units, fanout: SpikeFanout) -> int:
    """Entries of all spikes of a tick, at least as many as messages."""
    size = 0
    for unit in range(len(units.core)):
        window = tick - units.start[unit]
        if 0 <= window < len(spikes):
            for place in range(units.first[unit], units.first[unit + 1]):
                if spikes[window, place] & mask:
                    size += fanout.first[place + 1] - fanout.first[place]
    return size


@kernel
def send(
    place: int,
    tick: int,
    ticks: int,
    clock: float,
    count: int,
    units: Units,
    fanout: SpikeFanout,
    time: Array,
    messages: TickMessages,
) -> tuple[float, int]:
    """Write the messages of one spike behind the ``count`` others; the time and number after them."""
    for entry in range(fanout.first[place], fanout.first[place + 1]):
        if fanout.messages[entry]:
            clock += time[OUT]
            messages.pair[count], messages.sent[count] = fanout.pair[entry], clock
            count += 1
        messages.service[count - 1] += entry_time(entry, tick, ticks, units, fanout, time)
    return clock, count


@kernel
def entry_time(entry: int, tick: int, ticks: int, units: Units, fanout: SpikeFanout, time: Array) -> float:
    """Nanoseconds that the receiver needs for an entry; where its window is closed no synapses are read."""
    total: float = fanout.received[entry, 0] * time[IN]
    if 0 <= tick + fanout.shift[entry] - units.start[fanout.unit[entry]] < ticks:
        for kind in range(1, fanout.received.shape[1]):
            total += fanout.received[entry, kind] * time[IN + kind]
    return total


@kernel
def deliver_messages(messages: TickMessages, ways: Ways, link_time: float, links: Array) -> None:
    """Bring every message to its target and have it read; ``links`` (links,) counts them."""
    count = len(messages.pair)
    times, numbers = empty(count, float64), empty(count, int64)
    hop = empty(count, int64)
    size = 0
    for message in range(count):
        hop[message] = ways.first_link[messages.pair[message]]
        push(times, numbers, size, messages.sent[message], message)
        size += 1
    link_free = zeros(len(links), float64)
    core_free = zeros(1 + ways.target.max() if len(ways.target) else 0, float64)
    while size:
        now, message = times[0], numbers[0]
        pair = messages.pair[message]
        if hop[message] < ways.first_link[pair + 1]:
            link = ways.link[hop[message]]
            start = max(now, link_free[link])
            link_free[link] = start + link_time
            links[link] += 1
            replace_first(times, numbers, size, start + ways.link_hop[hop[message]], message)
            hop[message] += 1
        else:
            target = ways.target[pair]
            messages.arrived[message] = now
            messages.begun[message] = max(now, core_free[target])
            messages.done[message] = messages.begun[message] + messages.service[message]
            core_free[target] = messages.done[message]
            size -= 1
            if size:
                replace_first(times, numbers, size, times[size], numbers[size])


@kernel
def push(times: Array, numbers: Array, size: int, time: float, number: int) -> None:
    """Add an event to a heap of ``size`` events, ordered by time and then number."""
    at = size
    while at:
        above = (at - 1) // 2
        if times[above] < time or (times[above] == time and numbers[above] < number):
            break
        times[at], numbers[at] = times[above], numbers[above]
        at = above
    times[at], numbers[at] = time, number


@kernel
def replace_first(times: Array, numbers: Array, size: int, time: float, number: int) -> None:
    """Put an event in the place of the first of a heap of ``size`` events."""
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        other = below + 1
        if other < size and (
            times[other] < times[below] or (times[other] == times[below] and numbers[other] < numbers[below])
        ):
            below = other
        if time < times[below] or (time == times[below] and number < numbers[below]):
            break
        times[at], numbers[at] = times[below], numbers[below]
        at = below
    times[at], numbers[at] = time, number


@kernel
def finish_tick(messages: TickMessages, ways: Ways, barrier: float, tick: int, schedule: EventTimes) -> None:
    """When every core is done, and what was last."""
    updated, begun, done = schedule.updated[tick], schedule.begun[tick], schedule.done[tick]
    begun[:] = np.inf
    end, element, place = 0.0, IDLE, 0
    for core in range(len(updated)):
        if updated[core] > end:
            end, element, place = updated[core], NEURONS, core
    for message in range(len(messages.pair)):
        target = ways.target[messages.pair[message]]
        begun[target] = min(begun[target], messages.begun[message])
        done[target] = max(done[target], messages.done[message])
        if messages.done[message] > end:
            end, place = messages.done[message], target
            element = SYNAPSES if messages.begun[message] > messages.arrived[message] else WAY
    schedule.nanoseconds[tick], schedule.element[tick], schedule.place[tick] = end + barrier, element, place
