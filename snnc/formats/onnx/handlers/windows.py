"""Kernels, pads and ceil mode of sliding windows, as ONNX defines them."""

from __future__ import annotations

from snnc.formats.onnx.builder import constant
from snnc.formats.onnx.registry import Refusal
from snnc.formats.onnx.values import Value
from snnc.graph import Array, Shape

Pads = tuple[tuple[int, int], ...]


def kernel_weight(w: Value, kernel_shape: Shape) -> Array:
    """The weight of a convolution over one or two spatial axes, transposed or not; refuses another."""
    weight = constant(w, "weight")
    axes = weight.ndim - 2
    if axes not in (1, 2):
        raise Refusal(f"it convolves over {axes} axes", "use convolutions over one or two axes")
    if kernel_shape and tuple(kernel_shape) != weight.shape[2:]:
        raise Refusal("its kernel_shape is not its weight's", "export the model again")
    return weight


def explicit_pads(
    auto_pad: str, pads: Shape, space: Shape, kernel: Shape, stride: Shape, dilation: Shape
) -> Pads:
    """(before, after) for each spatial axis from ONNX's ``auto_pad`` and ``pads``."""
    axes = len(kernel)
    if auto_pad in ("NOTSET", ""):
        pads = tuple(pads) or (0,) * (2 * axes)
        return tuple(zip(pads[:axes], pads[axes:], strict=True))
    if auto_pad == "VALID":
        return ((0, 0),) * axes
    if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
        raise Refusal(f"its auto_pad is {auto_pad!r}", "use explicit pads")
    pairs = []
    for n, k, s, d in zip(space, kernel, stride, dilation, strict=True):
        total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        small, large = total // 2, total - total // 2
        pairs.append((small, large) if auto_pad == "SAME_UPPER" else (large, small))
    return tuple(pairs)


def overhang(
    ceil_mode: int, space: Shape, kernel: Shape, stride: Shape, pads: Pads, dilation: Shape
) -> Shape:
    """Zeros that rounding the output size up adds behind each spatial axis.

    A window that would start in the trailing pad or behind it does not count (as in PyTorch and onnxruntime).
    """
    if not ceil_mode:
        return (0,) * len(kernel)
    extra = []
    for n, k, s, (before, after), d in zip(space, kernel, stride, pads, dilation, strict=True):
        reach = (k - 1) * d + 1
        windows = -(-(n + before + after - reach) // s) + 1
        if (windows - 1) * s >= n + before:
            windows -= 1
        extra.append(max(0, (windows - 1) * s + reach - (n + before + after)))
    return tuple(extra)


def spatial_axes(shape: Shape) -> Shape:
    """The spatial sizes of (channels, *space); raises Refusal if there are none."""
    if len(shape) < 2:
        raise Refusal("its input has no spatial axes", "give it an input of shape (batch, channels, ...)")
    return shape[1:]
