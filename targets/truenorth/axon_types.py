"""How a neuron gets its synapses' weights from few values: an input line on several axons of different types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array

from .limits import AXON_TYPES, TRUENORTH

_TIMES = 16
"""How often a line may be on axons of one type."""

KINDS = AXON_TYPES * _TIMES
"""Kinds of a line's axons: kind k is of type k modulo 4, the (k // 4)-th axon of the line with this type."""


@dataclass(frozen=True, eq=False)
class SubsetSums:
    """Values of neurons such that every weight is a sum of some of them.

    A value belongs to an axon type. A line whose weights to the neurons of a core need n kinds takes n axons there.

    Attributes:
        values: (neurons, 4) int64.
        types: (synapses,) uint64, bit k set where the value of type k modulo 4 is one of the summands, for the
            (k // 4)-th time.
        possible: (neurons,) bool; False where four values of 9 bits do not do.
        once: (neurons,) bool, whether each value is taken at most once.
        bits: (neurons,) int64, how many axons a line takes that has weights of all kinds.
    """

    values: Array
    types: Array
    possible: Array
    once: Array
    bits: Array


def set_kinds(types: Array) -> tuple[Array, Array]:
    """Index into ``types`` and kind of every bit that is set, int64, ascending by index."""
    width = int(types.max(initial=0)).bit_length()
    bits = types[:, None] >> np.arange(width, dtype=np.uint64) & np.uint64(1)
    at, kind = np.nonzero(bits)
    return at, kind


def subset_sums(neuron: Array, weight: Array, neurons: int) -> SubsetSums:
    """Values for each neuron, after the range of its weights in units of their greatest common divisor g.

    One sign: g, 2g, 4g, 8g. Only -g and g: these two. Else two's complement, -2^(b-1) g and the powers below it (or
    its negative): -8 .. 7 with four types. Neurons whose weights are no such sums have others, see ``_others``.

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
    ).astype(np.uint64)
    once = (bits <= AXON_TYPES) & _are_weights(values)
    possible = once.copy()
    for bad in np.flatnonzero(~once).tolist():
        own = slice(*np.searchsorted(neuron, [bad, bad + 1]))
        fitting = _others(weight[own])
        if fitting is not None:
            possible[bad] = True
            values[bad], types[own] = fitting
            bits[bad] = int(np.bitwise_or.reduce(types[own])).bit_count()
    return SubsetSums(values, types, possible, once, bits)


def _are_weights(values: Array) -> Array:
    """Whether all values of each neuron have 9 bits."""
    least, most = TRUENORTH.weight
    return np.asarray((values.min(axis=-1) >= least) & (values.max(axis=-1) <= most))


def _others(weights: Array) -> tuple[Array, Array] | None:
    """Values of one neuron and the kinds of axons of each weight; None if each value ``_TIMES`` times does not do.

    Up to four weights of different size are the values themselves. Else values are u, bu, b^2 u and a last one, the
    next power of b or one of the other sign, with the base b and the unit u with which a line takes the fewest axons.
    """
    different = np.unique(weights)
    if len(different) <= AXON_TYPES and _are_weights(different):
        values = np.pad(different, (0, AXON_TYPES - len(different)))
        return values, np.uint64(1) << np.searchsorted(different, weights).astype(np.uint64)
    best: tuple[int, Array, Array] | None = None
    for values in _systems(different):
        times = _times(different, values)
        if times.max() <= _TIMES:
            axons = int(times.max(axis=0).sum())
            if best is None or axons < best[0]:
                best = (axons, values, times)
    if best is None:
        return None
    kinds = np.arange(KINDS)
    taken = kinds // AXON_TYPES < best[2][:, kinds % AXON_TYPES]
    masks = (taken.astype(np.uint64) << kinds.astype(np.uint64)).sum(axis=1, dtype=np.uint64)
    return best[1], masks[np.searchsorted(different, weights)]


def _systems(weights: Array) -> Iterator[Array]:
    """Four values each, 0 for those not needed, the positive ones ascending: digits of a number system."""
    step = int(np.gcd.reduce(np.abs(weights)))
    unit = max(part for part in range(1, TRUENORTH.weight[1] + 1) if step % part == 0)
    signs = [1] if weights.min() > 0 else [-1] if weights.max() < 0 else [1, -1]
    both, largest = len(signs) == 2, TRUENORTH.weight[1] // unit * unit
    for sign in signs:
        for base in range(2, _TIMES + 1):
            for count in range(1, AXON_TYPES + 1):
                powers = unit * base ** np.arange(count)
                values = np.zeros(AXON_TYPES, np.int64)
                values[:count] = sign * powers
                if both:
                    values[count - 1] = -sign * min(powers[-1], largest)
                if _are_weights(values) and not (both and count == 1):
                    yield values


def _times(weights: Array, values: Array) -> Array:
    """How often each weight takes each value, (weights, 4) int64: digits, the last of its sign as often as it needs.

    Args:
        weights: (weights,) int64, multiples of the first value.
        values: as ``_systems`` gives them.
    """
    count = int((values != 0).sum())
    times = np.zeros((len(weights), AXON_TYPES), np.int64)
    sign = 1 if values[0] > 0 else -1
    rest, held = weights * sign, values[:count] * sign
    if held[-1] < 0:
        times[:, count - 1] = np.maximum(-(rest // -held[-1]), 0)
        rest = rest - times[:, count - 1] * held[-1]
        count -= 1
    for at in range(count - 1, -1, -1):
        times[:, at], rest = np.divmod(rest, held[at])
    return times


def _width(values: Array) -> Array:
    """Bits of non-negative integers."""
    return np.asarray(np.ceil(np.log2(np.maximum(values, 0) + 1)), np.int64)
