"""From the host's real numbers to the integer currents that a chip takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Array, Level, Operator, Shape


@dataclass(frozen=True, eq=False)
class QuantiseCurrent(Operator):
    """y = clip(round(scale * x / 2^exponent), -limit, limit) * 2^exponent, an int64 current of every tick.

    It is computed by the host, once a sample (or once a tick where the samples have ticks).

    Attributes:
        scale: integer units per unit of x, scalar or array that broadcasts to the input's shape.
        exponent: of the step between two currents.
        limit: largest magnitude in steps, what the chip's current register holds.
    """

    scale: float | Array
    exponent: int = 0
    limit: int = 4095

    levels = frozenset({Level.INTEGER})

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return shapes[0]

    def evaluate(self, *inputs: Array) -> Array:
        """The currents, int64."""
        steps = np.rint(np.asarray(inputs[0], np.float64) * self.scale / 2.0**self.exponent)
        return np.asarray(np.clip(steps, -self.limit, self.limit).astype(np.int64) * 2**self.exponent)
