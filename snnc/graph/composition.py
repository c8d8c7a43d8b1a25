"""Joining weighted linear maps in a row into one: dense, convolutional where that is exact, else sparse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .node import Node
from .operators.base import Array, LinearMap, Operator, Shape
from .operators.conv import Conv
from .operators.elementwise import Scale
from .operators.index_map import AxisMap
from .operators.linear import Linear, SparseLinear
from .operators.pool import AvgPool
from .operators.windows import Pads, convolve_adjoint, window_counts
from .order_free import order_free
from .projections import Projection, chained, without_bias

_PRODUCT = order_free(np.matmul, 2)


def composed(projection: Projection, node: Node, shape: Shape) -> Projection:
    """The projection with the weighted node behind it, as one operator.

    1. Scale behind anything scales its rows.
    2. Anything behind Scale scales its columns.
    3. Linear behind anything is one Linear.
    4. Conv behind Conv is one Conv where zero padding allows it exactly.
    5. All else becomes SparseLinear.

    Args:
        projection: with an operator (Conv, Linear, Scale or SparseLinear).
        node: holds Conv, Linear, Scale or SparseLinear; its bias is not looked at.
        shape: of the node's output.
    """
    second = without_bias(node.operator)
    behind = replace(
        projection, nodes=(*projection.nodes, node.name), sources=(*projection.sources, *node.sources)
    )
    rules: tuple[Callable[[Projection, Operator, Shape], Projection | None], ...] = (
        _scaled_rows,
        _scaled_columns,
        _dense,
        _convolution,
    )
    for rule in rules:
        result = rule(behind, second, shape)
        if result is not None:
            return settled(result)
    return _sparse(behind, second, shape)


def settled(projection: Projection) -> Projection:
    """Scale with its index maps in front, its factors in as few numbers as hold them; Linear with the rows placed."""
    operator = projection.operator
    if isinstance(operator, Linear) and len(projection.mid_shape) == 1:
        return _rows_placed(projection, operator)
    if not isinstance(operator, Scale):
        return projection
    factors = _placed(np.asarray(operator.factor, np.float64), projection, outside=1.0)
    shape = projection.out_shape
    operator = Scale(compact(factors))
    gather = chained(projection.gather, projection.place)
    return replace(projection, gather=gather, in_shape=shape, operator=operator, mid_shape=shape, place=None)


def _placed(factors: Array, projection: Projection, outside: float) -> Array:
    """Factors of the operator's outputs, which broadcast to their shape, where they are placed: a view (*out_shape)."""
    place = projection.place
    if (
        isinstance(place, AxisMap)
        and place.in_shape == projection.mid_shape
        and place.shape == projection.out_shape
    ):
        return np.broadcast_to(place.moved(factors, outside), projection.out_shape)
    spread = np.broadcast_to(factors, projection.mid_shape)
    if place is None:
        return spread.reshape(projection.out_shape)
    return np.append(spread, outside)[place.indices].reshape(projection.out_shape)


def _rows_placed(projection: Projection, operator: Linear) -> Projection:
    """A dense map of the rows that are placed alone, where they are no more than there were, so that all are sums."""
    place = projection.place
    if place is None or len(rows := place.indices) > len(operator.weight):
        return projection
    weight = np.where(rows[:, None] >= 0, operator.weight[rows], 0)
    return replace(projection, operator=Linear(weight), mid_shape=(len(rows),), place=None)


def compact(factors: Array) -> Array:
    """The factors along the axes in which they differ: one number, one a channel, or all."""
    if (factors == factors.flat[0]).all():
        return np.full((1,) * factors.ndim, factors.flat[0])
    channels = factors.reshape(factors.shape[0], -1)
    if (channels == channels[:, :1]).all():
        return channels[:, 0].reshape(-1, *(1,) * (factors.ndim - 1))
    return factors


def weighted_form(operator: LinearMap, in_shape: Shape) -> LinearMap:
    """An AvgPool as a depthwise Conv, or as SparseLinear where its divisors differ; others as they are."""
    if not isinstance(operator, AvgPool):
        return operator
    channels, *space = in_shape
    divisors = operator.divisors(tuple(space))
    ones = np.ones((channels, 1, *operator.kernel))
    pooling = Conv(ones, None, operator.stride, operator.pads, operator.dilation, groups=channels)
    if (divisors == divisors.flat[0]).all():
        return replace(pooling, weight=ones / divisors.flat[0])
    entries = sparse_form(pooling, in_shape)
    share = np.broadcast_to(1 / divisors, (channels, *divisors.shape)).ravel()
    return replace(entries, values=entries.values * share[entries.rows])


