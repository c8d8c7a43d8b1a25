"""TrueNorth cores, the host's lines and the state of a run as the kernels take them."""

from __future__ import annotations

from typing import NamedTuple

from snnc.graph.operators.base import Array

from .crossbar import AxonSetSums

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


class PackedCores(NamedTuple):
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
        spikes: (samples, before + ticks, neurons of the host) bool.
        ticks: presented ticks.
        before: ticks of an earlier run in front of them, whose spikes may be under way still.
    """

    source: Array
    core: Array
    axon: Array
    delay: Array
    spikes: Array
    ticks: int
    before: int


class CoreRegisters(NamedTuple):
    """The state of all cores for each sample of a batch; changed in place.

    Attributes:
        voltage: (cores, samples, 256) int32.
        scheduler: (cores, samples, slots, 4) uint64, the axons that a spike arrives at in tick t: slot t % slots.
            Slots are at least as many as the ticks of a block and the longest delay behind them.
        resting: (cores, samples) bool, whether the last update, without input, neither changed a potential nor fired.
        sequence: (samples,) uint64, state of the sample's random sequences.
        origin: ticks of earlier runs: random numbers go on where they ended.
    """

    voltage: Array
    scheduler: Array
    resting: Array
    sequence: Array
    origin: int


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

    table: AxonSetSums
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
