"""Linear maps that only move elements: reshapes, transposes, zero padding, selection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.errors import GraphError

from .base import Array, Rearrangement, Shape, misfit
from .index_map import AxisMap, IndexMap, ListedMap
from .sharing import Sharing
from .windows import Pads


@dataclass(frozen=True, eq=False)
class Flatten(Rearrangement):
    """All axes become one, in C order."""

    def infer_shape(self, *shapes: Shape) -> Shape:
        """(number of elements,)."""
        return (int(np.prod(shapes[0])),)

    def evaluate(self, *inputs: Array) -> Array:
        """The batch as (samples, elements)."""
        return inputs[0].reshape(inputs[0].shape[0], -1)

    def index_map(self, shape: Shape) -> IndexMap:
        """Every element stays where it is."""
        return AxisMap.identity(shape)


@dataclass(frozen=True, eq=False)
class Reshape(Rearrangement):
    """The same elements in C order under another shape.

    Attributes:
        new_shape: sizes without the batch axis.
    """

    new_shape: Shape

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The new shape."""
        if np.prod(shapes[0]) != np.prod(self.new_shape):
            raise misfit(self, shapes, f"it cannot become {self.new_shape}")
        return tuple(self.new_shape)

    def evaluate(self, *inputs: Array) -> Array:
        """The batch as (samples, *new shape)."""
        return inputs[0].reshape(inputs[0].shape[0], *self.new_shape)

    def index_map(self, shape: Shape) -> IndexMap:
        """Every element stays where it is."""
        return AxisMap.identity(shape)


@dataclass(frozen=True, eq=False)
class Transpose(Rearrangement):
    """Axes in another order.

    Attributes:
        permutation: for each output axis the input axis it takes, not counting the batch axis.
    """

    permutation: Shape

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The permuted shape."""
        if sorted(self.permutation) != list(range(len(shapes[0]))):
            raise misfit(self, shapes, f"{self.permutation} is no order of its axes")
        return tuple(shapes[0][axis] for axis in self.permutation)

    def sharing(self, shape: Shape, *inputs: Sharing) -> Sharing:
        """Classes along an axis are along where it went."""
        axis = inputs[0].axis
        if axis is not None:
            return Sharing(shape, self.permutation.index(axis))
        return super().sharing(shape, *inputs)

    def evaluate(self, *inputs: Array) -> Array:
        """The batch with its axes permuted."""
        return np.ascontiguousarray(inputs[0].transpose(0, *(axis + 1 for axis in self.permutation)))

    def index_map(self, shape: Shape) -> IndexMap:
        """Axis by axis."""
        return AxisMap(shape, tuple(np.arange(shape[axis]) for axis in self.permutation), self.permutation)


@dataclass(frozen=True, eq=False)
class Pad(Rearrangement):
    """Zeros around the axes; a negative pad crops.

    Attributes:
        pads: (before, after) for every axis, not counting the batch axis.
    """

    pads: Pads

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The padded shape."""
        if len(shapes[0]) != len(self.pads):
            raise misfit(self, shapes, f"it has pads for {len(self.pads)} axes")
        shape = tuple(n + before + after for n, (before, after) in zip(shapes[0], self.pads, strict=True))
        if min(shape, default=1) < 1:
            raise misfit(self, shapes, "nothing is left of it")
        return shape

    def evaluate(self, *inputs: Array) -> Array:
        """The padded batch."""
        x = inputs[0]
        crop = tuple(
            slice(max(0, -before), size - max(0, -after))
            for size, (before, after) in zip(x.shape[1:], self.pads, strict=True)
        )
        grow = tuple((max(0, before), max(0, after)) for before, after in self.pads)
        return np.pad(x[(slice(None), *crop)], ((0, 0), *grow))

    def index_map(self, shape: Shape) -> IndexMap:
        """Axis by axis."""
        places = [np.arange(-before, n + after) for n, (before, after) in zip(shape, self.pads, strict=True)]
        axes = tuple(np.where(at < n, np.maximum(at, -1), -1) for at, n in zip(places, shape, strict=True))
        return AxisMap(shape, axes, tuple(range(len(shape))))


