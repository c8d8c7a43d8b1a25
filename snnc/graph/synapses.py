"""The weights of linear maps as one array, and the synapses of a projection one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .composition import sparse_form
from .operators.base import Array, Operator
from .operators.conv import Conv
from .operators.elementwise import Scale
from .operators.linear import Linear, SparseLinear
from .projections import Projection


def weight_values(operator: Operator | None) -> Array:
    """The array of the weights of a Conv, Linear, SparseLinear or Scale."""
    if isinstance(operator, Conv | Linear):
        return operator.weight
    if isinstance(operator, SparseLinear):
        return operator.values
    assert isinstance(operator, Scale)
    return np.asarray(operator.factor)


def with_weight_values(operator: Operator | None, values: Array) -> Operator:
    """The operator without bias and with other weights."""
    if isinstance(operator, Conv | Linear):
        return replace(operator, weight=values, bias=None)
    if isinstance(operator, SparseLinear):
        return replace(operator, values=values)
    assert isinstance(operator, Scale)
    return Scale(values)


def entries(projection: Projection) -> tuple[Array, Array, Array]:
    """Target, source (flat indices into their populations) and weight of every synapse of integer weight, int64."""
    target, source, weight = real_entries(projection)
    return target, source, np.rint(weight).astype(np.int64)


def real_entries(projection: Projection) -> tuple[Array, Array, Array]:
    """Target, source (flat indices into their populations, int64) and weight, as it is, of every synapse."""
    gather = projection.gather_indices()
    if projection.operator is None:
        row = column = np.arange(len(gather))
        value = np.ones(len(gather))
    else:
        sparse = sparse_form(projection.operator, projection.in_shape)
        row, column, value = sparse.rows, sparse.columns, sparse.values
    source = gather[column]
    if projection.place is not None:
        order = np.argsort(row, kind="stable")
        ordered = row[order]
        placed = projection.place.indices
        kept = np.flatnonzero(placed >= 0)
        first = np.searchsorted(ordered, placed[kept], side="left")
        count = np.searchsorted(ordered, placed[kept], side="right") - first
        at = order[np.arange(int(count.sum())) + np.repeat(first - np.cumsum(count) + count, count)]
        row, source, value = np.repeat(kept, count), source[at], value[at]
    known = source >= 0
    return row[known].astype(np.int64), source[known].astype(np.int64), value[known]
