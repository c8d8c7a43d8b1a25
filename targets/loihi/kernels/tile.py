"""Run a part of a Loihi core: deliver spikes, update compartments, write the spikes down."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import int16, int32, int64, uint64

from snnc.graph.operators.base import Array
from snnc.kernels.bits import add_sample, bit_count
from snnc.kernels.deliver import Axons, SynapseLists, deliver
from snnc.kernels.jit import kernel

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
        current_keep, voltage_keep: (neurons,) int32, 4096 less the decay.
        pause: (neurons,) int32, ticks in which a neuron cannot fire after that of a spike.
        v_min, v_max: bounds of the potential.
    """

    threshold: Array
    reset_weight: Array
    messages: Array
    loops_back: bool
    clears: bool
    current_keep: Array
    voltage_keep: Array
    pause: Array
    v_min: int
    v_max: int


class TileRegisters(NamedTuple):
    """The state of a tile's neurons for each sample of a batch; changed in place.

    Attributes:
        voltage, current, pause: (samples, neurons) int32.
        fired: (samples, neurons) uint8, whether a neuron fired in the last tick.
    """

    voltage: Array
    current: Array
    pause: Array
    fired: Array


class Recording(NamedTuple):
    """Where registers are written after every tick; arrays of size 0 where they are not wanted.

    Attributes:
        voltage, current, pause: (samples, ticks, neurons) int32.
        fired: (samples, ticks, neurons) uint8.
    """

    voltage: Array
    current: Array
    pause: Array
    fired: Array


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
    current_keep, voltage_keep = compartments.current_keep, compartments.voltage_keep
    v_min, v_max = int32(compartments.v_min), int32(compartments.v_max)
    longest, clears, threshold = compartments.pause, compartments.clears, compartments.threshold
    for i in range(len(sums)):
        q = int32(int32(sums[i]) << 6)
        u = int32(decayed(current[i], current_keep[i]) + q)
        u = int32(int32(u << 8) >> 8)
        v = int32(decayed(voltage[i], voltage_keep[i]) + u)
        v = min(max(int32(v + bias[i]), v_min), v_max)
        held = pause[i] > 0
        v = int32(0) if held else v
        spike = (v > threshold[i]) & (not held)
        current[i] = u
        voltage[i] = int32(0) if spike & clears else v
        pause[i] = longest[i] if spike else max(int32(pause[i] - 1), int32(0))
        fired[i] = spike


@kernel
def run_tile(
    place: int,
    compartments: Compartments,
    synapses: SynapseLists,
    axons: Axons,
    bias: Array,
    registers: TileRegisters,
    spikes: Array,
    active: Array,
    recording: Recording,
    tally: Array,
    spike_counts: Array,
    first_tick: int,
    last_tick: int,
) -> None:
    """Run a tile for all samples of a batch over the ticks first_tick .. last_tick - 1 of its window.

    Args:
        place: where the tile's neurons stand in a row of ``spikes``.
        compartments: the tile's neurons.
        synapses: the tile's lists.
        axons: the tile's.
        bias: (samples or 1, ticks or 1, neurons) int32, bias current with the host's part added.
        registers: state of the neurons, changed in place.
        spikes: (ticks, all neurons) uint64, a bit a sample, of everything that ran before; this tile's are added.
        active: (ticks, all neurons) uint64 as ``spikes``, neurons that had something to integrate, see
            ``mark_active``; of size 0 where that is not wanted.
        recording: filled where wanted.
        tally: (4, ticks) int64, counts added in place, see ``AXON_EVENTS`` and its neighbours.
        spike_counts: (samples,) int64, the tile's spikes are added.
        first_tick: the first one to run.
        last_tick: the one behind the last.
    """
    samples, neurons = registers.voltage.shape
    sums = np.zeros((samples, neurons), int16)
    for tick in range(first_tick, last_tick):
        looped = 0
        for sample in range(samples):
            looped += inhibit(compartments.reset_weight, registers.fired[sample], sums[sample])
        arrived, operations = deliver(sums, synapses, axons, spikes, tick)
        own = spikes[tick, place : place + neurons]
        for sample in range(samples):
            biases = bias[min(sample, bias.shape[0] - 1)]
            voltage, current = registers.voltage[sample], registers.current[sample]
            pause, fired = registers.pause[sample], registers.fired[sample]
            now = biases[min(tick, len(biases) - 1)]
            if active.size:
                words = active[tick, place : place + neurons]
                mark_active(sums[sample], now, voltage, current, compartments.current_keep, words, sample)
            update(compartments, sums[sample], now, voltage, current, pause, fired)
            count = add_sample(own, fired, sample)
            spike_counts[sample] += count
            tally[SPIKES, tick] += count
            record(recording, sample, tick, compartments.reset_weight, voltage, current, pause, fired)
        for i in range(neurons):
            tally[MESSAGES, tick] += compartments.messages[i] * int64(bit_count(own[i]))
        if compartments.loops_back:
            arrived, operations = arrived + looped, operations + looped
        tally[AXON_EVENTS, tick] += arrived
        tally[SYNAPTIC_OPERATIONS, tick] += operations


@kernel
def mark_active(
    sums: Array, bias: Array, voltage: Array, current: Array, current_keep: Array, words: Array, sample: int
) -> None:
    """Set bit ``sample`` of the words of the neurons whose input, bias, potential or current is not 0.

    A current of which nothing is kept does not count: it is what arrived one tick before.
    """
    shift = uint64(sample)
    for i in range(len(words)):
        kept = current[i] if current_keep[i] else int32(0)
        content = int32(int32(sums[i]) | bias[i] | voltage[i] | kept)
        words[i] |= uint64(content != 0) << shift


@kernel
def inhibit(reset_weight: Array, fired: Array, sums: Array) -> int:
    """Begin a tick's sums with what each neuron's own last spike adds; how many neurons fired."""
    total = 0
    for i in range(len(sums)):
        sums[i] = int16(reset_weight[i] * fired[i])
        total += fired[i]
    return total


@kernel
def record(
    recording: Recording,
    sample: int,
    tick: int,
    reset_weight: Array,
    voltage: Array,
    current: Array,
    pause: Array,
    fired: Array,
) -> None:
    """Write down the registers that are wanted."""
    if recording.voltage.size:
        write_voltage(reset_weight, fired, voltage, recording.voltage[sample, tick])
    if recording.current.size:
        recording.current[sample, tick] = current
    if recording.pause.size:
        recording.pause[sample, tick] = pause
    if recording.fired.size:
        recording.fired[sample, tick] = fired


@kernel
def write_voltage(reset_weight: Array, fired: Array, voltage: Array, into: Array) -> None:
    """Write the potentials with the inhibition that is on its way taken away."""
    for i in range(len(into)):
        into[i] = int32(voltage[i] + int32(int32(int32(reset_weight[i]) << 6) * fired[i]))
