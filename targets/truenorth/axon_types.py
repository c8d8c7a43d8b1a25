"""How a neuron gets its synapses' weights from few values: an input line on several axons of different types."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array

from .limits import AXON_TYPES, TRUENORTH


@dataclass(frozen=True, eq=False)
class SubsetSums:
    """Values of neurons such that every weight is a sum of some of them.

    A value belongs to an axon type. A line whose weights to the neurons of a core need n types takes n axons there.

    Attributes:
        values: (neurons, 4) int64.
        types: (synapses,) uint8, bit t set where the value of type t is one of the summands.
        possible: (neurons,) bool; False where four values of 9 bits do not do.
        bits: (neurons,) int64, how many types a line takes that has weights of all kinds.
    """

    values: Array
    types: Array
    possible: Array
    bits: Array


def subset_sums(neuron: Array, weight: Array, neurons: int) -> SubsetSums:
    """Values for each neuron, after the range of its weights in units of their greatest common divisor g.

    One sign: g, 2g, 4g, 8g. Only -g and g: these two. Else two's complement, -2^(b-1) g and the powers below it (or
    its negative): -8 .. 7 with four types.

    Args:
        neuron: (synapses,) int64, ascending.
        weight: (synapses,) int64, none of them 0.
        neurons: number of neurons.
    """
    first = np.flatnonzero(np.diff(neuron, prepend=-1))
    held = neuron[first]
    step, low, high = np.ones(neurons, np.int64), np.zeros(neurons, np.int64), np.zeros(neurons, np.int64)
    if len(first):
        step[held] = np.gcd.reduceat(np.abs(weight), first)
        low[held] = np.minimum.reduceat(weight, first) // step[held]
        high[held] = np.maximum.reduceat(weight, first) // step[held]
    one_sign = (low >= 0) | (high <= 0)
    trinary = ~one_sign & (low == -1) & (high == 1)
    plain, other = (
        1 + np.maximum(_width(high), _width(-low - 1)),
        1 + np.maximum(_width(-low), _width(high - 1)),
    )
    mirrored = np.where(one_sign, high <= 0, other < plain)
    bits = np.where(one_sign, _width(np.maximum(high, -low)), np.minimum(plain, other))
    values = 2 ** np.arange(AXON_TYPES) * (np.arange(AXON_TYPES) < bits[:, None])
    negative = (np.arange(AXON_TYPES) == bits[:, None] - 1) & ~one_sign[:, None]
    values = np.where(negative, -values, values)
    values[trinary] = [1, -1, 0, 0]
    sign = np.where(mirrored, -1, 1)
    values = values * (sign * step)[:, None]
    code = weight // step[neuron] * sign[neuron]
    types = np.where(
        trinary[neuron], np.where(code > 0, 1, 2), code & (2**AXON_TYPES - 1) & (2 ** bits[neuron] - 1)
    )
    least, most = TRUENORTH.weight
    fits = (bits <= AXON_TYPES) & (values.min(axis=1) >= least) & (values.max(axis=1) <= most)
    return SubsetSums(values, types.astype(np.uint8), fits, bits)


def _width(values: Array) -> Array:
    """Bits of non-negative integers."""
    return np.asarray(np.ceil(np.log2(np.maximum(values, 0) + 1)), np.int64)