def _scaled_rows(projection: Projection, second: Operator, shape: Shape) -> Projection | None:
    if not isinstance(second, Scale):
        return None
    inner = pulled_back(np.asarray(second.factor, np.float64), projection)
    if inner is None or not isinstance(projection.operator, LinearMap):
        return None
    operator = projection.operator.scaled_outputs(inner)
    return None if operator is None else replace(projection, operator=operator, out_shape=shape)


def pulled_back(factors: Array, projection: Projection) -> Array | None:
    """Factors of the placed elements as factors of the operator's own outputs, a view (*mid_shape).

    NaN for outputs that are placed nowhere; None if an output is placed twice with different factors.

    Args:
        factors: float64, which broadcast to the projection's out_shape.
        projection: with an operator.
    """
    place, shape = projection.place, projection.out_shape
    if place is None:
        return np.broadcast_to(factors, shape).reshape(projection.mid_shape)
    if isinstance(place, AxisMap) and place.shape == shape and place.in_shape == projection.mid_shape:
        back = place.inverse
        if back is not None:
            return np.broadcast_to(back.moved(factors, np.nan), projection.mid_shape)
    spread = np.broadcast_to(factors, shape).ravel()
    indices = place.indices
    inner = np.full(int(np.prod(projection.mid_shape)), np.nan)
    taken = indices >= 0
    inner[indices[taken]] = spread[taken]
    same = (inner[indices[taken]] == spread[taken]).all()
    return inner.reshape(projection.mid_shape) if same else None


def _scaled_columns(projection: Projection, second: Operator, shape: Shape) -> Projection | None:
    if not isinstance(projection.operator, Scale) or not isinstance(second, LinearMap):
        return None
    factors = _placed(np.asarray(projection.operator.factor, np.float64), projection, outside=np.nan)
    operator = second.scaled_inputs(factors)
    if operator is None:
        return None
    gather = chained(projection.gather, projection.place)
    return replace(
        projection,
        gather=gather,
        in_shape=projection.out_shape,
        operator=operator,
        mid_shape=shape,
        place=None,
        out_shape=shape,
    )


def _dense(projection: Projection, second: Operator, shape: Shape) -> Projection | None:
    if not isinstance(second, Linear) or len(projection.out_shape) != 1:
        return None
    inner = np.zeros((second.weight.shape[0], int(np.prod(projection.mid_shape))))
    place = projection.place_indices()
    taken = place >= 0
    np.add.at(inner.T, place[taken], second.weight.T[taken])
    weight = _adjoint(projection.operator, inner, projection)
    size = int(np.prod(projection.in_shape))
    return replace(
        projection, operator=Linear(weight), in_shape=(size,), mid_shape=shape, place=None, out_shape=shape
    )


def _adjoint(operator: Operator | None, rows: Array, projection: Projection) -> Array:
    """``rows`` (n, outputs of the operator) times the operator's matrix: (n, inputs)."""
    if isinstance(operator, Conv):
        images = rows.reshape(len(rows), *projection.mid_shape)
        space = projection.in_shape[1:]
        arguments = (
            operator.weight,
            space,
            operator.stride,
            operator.pads,
            operator.dilation,
            operator.groups,
            _PRODUCT,
        )
        return convolve_adjoint(images, *arguments).reshape(len(rows), -1)
    if isinstance(operator, Linear):
        flat = rows.reshape(-1, operator.weight.shape[0])
        return np.asarray(_PRODUCT(flat, operator.weight).reshape(len(rows), -1))
    assert operator is not None
    entries = sparse_form(operator, projection.in_shape)
    result = np.zeros((int(np.prod(projection.in_shape)), len(rows)))
    np.add.at(result, entries.columns, rows.T[entries.rows] * entries.values[:, None])
    return np.ascontiguousarray(result.T)


