"""Which synapse format a group of weights needs, and how many formats a layer uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

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


def joint(ranges: Iterable[WeightRange]) -> WeightRange:
    """The range of all of several groups."""
    result = WeightRange()
    for one in ranges:
        result |= one
    return result


def with_delay(form: SynapseFormat, delay: int) -> SynapseFormat:
    """The format with room for a delay where there is one."""
    return replace(form, delay_bits=DELAY_BITS) if delay else form
