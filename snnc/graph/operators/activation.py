"""Non-linear functions of an ANN that a spiking neuron can stand for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from snnc.errors import GraphError

from .base import Activation, AddNode, Array, Operator, Shape
from .elementwise import Bias, Scale

if TYPE_CHECKING:
    from snnc.graph.neurons.base import Reset

UNBOUNDED = 3e38
"""Exporters write the largest float32 where they mean no bound."""


class Rectifier(Activation):
    """A function that keeps values between two bounds, of which the lower is what a silent neuron stands for.

    Attributes:
        low, high: bounds of its values; ``high`` is infinite where there is none.
        scale: activation that a neuron firing at every tick stands for, scalar array or one that broadcasts to the
            value, e.g. (channels, 1, ...); None until a balancing pass has chosen it. It does not change the value.

    Class attributes:
        one_scale: whether ``divided`` needs the same scale for all elements.
    """

    low: float
    high: float
    scale: Array | None
    one_scale: ClassVar[bool] = False

    @property
    def is_normal(self) -> bool:
        """Whether a firing rate stands for every value: the lowest is 0."""
        return self.low == 0

    def with_scale(self, scale: Array) -> Self:
        """The same function with another scale."""
        return replace(self, scale=scale)  # type: ignore[call-arg]

    def divided(self, scale: Array) -> Self:
        """The function f with ``scale * f(x / scale)`` equal to this one; its own scale is 1."""
        raise NotImplementedError

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return shapes[0]

    def spike(self, *inputs: Array | None) -> Array:
        """The scale; where none was chosen the highest value, or 1."""
        chosen = (
            self.scale if self.scale is not None else np.array(self.high if np.isfinite(self.high) else 1)
        )
        return np.asarray(chosen, np.float32)

    def neuron(self, scale: Array, reset: Reset, start: float, shape: Shape) -> Operator:
        """Integrate-and-fire neurons with the scale as threshold."""
        from snnc.graph.neurons import IF  # neurons are built on operators

        return IF(scale, reset, scale * np.float32(start))


@dataclass(frozen=True, eq=False)
class Relu(Rectifier):
    """y = max(x, 0).

    Attributes:
        scale: see Rectifier.
    """

    scale: Array | None = None

    low = 0.0
    high = np.inf

    def divided(self, scale: Array) -> Relu:
        """Itself, with the scale 1."""
        return Relu(np.array(1, np.float32))

    def evaluate(self, *inputs: Array) -> Array:
        """max(x, 0)."""
        return np.maximum(inputs[0], 0)


@dataclass(frozen=True, eq=False)
class Clip(Rectifier):
    """y = min(max(x, low), high), e.g. ReLU6.

    Attributes:
        low, high: bounds.
        scale: see Rectifier; at most ``high - low`` once chosen.
    """

    low: float
    high: float
    scale: Array | None = None

    one_scale = True

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise GraphError("G104", f"Clip needs low < high, not {self.low} and {self.high}")

    @property
    def is_normal(self) -> bool:
        """Whether it runs from 0 to a finite bound."""
        return self.low == 0 and self.high < UNBOUNDED

    def divided(self, scale: Array) -> Clip:
        """The bound divided."""
        return replace(self, high=self.high / float(scale), scale=np.array(1, np.float32))

    def evaluate(self, *inputs: Array) -> Array:
        """The clipped batch."""
        return np.clip(inputs[0], inputs[0].dtype.type(self.low), inputs[0].dtype.type(self.high))

    def in_rectifiers(self, add: AddNode, source: str) -> str | None:
        """Shifted such that the lower bound is 0; a bound of 3e38 or more counts as infinite.

        1. 0 to high stays; 0 to infinity becomes Relu.
        2. low to high: Bias(-low), Clip(0, high - low), Bias(low).
        3. low to infinity: Bias(-low), Relu, Bias(low).
        4. minus infinity to high: high - relu(high - x), with Scale(-1) and Bias.
        5. No bound at all: the input itself.
        """
        if self.is_normal:
            return None
        from_below, from_above = self.low > -UNBOUNDED, self.high < UNBOUNDED
        if from_below:
            core = Clip(0.0, self.high - self.low, self.scale) if from_above else Relu(self.scale)
            if self.low == 0:
                return add("relu", core, source)
            lifted = add("lift", _bias(-self.low), source)
            return add("lower", _bias(self.low), add("relu", core, lifted))
        if not from_above:
            return source
        minus = Scale(np.array(-1, np.float32))
        lifted = add("lift", _bias(self.high), add("minus", minus, source))
        return add("lower", _bias(self.high), add("minus", minus, add("relu", Relu(self.scale), lifted)))


def _bias(value: float) -> Bias:
    return Bias(np.array(value, np.float32))
