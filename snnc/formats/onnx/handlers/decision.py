"""Softmax and arg-max; legal only at the end of a network."""

from __future__ import annotations

import numpy as np

from snnc.formats.onnx.builder import Builder, sample_axis, signal
from snnc.formats.onnx.registry import Refusal, operator
from snnc.formats.onnx.values import Signal, Value
from snnc.graph import ArgMax, LogSoftmax, Softmax

Kind = type[Softmax | LogSoftmax]


@operator("Softmax", 13)
def softmax(build: Builder, x: Value, *, axis: int = -1) -> Signal:
    """Probabilities along ``axis``."""
    return _along(build, signal(x, "input"), Softmax, axis)


@operator("LogSoftmax", 13)
def log_softmax(build: Builder, x: Value, *, axis: int = -1) -> Signal:
    """Log-probabilities along ``axis``."""
    return _along(build, signal(x, "input"), LogSoftmax, axis)


@operator("Softmax", 1, 12)
def softmax_over_rest(build: Builder, x: Value, *, axis: int = 1) -> Signal:
    """Probabilities over all axes from ``axis`` on, together."""
    return _over_rest(build, signal(x, "input"), Softmax, axis)


@operator("LogSoftmax", 1, 12)
def log_softmax_over_rest(build: Builder, x: Value, *, axis: int = 1) -> Signal:
    """Log-probabilities over all axes from ``axis`` on, together."""
    return _over_rest(build, signal(x, "input"), LogSoftmax, axis)


@operator("ArgMax")
def arg_max(
    build: Builder, data: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0
) -> Signal:
    """Index of the largest element along ``axis``, the first of equals."""
    if select_last_index:
        raise Refusal("it takes the last of equal elements", "use select_last_index=0")
    x = build.settle(signal(data, "input"))
    along = sample_axis(axis, len(x.shape))
    return build.emit(ArgMax(along, bool(keepdims)), x, dtype=np.dtype(np.int64))


def _along(build: Builder, x: Signal, kind: Kind, axis: int) -> Signal:
    along = sample_axis(axis, len(x.shape))
    return build.in_place(kind(x.order[along]), x)


def _over_rest(build: Builder, x: Signal, kind: Kind, axis: int) -> Signal:
    first = sample_axis(axis, len(x.shape))
    large = [along for along in range(first, len(x.shape)) if x.shape[along] > 1]
    if len(large) <= 1:
        return _along(build, x, kind, (large[0] if large else first) + 1)
    flat = build.reshape(x, (*x.shape[:first], int(np.prod(x.shape[first:]))), "flatten")
    return build.reshape(build.emit(kind(first), flat), x.shape, "shape")
