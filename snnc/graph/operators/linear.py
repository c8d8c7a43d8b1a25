"""Fully connected maps, dense and sparse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from snnc.errors import GraphError

from .base import Array, LinearMap, Product, Shape, misfit
from .sharing import Sharing, one_a_channel

_PRODUCTS_AT_ONCE = 2**18
"""Products that a sparse map holds at a time, so that they stay in the cache."""


_CONVERTED_AT_ONCE = 2**23
"""Weights that a product converts to the type of its input at a time."""


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

    def sharing(self, shape: Shape, *inputs: Sharing) -> Sharing:
        """Those of one row of the weight."""
        return Sharing(shape, len(shape) - 1)

    def scaled_outputs(self, factors: Array) -> Linear | None:
        """Where factors are one a row of the weight."""
        rows = one_a_channel(factors, -1)
        if rows is None:
            return None
        if (rows == 1).all():
            return self
        bias = None if self.bias is None else self.bias * rows
        return replace(self, weight=self.weight * rows[:, None], bias=bias)

    def scaled_inputs(self, factors: Array) -> Linear | None:
        """Where factors are one a column of the weight."""
        columns = one_a_channel(factors, -1, empty=0.0)
        if columns is None:
            return None
        return self if (columns == 1).all() else replace(self, weight=self.weight * columns)

    def with_bias(self, values: Array) -> Linear | None:
        """Where values are one a row of the weight."""
        rows = one_a_channel(values, -1)
        return None if rows is None else replace(self, bias=rows if self.bias is None else self.bias + rows)

    def with_input_bias(self, values: Array) -> Linear | None:
        """Where values are one a column of the weight."""
        columns = one_a_channel(values, -1)
        if columns is None:
            return None
        shift = (self.weight * columns).sum(axis=1)
        return replace(self, bias=shift if self.bias is None else self.bias + shift)

    def evaluate(self, *inputs: Array) -> Array:
        """W x + b for a batch (samples, ..., inputs)."""
        return self.evaluate_by(np.matmul, *inputs)

    def evaluate_by(self, product: Product, *inputs: Array) -> Array:
        """W x + b for a batch (samples, ..., inputs)."""
        result = self._products(product, inputs[0])
        return result if self.bias is None else result + self.bias

    def _products(self, product: Product, x: Array) -> Array:
        """W x; a weight of another type than ``x`` is never copied into that as a whole, if it is large."""
        outputs, inputs = self.weight.shape
        at_once = max(1, _CONVERTED_AT_ONCE // max(inputs, 1))
        if x.dtype == self.weight.dtype or outputs <= at_once:
            return product(x, self.weight.T)
        starts = range(0, outputs, at_once)
        return np.concatenate([product(x, self.weight[at : at + at_once].T) for at in starts], axis=-1)


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

    def scaled_outputs(self, factors: Array) -> SparseLinear:
        """Any factors."""
        known = np.where(np.isnan(factors), 1.0, factors)
        return replace(self, values=self.values * known.ravel()[self.rows])

    def scaled_inputs(self, factors: Array) -> SparseLinear:
        """Any factors."""
        known = np.where(np.isnan(factors), 0.0, factors)
        return replace(self, values=self.values * known.ravel()[self.columns])

    def sharing(self, shape: Shape, *inputs: Sharing) -> Sharing:
        """None: every entry has a value of its own."""
        return Sharing(shape)

    @cached_property
    def _by_row(self) -> tuple[Array, Array]:
        """(order that sorts the entries by row, position of each row's first entry in it)."""
        order = np.argsort(self.rows, kind="stable")
        return order, np.flatnonzero(np.diff(self.rows[order], prepend=-1))

    def evaluate(self, *inputs: Array) -> Array:
        """Sum of value * x[column] into each row, for a batch."""
        x = inputs[0]
        flat = x.reshape(x.shape[0], int(np.prod(x.shape[1:])))
        order, firsts = self._by_row
        columns, values, rows = self.columns[order], self.values[order], self.rows[order[firsts]]
        result = np.zeros((x.shape[0], int(np.prod(self.out_shape))), np.result_type(x, self.values))
        at_once = max(1, _PRODUCTS_AT_ONCE // max(1, len(order)))
        for start in range(0, len(x) if len(order) else 0, at_once):
            part = slice(start, start + at_once)
            result[part, rows] = np.add.reduceat(flat[part, columns] * values, firsts, axis=1)
        return result.reshape(x.shape[0], *self.out_shape)
