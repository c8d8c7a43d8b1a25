"""Random numbers of TrueNorth neurons: stochastic synapses, leaks and thresholds."""

from __future__ import annotations

from numpy import int32, int64, uint64

from snnc.graph.operators.base import Array
from snnc.kernels.bits import bit_count
from snnc.kernels.jit import inner_kernel

from .crossbar import NEURONS, WORDS
from .state import (
    Randomness,
)

LEAK_DRAW, THRESHOLD_DRAW = 256, 257
"""Outputs of a neuron's random sequence, see ``targets/truenorth/random.py``; 0..255 are those of axons."""


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
    random: Randomness, core: int, sequence: uint64, tick: int, leaks: Array, leak: Array, eta: Array
) -> None:
    """Set ``leak`` and ``eta`` (256,) int32 to this tick's of a core with the leaks ``leaks``."""
    for i in range(NEURONS):
        leak[i], eta[i] = leaks[i], 0
        bits = random.mask_bits[core, i]
        if random.leak[core, i] or bits:
            own = stepped(stepped(sequence, random.stream[core, i]), uint64(tick))
            if random.leak[core, i]:
                leak[i] = gated(leak[i], own, int64(LEAK_DRAW))
            if bits:
                eta[i] = int32(stepped(own, uint64(THRESHOLD_DRAW)) >> uint64(64 - bits))
