"""Which synapse format a group of weights needs, and how many formats a layer uses."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import numpy as np

from snnc.graph.operators.base import Array

from .limits import UNIT
from .synapses import SynapseFormat, encode

DELAY_BITS = 6
"""Width of a stored delay, where a list has delays."""


@dataclass(frozen=True)
class WeightRange:
    """All that the narrowest format of a group of weights depends on, in steps of 64.

    Attributes:
        low, high: smallest and largest weight; 0 lies between them.
        bit: the largest power of two that divides all weights, 0 where all are 0.
    """

    low: int = 0
    high: int = 0
    bit: int = 0

    def __or__(self, other: WeightRange) -> WeightRange:
        bits = self.bit | other.bit
        return WeightRange(min(self.low, other.low), max(self.high, other.high), bits & -bits)


def range_of(steps: Array) -> WeightRange:
    """The range of weights given in steps of 64."""
    bits = int(np.bitwise_or.reduce(np.abs(steps), axis=None)) if steps.size else 0
    return WeightRange(int(steps.min(initial=0)), int(steps.max(initial=0)), bits & -bits)


@lru_cache(maxsize=65536)
def narrowest(weights: WeightRange) -> SynapseFormat | None:
    """The narrowest format that holds all weights of a range exactly, without index and delay, or None."""
    values = [weights.low, weights.high, weights.bit if weights.high > 0 else -weights.bit]
    encoded = encode(np.array(values, np.int64) * UNIT)
    return None if encoded is None else encoded[1]


def mantissas(steps: Array, form: SynapseFormat) -> Array:
    """Stored mantissas (int16) of weights in steps of 64 that ``form`` holds."""
    shifted = steps << -form.exponent if form.exponent < 0 else steps >> form.exponent
    return np.asarray(shifted, np.int16)


def with_delay(form: SynapseFormat, delay: int) -> SynapseFormat:
    """The format with room for a delay where there is one."""
    return replace(form, delay_bits=DELAY_BITS) if delay else form


def merged(
    forms: Sequence[SynapseFormat], allowed: int, others: Set[SynapseFormat] = frozenset()
) -> list[SynapseFormat]:
    """The formats of several groups of weights, joined two by two at the least cost until few enough are left.

    Args:
        forms: the format of each group.
        allowed: how many different ones there may be; more are left where no format covers any two of them.
        others: formats that do not count, because they are there anyway.
    """
    result = list(forms)
    while len(set(result) - others) > allowed:
        kinds = list(dict.fromkeys(result))
        options = {pair: both for pair in combinations(kinds, 2) if (both := covering(*pair)) is not None}
        if not options:
            break
        cost = {
            pair: sum(_bits(both) - _bits(form) for form in result if form in pair)
            for pair, both in options.items()
        }
        pair = min(cost, key=lambda pair: cost[pair])
        result = [options[pair] if form in pair else form for form in result]
    return result


def _bits(form: SynapseFormat) -> int:
    return form.weight_bits + form.delay_bits


@lru_cache(maxsize=4096)
def covering(first: SynapseFormat, second: SynapseFormat) -> SynapseFormat | None:
    """The narrowest format (without index) that holds all weights that either of two holds, or None."""
    result = WeightRange()
    for form in (first, second):
        low, high = (int(value) // UNIT for value in form.effective(np.array(form.mantissa_range)))
        step = max(int(form.effective(np.array(form.mantissa_step))) // UNIT, 1)
        result |= WeightRange(min(low, 0), max(high, 0), step)
    form = narrowest(result)
    return None if form is None else replace(form, delay_bits=max(first.delay_bits, second.delay_bits))
