"""Run all cores of TrueNorth chips tick by tick: integrate by counting bits, update neurons, route spikes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import int32, int64, uint8, uint64

from snnc.graph.operators.base import Array

from .jit import kernel

AXON_EVENTS, SYNAPTIC_OPERATIONS, SPIKES, MESSAGES = range(4)
"""Entries of a tally."""

NEURONS = 256
WORDS = 4
"""64-bit words of a core's axons, or of its neurons."""
TYPES = 4
SLOTS = 16
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
        draws_synapses, draws_updates: (cores,) bool, whether a neuron has a stochastic weight; leak or threshold.
        quiet: (cores,) bool, whether no neuron has a leak or random numbers: without input, what rests stays.
        random: for the cores that draw.
    """

    reaching: Array
    type_axons: Array
    weight: Array
    rules: Array
    target: Array
    draws_synapses: Array
    draws_updates: Array
    quiet: Array
    random: Randomness


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
        scheduler: (16, cores, samples, 4) uint64, the axons that a spike arrives at in tick t: [t % 16].
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
        sums, leak, eta: (256,) int32, synaptic input, and this tick's leak and random part of the threshold.
        none: (256,) int32, zeros.
        fired: (256,) uint8, 0 or 1.
        bits: (4,) uint64, the same as bits.
    """

    sums: Array
    leak: Array
    eta: Array
    none: Array
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


@kernel
def bit_count(word: uint64) -> int64:
    """Number of set bits; LLVM makes one instruction of it."""
    word = word - ((word >> uint64(1)) & uint64(0x5555555555555555))
    word = (word & uint64(0x3333333333333333)) + ((word >> uint64(2)) & uint64(0x3333333333333333))
    word = (word + (word >> uint64(4))) & uint64(0x0F0F0F0F0F0F0F0F)
    return int64((word * uint64(0x0101010101010101)) >> uint64(56))


@kernel
def bits_of(words: Array) -> int64:
    """Number of set bits of four words."""
    return bit_count(words[0]) + bit_count(words[1]) + bit_count(words[2]) + bit_count(words[3])


@kernel
def mix(state: uint64) -> uint64:
    """The finaliser of SplitMix64."""
    state = (state ^ (state >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> uint64(27))) * uint64(0x94D049BB133111EB)
    return state ^ (state >> uint64(31))


@kernel
def stepped(state: uint64, part: uint64) -> uint64:
    """A sequence's state with one more part of its name, or its output of that number."""
    return mix(state + uint64(0x9E3779B97F4A7C15) * (part + uint64(1)))


@kernel
def gated(value: int32, sequence: uint64, draw: int64) -> int32:
    """sgn(value) with probability abs(value) / 256, else 0."""
    rho = int64(stepped(sequence, uint64(draw)) >> uint64(56)) + 1
    if abs(int64(value)) < rho:
        return int32(0)
    return int32(1) if value > 0 else int32(-1)


@kernel
def turned(block: uint64) -> uint64:
    """8 rows of 8 bits transposed: bit 8 r + c becomes bit 8 c + r (Warren, Hacker's Delight, section 7-3)."""
    swap = (block ^ (block >> uint64(7))) & uint64(0x00AA00AA00AA00AA)
    block ^= swap ^ (swap << uint64(7))
    swap = (block ^ (block >> uint64(14))) & uint64(0x0000CCCC0000CCCC)
    block ^= swap ^ (swap << uint64(14))
    swap = (block ^ (block >> uint64(28))) & uint64(0x00000000F0F0F0F0)
    return block ^ swap ^ (swap << uint64(28))


