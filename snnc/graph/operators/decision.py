"""What an ANN does with its logits at the end; a spiking network is read before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Array, Decision, Shape, misfit


@dataclass(frozen=True, eq=False)
class Softmax(Decision):
    """exp(x) / sum(exp(x)) along an axis (no batch axis counted)."""

    axis: int = 0

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return shapes[0]

    def evaluate(self, *inputs: Array) -> Array:
        """Probabilities."""
        shifted = np.exp(inputs[0] - inputs[0].max(axis=self.axis + 1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=self.axis + 1, keepdims=True))


@dataclass(frozen=True, eq=False)
class LogSoftmax(Decision):
    """Logarithm of Softmax along an axis (no batch axis counted)."""

    axis: int = 0

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return shapes[0]

    def evaluate(self, *inputs: Array) -> Array:
        """Log-probabilities."""
        shifted = inputs[0] - inputs[0].max(axis=self.axis + 1, keepdims=True)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=self.axis + 1, keepdims=True)))


@dataclass(frozen=True, eq=False)
class ArgMax(Decision):
    """Index of the largest element along an axis (no batch axis counted), first of equals.

    Attributes:
        axis: axis that is searched.
        keepdims: whether the axis stays with size 1.
    """

    axis: int = 0
    keepdims: bool = False

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape without, or with 1 at, the axis."""
        shape = shapes[0]
        if not 0 <= self.axis < len(shape):
            raise misfit(self, shapes, f"it has no axis {self.axis}")
        middle = (1,) if self.keepdims else ()
        return (*shape[: self.axis], *middle, *shape[self.axis + 1 :])

    def evaluate(self, *inputs: Array) -> Array:
        """Indices, int64."""
        return np.asarray(np.argmax(inputs[0], axis=self.axis + 1, keepdims=self.keepdims), np.int64)
