"""Operators without effect on the values."""

from __future__ import annotations

import numpy as np
import onnx

from snnc.formats.onnx.builder import Builder, constant, signal
from snnc.formats.onnx.ledger import Outcome
from snnc.formats.onnx.registry import Refusal, operator
from snnc.formats.onnx.values import Constant, Signal, Value

from .normalise import EVALUATE


@operator("Identity")
def identity(build: Builder, x: Value) -> Signal:
    """The value itself."""
    return build.pass_on(signal(x, "input"), "it copies its input")


@operator("Dropout", 1, 11)
def dropout_by_attributes(build: Builder, data: Value, *, ratio: float = 0.5) -> Signal:
    """The value itself, outside of training."""
    return build.pass_on(signal(data, "input"), "it acts in training only")


@operator("Dropout", 12)
def dropout(
    build: Builder,
    data: Value,
    ratio: Value | None = None,
    training_mode: Value | None = None,
    *,
    seed: int = 0,
) -> Signal:
    """The value itself, unless ``training_mode`` is true."""
    if training_mode is not None and constant(training_mode, "training mode").any():
        raise Refusal("it drops values at random (training mode)", EVALUATE)
    return build.pass_on(signal(data, "input"), "it acts in training only")


@operator("Cast", 6)
def cast(build: Builder, x: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> Signal:
    """The value under another type that holds it without loss beyond float32's."""
    return _converted(build, signal(x, "input"), np.dtype(onnx.helper.tensor_dtype_to_np_dtype(to)))


@operator("CastLike", 15)
def cast_like(build: Builder, x: Value, target: Value, *, saturate: int = 1, round_mode: str = "up") -> Value:
    """As Cast, to the type of ``target``."""
    dtype = target.dtype if isinstance(target, Signal) else target.array.dtype
    if isinstance(x, Signal):
        return _converted(build, x, dtype)
    build.note(Outcome.CONSTANT, "computed at import")
    return Constant(tuple(array.astype(dtype) for array in x.arrays))


def _converted(build: Builder, value: Signal, dtype: np.dtype) -> Signal:
    to_real = dtype in (np.float32, np.float64)
    if not to_real and not (value.dtype.kind in "biu" and _holds(dtype, value.dtype)):
        raise Refusal(
            f"it rounds values of type {value.dtype} to type {dtype}", "compute in float32 throughout"
        )
    kept = build.pass_on(value, f"the graph computes with numbers, whether {value.dtype} or {dtype}")
    return Signal(kept.node, kept.shape, kept.order, dtype, kept.moves)


def _holds(wide: np.dtype, narrow: np.dtype) -> bool:
    """Whether every value of a type is one of another; class numbers (int64) also fit 32 bits."""
    return np.can_cast(narrow, wide, "safe") or (narrow == np.int64 and wide == np.int32)
