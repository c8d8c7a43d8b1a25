"""Pooling over windows and over all of space."""

from __future__ import annotations

import math

from snnc.formats.onnx.builder import Builder, signal
from snnc.formats.onnx.registry import operator
from snnc.formats.onnx.values import Signal, Value
from snnc.graph import AvgPool, MaxPool, Shape

from .windows import explicit_pads, overhang, spatial_axes

MOST_AXES = 2
"""Spatial axes of a window."""


@operator("MaxPool")
def max_pool(
    build: Builder,
    x: Value,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Shape = (),
    kernel_shape: Shape,
    pads: Shape = (),
    storage_order: int = 0,
    strides: Shape = (),
) -> Signal:
    """Largest value of a window; ``storage_order`` concerns the second output only."""
    moved = build.settle(signal(x, "input"))
    space = spatial_axes(moved.shape)
    stride, dilation = tuple(strides) or (1,) * len(space), tuple(dilations) or (1,) * len(space)
    edges = explicit_pads(auto_pad, pads, space, kernel_shape, stride, dilation)
    extra = overhang(ceil_mode, space, kernel_shape, stride, edges, dilation)
    edges = tuple((before, after + more) for (before, after), more in zip(edges, extra, strict=True))
    return build.emit(MaxPool(tuple(kernel_shape), stride, edges, dilation), moved)


@operator("AveragePool")
def average_pool(
    build: Builder,
    x: Value,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Shape = (),
    kernel_shape: Shape,
    pads: Shape = (),
    strides: Shape = (),
) -> Signal:
    """Mean of a window."""
    moved = build.settle(signal(x, "input"))
    space = spatial_axes(moved.shape)
    stride, dilation = tuple(strides) or (1,) * len(space), tuple(dilations) or (1,) * len(space)
    edges = explicit_pads(auto_pad, pads, space, kernel_shape, stride, dilation)
    extra = overhang(ceil_mode, space, kernel_shape, stride, edges, dilation)
    edges = tuple((before, after + more) for (before, after), more in zip(edges, extra, strict=True))
    pool = AvgPool(
        tuple(kernel_shape), stride, edges, dilation, bool(count_include_pad), extra if any(extra) else ()
    )
    return build.emit(pool, moved)


@operator("GlobalAveragePool")
def global_average_pool(build: Builder, x: Value) -> Signal:
    """Mean of each channel."""
    return pool_space(build, build.settle(signal(x, "input")), AvgPool)


@operator("GlobalMaxPool")
def global_max_pool(build: Builder, x: Value) -> Signal:
    """Largest value of each channel."""
    return pool_space(build, build.settle(signal(x, "input")), MaxPool)


def pool_space(build: Builder, x: Signal, kind: type[AvgPool | MaxPool]) -> Signal:
    """Pool (channels, *space) over all of space; more than two axes as one, since maps of the chips have two."""
    space = spatial_axes(x.shape)
    if len(space) <= MOST_AXES:
        return build.emit(kind(space), x)
    flat = build.reshape(x, (x.shape[0], math.prod(space)), "space")
    return build.reshape(build.emit(kind(flat.shape[1:]), flat), (x.shape[0], *(1 for _ in space)), "shape")
