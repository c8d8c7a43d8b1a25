"""The synapses that a projection of the network asks for at some neurons, written out one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.conv import Conv
from snnc.graph.operators.elementwise import Scale
from snnc.graph.operators.linear import Linear, SparseLinear
from snnc.graph.projections import Projection

from .limits import UNIT

Expansion = Callable[[Array], tuple[Array, Array, Array]]
"""From the neurons of a tile (flat indices) to the synapses that lead to them: source neurons, indices into the given
neurons, and weights in steps of 64."""

_Rows = Callable[[Array], tuple[Array, Array, Array]]
"""From outputs of an operator (flat indices) to inputs, indices into the given outputs, and weights."""


def expansions(projection: Projection) -> Expansion:
    """How to write a projection out."""
    rows = _rows(projection)
    place, gather = projection.place, projection.gather

    def expand(neurons: Array) -> tuple[Array, Array, Array]:
        outputs = neurons if place is None else place[neurons]
        known = np.flatnonzero(outputs >= 0)
        inputs, which, weights = rows(outputs[known])
        sources = inputs if gather is None else gather[inputs]
        kept = sources >= 0
        if kept.all():
            return sources, known[which], weights
        return sources[kept], known[which[kept]], weights[kept]

    return expand


def _rows(projection: Projection) -> _Rows:
    operator: Any = projection.operator
    if isinstance(operator, Conv):
        return _conv_rows(operator, projection.in_shape, projection.mid_shape)
    if isinstance(operator, Linear):
        return _linear_rows(_steps(operator.weight))
    if isinstance(operator, Scale):
        factors = np.broadcast_to(_steps(operator.factor), projection.in_shape).ravel()
        return lambda outputs: (outputs, np.arange(len(outputs)), factors[outputs])
    assert isinstance(operator, SparseLinear)
    return _sparse_rows(operator, int(np.prod(projection.mid_shape)))


def _steps(weights: Array) -> Array:
    return np.rint(np.asarray(weights) / UNIT).astype(np.int64)


def _conv_rows(conv: Conv, in_shape: Shape, out_shape: Shape) -> _Rows:
    weights = _steps(conv.weight).reshape(conv.weight.shape[0], conv.weight.shape[1], -1)
    share = conv.weight.shape[0] // conv.groups
    space, taps = in_shape[1:], np.indices(conv.kernel).reshape(len(conv.kernel), -1)
    per_group = conv.weight.shape[1]
    area = int(np.prod(space))

    def rows(outputs: Array) -> tuple[Array, Array, Array]:
        channel, *position = np.unravel_index(outputs, out_shape)
        seen = np.zeros((len(outputs), taps.shape[1]), np.int64)
        inside = np.ones(seen.shape, bool)
        for axis, size in enumerate(space):
            start = position[axis] * conv.stride[axis] - conv.pads[axis][0]
            at = start[:, None] + taps[axis] * conv.dilation[axis]
            inside &= (at >= 0) & (at < size)
            seen = seen * size + at
        which, tap = np.nonzero(inside)
        first = channel[which] // share * per_group * area + seen[which, tap]
        inputs = (first[:, None] + np.arange(per_group) * area).ravel()
        weight = weights[channel[which], :, tap].ravel()
        return inputs, np.repeat(which, per_group), weight

    return rows


def _linear_rows(weights: Array) -> _Rows:
    height, width = weights.shape

    def rows(outputs: Array) -> tuple[Array, Array, Array]:
        lead, row = np.divmod(outputs, height)
        inputs = (lead[:, None] * width + np.arange(width)).ravel()
        return inputs, np.repeat(np.arange(len(outputs)), width), weights[row].ravel()

    return rows


def _sparse_rows(operator: SparseLinear, size: int) -> _Rows:
    order = np.argsort(operator.rows, kind="stable")
    starts = np.searchsorted(operator.rows[order], np.arange(size + 1))
    columns, values = operator.columns[order], _steps(operator.values[order])

    def rows(outputs: Array) -> tuple[Array, Array, Array]:
        counts = starts[outputs + 1] - starts[outputs]
        which = np.repeat(np.arange(len(outputs)), counts)
        at = np.arange(counts.sum()) + np.repeat(starts[outputs] - np.cumsum(counts) + counts, counts)
        return columns[at], which, values[at]

    return rows
