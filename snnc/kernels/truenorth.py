"""Run the cores of TrueNorth chips: a core's neurons over a block of ticks, and their spikes to other cores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import int32, int64, uint8, uint64

from snnc.graph.operators.base import Array

from .bits import bit_count, lowest_bit
from .crossbar import NEURONS, WORDS, Table, add_up, bits_of, count_up, empty_table, pack_bits
from .jit import inner_kernel, kernel

AXON_EVENTS, SYNAPTIC_OPERATIONS, SPIKES, MESSAGES = range(4)
"""Entries of a tally."""

LONGEST_DELAY = 15
LOWEST, HIGHEST = -(2**19), 2**19 - 1
"""Where a potential saturates."""
LEAK_DRAW, THRESHOLD_DRAW = 256, 257
"""Outputs of a neuron's random sequence, see ``targets/truenorth/random.py``; 0..255 are those of axons."""


(
    LEAK,
    REVERSAL,
    ALPHA,
    BETA,
    SPIKE_KEEP,
    SPIKE_ADD,
    SPIKE_ETA,
    LOW_TEST_ETA,
    LOW_KEEP,
    LOW_ADD,
    LOW_ETA,
) = range(11)
"""Rows of a core's rules, each (256,) int32.

A spike makes v the value spike_keep * v + spike_add, less eta where spike_eta is 1. Below -(beta + eta *
low_test_eta), v becomes low_keep * v + low_add, plus eta where low_eta is 1. Reversal is 0 or 1.
"""

TARGET_CORE, TARGET_AXON, TARGET_DELAY = range(3)
"""Rows of a core's targets, each (256,) int32; target core -1 for none."""


class Randomness(NamedTuple):
    """What is needed for random numbers.

    Attributes:
        axon_type: (cores, 256) uint8.
        chance: (cores, 256, 4) int32, the stochastic weights, 0 where not stochastic.
        synapses: (cores, 256) bool, neurons with a stochastic weight.
        leak: (cores, 256) bool, neurons with a stochastic leak.
        mask_bits: (cores, 256) uint8.
        stream: (cores, 256) uint64.
    """

    axon_type: Array
    chance: Array
    synapses: Array
    leak: Array
    mask_bits: Array
    stream: Array


class Cores(NamedTuple):
    """All cores; word w of a set of axons or neurons holds those from 64 w on, bit i the i-th of them.

    A tuple's every array costs time where it is passed on, so what runs once a core, tick and sample takes slices.

    Attributes:
        reaching: (cores, 4, 256) uint64, the axons that reach each neuron.
        type_axons: (cores, 4, 4) uint64, the axons of each type.
        weight: (cores, 4, 256) int32 by type, 0 where stochastic.
        rules: (cores, 11, 256) int32, see ``LEAK`` and its neighbours.
        target: (cores, 3, 256) int32, see ``TARGET_CORE`` and its neighbours.
        neurons: (cores,) int32, a multiple of 64; those behind are inert.
        draws_synapses, draws_updates: (cores,) bool, whether a neuron has a stochastic weight; leak or threshold.
        plain: (cores,) bool, whether no neuron has leak reversal or random numbers in its update.
        quiet: (cores,) bool, whether no neuron has a leak or random numbers: without input, what rests stays.
        random: for the cores that draw.
        order: (cores,) int32, such that spikes go to cores behind, but for cores in cycles or between them.
        together: (2,) int64, the places in ``order`` of those, which run tick by tick: first, and behind the last.
    """

    reaching: Array
    type_axons: Array
    weight: Array
    rules: Array
    target: Array
    neurons: Array
    draws_synapses: Array
    draws_updates: Array
    plain: Array
    quiet: Array
    random: Randomness
    order: Array
    together: Array


class Lines(NamedTuple):
    """The host's lines.

    Attributes:
        source: (lines,) int32, neuron among all of the host's, or -1 for a line that is always on.
        core, axon, delay: (lines,) int32.
        spikes: (samples, ticks, neurons of the host) bool.
        ticks: presented ticks.
    """

    source: Array
    core: Array
    axon: Array
    delay: Array
    spikes: Array
    ticks: int


