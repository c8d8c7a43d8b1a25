"""Every element repeated along the axes: nearest-neighbour resizing by whole factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.errors import GraphError

from .base import Array, Rearrangement, Shape, misfit
from .index_map import AxisMap, IndexMap
from .sharing import Sharing


@dataclass(frozen=True, eq=False)
class Upsample(Rearrangement):
    """y[i, j, ...] = x[i // factor, j // factor, ...].

    Attributes:
        factors: how often the elements are repeated along every axis, not counting the batch axis.
    """

    factors: Shape

    def __post_init__(self) -> None:
        if min(self.factors, default=1) < 1:
            raise GraphError("G104", f"Upsample needs factors of 1 or more, not {self.factors}")

    def infer_shape(self, *shapes: Shape) -> Shape:
        """Sizes times factors."""
        if len(shapes[0]) != len(self.factors):
            raise misfit(self, shapes, f"it has factors for {len(self.factors)} axes")
        return tuple(size * factor for size, factor in zip(shapes[0], self.factors, strict=True))

    def evaluate(self, *inputs: Array) -> Array:
        """The batch with its elements repeated."""
        value = inputs[0]
        for axis, factor in enumerate(self.factors):
            value = value if factor == 1 else np.repeat(value, factor, axis + 1)
        return value

    def index_map(self, shape: Shape) -> IndexMap:
        """Axis by axis."""
        axes = tuple(np.repeat(np.arange(n), often) for n, often in zip(shape, self.factors, strict=True))
        return AxisMap(shape, axes, tuple(range(len(shape))))

    def sharing(self, shape: Shape, *inputs: Sharing) -> Sharing:
        """Classes along an axis stay where that is not repeated."""
        axis = inputs[0].axis
        if axis is not None and self.factors[axis] == 1:
            return Sharing(shape, axis)
        return super().sharing(shape, *inputs)
