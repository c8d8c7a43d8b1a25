"""Run all cores of TrueNorth chips tick by tick: integrate by counting bits, update neurons, route spikes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import int32, int64, uint8, uint64

from snnc.graph.operators.base import Array

from .jit import kernel

AXON_EVENTS, SYNAPTIC_OPERATIONS, SPIKES, MESSAGES = range(4)
"""Rows of a tally."""

NEURONS = 256
WORDS = 4
"""64-bit words of a core's axons, or of its neurons."""
TYPES = 4
SLOTS = 16
LOWEST, HIGHEST = -(2**19), 2**19 - 1
"""Where a potential saturates."""
LEAK_DRAW, THRESHOLD_DRAW = 256, 257
"""Outputs of a neuron's random sequence, see ``targets/truenorth/random.py``; 0..255 are those of axons."""


class Cores(NamedTuple):
    """All cores; word w of a set of axons or neurons holds those from 64 w on, bit i the i-th of them.

    A spike makes v the value spike_keep * v + spike_add, less eta where ``spike_eta``. Below -(beta + eta *
    low_test_eta), v becomes low_keep * v + low_add, plus eta where ``low_eta``.

    Attributes:
        rows: (cores, 4, 256) uint64, the axons that reach each neuron.
        type_axons: (cores, 4, 4) uint64, the axons of each type.
        axon_type: (cores, 256) uint8.
        weight: (cores, 4, 256) int32 by type, 0 where stochastic.
        draws_synapses: (cores, 256) bool, neurons with a stochastic weight.
        chance: (cores, 256, 4) int32, the stochastic weights, 0 where not stochastic.
        leak: (cores, 256) int32; ``leak_reversal``: the same shape, 1 or 0.
        stochastic_leak: (cores, 256) bool.
        alpha, beta: (cores, 256) int32.
        mask_bits: (cores, 256) uint8.
        spike_keep, spike_add, spike_eta, low_test_eta, low_keep, low_add, low_eta: (cores, 256) int32.
        stream: (cores, 256) uint64.
        draws_updates: (cores,) bool, whether a neuron has a stochastic leak or threshold.
        quiet: (cores,) bool, whether no neuron has a leak or random numbers: without input, what rests stays.
        target_core: (cores, 256) int32, -1 for none; ``target_axon``, ``target_delay``: the same shape, int32.
    """

    rows: Array
    type_axons: Array
    axon_type: Array
    weight: Array
    draws_synapses: Array
    chance: Array
    leak: Array
    leak_reversal: Array
    stochastic_leak: Array
    alpha: Array
    beta: Array
    mask_bits: Array
    spike_keep: Array
    spike_add: Array
    spike_eta: Array
    low_test_eta: Array
    low_keep: Array
    low_add: Array
    low_eta: Array
    stream: Array
    draws_updates: Array
    quiet: Array
    target_core: Array
    target_axon: Array
    target_delay: Array


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
        resting: (cores, samples) bool, whether the last update neither changed a potential nor fired.
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


@kernel
def bit_count(word: uint64) -> int64:
    """Number of set bits; LLVM makes one instruction of it."""
    word = word - ((word >> uint64(1)) & uint64(0x5555555555555555))
    word = (word & uint64(0x3333333333333333)) + ((word >> uint64(2)) & uint64(0x3333333333333333))
    word = (word + (word >> uint64(4))) & uint64(0x0F0F0F0F0F0F0F0F)
    return int64((word * uint64(0x0101010101010101)) >> uint64(56))


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
def transpose(crossbar: Array, rows: Array) -> None:
    """Write crossbars (cores, 256 axons, 32) uint8 to ``rows``, see ``Cores``, which is zero before."""
    for core in range(crossbar.shape[0]):
        for axon in range(crossbar.shape[1]):
            bit = uint64(1) << uint64(axon & 63)
            for byte in range(crossbar.shape[2]):
                value = crossbar[core, axon, byte]
                for place in range(8):
                    if (value >> place) & 1:
                        rows[core, axon >> 6, 8 * byte + place] |= bit


@kernel
def add_counts(sums: Array, axons: Array, active: uint64, weight: Array) -> int:
    """Add weight * (number of ``active`` axons that reach the neuron) for all neurons; synapses counted."""
    operations = 0
    for i in range(len(sums)):
        count = bit_count(axons[i] & active)
        operations += count
        sums[i] += int32(count) * weight[i]
    return operations


@kernel
def integrate(cores: Cores, core: int, active: Array, sums: Array) -> int:
    """Set ``sums`` (256,) int32 to the deterministic synaptic input of a core; how many synapses were read."""
    sums[:] = 0
    operations = 0
    for word in range(WORDS):
        if active[word]:
            for kind in range(TYPES):
                arrived = active[word] & cores.type_axons[core, kind, word]
                if arrived:
                    operations += add_counts(sums, cores.rows[core, word], arrived, cores.weight[core, kind])
    return operations


@kernel
def add_draws(cores: Cores, core: int, active: Array, sequence: uint64, tick: int, sums: Array) -> None:
    """Add what the stochastic synapses of a core give."""
    for i in range(NEURONS):
        if cores.draws_synapses[core, i]:
            own = stepped(stepped(sequence, cores.stream[core, i]), uint64(tick))
            for word in range(WORDS):
                left = active[word] & cores.rows[core, word, i]
                while left:
                    lowest = left & (~left + uint64(1))
                    left ^= lowest
                    axon = 64 * word + bit_count(lowest - uint64(1))
                    chance = cores.chance[core, i, cores.axon_type[core, axon]]
                    if chance != 0:
                        sums[i] += gated(chance, own, axon)


