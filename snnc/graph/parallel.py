"""Projections of one population side by side, as one: branches of linear maps that are added do not multiply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .operators.base import Array
from .operators.conv import Conv
from .operators.linear import Linear, SparseLinear
from .projections import Projection
from .synapses import real_entries


def side_by_side(projections: Sequence[Projection]) -> Projection:
    """The sum of projections from one population with one delay to one node.

    1. Dense maps of one shape without index maps are one dense map.
    2. Convolutions that differ in kernel and padding alone are one, with zeros around the smaller kernels.
    3. All else becomes SparseLinear.
    """
    first = projections[0]
    nodes = tuple(dict.fromkeys(name for each in projections for name in each.nodes))
    sources = tuple(dict.fromkeys(name for each in projections for name in each.sources))
    merged = replace(first, nodes=nodes, sources=sources)
    if all(_is_like(first, each) for each in projections):
        operator = _dense(projections) or _convolution(projections)
        if operator is not None:
            return replace(merged, operator=operator)
    return replace(
        merged,
        gather=None,
        in_shape=first.source_shape,
        operator=_sparse(projections),
        mid_shape=first.out_shape,
        place=None,
    )


def _is_like(first: Projection, other: Projection) -> bool:
    """Whether their operators read and write the same elements in one order, and are of one type."""
    return (
        type(first.operator) is type(other.operator)
        and first.gather is other.gather
        and first.place is other.place
        and first.in_shape == other.in_shape
        and first.mid_shape == other.mid_shape
    )


def _dense(projections: Sequence[Projection]) -> Linear | None:
    weights = [each.operator.weight for each in projections if isinstance(each.operator, Linear)]
    return Linear(np.sum(weights, axis=0)) if len(weights) == len(projections) else None


def _convolution(projections: Sequence[Projection]) -> Conv | None:
    """Convolutions that differ in kernel and padding alone as one, with zeros around the smaller kernels."""
    convolutions = [each.operator for each in projections if isinstance(each.operator, Conv)]
    if len(convolutions) < len(projections):
        return None
    first = convolutions[0]
    windows = {(conv.stride, conv.groups, conv.dilation) for conv in convolutions}
    if len(windows) > 1 or set(first.dilation) != {1}:
        return None
    axes = range(len(first.kernel))
    before = [max(conv.pads[axis][0] for conv in convolutions) for axis in axes]
    after = [max(conv.kernel[axis] - conv.pads[axis][0] for conv in convolutions) for axis in axes]
    kernel = tuple(low + high for low, high in zip(before, after, strict=True))
    weight = np.zeros((*first.weight.shape[:2], *kernel))
    for conv in convolutions:
        starts = [low - pad for low, (pad, _) in zip(before, conv.pads, strict=True)]
        taps = tuple(slice(at, at + size) for at, size in zip(starts, conv.kernel, strict=True))
        weight[(slice(None), slice(None), *taps)] += conv.weight
    grown = [size - own for size, own in zip(kernel, first.kernel, strict=True)]
    pads = tuple(
        (low, sum(own) + more - low) for low, more, own in zip(before, grown, first.pads, strict=True)
    )
    return Conv(weight, None, first.stride, pads, first.dilation, first.groups)


def _sparse(projections: Sequence[Projection]) -> SparseLinear:
    parts = [real_entries(each) for each in projections]
    rows, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    first = projections[0]
    width = int(np.prod(first.source_shape))
    places, inverse = np.unique(rows * width + columns, return_inverse=True)
    summed: Array = np.zeros(len(places))
    np.add.at(summed, inverse, values)
    return SparseLinear(places // width, places % width, summed, first.source_shape, first.out_shape)
