"""The random numbers of stochastic neurons, counted instead of drawn in order: batches and threads do not matter.

The chip's own generator (polynomial, seed, order of draws) is not public. Here every neuron has, in every tick of
every sample, a SplitMix64 sequence of its own (Steele, Lea, Flood 2014), whose state before the first output is::

    s = mix(seed + G);  s = mix(s + G * (sample + 1));  s = mix(s + G * (stream + 1));  s = mix(s + G * (tick + 1))

with G = 0x9E3779B97F4A7C15, mix the finaliser of SplitMix64, all modulo 2^64, ``sample`` the index in the data set,
``stream`` the neuron's number for this purpose (``Cores.stream``; by default 256 * core + neuron) and ``tick`` the
chip's tick. Output d is mix(s + G * (d + 1)); the top bits of the outputs are used:

- d = axon number, 0..255: whether a stochastic synapse adds its sign, 8 bits, plus 1;
- d = 256: whether a stochastic leak adds its sign, 8 bits, plus 1;
- d = 257: the random part of the threshold, the top ``mask_bits`` bits.
"""

from __future__ import annotations

import numpy as np

from snnc.graph.operators.base import Array

from .limits import AXONS, RANDOM_BITS

LEAK_DRAW = AXONS
THRESHOLD_DRAW = AXONS + 1

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def mix(state: Array) -> Array:
    """The finaliser of SplitMix64 on uint64."""
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return np.asarray(state ^ (state >> np.uint64(31)))


def sample_sequences(seed: int, samples: Array) -> Array:
    """What the seed and the samples (any shape) contribute to the state of their sequences, uint64."""
    return output(mix(np.atleast_1d(np.uint64(seed)) + _GAMMA), samples)


def sequences(seed: int, samples: Array, streams: Array, tick: int) -> Array:
    """State of each sample's and stream's sequence at a tick: uint64, samples by all axes of ``streams``."""
    own = sample_sequences(seed, samples.reshape(-1, *(1,) * streams.ndim))
    return output(output(own, streams), tick)


def output(state: Array, draw: int | Array) -> Array:
    """Output ``draw`` of sequences, or the state with that number as a further part of its name; uint64 arrays."""
    return mix(state + _GAMMA * (np.atleast_1d(draw).astype(np.uint64) + np.uint64(1)))


def comparison_number(state: Array, draw: int | Array) -> Array:
    """A number uniform over 1..256, int64."""
    return (output(state, draw) >> np.uint64(64 - RANDOM_BITS)).astype(np.int64) + 1


def threshold_number(state: Array, mask_bits: int) -> Array:
    """A number uniform over 0..2^mask_bits - 1, int64; ``mask_bits`` at least 1."""
    return (output(state, THRESHOLD_DRAW) >> np.uint64(64 - mask_bits)).astype(np.int64)
