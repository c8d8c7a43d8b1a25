"""Other shapes for the same elements, other orders of axes, and the shape itself as a value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from snnc.formats.onnx.builder import KEEP_BATCH, MIXED_SAMPLES, Builder, integers, sample_axis, signal
from snnc.formats.onnx.fold import by_batch
from snnc.formats.onnx.ledger import Outcome
from snnc.formats.onnx.registry import Refusal, operator
from snnc.formats.onnx.values import Constant, Signal, Value
from snnc.graph import Array, Shape

MOVED_AXES = "the change of layout cancels with another, or is taken up by the nodes that read it"


@operator("Reshape", 5)
def reshape(build: Builder, data: Value, shape: Value, *, allowzero: int = 0) -> Signal:
    """Elements in C order under another shape; 0 copies a size, -1 takes what is left."""
    if not isinstance(shape, Constant):
        raise Refusal(
            "its new shape is computed from the input's values", "make the shape a constant of the model"
        )
    x = signal(data, "input")

    def target(full: Shape, position: int) -> Shape:
        sizes = [int(size) for size in shape.at(position).ravel()]
        if not allowzero:
            sizes = [full[axis] if size == 0 else size for axis, size in enumerate(sizes)]
        rest = int(np.prod([size for size in sizes if size != -1]))
        total = int(np.prod(full))
        if -1 in sizes and rest:
            sizes[sizes.index(-1)] = total // rest
        if -1 in sizes or int(np.prod(sizes)) != total:
            raise Refusal(f"{total} elements do not fit the shape {tuple(sizes)}", KEEP_BATCH, batch=True)
        return tuple(sizes)

    return _reshaped(build, x, target)


@operator("Flatten")
def flatten(build: Builder, x: Value, *, axis: int = 1) -> Signal:
    """Two axes: those before ``axis`` and the others."""
    value = signal(x, "input")
    split = axis + len(value.shape) + 1 if axis < 0 else axis

    def target(full: Shape, position: int) -> Shape:
        return int(np.prod(full[:split])), int(np.prod(full[split:]))

    return _reshaped(build, value, target)


def _reshaped(build: Builder, x: Signal, target: Callable[[Shape, int], Shape]) -> Signal:
    """Reshape to what ``target`` gives for the full input shape and the position of a batch size."""
    results = set()
    for position, samples in enumerate(build.batch.sizes):
        full = target((samples, *x.shape), position)
        if not full or full[0] != samples:
            raise Refusal(MIXED_SAMPLES, KEEP_BATCH, batch=True)
        results.add(full[1:])
    if len(results) != 1:
        raise Refusal("its shape depends on the batch size", KEEP_BATCH, batch=True)
    return build.reshape(x, results.pop())


@operator("Squeeze", 1, 12)
def squeeze_by_attributes(build: Builder, data: Value, *, axes: Shape | None = None) -> Signal:
    """Without axes of size 1."""
    return _squeezed(build, signal(data, "input"), axes)


@operator("Squeeze", 13)
def squeeze(build: Builder, data: Value, axes: Value | None = None) -> Signal:
    """Without axes of size 1, those given as input or all."""
    return _squeezed(build, signal(data, "input"), None if axes is None else integers(axes, "list of axes"))


def _squeezed(build: Builder, x: Signal, axes: Shape | None) -> Signal:
    if axes is None:
        if build.batch.sizes == (1,):
            raise Refusal("it would remove the batch axis with the others", "name the axes to squeeze")
        axes = tuple(axis + 1 for axis, size in enumerate(x.shape) if size == 1)
    gone = {sample_axis(axis, len(x.shape)) for axis in axes}
    if any(x.shape[axis] != 1 for axis in gone):
        raise Refusal("it squeezes an axis of more than one element", "export the model again")
    return build.reshape(x, tuple(size for axis, size in enumerate(x.shape) if axis not in gone))


@operator("Unsqueeze", 1, 12)
def unsqueeze_by_attributes(build: Builder, data: Value, *, axes: Shape) -> Signal:
    """With new axes of size 1."""
    return _unsqueezed(build, signal(data, "input"), axes)


@operator("Unsqueeze", 13)
def unsqueeze(build: Builder, data: Value, axes: Value) -> Signal:
    """With new axes of size 1, given as input."""
    return _unsqueezed(build, signal(data, "input"), integers(axes, "list of axes"))


def _unsqueezed(build: Builder, x: Signal, axes: Shape) -> Signal:
    rank = len(x.shape) + len(axes)
    new = {sample_axis(axis, rank) for axis in axes}
    sizes = iter(x.shape)
    return build.reshape(x, tuple(1 if axis in new else next(sizes) for axis in range(rank)))


@operator("Transpose")
def transpose(build: Builder, data: Value, *, perm: Shape = ()) -> Signal:
    """Axes in another order, the batch axis staying first."""
    x = signal(data, "input")
    order = tuple(perm) or tuple(reversed(range(len(x.shape) + 1)))
    if sorted(order) != list(range(len(x.shape) + 1)):
        raise Refusal(f"{order} is no order of its axes", "export the model again")
    if order[0] != 0:
        raise Refusal(MIXED_SAMPLES, KEEP_BATCH)
    build.note(Outcome.NO_EFFECT, MOVED_AXES)
    return build.transpose(x, tuple(axis - 1 for axis in order[1:]))


@operator("Shape")
def shape_of(build: Builder, data: Value, *, start: int = 0, end: int | None = None) -> Constant:
    """The sizes of a signal, for each batch size."""
    x = signal(data, "input")
    return _counted(
        build, x, lambda full: np.array(full[start:end], np.int64), "the shape is fixed at import"
    )


@operator("Size")
def size_of(build: Builder, data: Value) -> Constant:
    """The number of elements of a signal, for each batch size."""
    x = signal(data, "input")
    return _counted(build, x, lambda full: np.array(np.prod(full), np.int64), "the size is fixed at import")


def _counted(build: Builder, x: Signal, count: Callable[[Shape], Array], why: str) -> Constant:
    build.note(Outcome.CONSTANT, why)
    return by_batch([count((samples, *x.shape)) for samples in build.batch.sizes])
