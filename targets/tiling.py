"""Arithmetic of cutting sliding-window maps into tiles: who reaches a tile, by which kernel positions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from snnc.graph.operators.base import Array


@dataclass(frozen=True)
class Axis:
    """One spatial axis of a sliding-window map: output o reads input o * stride - before + tap * dilation.

    Attributes:
        inputs, outputs: number of positions.
        kernel: number of taps.
        stride, before, dilation: as in a convolution; ``before`` is the leading pad.
        offset: where output 0 lies in the population that is cut, negative where outputs were cropped away.
    """

    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    before: int = 0
    dilation: int = 1
    offset: int = 0


@dataclass(frozen=True, eq=False)
class Reach:
    """The inputs that reach a range of positions of a population, along one axis.

    Inputs with the same ``pattern`` reach as many positions, at the same distances and by the same taps.

    Attributes:
        inputs: (n,) int64, ascending.
        first: (n,) int64, the first position that each of them reaches, counted from the start of the range.
        pattern: (n,) int64, index into ``steps`` and ``taps``.
        steps: for each pattern the positions reached, ascending, counted from the first.
        taps: for each pattern the kernel positions by which they are reached.
        kernel: number of taps of the axis.
        key: equal for two ranges exactly if ``first``, ``pattern``, ``steps`` and ``taps`` are.
    """

    inputs: Array
    first: Array
    pattern: Array
    steps: tuple[Array, ...]
    taps: tuple[Array, ...]
    kernel: int
    key: bytes


@lru_cache(maxsize=65536)
def reach(axis: Axis, start: int, stop: int) -> Reach:
    """What reaches positions ``start`` to ``stop`` (exclusive) of a population along an axis."""
    outputs = np.arange(max(start - axis.offset, 0), min(stop - axis.offset, axis.outputs))
    taps = np.arange(axis.kernel)
    read = outputs[:, None] * axis.stride - axis.before + taps * axis.dilation
    output, tap = np.nonzero((read >= 0) & (read < axis.inputs))
    position = outputs[output] + axis.offset - start
    source = read[output, tap]
    inputs, where = np.unique(source, return_inverse=True)
    if not len(inputs):
        return Reach(inputs, inputs, inputs, (), (), axis.kernel, b"")
    first = np.full(len(inputs), stop - start)
    np.minimum.at(first, where, position)
    table = np.full((len(inputs), axis.kernel), -1)
    table[where, tap] = position - first[where]
    patterns, pattern = np.unique(table, axis=0, return_inverse=True)
    pattern = pattern.reshape(-1)
    steps, ordered_taps = [], []
    for row in patterns:
        present = np.flatnonzero(row >= 0)
        order = present[np.argsort(row[present], kind="stable")]
        steps.append(row[order])
        ordered_taps.append(order)
    key = b"".join(part.astype(np.int32).tobytes() for part in (first, pattern, patterns))
    return Reach(inputs, first, pattern, tuple(steps), tuple(ordered_taps), axis.kernel, key)


def step_sizes(size: int, multiple: int = 1) -> tuple[int, ...]:
    """Sizes of the parts when ``size`` positions are cut into 1, 2, 3, ... nearly equal parts, largest first.

    With ``multiple`` the sizes rounded up to a multiple of it are among them.
    """
    equal = {-(-size // parts) for parts in range(1, size + 1)}
    rounded = {-(-part // multiple) * multiple for part in equal}
    return tuple(sorted({part for part in equal | rounded if part <= size}, reverse=True))


def ranges(size: int, step: int) -> tuple[tuple[int, int], ...]:
    """(start, stop) of the parts of at most ``step`` positions."""
    return tuple((start, min(start + step, size)) for start in range(0, size, step))
