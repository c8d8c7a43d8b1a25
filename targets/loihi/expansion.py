"""The synapses that a projection of the network asks for, taken away from what a tile holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.conv import Conv
from snnc.graph.operators.elementwise import Scale
from snnc.graph.operators.linear import Linear, SparseLinear
from snnc.graph.projections import Projection
from snnc.kernels.compare import Cells, Windows, subtract_entries, subtract_windows, values_of

from .limits import UNIT

Missing = tuple[int, int] | None
"""The source neuron and the index of the target of a synapse whose source has no list at all, or None."""

Expansion = Callable[[Array, Cells], Missing]
"""Takes the synapses that lead to the neurons of a tile (flat indices) away from its cells."""

_Rows = Callable[[Array], tuple[Array, Array, Array]]
"""From outputs of an operator (flat indices) to inputs, indices into the given outputs, and values of synapses."""


def expansion(projection: Projection) -> Expansion:
    """How the synapses of a projection are taken away."""
    place, operator = projection.place, projection.operator
    take = _windows(projection) if isinstance(operator, Conv) else _entries(projection)

    def expand(neurons: Array, cells: Cells) -> Missing:
        outputs = neurons if place is None else place[neurons]
        known = np.flatnonzero(outputs >= 0)
        return take(outputs[known], known, cells)

    return expand


_Take = Callable[[Array, Array, Cells], Missing]


def _windows(projection: Projection) -> _Take:
    conv: Any = projection.operator
    flat = conv.weight.ndim == 3
    weight = conv.weight[:, :, None] if flat else conv.weight
    before = tuple(pads[0] for pads in conv.pads)
    windows = Windows(
        values=values_of(_steps(weight)),
        share=conv.weight.shape[0] // conv.groups,
        space=_two(projection.in_shape[1:], 1),
        stride=_two(conv.stride, 1),
        before=_two(before, 0),
        dilation=_two(conv.dilation, 1),
        gather=np.zeros(0, np.int64) if projection.gather is None else projection.gather.astype(np.int64),
    )
    shape = (projection.mid_shape[0], *_two(projection.mid_shape[1:], 1))

    def take(outputs: Array, targets: Array, cells: Cells) -> Missing:
        channel, row, column = np.unravel_index(outputs, shape)
        source, at = subtract_windows(cells, windows, targets, (channel, row, column))
        return None if source < 0 else (source, int(targets[at]))

    return take


def _two(sizes: Shape, first: int) -> tuple[int, int]:
    """One entry an axis for two axes; a first one is put before a single axis."""
    return (first, int(sizes[0])) if len(sizes) == 1 else (int(sizes[0]), int(sizes[1]))


def _entries(projection: Projection) -> _Take:
    rows, gather = _rows(projection), projection.gather

    def take(outputs: Array, targets: Array, cells: Cells) -> Missing:
        inputs, which, values = rows(outputs)
        sources = inputs if gather is None else gather[inputs]
        values = np.where(sources >= 0, values, 0)
        at = subtract_entries(cells, sources.astype(np.int64), targets[which], values)
        return None if at < 0 else (int(sources[at]), int(targets[which[at]]))

    return take


def _rows(projection: Projection) -> _Rows:
    operator: Any = projection.operator
    if isinstance(operator, Linear):
        return _linear_rows(values_of(_steps(operator.weight)))
    if isinstance(operator, Scale):
        factors = np.broadcast_to(values_of(_steps(operator.factor)), projection.in_shape).ravel()
        return lambda outputs: (outputs, np.arange(len(outputs)), factors[outputs])
    assert isinstance(operator, SparseLinear)
    return _sparse_rows(operator, int(np.prod(projection.mid_shape)))


def _steps(weights: Array) -> Array:
    return np.rint(np.asarray(weights) / UNIT).astype(np.int64)


def _linear_rows(values: Array) -> _Rows:
    height, width = values.shape

    def rows(outputs: Array) -> tuple[Array, Array, Array]:
        lead, row = np.divmod(outputs, height)
        inputs = (lead[:, None] * width + np.arange(width)).ravel()
        return inputs, np.repeat(np.arange(len(outputs)), width), values[row].ravel()

    return rows


def _sparse_rows(operator: SparseLinear, size: int) -> _Rows:
    order = np.argsort(operator.rows, kind="stable")
    starts = np.searchsorted(operator.rows[order], np.arange(size + 1))
    columns, values = operator.columns[order], values_of(_steps(operator.values[order]))

    def rows(outputs: Array) -> tuple[Array, Array, Array]:
        counts = starts[outputs + 1] - starts[outputs]
        which = np.repeat(np.arange(len(outputs)), counts)
        at = np.arange(counts.sum()) + np.repeat(starts[outputs] - np.cumsum(counts) + counts, counts)
        return columns[at], which, values[at]

    return rows