@kernel
def transpose(crossbar: Array, reaching: Array) -> None:
    """Write crossbars (cores, 256 axons, 32) uint8 to ``reaching``, see ``Cores``, which is zero before."""
    for core in range(crossbar.shape[0]):
        for eight in range(crossbar.shape[1] // 8):
            for byte in range(crossbar.shape[2]):
                block = uint64(0)
                for axon in range(8):
                    block |= uint64(crossbar[core, 8 * eight + axon, byte]) << uint64(8 * axon)
                if block:
                    block = turned(block)
                    for place in range(8):
                        axons = (block >> uint64(8 * place)) & uint64(255)
                        reaching[core, eight >> 3, 8 * byte + place] |= axons << uint64(8 * (eight & 7))


@kernel
def add_counts(sums: Array, axons: Array, active: uint64, weight: Array) -> int64:
    """Add weight * (number of ``active`` axons that reach the neuron) for all neurons; synapses counted."""
    operations = int64(0)
    for i in range(len(sums)):
        count = bit_count(axons[i] & active)
        operations += count
        sums[i] += int32(count) * weight[i]
    return operations


@kernel
def integrate(reaching: Array, type_axons: Array, weight: Array, active: Array, sums: Array) -> int64:
    """Set ``sums`` (256,) int32 to the deterministic synaptic input of a core; how many synapses were read.

    ``reaching``, ``type_axons`` and ``weight`` are the core's, ``active`` (4,) uint64 its axons with a spike.
    """
    sums[:] = 0
    operations = int64(0)
    for word in range(WORDS):
        if active[word]:
            for kind in range(TYPES):
                arrived = active[word] & type_axons[kind, word]
                if arrived:
                    operations += add_counts(sums, reaching[word], arrived, weight[kind])
    return operations


@kernel
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


@kernel
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


@kernel
def update(rules: Array, sums: Array, leak: Array, eta: Array, voltage: Array, fired: Array) -> bool:
    """One tick of all neurons of a core, steps 2 to 5 of ``TrueNorthNeuron``; whether anything changed.

    All values fit 32 bits: |v| < 2^20 + 2^16 before it saturates. The loop has no branches, so it vectorises.
    """
    reversal, alpha, beta = rules[REVERSAL], rules[ALPHA], rules[BETA]
    spike_keep, spike_add, spike_eta = rules[SPIKE_KEEP], rules[SPIKE_ADD], rules[SPIKE_ETA]
    low_keep, low_add, low_eta = rules[LOW_KEEP], rules[LOW_ADD], rules[LOW_ETA]
    low_test_eta = rules[LOW_TEST_ETA]
    changed = int32(0)
    for i in range(len(voltage)):
        before = voltage[i]
        v = int32(before + sums[i])
        sign = int32(v > 0) - int32(v < 0)
        v = int32(v + leak[i] * (sign if reversal[i] else int32(1)))
        v = min(max(v, int32(LOWEST)), int32(HIGHEST))
        spike = v >= int32(alpha[i] + eta[i])
        low = v < int32(-int32(beta[i] + int32(eta[i] * low_test_eta[i])))
        after_spike = int32(int32(spike_keep[i] * v) + int32(spike_add[i] - int32(eta[i] * spike_eta[i])))
        after_low = int32(int32(low_keep[i] * v) + int32(low_add[i] + int32(eta[i] * low_eta[i])))
        v = after_spike if spike else (after_low if low else v)
        voltage[i] = v
        fired[i] = spike
        changed |= int32(v ^ before) | int32(spike)
    return bool(changed != 0)


@kernel
def packed(fired: Array, into: Array) -> None:
    """Write 256 bytes of 0 or 1 as 4 words of bits."""
    eights = fired.view(np.uint64)
    for word in range(WORDS):
        bits = uint64(0)
        for byte in range(8):
            # The product moves bit 0 of byte i to bit 56 + i; all partial products fall on different bits.
            eight = (eights[8 * word + byte] * uint64(0x0102040810204080)) >> uint64(56)
            bits |= eight << uint64(8 * byte)
        into[word] = bits


@kernel
def route(target: Array, fired: Array, scheduler: Array, sample: int, tick: int) -> int64:
    """Put a core's spikes among those to come; how many have a target."""
    sent = int64(0)
    for word in range(WORDS):
        left = fired[word]
        while left:
            lowest = left & (~left + uint64(1))
            left ^= lowest
            neuron = 64 * word + bit_count(lowest - uint64(1))
            core = target[TARGET_CORE, neuron]
            if core >= 0:
                axon = target[TARGET_AXON, neuron]
                slot = (tick + target[TARGET_DELAY, neuron]) % SLOTS
                scheduler[slot, core, sample, axon >> 6] |= uint64(1) << uint64(axon & 63)
                sent += 1
    return sent


@kernel
def present(lines: Lines, scheduler: Array, tick: int) -> None:
    """Put the host's spikes that arrive in this tick into the scheduler."""
    slot = tick % SLOTS
    for line in range(len(lines.source)):
        given = tick - lines.delay[line]
        if 0 <= given < lines.ticks:
            core, axon, source = lines.core[line], lines.axon[line], lines.source[line]
            bit = uint64(1) << uint64(axon & 63)
            for sample in range(scheduler.shape[2]):
                if source < 0 or lines.spikes[sample, given, source]:
                    scheduler[slot, core, sample, axon >> 6] |= bit


@kernel
def note(watch: Watch, core: int, sample: int, place: int, tick: int, ticks: int, fired: Array) -> None:
    """Write down a core's spikes and count those within windows."""
    if watch.fired_place[core] >= 0:
        watch.fired[place, watch.fired_place[core], sample] = fired
    for entry in range(watch.first[core], watch.first[core + 1]):
        population = watch.population[entry]
        if 0 <= tick - watch.start[population] < ticks:
            for word in range(WORDS):
                watch.counts[population, sample] += bit_count(fired[word] & watch.mask[entry, word])


@kernel
def run_core(
    cores: Cores,
    registers: Registers,
    watch: Watch,
    core: int,
    tick: int,
    place: int,
    ticks: int,
    work: Workspace,
    tally: Array,
) -> None:
    """One tick of a core for all samples; it is passed over where its potentials rest and nothing arrives."""
    reaching, type_axons, weight = cores.reaching[core], cores.type_axons[core], cores.weight[core]
    rules, target, scheduler = cores.rules[core], cores.target[core], registers.scheduler
    given = rules[LEAK]
    sums, fired, bits = work.sums, work.fired, work.bits
    quiet, draws = cores.quiet[core], cores.draws_updates[core]
    leak, eta = (work.leak, work.eta) if draws else (given, work.none)
    arrivals, resting = scheduler[tick % SLOTS, core], registers.resting[core]
    watched = len(watch.synapses) > 0
    for sample in range(len(resting)):
        active = arrivals[sample]
        silent = not (active[0] | active[1] | active[2] | active[3])
        if silent and quiet and resting[sample]:
            continue
        synapses = integrate(reaching, type_axons, weight, active, sums)
        if not silent:
            tally[SYNAPTIC_OPERATIONS] += synapses
            tally[AXON_EVENTS] += bits_of(active)
            if watched:
                watch.arrived[place, core, sample] = active
                watch.synapses[place, core, sample] = synapses
            if cores.draws_synapses[core]:
                add_draws(cores.random, reaching, core, active, registers.sequence[sample], tick, sums)
            active[:] = 0
        if draws:
            draw_updates(cores.random, core, registers.sequence[sample], tick, given, leak, eta)
        changed = update(rules, sums, leak, eta, registers.voltage[core, sample], fired)
        # An input may be undone by the reset that it causes: only an update without input shows rest.
        resting[sample] = silent and not changed
        packed(fired, bits)
        if bits[0] | bits[1] | bits[2] | bits[3]:
            tally[SPIKES] += bits_of(bits)
            tally[MESSAGES] += route(target, bits, scheduler, sample, tick)
            note(watch, core, sample, place, tick, ticks, bits)


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
        np.zeros(NEURONS, int32),
        np.zeros(NEURONS, int32),
        np.zeros(NEURONS, int32),
        np.zeros(NEURONS, int32),
        np.zeros(NEURONS, uint8),
        np.zeros(WORDS, uint64),
    )
    for tick in range(first_tick, last_tick):
        present(lines, registers.scheduler, tick)
        place = tick - first_tick
        for core in range(len(cores.quiet)):
            run_core(cores, registers, watch, core, tick, place, lines.ticks, work, tally[core, tick])
            if watch.voltage_place[core] >= 0:
                watch.voltage[place, watch.voltage_place[core]] = registers.voltage[core]