def _convolution(projection: Projection, second: Operator, shape: Shape) -> Projection | None:
    first = projection.operator
    if not (isinstance(first, Conv) and isinstance(second, Conv)):
        return None
    windows = joined_windows(projection, second, shape)
    if windows is None:
        return None
    operator = Conv(_joined_weight(first, second, windows.kernel), None, windows.stride, windows.pads)
    return replace(projection, operator=_regrouped(operator, first, second), mid_shape=shape, out_shape=shape)


@dataclass(frozen=True)
class JoinedWindows:
    """The windows of two convolutions in a row as those of one; its taps lie one beside the other.

    Attributes:
        kernel, stride, pads: as in ``Conv``.
    """

    kernel: Shape
    stride: Shape
    pads: Pads


def joined_windows(projection: Projection, second: Conv, shape: Shape) -> JoinedWindows | None:
    """The windows of a convolution with another behind it, or None where zero padding allows no joined one.

    Args:
        projection: with a Conv.
        second: behind it.
        shape: of its output.
    """
    first = projection.operator
    if not isinstance(first, Conv) or projection.place is not None:
        return None
    if first.weight.ndim != second.weight.ndim or projection.mid_shape != projection.out_shape:
        return None
    if not _padding_agrees(first, second, projection):
        return None
    stride = tuple(a * b for a, b in zip(first.stride, second.stride, strict=True))
    kernel, pads = [], []
    for axis, size in enumerate(projection.in_shape[1:]):
        reach = (second.kernel[axis] - 1) * second.dilation[axis] * first.stride[axis]
        kernel.append(reach + (first.kernel[axis] - 1) * first.dilation[axis] + 1)
        before = first.pads[axis][0] + first.stride[axis] * second.pads[axis][0]
        after = (shape[1 + axis] - 1) * stride[axis] + kernel[axis] - size - before
        if after <= -stride[axis]:
            return None
        pads.append((before, max(after, 0)))
    return JoinedWindows(tuple(kernel), stride, tuple(pads))


def _padding_agrees(first: Conv, second: Conv, projection: Projection) -> bool:
    """Whether the zeros that ``second`` pads are what ``first`` would give there: sums over zeros alone."""
    counts = projection.mid_shape[1:]
    for axis, (before, after) in enumerate(second.pads):
        reach = (first.kernel[axis] - 1) * first.dilation[axis]
        if before and first.stride[axis] + first.pads[axis][0] <= reach:
            return False
        if after and counts[axis] * first.stride[axis] - first.pads[axis][0] < projection.in_shape[1 + axis]:
            return False
    return True


def _joined_weight(first: Conv, second: Conv, kernel: Shape) -> Array:
    """The weight of ``second`` behind ``first`` without groups, (outputs, inputs, *kernel), float64."""
    outer = _ungrouped(second)
    one_by_one = first.groups == first.weight.shape[0] and first.weight.shape[1] == 1
    inner = first.weight[:, 0] if one_by_one else _ungrouped(first)
    product = np.multiply if one_by_one else _PRODUCT
    weight = np.zeros((outer.shape[0], len(inner) if one_by_one else inner.shape[1], *kernel))
    for outer_tap in np.ndindex(*second.kernel):
        for inner_tap in np.ndindex(*first.kernel):
            position = tuple(
                a * d2 * s1 + b * d1
                for a, d2, s1, b, d1 in zip(
                    outer_tap, second.dilation, first.stride, inner_tap, first.dilation, strict=True
                )
            )
            both = (slice(None), slice(None))
            weight[(*both, *position)] += product(outer[(*both, *outer_tap)], inner[(..., *inner_tap)])
    return weight


def _ungrouped(conv: Conv) -> Array:
    """The weight as (outputs, all inputs, *kernel), zeros outside the groups."""
    outputs, per_group = conv.weight.shape[:2]
    weight = np.zeros((outputs, per_group * conv.groups, *conv.kernel))
    share = outputs // conv.groups
    for group in range(conv.groups):
        rows = slice(group * share, (group + 1) * share)
        weight[rows, group * per_group : (group + 1) * per_group] = conv.weight[rows]
    return weight


def _regrouped(operator: Conv, first: Conv, second: Conv) -> Conv:
    """The joined convolution with as many groups as both share."""
    groups = int(np.gcd(first.groups, second.groups))
    outputs, inputs = operator.weight.shape[:2]
    if groups == 1 or outputs % groups or inputs % groups:
        return operator
    rows, columns = outputs // groups, inputs // groups
    parts = [
        operator.weight[g * rows : (g + 1) * rows, g * columns : (g + 1) * columns] for g in range(groups)
    ]
    return replace(operator, weight=np.concatenate(parts), groups=groups)