class Registers(NamedTuple):
    """The state of all cores for each sample of a batch; changed in place.

    Attributes:
        voltage: (cores, samples, 256) int32.
        scheduler: (cores, samples, slots, 4) uint64, the axons that a spike arrives at in tick t: slot t % slots.
            Slots are at least as many as the ticks of a block and the longest delay behind them.
        resting: (cores, samples) bool, whether the last update, without input, neither changed a potential nor fired.
        sequence: (samples,) uint64, state of the sample's random sequences.
    """

    voltage: Array
    scheduler: Array
    resting: Array
    sequence: Array


class Workspace(NamedTuple):
    """What one core needs for one tick, used again and again.

    Attributes:
        table: of the core.
        sums, leak, eta: (256,) int32, synaptic input, and this tick's leak and random part of the threshold.
        none: (256,) int32, zeros.
        active: (4,) uint64, the axons with a spike.
        fired: (256,) uint8, 0 or 1.
        bits: (4,) uint64, the same as bits.
    """

    table: Table
    sums: Array
    leak: Array
    eta: Array
    none: Array
    active: Array
    fired: Array
    bits: Array


class Watch(NamedTuple):
    """What is written down of a block of ticks.

    Attributes:
        fired_place, voltage_place: (cores,) int32, the core's place in ``fired`` and ``voltage``, -1 for none.
        fired: (block ticks, places, samples, 4) uint64.
        voltage: (block ticks, places, samples, 256) int32.
        first: (cores + 1,) int64; core c has the masks first[c] to first[c + 1].
        population: (masks,) int32, whose neurons a mask holds.
        mask: (masks, 4) uint64.
        start: (populations,) int64, chip tick at which the window opens.
        counts: (populations, samples) int64, spikes within windows, added to in place.
        arrived: (block ticks, cores, samples, 4) uint64, axons with a spike; of size 0 where that is not wanted.
        synapses: (block ticks, cores, samples) int32, how many each core read; of size 0 with ``arrived``.
    """

    fired_place: Array
    voltage_place: Array
    fired: Array
    voltage: Array
    first: Array
    population: Array
    mask: Array
    start: Array
    counts: Array
    arrived: Array
    synapses: Array


class Span(NamedTuple):
    """Ticks that a core runs at a stretch.

    Attributes:
        first, last: the first chip tick and that behind the last one.
        block: the first one of the block that ``Watch`` is of.
        ticks: presented ticks.
        tabled: whether sums are added up by a table, which pays for many ticks, or by counting bits.
    """

    first: int
    last: int
    block: int
    ticks: int
    tabled: bool


@inner_kernel
def mix(state: uint64) -> uint64:
    """The finaliser of SplitMix64."""
    state = (state ^ (state >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> uint64(27))) * uint64(0x94D049BB133111EB)
    return state ^ (state >> uint64(31))


@inner_kernel
def stepped(state: uint64, part: uint64) -> uint64:
    """A sequence's state with one more part of its name, or its output of that number."""
    return mix(state + uint64(0x9E3779B97F4A7C15) * (part + uint64(1)))


@inner_kernel
def gated(value: int32, sequence: uint64, draw: int64) -> int32:
    """sgn(value) with probability abs(value) / 256, else 0."""
    rho = int64(stepped(sequence, uint64(draw)) >> uint64(56)) + 1
    if abs(int64(value)) < rho:
        return int32(0)
    return int32(1) if value > 0 else int32(-1)


@inner_kernel
def add_draws(
    random: Randomness, reaching: Array, core: int, active: Array, sequence: uint64, tick: int, sums: Array
) -> None:
    """Add what the stochastic synapses of a core give."""
    for i in range(NEURONS):
        if random.synapses[core, i]:
            own = stepped(stepped(sequence, random.stream[core, i]), uint64(tick))
            for word in range(WORDS):
                left = active[word] & reaching[word, i]
                while left:
                    lowest = left & (~left + uint64(1))
                    left ^= lowest
                    axon = 64 * word + bit_count(lowest - uint64(1))
                    chance = random.chance[core, i, random.axon_type[core, axon]]
                    if chance != 0:
                        sums[i] += gated(chance, own, int64(axon))