@dataclass(frozen=True, eq=False)
class Select(Rearrangement):
    """y[i, j, ...] = x[axes[0][i], axes[1][j], ...], or 0 where one of these is -1; the axes of x in another order.

    Attributes:
        axes: for each output axis (size,) int64, places along the input axis that it is, -1 for zeros.
        in_shape: shape of the input.
        order: for each output axis that input axis; empty means the same order.
    """

    axes: tuple[Array, ...]
    in_shape: Shape
    order: Shape = ()

    def __post_init__(self) -> None:
        order = tuple(self.order) or tuple(range(len(self.in_shape)))
        object.__setattr__(self, "order", order)
        if sorted(order) != list(range(len(self.in_shape))) or len(self.axes) != len(order):
            raise GraphError("G104", f"Select needs places along each of the {len(self.in_shape)} axes once")
        for places, axis in zip(self.axes, order, strict=True):
            if places.min(initial=0) < -1 or places.max(initial=-1) >= self.in_shape[axis]:
                raise GraphError(
                    "G104", f"Select has a place outside of axis {axis} of {self.in_shape[axis]}"
                )

    def infer_shape(self, *shapes: Shape) -> Shape:
        """As many as there are places along each axis."""
        if shapes[0] != tuple(self.in_shape):
            raise misfit(self, shapes, f"it must be {self.in_shape}")
        return tuple(len(places) for places in self.axes)

    def evaluate(self, *inputs: Array) -> Array:
        """The selected elements of a batch."""
        value = inputs[0].transpose(0, *(axis + 1 for axis in self.order))
        for number, places in enumerate(self.axes):
            value = np.take(value, np.maximum(places, 0), number + 1)
            value[(slice(None),) * (number + 1) + (places < 0,)] = 0
        return np.ascontiguousarray(value)

    def index_map(self, shape: Shape) -> IndexMap:
        """Axis by axis."""
        return AxisMap(tuple(self.in_shape), self.axes, self.order)

    def sharing(self, shape: Shape, *inputs: Sharing) -> Sharing:
        """Classes along an axis are along where it went, if no place of it is taken twice or a zero."""
        axis = inputs[0].axis
        if axis is not None:
            places = self.axes[self.order.index(axis)]
            if (places >= 0).all() and len(np.unique(places)) == len(places):
                return Sharing(shape, self.order.index(axis))
        return super().sharing(shape, *inputs)


@dataclass(frozen=True, eq=False)
class Gather(Rearrangement):
    """y[i] = x[indices[i]], or 0 where the index is -1, over the flattened input.

    Attributes:
        indices: int64 array of the output's shape.
        in_shape: shape of the input.
    """

    indices: Array
    in_shape: Shape

    def __post_init__(self) -> None:
        size = int(np.prod(self.in_shape))
        if self.indices.size and (self.indices.min() < -1 or self.indices.max() >= size):
            raise GraphError("G104", f"Gather has an index outside its input of {size} elements")

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The shape of the index array."""
        if shapes[0] != tuple(self.in_shape):
            raise misfit(self, shapes, f"it must be {self.in_shape}")
        return self.indices.shape

    def evaluate(self, *inputs: Array) -> Array:
        """The selected elements of a batch."""
        flat = inputs[0].reshape(inputs[0].shape[0], -1)
        padded = np.concatenate([flat, np.zeros((flat.shape[0], 1), flat.dtype)], axis=1)
        return padded[:, self.indices.ravel()].reshape(-1, *self.indices.shape)

    def index_map(self, shape: Shape) -> IndexMap:
        """Element by element."""
        return ListedMap(np.asarray(self.indices, np.int64).ravel(), tuple(self.in_shape), self.indices.shape)
