"""Fully connected maps, dense and sparse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.errors import GraphError

from .base import Array, LinearMap, Shape, misfit


@dataclass(frozen=True, eq=False)
class Linear(LinearMap):
    """Fully connected map along the last axis, y = W x + b.

    Attributes:
        weight: (outputs, inputs).
        bias: (outputs,) or None.
    """

    weight: Array
    bias: Array | None = None

    multipliers = ("weight",)
    offsets = ("bias",)

    def __post_init__(self) -> None:
        if self.weight.ndim != 2:
            raise GraphError("G104", f"Linear needs a weight of 2 axes, not {self.weight.ndim}")

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape with its last axis replaced by the number of outputs."""
        if not shapes[0] or shapes[0][-1] != self.weight.shape[1]:
            raise misfit(self, shapes, f"the last axis must be {self.weight.shape[1]}")
        return (*shapes[0][:-1], self.weight.shape[0])

    def evaluate(self, *inputs: Array) -> Array:
        """W x + b for a batch (samples, ..., inputs)."""
        result = np.matmul(inputs[0], self.weight.T)
        return result if self.bias is None else result + self.bias


@dataclass(frozen=True, eq=False)
class SparseLinear(LinearMap):
    """A linear map given by its non-zero entries, y[row] += value * x[column], over flattened arrays.

    Attributes:
        rows, columns: (entries,) int64, flat indices into output and input.
        values: (entries,).
        in_shape, out_shape: shapes of input and output.
    """

    rows: Array
    columns: Array
    values: Array
    in_shape: Shape
    out_shape: Shape

    multipliers = ("values",)

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The output shape; the input must have exactly the input shape."""
        if shapes[0] != tuple(self.in_shape):
            raise misfit(self, shapes, f"it must be {self.in_shape}")
        return tuple(self.out_shape)

    def evaluate(self, *inputs: Array) -> Array:
        """Sum of value * x[column] into each row, for a batch."""
        x = inputs[0]
        flat = x.reshape(x.shape[0], -1)
        result = np.zeros((int(np.prod(self.out_shape)), x.shape[0]), np.result_type(x, self.values))
        np.add.at(result, self.rows, (flat[:, self.columns] * self.values).T)
        return np.ascontiguousarray(result.T).reshape(x.shape[0], *self.out_shape)
