"""Branches one after another along an axis."""

from __future__ import annotations

import numpy as np

from snnc.formats.onnx.builder import Builder, sample_axis
from snnc.formats.onnx.registry import Refusal, operator
from snnc.formats.onnx.values import Constant, Signal, Value
from snnc.graph import Bias, Concat, Gather


@operator("Concat", 4)
def concat(build: Builder, *inputs: Value, axis: int) -> Signal:
    """Inputs joined along ``axis``; a constant among them becomes zeros plus a bias."""
    signals = [value for value in inputs if isinstance(value, Signal)]
    along = sample_axis(axis, len(signals[0].shape))
    parts = [_part(build, value, signals[0]) for value in inputs]
    if len(parts) == 1:
        return build.pass_on(parts[0], "it joins one value")
    if len({part.order for part in parts}) != 1:
        parts = [build.settle(part) for part in parts]
    first = parts[0]
    made = build.emit(Concat(first.order[along]), *parts)
    shape = tuple(made.shape[axis] for axis in first.order)
    moves = tuple(dict.fromkeys(move for part in parts for move in part.moves))
    return Signal(made.node, shape, first.order, made.dtype, moves)


def _part(build: Builder, value: Value, like: Signal) -> Signal:
    if isinstance(value, Signal):
        return value
    assert isinstance(value, Constant)
    arrays = [value.at(position) for position in range(len(build.batch.sizes))]
    if any(len(array) != samples for array, samples in zip(arrays, build.batch.sizes, strict=True)) or any(
        not np.array_equal(array[0], row) for array in arrays for row in array
    ):
        raise Refusal("it joins the samples with other data", "keep the batch as first axis")
    row = arrays[0][0]
    source = build.settle(like)
    blank = build.emit(Gather(np.full(row.shape, -1, np.int64), source.shape), source, role="constant")
    return build.in_place(Bias(row), blank, "constant") if row.any() else blank
