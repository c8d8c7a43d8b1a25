"""Operators that choose or repeat elements: any of them becomes one Gather."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from snnc.formats.onnx.builder import KEEP_BATCH, Builder, sample_axis, signal
from snnc.formats.onnx.fold import evaluate_node
from snnc.formats.onnx.registry import Handler, Refusal, operator
from snnc.formats.onnx.values import Constant, Signal, Value
from snnc.graph import Array, Shape

SELECTING = ("Slice", "Expand", "Tile", "Gather", "DepthToSpace", "SpaceToDepth")


def _selecting(name: str) -> Handler:
    """A handler that asks the operator itself where it puts each element."""

    def select(build: Builder, data: Value, *parameters: Value | None, **attributes: Any) -> Signal:
        x = signal(data, "input")
        return build.rearrange(x, _evaluator(build, name, parameters, attributes))

    return select


def _evaluator(
    build: Builder, name: str, parameters: tuple[Value | None, ...], attributes: dict[str, Any]
) -> Callable[[Array, int], Array]:
    if any(isinstance(value, Signal) for value in parameters):
        raise Refusal("where it takes elements from depends on the input", "make its parameters constant")
    constants = [value if isinstance(value, Constant) else None for value in parameters]
    names = ["data", *(f"p{i}" if value else "" for i, value in enumerate(constants))]
    node = onnx.helper.make_node(name, names, ["moved"], **attributes)

    def evaluate(numbers: Array, position: int) -> Array:
        arrays = [None if value is None else value.at(position) for value in constants]
        return evaluate_node(node, build.opset, [numbers, *arrays])[0]

    return evaluate


for _name in SELECTING:
    operator(_name)(_selecting(_name))


@operator("Split", 2, 12)
def split_by_attributes(
    build: Builder, data: Value, *, axis: int = 0, split: Shape = ()
) -> tuple[Signal, ...]:
    """Pieces along ``axis``."""
    assert build.current is not None
    return _pieces(build, signal(data, "input"), axis, tuple(split), build.current_outputs)


@operator("Split", 13)
def split(
    build: Builder, data: Value, sizes: Value | None = None, *, axis: int = 0, num_outputs: int | None = None
) -> tuple[Signal, ...]:
    """Pieces along ``axis``, of sizes given as input or equal ones."""
    if isinstance(sizes, Signal) or (sizes is not None and sizes.varies):
        raise Refusal("its sizes depend on the input", "make its sizes constant")
    listed = () if sizes is None else tuple(int(size) for size in sizes.array.ravel())
    return _pieces(build, signal(data, "input"), axis, listed, num_outputs or build.current_outputs)


def _pieces(build: Builder, x: Signal, axis: int, sizes: Shape, count: int) -> tuple[Signal, ...]:
    along = sample_axis(axis, len(x.shape))
    whole = x.shape[along]
    if not sizes:
        size = -(-whole // count)
        sizes = tuple(min(size, whole - start) for start in range(0, whole, size))
    if sum(sizes) != whole:
        raise Refusal(f"its pieces {sizes} do not make up {whole} elements", KEEP_BATCH)
    ends = np.cumsum(sizes)
    cuts = [slice(int(end) - size, int(end)) for end, size in zip(ends, sizes, strict=True)]

    def piece(cut: slice) -> Callable[[Array, int], Array]:
        return lambda numbers, _: numbers[(slice(None),) * (along + 1) + (cut,)]

    return tuple(build.rearrange(x, piece(cut), f"part{part}") for part, cut in enumerate(cuts))
