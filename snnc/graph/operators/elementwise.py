"""Affine maps that treat every element by itself, and batch normalisation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .base import Array, Bounds, LinearMap, Operator, Shape, misfit
from .sharing import Sharing


def broadcastable(operator: Operator, value: Array, shape: Shape) -> Shape:
    """``shape``, if a parameter broadcasts to it; raises GraphError G101 if not."""
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise misfit(operator, (shape,), f"its parameter of shape {value.shape} does not broadcast to it")
    return shape


class Elementwise(LinearMap):
    """A map that treats every element by itself."""

    elementwise = True

    def sharing(self, shape: Shape, *inputs: Sharing) -> Sharing:
        """As in the input."""
        return inputs[0]


@dataclass(frozen=True, eq=False)
class Scale(Elementwise):
    """y = factor * x, element by element.

    Attributes:
        factor: array that broadcasts to the input's shape (no batch axis).
    """

    factor: Array

    multipliers = ("factor",)

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return broadcastable(self, np.asarray(self.factor), shapes[0])

    def scaled_outputs(self, factors: Array) -> Scale:
        """Any factors."""
        return Scale(np.asarray(self.factor * np.where(np.isnan(factors), 1.0, factors)))

    def evaluate(self, *inputs: Array) -> Array:
        """Factor * x."""
        return np.asarray(inputs[0] * self.factor)


@dataclass(frozen=True, eq=False)
class Bias(Elementwise):
    """y = x + value, element by element; in a spiking network ``value`` is a current of every tick.

    Attributes:
        value: array that broadcasts to the input's shape (no batch axis).
    """

    value: Array

    offsets = ("value",)

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return broadcastable(self, np.asarray(self.value), shapes[0])

    def with_bias(self, values: Array) -> Bias:
        """Any values."""
        return replace(self, value=self.value + values)

    def evaluate(self, *inputs: Array) -> Array:
        """X + value."""
        return np.asarray(inputs[0] + self.value)


@dataclass(frozen=True, eq=False)
class BatchNorm(Elementwise):
    """Batch normalisation with fixed statistics, y = gamma (x - mean) / sqrt(variance + epsilon) + beta.

    Attributes:
        gamma, beta, mean, variance: (channels,), channels being the first axis.
        epsilon: added to the variance.
    """

    gamma: Array
    beta: Array
    mean: Array
    variance: Array
    epsilon: float = 1e-5

    keeps_integers = False

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        if not shapes[0] or shapes[0][0] != self.gamma.shape[0]:
            raise misfit(self, shapes, f"it needs {self.gamma.shape[0]} channels")
        return shapes[0]

    def affine(self) -> tuple[Array, Array]:
        """(factor, shift), each (channels,) float64, with y = factor * x + shift."""
        factor = np.asarray(self.gamma, np.float64) / np.sqrt(
            np.asarray(self.variance, np.float64) + self.epsilon
        )
        return factor, np.asarray(self.beta, np.float64) - np.asarray(self.mean, np.float64) * factor

    def plain(self, shape: Shape) -> tuple[LinearMap, ...]:
        """Scale, then Bias."""
        factor, shift = (part.reshape(-1, *(1,) * (len(shape) - 1)) for part in self.affine())
        return Scale(factor), Bias(shift)

    def bounds(self, *inputs: Bounds) -> Bounds:
        """Both ends, in the order in which they come out."""
        factor, shift = (part.reshape(-1, *(1,) * (inputs[0][0].ndim - 1)) for part in self.affine())
        ends = inputs[0][0] * factor + shift, inputs[0][1] * factor + shift
        return np.minimum(*ends), np.maximum(*ends)

    def evaluate(self, *inputs: Array) -> Array:
        """The normalised batch, in the dtype of the input."""
        x = inputs[0]
        space = (1,) * (x.ndim - 2)
        factor, shift = (part.astype(x.dtype).reshape(-1, *space) for part in self.affine())
        return np.asarray(x * factor + shift)

    def magnitude(self, *bounds: Array) -> Array:
        """|factor| x + |shift|."""
        space = (1,) * (bounds[0].ndim - 2)
        factor, shift = (np.abs(part).reshape(-1, *space) for part in self.affine())
        return np.asarray(bounds[0] * factor + shift)
