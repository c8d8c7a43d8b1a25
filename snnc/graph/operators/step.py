"""The step: a neuron's decision without memory, 1 or 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Activation, Array, Shape, misfit


@dataclass(frozen=True, eq=False)
class Step(Activation):
    """y = 1 where x >= threshold, else 0.

    Attributes:
        threshold: scalar array, or one that broadcasts to the input's shape, e.g. (channels, 1, 1).
    """

    threshold: Array

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape; raises GraphError G101 if the thresholds do not broadcast to it."""
        limits = np.shape(self.threshold)
        behind = shapes[0][len(shapes[0]) - len(limits) :] if len(limits) <= len(shapes[0]) else None
        if behind is None or any(own not in (1, size) for own, size in zip(limits, behind, strict=True)):
            raise misfit(self, shapes, f"its thresholds have the shape {limits}")
        return shapes[0]

    def evaluate(self, *inputs: Array) -> Array:
        """0 or 1 in the input's type."""
        return np.asarray(inputs[0] >= self.threshold).astype(inputs[0].dtype)


def next_above(threshold: Array) -> Array:
    """The least float32 above each threshold; for float32 numbers, to be above t is to reach it."""
    return np.nextafter(np.asarray(threshold, np.float32), np.float32(np.inf))
