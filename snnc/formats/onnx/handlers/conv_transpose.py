"""Transposed convolution."""

from __future__ import annotations

from snnc.formats.onnx.builder import Builder, constant, signal
from snnc.formats.onnx.registry import Refusal, operator
from snnc.formats.onnx.values import Signal, Value
from snnc.formats.onnx.writer import Writer, onnx_pads, write
from snnc.graph import Node, Shape
from snnc.graph.operators.conv_transpose import ConvTranspose
from snnc.graph.operators.windows import Pads

from .windows import explicit_pads, kernel_weight, spatial_axes


@operator("ConvTranspose")
def conv_transpose(
    build: Builder,
    x: Value,
    w: Value,
    b: Value | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Shape = (),
    group: int = 1,
    kernel_shape: Shape = (),
    output_padding: Shape = (),
    output_shape: Shape = (),
    pads: Shape = (),
    strides: Shape = (),
) -> Signal:
    """Grouped transposed convolution over one or two spatial axes."""
    weight = kernel_weight(w, kernel_shape)
    bias = None if b is None else constant(b, "bias")
    moved = build.settle(signal(x, "input"))
    axes = weight.ndim - 2
    whole = ConvTranspose(weight, bias, tuple(strides), (), tuple(output_padding), tuple(dilations), group)
    space: Shape = tuple(output_shape)[-axes:] if output_shape else ()
    if auto_pad in ("SAME_UPPER", "SAME_LOWER") and not space:
        space = tuple(n * step for n, step in zip(spatial_axes(moved.shape), whole.stride, strict=True))
    if space:
        sizes = whole.infer_shape(moved.shape)[1:]
        edges = tuple(_cut(size - asked, auto_pad) for size, asked in zip(sizes, space, strict=True))
    else:
        sizes, ones = spatial_axes(moved.shape), (1,) * axes
        edges = explicit_pads(auto_pad, pads, sizes, weight.shape[2:], ones, ones)
    bare = ConvTranspose(weight, bias, whole.stride, edges, whole.output_pads, whole.dilation, group)
    return build.emit(bare, moved)


def _cut(total: int, auto_pad: str) -> tuple[int, int]:
    """What is cut off before and behind an axis that is ``total`` too long."""
    if total < 0:
        raise Refusal("its output_shape is larger than what its kernel reaches", "leave output_shape out")
    smaller, larger = total // 2, total - total // 2
    return (smaller, larger) if auto_pad == "SAME_UPPER" else (larger, smaller)


@write.register
def _(operator: ConvTranspose, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    parameters = [writer.constant(f"{node.name}.weight", operator.weight)]
    if operator.bias is not None:
        parameters.append(writer.constant(f"{node.name}.bias", operator.bias))
    pads: Pads = operator.pads
    writer.add(
        "ConvTranspose",
        (*node.inputs, *parameters),
        node.name,
        strides=operator.stride,
        dilations=operator.dilation,
        pads=onnx_pads(pads),
        output_padding=operator.output_pads,
        group=operator.groups,
    )
