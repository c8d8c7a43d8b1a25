"""The rectifier that lets negative values through, times a slope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .activation import Relu
from .base import Activation, AddNode, Array, Bounds, Shape
from .elementwise import Scale, broadcastable
from .merge import Add


@dataclass(frozen=True, eq=False)
class LeakyRelu(Activation):
    """y = x where x >= 0, else slope * x; with a slope of -1 the absolute value.

    Attributes:
        slope: scalar array, or one that broadcasts to the input's shape, e.g. (channels, 1, 1).
    """

    slope: Array

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return broadcastable(self, np.asarray(self.slope), shapes[0])

    def evaluate(self, *inputs: Array) -> Array:
        """max(x, 0) + slope * min(x, 0)."""
        x = inputs[0]
        return np.asarray(np.where(x >= 0, x, x * np.asarray(self.slope, x.dtype)))

    def bounds(self, *inputs: Bounds) -> Bounds:
        """Both ends, and 0 between them: where slopes are negative, the function falls first."""
        low, high = inputs[0]
        zero = np.clip(0.0, low, high)
        values = [self.evaluate(value[None])[0] for value in (low, zero, high)]
        return np.min(values, axis=0), np.max(values, axis=0)

    def in_rectifiers(self, add: AddNode, source: str) -> str:
        """relu(x) - slope * relu(-x)."""
        minus = add("minus", Scale(np.array(-1, np.float32)), source)
        below = add("below", Relu(), minus)
        negative = add("negative", Scale(-np.asarray(self.slope, np.float32)), below)
        return add("sum", Add(), add("above", Relu(), source), negative)