@inner_kernel
def draw_updates(
    random: Randomness, core: int, sequence: uint64, tick: int, given: Array, leak: Array, eta: Array
) -> None:
    """Set ``leak`` and ``eta`` (256,) int32 to this tick's of a core with the leaks ``given``."""
    for i in range(NEURONS):
        leak[i], eta[i] = given[i], 0
        bits = random.mask_bits[core, i]
        if random.leak[core, i] or bits:
            own = stepped(stepped(sequence, random.stream[core, i]), uint64(tick))
            if random.leak[core, i]:
                leak[i] = gated(leak[i], own, int64(LEAK_DRAW))
            if bits:
                eta[i] = int32(stepped(own, uint64(THRESHOLD_DRAW)) >> uint64(64 - bits))


@inner_kernel
def update(
    rules: Array, neurons: int, sums: Array, leak: Array, eta: Array, voltage: Array, fired: Array
) -> bool:
    """One tick of a core's first neurons, steps 2 to 5 of ``TrueNorthNeuron``; whether anything changed.

    All values fit 32 bits: |v| < 2^20 + 2^16 before it saturates. The loop has no branches, so it vectorises.
    """
    changed = int32(0)
    for i in range(neurons):
        before = voltage[i]
        v = int32(before + sums[i])
        sign = int32(v > 0) - int32(v < 0)
        v = int32(v + leak[i] * (sign if rules[REVERSAL, i] else int32(1)))
        v = min(max(v, int32(LOWEST)), int32(HIGHEST))
        spike = v >= int32(rules[ALPHA, i] + eta[i])
        low = v < int32(-int32(rules[BETA, i] + int32(eta[i] * rules[LOW_TEST_ETA, i])))
        after_spike = int32(
            int32(rules[SPIKE_KEEP, i] * v) + int32(rules[SPIKE_ADD, i] - int32(eta[i] * rules[SPIKE_ETA, i]))
        )
        after_low = int32(
            int32(rules[LOW_KEEP, i] * v) + int32(rules[LOW_ADD, i] + int32(eta[i] * rules[LOW_ETA, i]))
        )
        v = after_spike if spike else (after_low if low else v)
        voltage[i] = v
        fired[i] = spike
        changed |= int32(v ^ before) | int32(spike)
    return bool(changed != 0)


@inner_kernel
def update_plain(rules: Array, neurons: int, sums: Array, voltage: Array, fired: Array) -> bool:
    """The same for a core without leak reversal and random numbers, in half the time."""
    changed = int32(0)
    for i in range(neurons):
        before = voltage[i]
        v = int32(before + sums[i])
        v = int32(v + rules[LEAK, i])
        v = min(max(v, int32(LOWEST)), int32(HIGHEST))
        spike, low = v >= rules[ALPHA, i], v < int32(-rules[BETA, i])
        after_spike = int32(int32(rules[SPIKE_KEEP, i] * v) + rules[SPIKE_ADD, i])
        after_low = int32(int32(rules[LOW_KEEP, i] * v) + rules[LOW_ADD, i])
        v = after_spike if spike else (after_low if low else v)
        voltage[i] = v
        fired[i] = spike
        changed |= int32(v ^ before) | int32(spike)
    return bool(changed != 0)


@inner_kernel
def route(target: Array, fired: Array, scheduler: Array, sample: int, slot: int) -> int64:
    """Put a core's spikes of the tick of ``slot`` among those to come; how many have a target."""
    sent, slots = int64(0), scheduler.shape[2]
    for word in range(WORDS):
        left = fired[word]
        while left:
            neuron = 64 * word + int64(lowest_bit(left))
            left &= left - uint64(1)
            core = target[TARGET_CORE, neuron]
            if core >= 0:
                axon = target[TARGET_AXON, neuron]
                at = slot + target[TARGET_DELAY, neuron]
                at = at - slots if at >= slots else at
                scheduler[core, sample, at, axon >> 6] |= uint64(1) << uint64(axon & 63)
                sent += 1
    return sent


