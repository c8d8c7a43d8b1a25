"""Run the cores of TrueNorth chips: a core's neurons over a block of ticks, and their spikes to other cores."""

from __future__ import annotations

import numpy as np
from numpy import int32, int64, uint8, uint64

from snnc.graph.operators.base import Array
from snnc.kernels.bits import bit_count, lowest_bit
from snnc.kernels.jit import inner_kernel, kernel

from .crossbar import NEURONS, WORDS, add_up, bits_of, count_up, empty_table, pack_bits
from .draws import add_draws
from .state import (
    TARGET_AXON,
    TARGET_CORE,
    TARGET_DELAY,
    CoreRegisters,
    Lines,
    PackedCores,
    Span,
    Watch,
    Workspace,
)
from .update import update_core

AXON_EVENTS, SYNAPTIC_OPERATIONS, SPIKES, MESSAGES = range(4)
"""Entries of a tally."""


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
    before, length = lines.before, lines.before + lines.ticks
    ticks, count = np.zeros((sources + 1, length), int32), np.zeros(sources + 1, int32)
    ticks[sources], count[sources] = np.arange(length) - before, length
    for sample in range(samples):
        count[:sources] = 0
        for place in range(min(before + last, length)):
            for source in range(sources):
                ticks[source, count[source]] = place - before
                count[source] += lines.spikes[sample, place, source]
        for line in range(len(lines.source)):
            source, axon, delay = lines.source[line], lines.axon[line], lines.delay[line]
            into, word = scheduler[lines.core[line], sample], axon >> 6
            bit = uint64(1) << uint64(axon & 63)
            for place in range(count[source]):
                tick = ticks[source, place] + delay
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
    spikes = uint64(0)
    for word in range(WORDS):
        active[word] = scheduler[core, sample, slot, word]
        spikes |= active[word]
        scheduler[core, sample, slot, word] = uint64(0)
    return bool(spikes == 0)


@inner_kernel
def add_synapses(cores: PackedCores, core: int, tabled: bool, work: Workspace) -> int64:
    """Set the sums to a core's deterministic synaptic input; how many synapses were read."""
    neurons, reaching, weight = cores.neurons[core], cores.reaching[core], cores.weight[core]
    if tabled:
        axon_type = cores.random.axon_type[core]
        return add_up(work.table, neurons, reaching, axon_type, weight, work.active, work.sums)
    return count_up(neurons, reaching, cores.type_axons[core], weight, work.active, work.sums)


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
    cores: PackedCores,
    registers: CoreRegisters,
    watch: Watch,
    core: int,
    span: Span,
    work: Workspace,
    tally: Array,
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
            now = registers.origin + tick
            if not (silent and quiet and resting):
                synapses = add_synapses(cores, core, span.tabled, work)
                if not silent:
                    tally[tick, SYNAPTIC_OPERATIONS] += synapses
                    tally[tick, AXON_EVENTS] += bits_of(active)
                    if len(watch.synapses):
                        write_arrivals(watch, place, core, sample, active, synapses)
                    if cores.draws_synapses[core]:
                        add_draws(cores.random, cores.reaching[core], core, active, sequence, now, work.sums)
                changed = update_core(cores, core, sequence, now, work, voltage)
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
    cores: PackedCores,
    lines: Lines,
    registers: CoreRegisters,
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
            span = Span(tick, tick + 1, first_tick, lines.ticks, False)
            run_core(cores, registers, watch, core, span, work, tally[core])
    for core in cores.order[last:]:
        run_core(cores, registers, watch, core, whole, work, tally[core])
