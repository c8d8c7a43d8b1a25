"""The spikes of up to 64 samples in one word: bit s is sample s."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numpy import uint64

from snnc.graph.operators.base import Array

from .jit import kernel

SAMPLES = 64
"""Samples that one word holds."""


@intrinsic  # type: ignore[untyped-decorator]
def lowest_bit(context: Any, word: Any) -> Any:
    """Position of the lowest set bit of a uint64 that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def bit_count(context: Any, word: Any) -> Any:
    """Number of set bits of a uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def highest_bit(context: Any, word: Any) -> Any:
    """Position of the highest set bit of a uint64 that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zeros = builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))
        return builder.sub(ir.Constant(ir.IntType(64), 63), zeros)

    return types.uint64(types.uint64), generate


@kernel
def samples_in(word: uint64, samples: Array) -> int:
    """Write the samples whose bits are set to ``samples``, ascending; how many there are."""
    count = 0
    while word:
        samples[count] = lowest_bit(word)
        count += 1
        word &= word - uint64(1)
    return count


@kernel
def add_sample(words: Array, fired: Array, sample: int) -> int:
    """Set bit ``sample`` of each word whose entry of ``fired`` (as many, uint8, 0 or 1) is 1; how many these are."""
    shift, total = uint64(sample), 0
    for i in range(len(words)):
        words[i] |= uint64(fired[i]) << shift
        total += fired[i]
    return total
