"""Values around the axes."""

from __future__ import annotations

import numpy as np

from snnc.formats.onnx.builder import KEEP_BATCH, Builder, constant, integers, signal
from snnc.formats.onnx.registry import Refusal, operator
from snnc.formats.onnx.values import Signal, Value
from snnc.graph import Bias, MaxPool, Operator, Pad, Shape

from .activation import LARGEST

REPEATING_MODES = ("reflect", "edge", "wrap")


@operator("Pad", 2, 10)
def pad_by_attributes(
    build: Builder, data: Value, *, mode: str = "constant", pads: Shape, value: float = 0.0
) -> Signal:
    """Pads for all axes, the batch axis among them, as attributes."""
    return _padded(build, signal(data, "input"), mode, pads, value)


@operator("Pad", 11)
def pad(
    build: Builder,
    data: Value,
    pads: Value,
    constant_value: Value | None = None,
    axes: Value | None = None,
    *,
    mode: str = "constant",
) -> Signal:
    """Pads given as input, for all axes or for those in ``axes``."""
    x = signal(data, "input")
    filling = 0.0 if constant_value is None else float(constant(constant_value, "value").reshape(()))
    listed = integers(pads, "pads")
    rank = len(x.shape) + 1
    chosen = range(rank) if axes is None else [axis % rank for axis in integers(axes, "list of axes")]
    every = [0] * (2 * rank)
    for position, axis in enumerate(chosen):
        every[axis], every[axis + rank] = listed[position], listed[position + len(listed) // 2]
    return _padded(build, x, mode, tuple(every), filling)


def _padded(build: Builder, x: Signal, mode: str, pads: Shape, value: float) -> Signal:
    rank = len(x.shape) + 1
    pairs = tuple(zip(pads[:rank], pads[rank:], strict=True))
    if pairs[0] != (0, 0):
        raise Refusal("it pads the batch", KEEP_BATCH)
    if not any(pads):
        return build.pass_on(x, "it pads nothing")
    if mode in REPEATING_MODES:
        return build.rearrange(x, lambda numbers, _: _repeat(numbers, pairs, mode))
    if mode != "constant":
        raise Refusal(f"its mode is {mode!r}", "pad with zeros")
    inner = tuple(pairs[1:][axis] for axis in x.inverse)
    shape = tuple(size + before + after for size, (before, after) in zip(x.shape, pairs[1:], strict=True))
    if value <= -LARGEST and inner[0] == (0, 0) and min(pads) >= 0:
        # Padding never wins in a maximum: this one is merged into the MaxPool behind, or refused later.
        operator: Operator = MaxPool((1,) * (len(inner) - 1), pads=inner[1:])
        value = 0.0
    else:
        operator = Pad(inner)
    if value:
        x = build.in_place(Bias(np.array(-value)), x, "shift")
    made = build.emit(operator, x)
    result = Signal(made.node, shape, x.order, made.dtype, x.moves)
    return build.in_place(Bias(np.array(value)), result, "unshift") if value else result


def _repeat(numbers: np.ndarray, pairs: tuple[tuple[int, int], ...], mode: str) -> np.ndarray:
    """Crop where a pad is negative, then repeat elements where it is positive."""
    crop = tuple(
        slice(max(0, -b), size - max(0, -a)) for size, (b, a) in zip(numbers.shape, pairs, strict=True)
    )
    grow = [(max(0, before), max(0, after)) for before, after in pairs]
    return np.asarray(np.pad(numbers[crop], grow, mode=mode))  # type: ignore[call-overload]