@kernel
def present(lines: Lines, scheduler: Array, first: int, last: int) -> None:
    """Put the host's spikes that arrive in the ticks first .. last - 1 into the scheduler."""
    samples, _, sources = lines.spikes.shape
    slots = scheduler.shape[2]
    opening = first % slots
    given, count = np.zeros((sources + 1, lines.ticks), int32), np.zeros(sources + 1, int32)
    given[sources], count[sources] = np.arange(lines.ticks), lines.ticks
    for sample in range(samples):
        count[:sources] = 0
        for tick in range(min(last, lines.ticks)):
            for source in range(sources):
                given[source, count[source]] = tick
                count[source] += lines.spikes[sample, tick, source]
        for line in range(len(lines.source)):
            source, axon, delay = lines.source[line], lines.axon[line], lines.delay[line]
            into, word = scheduler[lines.core[line], sample], axon >> 6
            bit = uint64(1) << uint64(axon & 63)
            for place in range(count[source]):
                tick = given[source, place] + delay
                if first <= tick < last:
                    at = opening + tick - first
                    into[at - slots if at >= slots else at, word] |= bit


@inner_kernel
def note(watch: Watch, core: int, sample: int, place: int, tick: int, ticks: int, fired: Array) -> None:
    """Write down a core's spikes and count those within windows."""
    if watch.fired_place[core] >= 0:
        for word in range(WORDS):
            watch.fired[place, watch.fired_place[core], sample, word] = fired[word]
    for entry in range(watch.first[core], watch.first[core + 1]):
        population = watch.population[entry]
        if 0 <= tick - watch.start[population] < ticks:
            for word in range(WORDS):
                watch.counts[population, sample] += int64(bit_count(fired[word] & watch.mask[entry, word]))


@inner_kernel
def take(scheduler: Array, core: int, sample: int, slot: int, active: Array) -> bool:
    """Move the axons with a spike in a slot to ``active`` (4,); whether there are none."""
    found = uint64(0)
    for word in range(WORDS):
        active[word] = scheduler[core, sample, slot, word]
        found |= active[word]
        scheduler[core, sample, slot, word] = uint64(0)
    return bool(found == 0)


@inner_kernel
def add_synapses(cores: Cores, core: int, tabled: bool, work: Workspace) -> int64:
    """Set the sums to a core's deterministic synaptic input; how many synapses were read."""
    neurons, reaching, weight = cores.neurons[core], cores.reaching[core], cores.weight[core]
    if tabled:
        axon_type = cores.random.axon_type[core]
        return add_up(work.table, neurons, reaching, axon_type, weight, work.active, work.sums)
    return count_up(neurons, reaching, cores.type_axons[core], weight, work.active, work.sums)


@inner_kernel
def update_core(
    cores: Cores, core: int, sequence: uint64, tick: int, work: Workspace, voltage: Array
) -> bool:
    """Leak, thresholds and resets of a core's neurons, with all that is random; whether anything changed."""
    neurons, rules = cores.neurons[core], cores.rules[core]
    if cores.plain[core]:
        return update_plain(rules, neurons, work.sums, voltage, work.fired)
    if cores.draws_updates[core]:
        draw_updates(cores.random, core, sequence, tick, rules[LEAK], work.leak, work.eta)
        return update(rules, neurons, work.sums, work.leak, work.eta, voltage, work.fired)
    return update(rules, neurons, work.sums, rules[LEAK], work.none, voltage, work.fired)


@inner_kernel
def write_arrivals(watch: Watch, place: int, core: int, sample: int, active: Array, synapses: int64) -> None:
    """Write down what arrived at a core."""
    watch.synapses[place, core, sample] = synapses
    for word in range(WORDS):
        watch.arrived[place, core, sample, word] = active[word]


