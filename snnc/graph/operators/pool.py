"""Average and maximum over sliding windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .base import Activation, Array, LinearMap, Operator, Shape, misfit
from .sharing import Sharing
from .windows import Pads, pad_space, taps, window_counts

if TYPE_CHECKING:
    from snnc.graph.neurons.base import Reset


@dataclass(frozen=True, eq=False)
class _Pool(Operator):
    """Windows of a pooling layer.

    Attributes:
        kernel, stride, dilation: one entry a spatial axis; empty stride or dilation means ones.
        pads: (before, after) a spatial axis; empty means none.
    """

    kernel: Shape
    stride: Shape = ()
    pads: Pads = ()
    dilation: Shape = ()

    def __post_init__(self) -> None:
        space = len(self.kernel)
        object.__setattr__(self, "kernel", tuple(self.kernel))
        object.__setattr__(self, "stride", tuple(self.stride) or (1,) * space)
        object.__setattr__(self, "dilation", tuple(self.dilation) or (1,) * space)
        object.__setattr__(self, "pads", tuple(tuple(pair) for pair in self.pads) or ((0, 0),) * space)

    def infer_shape(self, *shapes: Shape) -> Shape:
        """(channels, *window positions)."""
        shape = shapes[0]
        if len(shape) != len(self.kernel) + 1:
            raise misfit(self, shapes, f"it needs channels and {len(self.kernel)} spatial axes")
        counts = window_counts(shape[1:], self.kernel, self.stride, self.pads, self.dilation)
        if min(counts) < 1:
            raise misfit(self, shapes, "the window is larger than the padded input")
        return (shape[0], *counts)


@dataclass(frozen=True, eq=False)
class AvgPool(_Pool, LinearMap):
    """Mean over a window.

    Attributes:
        count_include_pad: whether padded zeros count in the divisor.
        overhang: per spatial axis, how much of the trailing pad comes from rounding the output size up; that
            part never counts in the divisor. Empty means none.
    """

    count_include_pad: bool = False
    overhang: Shape = ()

    keeps_integers = False

    def divisors(self, space: Shape) -> Array:
        """Number of elements that each window divides by, shape of the output's spatial axes."""
        overhang = self.overhang or (0,) * len(space)
        outer = tuple((0, extra) for extra in overhang)
        inner = tuple((b, a - extra) for (b, a), extra in zip(self.pads, overhang, strict=True))
        counted = np.ones((1, 1, *space))
        counted = pad_space(counted, inner, 1.0 if self.count_include_pad else 0.0)
        counted = pad_space(counted, outer, 0.0)
        counts = window_counts(space, self.kernel, self.stride, self.pads, self.dilation)
        total = sum(seen for _, seen in taps(counted, self.kernel, self.stride, self.dilation, counts))
        return np.asarray(np.asarray(total)[0, 0])

    def evaluate(self, *inputs: Array) -> Array:
        """Window means of a batch (samples, channels, *space)."""
        x = inputs[0]
        counts = window_counts(x.shape[2:], self.kernel, self.stride, self.pads, self.dilation)
        padded = pad_space(x, self.pads)
        total = np.zeros((*x.shape[:2], *counts), x.dtype)
        for _, seen in taps(padded, self.kernel, self.stride, self.dilation, counts):
            total += seen
        divisors = self.divisors(x.shape[2:])
        return np.asarray(total / divisors.astype(np.result_type(x.dtype, np.float32)))


@dataclass(frozen=True, eq=False)
class MaxPool(_Pool, Activation):
    """Maximum over a window; padding never wins."""

    reads_spikes = True

    def spike(self, *inputs: Array | None) -> Array | None:
        """That of the input, where all spikes of a window stand for the same: one a channel, or one in all."""
        (scale,) = inputs
        return scale if scale is not None and (scale.ndim == 0 or set(scale.shape[1:]) <= {1}) else None

    def neuron(self, scale: Array, reset: Reset, start: float, shape: Shape) -> Operator:
        """A gate for the spikes of the most active input."""
        from snnc.graph.neurons import MaxGate  # neurons are built on operators

        return MaxGate(self.kernel, shape, self.stride, self.pads, self.dilation)

    def sharing(self, shape: Shape, *inputs: Sharing) -> Sharing:
        """Those of one channel, if the input shares weights at all."""
        return Sharing(shape, None if inputs[0].is_free else 0)

    def evaluate(self, *inputs: Array) -> Array:
        """Window maxima of a batch (samples, channels, *space)."""
        x = inputs[0]
        lowest = -np.inf if np.issubdtype(x.dtype, np.floating) else np.iinfo(x.dtype).min
        counts = window_counts(x.shape[2:], self.kernel, self.stride, self.pads, self.dilation)
        padded = pad_space(x, self.pads, lowest)
        result: Array | None = None
        for _, seen in taps(padded, self.kernel, self.stride, self.dilation, counts):
            result = seen.copy() if result is None else np.maximum(result, seen, out=result)
        assert result is not None
        return result