def sparse_form(operator: Operator, in_shape: Shape) -> SparseLinear:
    """A weighted operator as its non-zero entries."""
    if isinstance(operator, SparseLinear):
        return operator
    out_shape = operator.infer_shape(in_shape)
    if isinstance(operator, Conv):
        rows, columns, values = _conv_entries(operator, in_shape, out_shape)
    elif isinstance(operator, Linear):
        rows, columns, values = _linear_entries(operator, in_shape)
    else:
        assert isinstance(operator, Scale)
        values = np.broadcast_to(operator.factor, in_shape).ravel()
        rows = columns = np.arange(values.size)
    kept = values != 0
    return SparseLinear(rows[kept], columns[kept], values[kept], in_shape, out_shape)


def _linear_entries(operator: Linear, in_shape: Shape) -> tuple[Array, Array, Array]:
    outputs, inputs = operator.weight.shape
    lead = int(np.prod(in_shape[:-1]))
    row, column = (part.ravel() for part in np.indices((outputs, inputs)))
    step = np.arange(lead)[:, None]
    return (
        (row + outputs * step).ravel(),
        (column + inputs * step).ravel(),
        np.tile(operator.weight.ravel(), lead),
    )


def _conv_entries(operator: Conv, in_shape: Shape, out_shape: Shape) -> tuple[Array, Array, Array]:
    channels, *space = in_shape
    counts = window_counts(tuple(space), operator.kernel, operator.stride, operator.pads, operator.dilation)
    positions = int(np.prod(counts))
    grid = np.indices(counts).reshape(len(counts), -1)
    per_group, share = channels // operator.groups, out_shape[0] // operator.groups
    parts = []
    for tap in np.ndindex(*operator.kernel):
        at = [
            grid[axis] * operator.stride[axis] + tap[axis] * operator.dilation[axis] - operator.pads[axis][0]
            for axis in range(len(space))
        ]
        inside = np.all([(a >= 0) & (a < n) for a, n in zip(at, space, strict=True)], axis=0)
        seen = np.ravel_multi_index([a[inside] for a in at], tuple(space))
        target = np.flatnonzero(inside)
        output, input_ = (part.ravel() for part in np.indices((out_shape[0], per_group)))
        source = input_ + (output // share) * per_group
        rows = (output[:, None] * positions + target).ravel()
        columns = (source[:, None] * int(np.prod(space)) + seen).ravel()
        weights = operator.weight[(output, input_, *tap)]
        parts.append((rows, columns, np.repeat(weights, target.size)))
    rows, columns, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return rows, columns, values


@dataclass(frozen=True, eq=False)
class _Entries:
    rows: Array
    columns: Array
    values: Array


def _sparse(projection: Projection, second: Operator, shape: Shape) -> Projection:
    assert projection.operator is not None
    first = sparse_form(projection.operator, projection.in_shape)
    outer = sparse_form(second, projection.out_shape)
    inner_columns = projection.place_indices()[outer.columns]
    kept = inner_columns >= 0
    left = _Entries(outer.rows[kept], inner_columns[kept], outer.values[kept])
    product = _product(
        left, _Entries(first.rows, first.columns, first.values), int(np.prod(projection.in_shape))
    )
    operator = SparseLinear(product.rows, product.columns, product.values, projection.in_shape, shape)
    return replace(projection, operator=operator, mid_shape=shape, place=None, out_shape=shape)


def _product(left: _Entries, right: _Entries, columns: int) -> _Entries:
    """The product of two sparse matrices; entries of one place are summed."""
    order = np.argsort(right.rows, kind="stable")
    starts = np.searchsorted(right.rows[order], left.columns, side="left")
    counts = np.searchsorted(right.rows[order], left.columns, side="right") - starts
    repeated = np.repeat(np.arange(left.rows.size), counts)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    picked = order[starts[repeated] + offsets]
    keys = left.rows[repeated].astype(np.int64) * columns + right.columns[picked]
    unique, inverse = np.unique(keys, return_inverse=True)
    values = np.bincount(inverse, left.values[repeated] * right.values[picked], unique.size)
    kept = values != 0
    return _Entries(unique[kept] // columns, unique[kept] % columns, values[kept])