@kernel
def draw_updates(cores: Cores, core: int, sequence: uint64, tick: int, leak: Array, eta: Array) -> None:
    """Set ``leak`` and ``eta`` (256,) int32 to this tick's of a core."""
    for i in range(NEURONS):
        leak[i], eta[i] = cores.leak[core, i], 0
        bits = cores.mask_bits[core, i]
        if cores.stochastic_leak[core, i] or bits:
            own = stepped(stepped(sequence, cores.stream[core, i]), uint64(tick))
            if cores.stochastic_leak[core, i]:
                leak[i] = gated(leak[i], own, LEAK_DRAW)
            if bits:
                eta[i] = int32(stepped(own, uint64(THRESHOLD_DRAW)) >> uint64(64 - bits))


@kernel
def update(
    cores: Cores, core: int, sums: Array, leak: Array, eta: Array, voltage: Array, fired: Array
) -> bool:
    """One tick of all neurons of a core, steps 2 to 5 of ``TrueNorthNeuron``; whether anything changed.

    All values fit 32 bits: |v| < 2^20 + 2^16 before it saturates. The loop has no branches, so it vectorises.
    """
    reversal, alpha, beta = cores.leak_reversal[core], cores.alpha[core], cores.beta[core]
    spike_keep, spike_add, spike_eta = cores.spike_keep[core], cores.spike_add[core], cores.spike_eta[core]
    low_keep, low_add, low_eta = cores.low_keep[core], cores.low_add[core], cores.low_eta[core]
    low_test_eta = cores.low_test_eta[core]
    changed = int32(0)
    for i in range(len(voltage)):
        before = voltage[i]
        v = int32(before + sums[i])
        sign = int32(v > 0) - int32(v < 0)
        v = int32(v + leak[i] * (sign if reversal[i] else int32(1)))
        v = min(max(v, int32(LOWEST)), int32(HIGHEST))
        spike = v >= alpha[i] + eta[i]
        low = v < -(beta[i] + eta[i] * low_test_eta[i])
        after_spike = spike_keep[i] * v + spike_add[i] - eta[i] * spike_eta[i]
        after_low = low_keep[i] * v + low_add[i] + eta[i] * low_eta[i]
        v = int32(after_spike) if spike else (int32(after_low) if low else v)
        voltage[i] = v
        fired[i] = spike
        changed |= int32(v ^ before) | int32(spike)
    return changed != 0


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
def route(cores: Cores, core: int, fired: Array, scheduler: Array, sample: int, tick: int) -> int:
    """Put a core's spikes among those to come; how many have a target."""
    sent = 0
    for word in range(WORDS):
        left = fired[word]
        while left:
            lowest = left & (~left + uint64(1))
            left ^= lowest
            neuron = 64 * word + bit_count(lowest - uint64(1))
            target = cores.target_core[core, neuron]
            if target >= 0:
                axon = cores.target_axon[core, neuron]
                slot = (tick + cores.target_delay[core, neuron]) % SLOTS
                scheduler[slot, target, sample, axon >> 6] |= uint64(1) << uint64(axon & 63)
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
    cores: Cores, registers: Registers, core: int, sample: int, tick: int, work: Workspace, tally: Array
) -> bool:
    """One tick of a core for one sample; ``work.bits`` has its spikes. Whether a neuron fired.

    A core is passed over where its potentials rest and nothing arrives.
    """
    active, voltage = registers.scheduler[tick % SLOTS, core, sample], registers.voltage[core, sample]
    silent = not (active[0] | active[1] | active[2] | active[3])
    if silent and cores.quiet[core] and registers.resting[core, sample]:
        return False
    sequence = registers.sequence[sample]
    tally[SYNAPTIC_OPERATIONS, core, tick] += integrate(cores, core, active, work.sums)
    if not silent:
        for word in range(WORDS):
            tally[AXON_EVENTS, core, tick] += bit_count(active[word])
        add_draws(cores, core, active, sequence, tick, work.sums)
        active[:] = 0
    leak, eta = cores.leak[core], work.none
    if cores.draws_updates[core]:
        draw_updates(cores, core, sequence, tick, work.leak, work.eta)
        leak, eta = work.leak, work.eta
    changed = update(cores, core, work.sums, leak, eta, voltage, work.fired)
    registers.resting[core, sample] = not changed
    packed(work.fired, work.bits)
    return (work.bits[0] | work.bits[1] | work.bits[2] | work.bits[3]) != 0


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
        tally: (4, cores, chip ticks) int64, added to in place, see ``AXON_EVENTS`` and its neighbours.
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
            for sample in range(len(registers.sequence)):
                if run_core(cores, registers, core, sample, tick, work, tally):
                    for word in range(WORDS):
                        tally[SPIKES, core, tick] += bit_count(work.bits[word])
                    sent = route(cores, core, work.bits, registers.scheduler, sample, tick)
                    tally[MESSAGES, core, tick] += sent
                    note(watch, core, sample, place, tick, lines.ticks, work.bits)
                if watch.voltage_place[core] >= 0:
                    voltage = registers.voltage[core, sample]
                    watch.voltage[place, watch.voltage_place[core], sample] = voltage
