"""How many weights a linear map has, and how many two in a row would have as one, without joining them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .composition import joined_windows
from .operators.base import Operator, Shape
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


@dataclass(frozen=True)
class MapSize:
    """Weights that a map stores, and its synapses: those that the positions of a convolution share, each by itself."""

    weights: int
    synapses: int

    @staticmethod
    def of(operator: Operator, in_shape: Shape) -> MapSize:
        """That of a Conv, Linear, SparseLinear or Scale."""
        return MapSize(weight_count(operator), synapse_count(operator, in_shape))

    def __add__(self, other: MapSize) -> MapSize:
        return MapSize(self.weights + other.weights, self.synapses + other.synapses)


def joined_size(projection: Projection, second: Operator, shape: Shape) -> MapSize:
    """The size of the map that ``composition.composed`` makes of a projection and the weighted map behind it.

    Exact for dense maps and for convolutions but for what padding takes away; for sparse ones a mean, and at most
    that of a dense map.

    Args:
        projection: with an operator.
        second: Conv, Linear, SparseLinear or Scale.
        shape: of its output.
    """
    first = projection.operator
    assert first is not None
    if isinstance(second, Scale):
        return _scaled_size(second, first, projection.in_shape)
    if isinstance(first, Scale):
        return _scaled_size(first, second, projection.out_shape)
    inputs, outputs = int(np.prod(projection.in_shape)), int(np.prod(shape))
    if isinstance(second, Linear) and len(projection.out_shape) == 1:
        return MapSize(outputs * inputs, outputs * inputs)
    windows = joined_windows(projection, second, shape) if isinstance(second, Conv) else None
    if windows is not None:
        assert isinstance(first, Conv) and isinstance(second, Conv)
        per_group = projection.in_shape[0] // int(np.gcd(first.groups, second.groups))
        taps = per_group * int(np.prod(windows.kernel))
        return MapSize(shape[0] * taps, outputs * taps)
    pairs = synapse_count(first, projection.in_shape) * synapse_count(second, projection.out_shape)
    entries = min(pairs // max(int(np.prod(projection.out_shape)), 1), outputs * inputs)
    return MapSize(entries, entries)


def _scaled_size(scale: Scale, other: Operator, in_shape: Shape) -> MapSize:
    size = MapSize.of(other, in_shape)
    factor = np.asarray(scale.factor)
    one_a_channel = factor.size == 1 or factor.size == factor.shape[0]
    return size if one_a_channel or not isinstance(other, Conv) else MapSize(size.synapses, size.synapses)


def _taps_inside(conv: Conv, axis: int, size: int) -> int:
    """How often a tap of some window meets an input along an axis of ``size`` inputs."""
    at = slice(axis, axis + 1)
    (count,) = window_counts((size,), conv.kernel[at], conv.stride[at], conv.pads[at], conv.dilation[at])
    starts = np.arange(count) * conv.stride[axis] - conv.pads[axis][0]
    read = starts[:, None] + np.arange(conv.kernel[axis]) * conv.dilation[axis]
    return int(((read >= 0) & (read < size)).sum())
