"""Transposed convolution over one or two spatial axes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .base import Array, LinearMap, Product, Shape, misfit
from .conv import Conv
from .rearrange import Gather
from .sharing import one_a_channel
from .windows import Pads, settle_convolution


@dataclass(frozen=True, eq=False)
class ConvTranspose(LinearMap):
    """Grouped transposed convolution, as ONNX ConvTranspose: every input adds its kernel to the output.

    Attributes:
        weight: (in channels, out channels / groups, *kernel), one or two kernel axes.
        bias: (out channels,) or None.
        stride, dilation: one entry a spatial axis; empty means ones.
        pads: (before, after) a spatial axis, cut off the output; empty means none.
        output_pads: what is added behind a spatial axis of the output; empty means none.
        groups: number of channel groups.
    """

    weight: Array
    bias: Array | None = None
    stride: Shape = ()
    pads: Pads = ()
    output_pads: Shape = ()
    dilation: Shape = ()
    groups: int = 1

    multipliers = ("weight",)
    offsets = ("bias",)

    def __post_init__(self) -> None:
        settle_convolution(self)
        object.__setattr__(self, "output_pads", tuple(self.output_pads) or (0,) * len(self.stride))

    def infer_shape(self, *shapes: Shape) -> Shape:
        """(out channels, *positions)."""
        shape = shapes[0]
        if len(shape) != self.weight.ndim - 1 or shape[0] != self.weight.shape[0]:
            rule = f"it needs {self.weight.shape[0]} channels and {self.weight.ndim - 2} spatial axes"
            raise misfit(self, shapes, rule)
        reach = [
            (size - 1) * step + 1 for size, step in zip(self.weight.shape[2:], self.dilation, strict=True)
        ]
        sizes = [
            (size - 1) * step + width + extra - sum(pair)
            for size, step, width, extra, pair in zip(
                shape[1:], self.stride, reach, self.output_pads, self.pads, strict=True
            )
        ]
        if min(sizes) < 1:
            raise misfit(self, shapes, "its pads leave nothing of the output")
        return (self.weight.shape[1] * self.groups, *sizes)

    def plain(self, shape: Shape) -> tuple[LinearMap, ...]:
        """The input with zeros between its elements, and a convolution with the kernel turned around."""
        edges = [
            ((size - 1) * step - before, (size - 1) * step - after + extra)
            for size, step, (before, after), extra in zip(
                self.weight.shape[2:], self.dilation, self.pads, self.output_pads, strict=True
            )
        ]
        kernel_axes = tuple(range(3, self.weight.ndim + 1))
        weight = np.flip(self._by_group().swapaxes(1, 2), kernel_axes)
        weight = np.ascontiguousarray(weight.reshape(-1, *weight.shape[2:]))
        pads = tuple((max(0, before), max(0, after)) for before, after in edges)
        conv = Conv(weight, self.bias, pads=pads, dilation=self.dilation, groups=self.groups)
        indices = self._spread(shape, edges)
        return (conv,) if indices.shape == shape else (Gather(indices, shape), conv)

    def _spread(self, shape: Shape, edges: list[tuple[int, int]]) -> Array:
        """Indices of the input's elements ``stride`` apart, -1 between; a negative edge is cut off."""
        channels, *space = shape
        sizes = [(size - 1) * step + 1 for size, step in zip(space, self.stride, strict=True)]
        indices = np.full((channels, *sizes), -1, np.int64)
        places = tuple(slice(None, None, step) for step in self.stride)
        indices[(slice(None), *places)] = np.arange(int(np.prod(shape))).reshape(shape)
        cuts = (
            slice(max(0, -before), size - max(0, -after))
            for size, (before, after) in zip(sizes, edges, strict=True)
        )
        return np.ascontiguousarray(indices[(slice(None), *cuts)])

    def _by_group(self) -> Array:
        """The weight as (groups, in channels / groups, out channels / groups, *kernel)."""
        inputs, *rest = self.weight.shape
        return self.weight.reshape(self.groups, inputs // self.groups, *rest)

    def evaluate(self, *inputs: Array) -> Array:
        """The sum of kernels for a batch (samples, channels, *space)."""
        return self.evaluate_by(np.matmul, *inputs)

    def evaluate_by(self, product: Product, *inputs: Array) -> Array:
        """The sum of kernels for a batch (samples, channels, *space)."""
        value = inputs[0]
        for part in self.plain(value.shape[1:]):
            value = part.evaluate_by(product, value)
        return value

    def scaled_outputs(self, factors: Array) -> ConvTranspose | None:
        """Where factors are one a channel."""
        channels = one_a_channel(factors, 0)
        if channels is None:
            return None
        factor = channels.reshape(self.groups, 1, -1, *(1,) * (self.weight.ndim - 2))
        weight = (self._by_group() * factor).reshape(self.weight.shape)
        return replace(self, weight=weight, bias=None if self.bias is None else self.bias * channels)

    def scaled_inputs(self, factors: Array) -> ConvTranspose | None:
        """Where factors are one a channel."""
        channels = one_a_channel(factors, 0, empty=0.0)
        if channels is None:
            return None
        return replace(self, weight=self.weight * channels.reshape(-1, *(1,) * (self.weight.ndim - 1)))

    def with_bias(self, values: Array) -> ConvTranspose | None:
        """Where values are one a channel."""
        channels = one_a_channel(values, 0)
        if channels is None:
            return None
        return replace(self, bias=channels if self.bias is None else self.bias + channels)
