"""Run a part of a Loihi core: deliver spikes, update compartments, collect the spikes fired."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import int16, int32

from snnc.graph.operators.base import Array

from .deliver import Axons, Events, Synapses, deliver
from .jit import kernel

AXON_EVENTS, SYNAPTIC_OPERATIONS, SPIKES, MESSAGES = range(4)
"""Rows of a tally."""


class Compartments(NamedTuple):
    """The neurons of a tile; weights and sums are in steps of 64.

    Attributes:
        threshold: (neurons,) int32.
        reset_weight: (neurons,) int16, what a neuron's own spike adds to its sum one tick later, in steps of 64.
        messages: (neurons,) int64, messages that a spike sends.
        loops_back: whether ``reset_weight`` is in use; then a spike arrives at one axon with one synapse more.
        clears: whether a spike sets the potential to 0.
        current_keep, voltage_keep: 4096 less the decay.
        v_min, v_max: bounds of the potential.
        refractory: ticks.
    """

    threshold: Array
    reset_weight: Array
    messages: Array
    loops_back: bool
    clears: bool
    current_keep: int
    voltage_keep: int
    v_min: int
    v_max: int
    refractory: int


class Registers(NamedTuple):
    """The state of a tile's neurons for each sample of a batch; changed in place.

    Attributes:
        voltage, current, pause: (samples, neurons) int32.
        fired: (samples, neurons rounded up to a multiple of 8) uint8, whether a neuron fired in the last tick.
    """

    voltage: Array
    current: Array
    pause: Array
    fired: Array


class Recording(NamedTuple):
    """Where potentials and currents are written; arrays of size 0 where they are not wanted.

    Attributes:
        voltage, current: (samples, ticks, neurons) int32.
    """

    voltage: Array
    current: Array


@kernel
def decayed(value: int32, keep: int32) -> int32:
    """sgn(value) * ((abs(value) * keep) >> 12) for abs(value) <= 2^23 and keep <= 2^12, in 32 bits.

    abs(value) = high * 2^12 + low, and high * 2^12 * keep is a multiple of 2^12.
    """
    magnitude = abs(value)
    high, low = int32(magnitude >> 12), int32(magnitude & 4095)
    left = int32(int32(high * keep) + int32(int32(low * keep) >> 12))
    return int32(-left) if value < 0 else left


@kernel
def update(
    compartments: Compartments,
    sums: Array,
    bias: Array,
    voltage: Array,
    current: Array,
    pause: Array,
    fired: Array,
) -> None:
    """One tick of all neurons of a tile for one sample, steps 1 to 5 of ``LoihiCompartment``.

    ``sums`` (neurons,) int16 counts steps of 64: their wrap at 16 bits is the chip's at 21 bits and sign. All
    values fit 32 bits: |u| <= 2^23, |v| <= 2^23, |bias| < 2^30. The loop has no branches, so it vectorises.
    """
    current_keep, voltage_keep = int32(compartments.current_keep), int32(compartments.voltage_keep)
    v_min, v_max = int32(compartments.v_min), int32(compartments.v_max)
    refractory, clears, threshold = (
        int32(compartments.refractory),
        compartments.clears,
        compartments.threshold,
    )
    for i in range(len(sums)):
        q = int32(int32(sums[i]) << 6)
        u = int32(decayed(current[i], current_keep) + q)
        u = int32(int32(u << 8) >> 8)
        v = int32(decayed(voltage[i], voltage_keep) + u)
        v = min(max(int32(v + bias[i]), v_min), v_max)
        held = pause[i] > 0
        v = int32(0) if held else v
        spike = (v > threshold[i]) & (not held)
        current[i] = u
        voltage[i] = int32(0) if spike & clears else v
        pause[i] = int32(refractory - 1) if spike else max(int32(pause[i] - 1), int32(0))
        fired[i] = spike


@kernel
def collect(fired: Array, neurons: Array, first: int) -> int:
    """Write the indices of the non-zero entries of ``fired`` to ``neurons`` from ``first`` on; how many there are.

    ``fired`` (multiple of 8,) uint8 is 0 or 1. One entry behind the last index may be overwritten.
    """
    words = fired.view(np.uint64)
    end = first
    for word in range(len(words)):
        if words[word]:
            for i in range(8 * word, 8 * word + 8):
                neurons[end] = i
                end += fired[i]
    return end - first


@kernel
def run_tile(
    block: int,
    compartments: Compartments,
    synapses: Synapses,
    axons: Axons,
    bias: Array,
    registers: Registers,
    events: Events,
    recording: Recording,
    tally: Array,
    first_tick: int,
    last_tick: int,
) -> None:
    """Run a tile for all samples of a batch over the ticks first_tick .. last_tick - 1 of its window.

    Args:
        block: the tile's number in ``events``.
        compartments: the tile's neurons.
        synapses: the tile's lists.
        axons: the tile's.
        bias: (samples or 1, ticks or 1, neurons) int32, bias current with the host's part added.
        registers: state of the neurons, changed in place.
        events: spikes of everything that ran before; this tile's are appended.
        recording: filled where wanted.
        tally: (4, ticks) int64, counts added in place, see ``AXON_EVENTS`` and its neighbours.
        first_tick: the first one to run.
        last_tick: the one behind the last.
    """
    neurons = len(compartments.threshold)
    sums = np.zeros(neurons, int16)
    for sample in range(registers.voltage.shape[0]):
        voltage, current = registers.voltage[sample], registers.current[sample]
        pause, fired = registers.pause[sample], registers.fired[sample]
        biases = bias[min(sample, bias.shape[0] - 1)]
        for tick in range(first_tick, last_tick):
            for i in range(neurons):
                sums[i] = int16(compartments.reset_weight[i] * fired[i])
            arrived, operations = deliver(sums, synapses, axons, events, sample, tick)
            if compartments.loops_back and tick > 0:
                arrived += events.length[block, sample, tick - 1]
                operations += events.length[block, sample, tick - 1]
            update(compartments, sums, biases[min(tick, len(biases) - 1)], voltage, current, pause, fired)
            first = events.used[0]
            count = collect(fired, events.neurons, first)
            events.first[block, sample, tick] = first
            events.length[block, sample, tick] = count
            events.used[0] = first + count
            for event in range(first, first + count):
                tally[MESSAGES, tick] += compartments.messages[events.neurons[event]]
            tally[AXON_EVENTS, tick] += arrived
            tally[SYNAPTIC_OPERATIONS, tick] += operations
            tally[SPIKES, tick] += count
            if recording.voltage.size:
                for i in range(neurons):
                    owed = int32(int32(compartments.reset_weight[i]) << 6) * fired[i]
                    recording.voltage[sample, tick, i] = voltage[i] + owed
            if recording.current.size:
                recording.current[sample, tick] = current
