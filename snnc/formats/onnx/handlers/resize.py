"""Nearest-neighbour resizing: by whole factors an Upsample, else one Gather."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from snnc.formats.onnx.builder import KEEP_BATCH, MIXED_SAMPLES, Builder, signal
from snnc.formats.onnx.registry import Refusal, operator
from snnc.formats.onnx.values import Constant, Signal, Value
from snnc.formats.onnx.writer import Writer, write
from snnc.graph import Array, Node, Shape
from snnc.graph.operators.upsample import Upsample

ROUNDINGS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "round_prefer_floor": lambda x: np.ceil(x - 0.5),
        "round_prefer_ceil": lambda x: np.floor(x + 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
    }
)


@operator("Upsample", 9, 9)
@operator("Resize", 10, 10)
def resize_by_scales(build: Builder, x: Value, scales: Value, *, mode: str = "nearest") -> Signal:
    """Elements repeated by factors."""
    return _by_scales(build, signal(x, "input"), _known(scales), mode, "asymmetric", "floor")


@operator("Resize", 11)
def resize(
    build: Builder,
    x: Value,
    roi: Value | None = None,
    scales: Value | None = None,
    sizes: Value | None = None,
    *,
    antialias: int = 0,
    axes: Shape = (),
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Signal:
    """The nearest element for every place of a grid of another size."""
    value = signal(x, "input")
    if axes or keep_aspect_ratio_policy != "stretch":
        raise Refusal("it names axes or keeps the ratio of sizes", "give the factor of every axis")
    explicit = _known(scales) if scales is not None else np.zeros(0)
    if explicit.size:
        return _by_scales(build, value, explicit, mode, coordinate_transformation_mode, nearest_mode)
    _require_nearest(mode)
    target = tuple(int(size) for size in _known(sizes)[1:])
    factors = np.array([size / own for size, own in zip(target, value.shape, strict=True)])
    return _resized(build, value, target, factors, coordinate_transformation_mode, nearest_mode)


def _known(value: Value | None) -> Array:
    """A constant's array; of sizes that depend on the batch size only the batch axis may do so."""
    if not isinstance(value, Constant):
        raise Refusal("its size depends on the input", "make its sizes constant")
    if any(not np.array_equal(array[1:], value.array[1:]) for array in value.arrays):
        raise Refusal(MIXED_SAMPLES, KEEP_BATCH, batch=True)
    return value.array


def _require_nearest(mode: str) -> None:
    if mode != "nearest":
        raise Refusal(f"it changes the resolution by {mode} interpolation", "resize by nearest neighbours")


def _by_scales(
    build: Builder, x: Signal, scales: Array, mode: str, transformation: str, rounding: str
) -> Signal:
    _require_nearest(mode)
    if len(scales) != len(x.shape) + 1 or scales[0] != 1:
        raise Refusal("it resizes the batch axis", KEEP_BATCH)
    factors = np.asarray(scales[1:], np.float64)
    target = tuple(int(size * factor) for size, factor in zip(x.shape, factors, strict=True))
    return _resized(build, x, target, factors, transformation, rounding)


def _resized(
    build: Builder, x: Signal, target: Shape, factors: Array, transformation: str, rounding: str
) -> Signal:
    if rounding not in ROUNDINGS:
        raise Refusal(f"its nearest_mode {rounding!r} is unknown", "export the model again")
    if min(target, default=1) < 1:
        raise Refusal("nothing is left of its input", "change its sizes")
    nearest = [
        np.clip(ROUNDINGS[rounding](_coordinates(size, own, float(factor), transformation)), 0, own - 1)
        for size, own, factor in zip(target, x.shape, factors, strict=True)
    ]
    places = [axis.astype(np.int64) for axis in nearest]
    whole = [size // own for size, own in zip(target, x.shape, strict=True)]
    if target == x.shape and all((axis == np.arange(len(axis))).all() for axis in places):
        return build.pass_on(x, "it keeps the size")
    if all(
        size == own * factor and (axis == np.arange(size) // factor).all()
        for size, own, factor, axis in zip(target, x.shape, whole, places, strict=True)
    ):
        return build.emit(Upsample(tuple(whole)), build.settle(x))
    grid = np.ix_(*places)
    return build.rearrange(x, lambda numbers, _: np.stack([sample[grid] for sample in numbers]))


def _coordinates(size: int, own: int, factor: float, transformation: str) -> Array:
    """Where in an axis of ``own`` elements the ``size`` places of the resized one lie (ONNX Resize)."""
    place = np.arange(size, dtype=np.float64)
    if transformation == "asymmetric":
        return place / factor
    if transformation == "align_corners":
        return place * (own - 1) / (size - 1) if size > 1 else place * 0
    if transformation == "pytorch_half_pixel" and size == 1:
        return place * 0
    if transformation in ("half_pixel", "pytorch_half_pixel"):
        return (place + 0.5) / factor - 0.5
    if transformation == "half_pixel_symmetric":
        shift = own / 2 * (1 - size / (factor * own))
        return shift + (place + 0.5) / factor - 0.5
    raise Refusal(f"it resizes with coordinates {transformation!r}", "export it with half_pixel coordinates")


@write.register
def _(operator: Upsample, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    scales = writer.constant(f"{node.name}.scales", (1, *operator.factors), np.float32)
    writer.add(
        "Resize",
        (*node.inputs, "", scales),
        node.name,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
