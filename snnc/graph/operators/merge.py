"""Maps of several inputs: sum and concatenation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Array, LinearMap, Rearrangement, Shape, misfit
from .sharing import Sharing, joined


@dataclass(frozen=True, eq=False)
class Add(LinearMap):
    """Sum of two or more inputs of one shape."""

    minimum_inputs = 2
    maximum_inputs = None

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The common shape."""
        if len(set(shapes)) != 1:
            raise misfit(self, shapes, "all inputs must have one shape")
        return shapes[0]

    def sharing(self, shape: Shape, *inputs: Sharing) -> Sharing:
        """Elements that share in any of the terms."""
        return joined(inputs)

    def evaluate(self, *inputs: Array) -> Array:
        """The sum, added in the order of the inputs."""
        result = inputs[0]
        for term in inputs[1:]:
            result = result + term
        return result


@dataclass(frozen=True, eq=False)
class Concat(Rearrangement):
    """Inputs one after another along an axis.

    Attributes:
        axis: not counting the batch axis.
    """

    axis: int = 0

    minimum_inputs = 1
    maximum_inputs = None

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The common shape with the sizes along the axis summed."""
        rest = {(*shape[: self.axis], *shape[self.axis + 1 :]) for shape in shapes}
        ranks = {len(shape) for shape in shapes}
        if len(rest) != 1 or len(ranks) != 1 or not 0 <= self.axis < min(ranks):
            raise misfit(self, shapes, f"inputs may differ along axis {self.axis} only")
        total = sum(shape[self.axis] for shape in shapes)
        return (*shapes[0][: self.axis], total, *shapes[0][self.axis + 1 :])

    def sharing(self, shape: Shape, *inputs: Sharing) -> Sharing:
        """The channels of all inputs where those are joined, else as a rearrangement."""
        if all(part.axis == self.axis for part in inputs):
            return Sharing(shape, self.axis)
        return super().sharing(shape, *inputs)

    def evaluate(self, *inputs: Array) -> Array:
        """The joined batch."""
        return np.concatenate(inputs, axis=self.axis + 1)
