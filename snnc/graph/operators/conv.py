"""Convolution over one or two spatial axes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .base import Array, LinearMap, Product, Shape, misfit
from .sharing import one_a_channel
from .windows import Pads, convolve, settle_convolution, window_counts


@dataclass(frozen=True, eq=False)
class Conv(LinearMap):
    """Grouped cross-correlation, y = W * x + b, as ONNX Conv.

    Attributes:
        weight: (out channels, in channels / groups, *kernel), one or two kernel axes.
        bias: (out channels,) or None.
        stride, dilation: one entry a spatial axis; empty means ones.
        pads: (before, after) a spatial axis, filled with zeros; empty means none.
        groups: number of channel groups.
    """

    weight: Array
    bias: Array | None = None
    stride: Shape = ()
    pads: Pads = ()
    dilation: Shape = ()
    groups: int = 1

    multipliers = ("weight",)
    offsets = ("bias",)

    def __post_init__(self) -> None:
        settle_convolution(self)

    @property
    def kernel(self) -> Shape:
        """Kernel sizes, one a spatial axis."""
        return self.weight.shape[2:]

    def infer_shape(self, *shapes: Shape) -> Shape:
        """(out channels, *window positions)."""
        shape = shapes[0]
        if len(shape) != self.weight.ndim - 1 or shape[0] != self.weight.shape[1] * self.groups:
            expected = self.weight.shape[1] * self.groups
            raise misfit(
                self, shapes, f"it needs {expected} channels and {self.weight.ndim - 2} spatial axes"
            )
        counts = window_counts(shape[1:], self.kernel, self.stride, self.pads, self.dilation)
        if min(counts) < 1:
            raise misfit(self, shapes, "the kernel is larger than the padded input")
        return (self.weight.shape[0], *counts)

    def scaled_outputs(self, factors: Array) -> Conv | None:
        """Where factors are one a channel."""
        channels = one_a_channel(factors, 0)
        if channels is None:
            return None
        weight = self.weight * channels.reshape(-1, *(1,) * (self.weight.ndim - 1))
        return replace(self, weight=weight, bias=None if self.bias is None else self.bias * channels)

    def scaled_inputs(self, factors: Array) -> Conv | None:
        """Where factors are one a channel."""
        channels = one_a_channel(factors, 0, empty=0.0)
        return None if channels is None else replace(self, weight=self._times_inputs(channels))

    def with_bias(self, values: Array) -> Conv | None:
        """Where values are one a channel."""
        channels = one_a_channel(values, 0)
        if channels is None:
            return None
        return replace(self, bias=channels if self.bias is None else self.bias + channels)

    def with_input_bias(self, values: Array) -> Conv | None:
        """Where values are one a channel and nothing is padded: a padded zero does not get the value."""
        channels = one_a_channel(values, 0)
        if channels is None or any(pad for pair in self.pads for pad in pair):
            return None
        shift = self._times_inputs(channels)
        shift = shift.sum(axis=tuple(range(1, shift.ndim)))
        return replace(self, bias=shift if self.bias is None else self.bias + shift)

    def _times_inputs(self, channels: Array) -> Array:
        """The weight with each input channel times its entry of ``channels``."""
        outputs, per_group, *kernel = self.weight.shape
        split = self.weight.reshape(self.groups, outputs // self.groups, per_group, *kernel)
        factor = channels.reshape(self.groups, 1, per_group, *(1,) * len(kernel))
        return np.asarray((split * factor).reshape(self.weight.shape))

    def evaluate(self, *inputs: Array) -> Array:
        """W * x + b for a batch (samples, channels, *space)."""
        return self.evaluate_by(np.matmul, *inputs)

    def evaluate_by(self, product: Product, *inputs: Array) -> Array:
        """W * x + b for a batch (samples, channels, *space)."""
        x, weight = inputs[0], self.weight
        result = convolve(x, weight, self.stride, self.pads, self.dilation, self.groups, product)
        if self.bias is not None:
            result = result + self.bias.reshape(-1, *(1,) * (self.weight.ndim - 2))
        return result
