"""Non-linear functions of an ANN that a spiking neuron can stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.errors import GraphError

from .base import Activation, Array, Shape


@dataclass(frozen=True, eq=False)
class Relu(Activation):
    """y = max(x, 0).

    Attributes:
        scale: activation that a neuron firing at every tick stands for, scalar array or (channels, 1, ...);
            None until a balancing pass has chosen it. It does not change the value.
    """

    scale: Array | None = None

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return shapes[0]

    def evaluate(self, *inputs: Array) -> Array:
        """max(x, 0)."""
        return np.maximum(inputs[0], 0)


@dataclass(frozen=True, eq=False)
class Clip(Activation):
    """y = min(max(x, low), high), e.g. ReLU6.

    Attributes:
        low, high: bounds.
        scale: as in Relu; at most ``high - low`` once chosen.
    """

    low: float
    high: float
    scale: Array | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise GraphError("G104", f"Clip needs low < high, not {self.low} and {self.high}")

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return shapes[0]

    def evaluate(self, *inputs: Array) -> Array:
        """The clipped batch."""
        return np.clip(inputs[0], inputs[0].dtype.type(self.low), inputs[0].dtype.type(self.high))