@inner_kernel
def write_voltage(watch: Watch, place: int, core: int, sample: int, voltage: Array) -> None:
    """Write down a core's potentials."""
    for neuron in range(NEURONS):
        watch.voltage[place, watch.voltage_place[core], sample, neuron] = voltage[neuron]


@inner_kernel
def run_core(
    cores: Cores, registers: Registers, watch: Watch, core: int, span: Span, work: Workspace, tally: Array
) -> None:
    """Run a core over some ticks, sample by sample; a tick is passed over where it rests and nothing arrives."""
    scheduler, bits, active, quiet = registers.scheduler, work.bits, work.active, cores.quiet[core]
    work.table.synapses[:] = -1
    bits[:] = uint64(0)
    for sample in range(registers.resting.shape[1]):
        voltage, sequence = registers.voltage[core, sample], registers.sequence[sample]
        resting, slot = registers.resting[core, sample], span.first % scheduler.shape[2]
        for tick in range(span.first, span.last):
            silent, place = take(scheduler, core, sample, slot, active), tick - span.block
            if not (silent and quiet and resting):
                synapses = add_synapses(cores, core, span.tabled, work)
                if not silent:
                    tally[tick, SYNAPTIC_OPERATIONS] += synapses
                    tally[tick, AXON_EVENTS] += bits_of(active)
                    if len(watch.synapses):
                        write_arrivals(watch, place, core, sample, active, synapses)
                    if cores.draws_synapses[core]:
                        add_draws(cores.random, cores.reaching[core], core, active, sequence, tick, work.sums)
                changed = update_core(cores, core, sequence, tick, work, voltage)
                # An input may be undone by the reset that it causes: only an update without input shows rest.
                resting = silent and not changed
                pack_bits(work.fired, cores.neurons[core], bits)
                if bits[0] | bits[1] | bits[2] | bits[3]:
                    tally[tick, SPIKES] += bits_of(bits)
                    tally[tick, MESSAGES] += route(cores.target[core], bits, scheduler, sample, slot)
                    note(watch, core, sample, place, tick, span.ticks, bits)
            if watch.voltage_place[core] >= 0:
                write_voltage(watch, place, core, sample, voltage)
            slot = slot + 1 if slot + 1 < scheduler.shape[2] else 0
        registers.resting[core, sample] = resting


@kernel
def run_ticks(
    cores: Cores,
    lines: Lines,
    registers: Registers,
    watch: Watch,
    tally: Array,
    first_tick: int,
    last_tick: int,
) -> None:
    """Run all cores for all samples of a batch over the chip ticks first_tick .. last_tick - 1.

    A spike takes at least one tick, so a core that no cycle leads to runs all of them before the next one starts:
    the same as tick by tick, but with all of its memory in the processor's cache.

    Args:
        cores: of the program.
        lines: from the host, with its spikes.
        registers: state, changed in place.
        watch: what to write down; its block is these ticks and zero before.
        tally: (cores, chip ticks, 4) int64, added to in place, see ``AXON_EVENTS`` and its neighbours.
        first_tick: the first one to run.
        last_tick: the one behind the last.
    """
    work = Workspace(
        empty_table(),
        np.zeros(NEURONS, int32),
        np.zeros(NEURONS, int32),
        np.zeros(NEURONS, int32),
        np.zeros(NEURONS, int32),
        np.zeros(WORDS, uint64),
        np.zeros(NEURONS, uint8),
        np.zeros(WORDS, uint64),
    )
    present(lines, registers.scheduler, first_tick, last_tick)
    first, last = cores.together
    whole = Span(first_tick, last_tick, first_tick, lines.ticks, True)
    for core in cores.order[:first]:
        run_core(cores, registers, watch, core, whole, work, tally[core])
    for tick in range(first_tick, last_tick):
        for core in cores.order[first:last]:
            one = Span(tick, tick + 1, first_tick, lines.ticks, False)
            run_core(cores, registers, watch, core, one, work, tally[core])
    for core in cores.order[last:]:
        run_core(cores, registers, watch, core, whole, work, tally[core])
