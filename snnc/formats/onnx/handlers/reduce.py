"""Mean, sum and maximum over axes, as pooling over all of them."""

from __future__ import annotations

import numpy as np

from snnc.formats.onnx.builder import Builder, integers, sample_axis, signal
from snnc.formats.onnx.registry import operator
from snnc.formats.onnx.values import Signal, Value
from snnc.graph import AvgPool, MaxPool, Scale, Shape

from .pool import MOST_AXES, pool_space


@operator("ReduceMean", 1, 17)
def reduce_mean_by_attributes(build: Builder, x: Value, *, axes: Shape = (), keepdims: int = 1) -> Signal:
    """Mean over ``axes``."""
    return _pooled(build, signal(x, "input"), AvgPool, axes, keepdims)


@operator("ReduceMean", 18)
def reduce_mean(
    build: Builder, x: Value, axes: Value | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> Signal:
    """Mean over axes given as input."""
    return _reduced(build, signal(x, "input"), AvgPool, axes, keepdims, noop_with_empty_axes)


@operator("ReduceMax", 1, 17)
def reduce_max_by_attributes(build: Builder, x: Value, *, axes: Shape = (), keepdims: int = 1) -> Signal:
    """Maximum over ``axes``."""
    return _pooled(build, signal(x, "input"), MaxPool, axes, keepdims)


@operator("ReduceMax", 18)
def reduce_max(
    build: Builder, x: Value, axes: Value | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> Signal:
    """Maximum over axes given as input."""
    return _reduced(build, signal(x, "input"), MaxPool, axes, keepdims, noop_with_empty_axes)


@operator("ReduceSum", 1, 12)
def reduce_sum_by_attributes(build: Builder, x: Value, *, axes: Shape = (), keepdims: int = 1) -> Signal:
    """Sum over ``axes``."""
    return _summed(build, signal(x, "input"), axes, keepdims)


@operator("ReduceSum", 13)
def reduce_sum(
    build: Builder, x: Value, axes: Value | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> Signal:
    """Sum over axes given as input."""
    value, listed = signal(x, "input"), () if axes is None else integers(axes, "list of axes")
    if not listed and noop_with_empty_axes:
        return build.pass_on(value, "it reduces no axes")
    return _summed(build, value, listed, keepdims)


def _summed(build: Builder, x: Signal, axes: Shape, keepdims: int) -> Signal:
    mean = _pooled(build, x, AvgPool, axes, keepdims)
    count = int(np.prod(x.shape)) // int(np.prod(mean.shape))
    return build.in_place(Scale(np.array(count)), mean, "count")


def _reduced(
    build: Builder, x: Signal, kind: type[AvgPool | MaxPool], axes: Value | None, keepdims: int, noop: int
) -> Signal:
    listed = () if axes is None else integers(axes, "list of axes")
    if not listed and noop:
        return build.pass_on(x, "it reduces no axes")
    return _pooled(build, x, kind, listed, keepdims)


def _pooled(build: Builder, x: Signal, kind: type[AvgPool | MaxPool], axes: Shape, keepdims: int) -> Signal:
    """Pool over axes of the file (all if none are given, which fails for the batch axis)."""
    rank = len(x.shape)
    reduced = sorted({sample_axis(axis, rank) for axis in (axes or range(rank + 1))})
    kept = [axis for axis in range(rank) if axis not in reduced]
    result = tuple(1 if axis in reduced else size for axis, size in enumerate(x.shape))
    inner = [x.order[axis] for axis in reduced]
    if 0 not in inner and 1 < rank <= MOST_AXES + 1:
        # The reduced axes are spatial in the graph's layout: one pooling window, axes stay where they are.
        sizes = [x.shape[axis] for axis in x.inverse]
        kernel = tuple(size if axis in inner else 1 for axis, size in enumerate(sizes))[1:]
        pooled = build.emit(kind(kernel), x)
        value = Signal(pooled.node, result, x.order, pooled.dtype, x.moves)
    else:
        moved = build.settle(build.transpose(x, (*kept, *reduced)))
        channels = int(np.prod([x.shape[axis] for axis in kept]))
        space = tuple(x.shape[axis] for axis in reduced)
        flat = build.reshape(moved, (channels, *space), "space")
        value = build.reshape(pool_space(build, flat, kind), result, "shape")
    return value if keepdims else build.reshape(value, tuple(x.shape[axis] for axis in kept), "squeeze")
