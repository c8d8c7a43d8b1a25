"""Convolution."""

from __future__ import annotations

from snnc.formats.onnx.builder import Builder, constant, signal
from snnc.formats.onnx.registry import operator
from snnc.formats.onnx.values import Signal, Value
from snnc.graph import Conv, Shape

from .windows import explicit_pads, kernel_weight, spatial_axes


@operator("Conv")
def conv(
    build: Builder,
    x: Value,
    w: Value,
    b: Value | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Shape = (),
    group: int = 1,
    kernel_shape: Shape = (),
    pads: Shape = (),
    strides: Shape = (),
) -> Signal:
    """Grouped convolution over one or two spatial axes."""
    weight = kernel_weight(w, kernel_shape)
    bias = None if b is None else constant(b, "bias")
    moved = build.settle(signal(x, "input"))
    axes = weight.ndim - 2
    stride, dilation = tuple(strides) or (1,) * axes, tuple(dilations) or (1,) * axes
    edges = explicit_pads(auto_pad, pads, spatial_axes(moved.shape), weight.shape[2:], stride, dilation)
    return build.emit(Conv(weight, bias, stride, edges, dilation, group), moved)
