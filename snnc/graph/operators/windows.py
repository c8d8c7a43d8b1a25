"""Arithmetic of sliding windows, shared by convolution and pooling."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product as positions_of
from typing import Any

import numpy as np

from snnc.errors import GraphError

from .base import Array, Product, Shape

Pads = tuple[tuple[int, int], ...]

_COLUMN_ELEMENTS = 2**18
"""Elements of the unrolled input that a convolution holds at a time, so that they stay in the cache."""


def window_counts(size: Shape, kernel: Shape, stride: Shape, pads: Pads, dilation: Shape) -> Shape:
    """Number of window positions along each spatial axis; an entry below 1 means that no window fits."""
    return tuple(
        (n + before + after - (k - 1) * d - 1) // s + 1
        for n, k, s, (before, after), d in zip(size, kernel, stride, pads, dilation, strict=True)
    )


def settle_convolution(operator: Any) -> None:
    """Check the weight of a convolution in either direction while it is made, and fill in what it leaves out.

    Raises:
        GraphError: G104, the weight has no or more than two spatial axes, or does not divide into the groups.
    """
    name, weight = type(operator).__name__, operator.weight
    space = weight.ndim - 2
    if space not in (1, 2):
        raise GraphError("G104", f"{name} needs a weight of 3 or 4 axes, not {weight.ndim}")
    if weight.shape[0] % operator.groups:
        raise GraphError("G104", f"{weight.shape[0]} channels do not divide into {operator.groups} groups")
    object.__setattr__(operator, "stride", tuple(operator.stride) or (1,) * space)
    object.__setattr__(operator, "dilation", tuple(operator.dilation) or (1,) * space)
    object.__setattr__(operator, "pads", tuple(tuple(pair) for pair in operator.pads) or ((0, 0),) * space)


def pad_space(x: Array, pads: Pads, value: Any = 0) -> Array:
    """``x`` (samples, channels, *space) with ``value`` put around its spatial axes."""
    if not any(before or after for before, after in pads):
        return x
    return np.pad(x, ((0, 0), (0, 0), *pads), constant_values=value)


def taps(
    padded: Array, kernel: Shape, stride: Shape, dilation: Shape, counts: Shape
) -> Iterator[tuple[Shape, Array]]:
    """Every kernel position with the view of ``padded`` that it sees: (samples, channels, *counts)."""
    for position in positions_of(*(range(k) for k in kernel)):
        space = tuple(
            slice(p * d, p * d + (n - 1) * s + 1, s)
            for p, d, n, s in zip(position, dilation, counts, stride, strict=True)
        )
        yield position, padded[(slice(None), slice(None), *space)]


def convolve(
    x: Array,
    weight: Array,
    stride: Shape,
    pads: Pads,
    dilation: Shape,
    groups: int,
    product: Product = np.matmul,
) -> Array:
    """Grouped cross-correlation of ``x`` (samples, channels, *space) with ``weight`` as in ONNX Conv.

    The result has the promoted dtype of both; integers stay exact.
    """
    samples, channels = x.shape[:2]
    outputs, per_group, *kernel = weight.shape
    dtype = np.result_type(x, weight)
    padded = pad_space(x, pads)
    counts = window_counts(x.shape[2:], tuple(kernel), stride, pads, dilation)
    positions, taps_each = int(np.prod(counts)), int(np.prod(kernel))
    split = weight.reshape(groups, outputs // groups, per_group * taps_each).astype(dtype, copy=False)
    result = np.empty((samples, groups, outputs // groups, positions), dtype)
    at_once = max(1, _COLUMN_ELEMENTS // (channels * taps_each * positions))
    for start in range(0, samples, at_once):
        part = padded[start : start + at_once]
        columns: Array = np.empty((len(part), channels, taps_each, positions), dtype)
        for number, (_, seen) in enumerate(taps(part, tuple(kernel), stride, dilation, counts)):
            columns[:, :, number] = seen.reshape(len(part), channels, positions)
        columns = columns.reshape(len(part), groups, per_group * taps_each, positions)
        result[start : start + at_once] = product(split, columns)
    return result.reshape(samples, outputs, *counts)


def convolve_adjoint(
    y: Array,
    weight: Array,
    space: Shape,
    stride: Shape,
    pads: Pads,
    dilation: Shape,
    groups: int,
    product: Product = np.matmul,
) -> Array:
    """The transpose of ``convolve``: (samples, out channels, *counts) to (samples, channels, *space)."""
    samples, outputs, *counts = y.shape
    per_group, kernel = weight.shape[1], weight.shape[2:]
    size = tuple(n + before + after for n, (before, after) in zip(space, pads, strict=True))
    padded = np.zeros((samples, groups * per_group, *size), np.result_type(y, weight))
    split = weight.reshape(groups, outputs // groups, per_group, *kernel)
    columns = y.reshape(samples, groups, outputs // groups, -1)
    for position, seen in taps(padded, kernel, stride, dilation, tuple(counts)):
        every = slice(None)
        index: tuple[slice | int, ...] = (every, every, every, *position)
        tap = split[index]
        seen += product(tap.transpose(0, 2, 1)[None], columns).reshape(seen.shape)
    inner = tuple(slice(before, before + n) for n, (before, _) in zip(space, pads, strict=True))
    return np.ascontiguousarray(padded[(slice(None), slice(None), *inner)])
