"""Choices by a constant mask, and the mean of branches: sums of scaled branches."""

from __future__ import annotations

import numpy as np

from snnc.formats.onnx.builder import Builder, constant
from snnc.formats.onnx.registry import operator
from snnc.formats.onnx.values import Signal, Value
from snnc.graph import Array, Bias, Scale

from .arithmetic import total


@operator("Mean", 8)
def mean_of(build: Builder, *inputs: Value) -> Signal:
    """The mean of any number of branches and constants."""
    summed = total(build, inputs)
    return summed if len(inputs) == 1 else build.in_place(Scale(np.array(1 / len(inputs))), summed, "mean")


def masked(build: Builder, mask: Array, x: Value, y: Value) -> Signal:
    """X where the constant ``mask`` holds, else y; at least one of them is a signal."""
    mask = np.asarray(mask, bool)
    if mask.all() and isinstance(x, Signal):
        return build.pass_on(_spread(build, x, mask, y), "its condition holds everywhere")
    if not mask.any() and isinstance(y, Signal):
        return build.pass_on(_spread(build, y, mask, x), "its condition holds nowhere")
    parts = [
        _kept(build, value, where, role)
        for value, where, role in ((x, mask, "then"), (y, ~mask, "else"))
        if isinstance(value, Signal)
    ]
    kept = parts[0] if len(parts) == 1 else total(build, tuple(parts))
    for value, where in ((x, mask), (y, ~mask)):
        if not isinstance(value, Signal):
            # Selected, not multiplied: a constant may be infinite where it is not taken.
            added = np.where(where, constant(value, "value"), 0.0)
            kept, shift = build.meet(kept, added)
            if shift.any():
                kept = build.in_place(Bias(shift), kept, "constant")
    return kept


def _kept(build: Builder, x: Signal, where: Array, role: str) -> Signal:
    """The signal where ``where`` holds, else zeros."""
    value, factor = build.meet(x, where.astype(np.float64))
    return build.in_place(Scale(factor), value, role)


def _spread(build: Builder, x: Signal, mask: Array, other: Value) -> Signal:
    """The signal, repeated where the mask or what is never taken is larger."""
    value, _ = build.meet(x, np.zeros(mask.shape))
    if isinstance(other, Signal):
        return build.broadcast(value, np.broadcast_shapes(value.shape, other.shape))
    return build.meet(value, np.zeros(np.shape(constant(other, "value"))))[0]
