"""Linear maps that only move elements: reshapes, transposes, zero padding, selection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.errors import GraphError

from .base import Array, Rearrangement, Shape, misfit
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
