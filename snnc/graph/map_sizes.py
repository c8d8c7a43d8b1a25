"""How many weights a linear map has, and how many two in a row would have as one, without joining them."""

from __future__ import annotations

import numpy as np

from .composition import joined_windows
from .operators.base import Array, Operator, Shape
from .operators.conv import Conv
from .operators.elementwise import Scale
from .operators.linear import Linear, SparseLinear
from .operators.windows import window_counts
from .projections import Projection
from .synapses import weight_values


def weight_count(operator: Operator | None) -> int:
    """Weights of a Conv, Linear, SparseLinear or Scale, those that positions share counted once."""
    return 0 if operator is None else int(weight_values(operator).size)


def synapse_count(operator: Operator, in_shape: Shape) -> int:
    """Inputs of all outputs of a Conv, Linear, SparseLinear or Scale together, those of padding left out."""
    if isinstance(operator, Conv):
        taps = [_taps_inside(operator, axis, size) for axis, size in enumerate(in_shape[1:])]
        outputs, inputs = operator.weight.shape[:2]
        return int(outputs) * int(inputs) * int(np.prod(taps, dtype=object))
    if isinstance(operator, Linear):
        return int(operator.weight.size) * int(np.prod(in_shape[:-1], dtype=object))
    return int(operator.values.size if isinstance(operator, SparseLinear) else np.prod(in_shape))


def joined_weight_count(projection: Projection, second: Operator, shape: Shape) -> int:
    """Weights of the map that ``composition.composed`` makes of a projection and the weighted map behind it.

    Exact for dense maps and for convolutions; for sparse ones a mean, and at most what a dense one would have.

    Args:
        projection: with an operator.
        second: Conv, Linear, SparseLinear or Scale.
        shape: of its output.
    """
    first = projection.operator
    assert first is not None
    if isinstance(second, Scale) or isinstance(first, Scale):
        scale, other = (second, first) if isinstance(second, Scale) else (first, second)
        assert isinstance(scale, Scale)
        in_shape = projection.in_shape if other is first else projection.out_shape
        by_position = isinstance(other, Conv) and not _by_channel(np.asarray(scale.factor))
        return synapse_count(other, in_shape) if by_position else weight_count(other)
    if isinstance(second, Linear) and len(projection.out_shape) == 1:
        return int(second.weight.shape[0]) * int(np.prod(projection.in_shape))
    if isinstance(first, Conv) and isinstance(second, Conv):
        windows = joined_windows(projection, second, shape)
        if windows is not None:
            groups = int(np.gcd(first.groups, second.groups))
            return (
                int(second.weight.shape[0]) * projection.in_shape[0] // groups * int(np.prod(windows.kernel))
            )
    between = int(np.prod(projection.out_shape))
    pairs = synapse_count(first, projection.in_shape) * synapse_count(second, projection.out_shape)
    return min(pairs // max(between, 1), int(np.prod(shape)) * int(np.prod(projection.in_shape)))


def _taps_inside(conv: Conv, axis: int, size: int) -> int:
    """How often a tap of some window meets an input along an axis of ``size`` inputs."""
    one = slice(axis, axis + 1)
    (count,) = window_counts((size,), conv.kernel[one], conv.stride[one], conv.pads[one], conv.dilation[one])
    starts = np.arange(count) * conv.stride[axis] - conv.pads[axis][0]
    read = starts[:, None] + np.arange(conv.kernel[axis]) * conv.dilation[axis]
    return int(((read >= 0) & (read < size)).sum())


def _by_channel(factor: Array) -> bool:
    """Whether a factor is one number, or one a channel."""
    return factor.size == 1 or factor.size == factor.shape[0]
