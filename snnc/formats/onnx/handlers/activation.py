"""Activations that a spiking neuron can stand for: those made of clipping."""

from __future__ import annotations

import numpy as np

from snnc.formats.onnx.builder import Builder, constant, signal
from snnc.formats.onnx.registry import Refusal, operator
from snnc.formats.onnx.values import Signal, Value
from snnc.graph import Bias, Clip, Relu

LARGEST = float(np.finfo(np.float32).max)


@operator("Relu")
def relu(build: Builder, x: Value) -> Signal:
    """max(x, 0)."""
    return build.in_place(Relu(), signal(x, "input"))


@operator("Clip", 6, 10)
def clip_by_attributes(build: Builder, x: Value, *, min: float = -LARGEST, max: float = LARGEST) -> Signal:
    """min(max(x, min), max), bounds as attributes."""
    return clip_between(build, signal(x, "input"), min, max)


@operator("Clip", 11)
def clip(build: Builder, x: Value, min: Value | None = None, max: Value | None = None) -> Signal:
    """min(max(x, min), max), bounds as inputs."""
    low = -np.inf if min is None else float(constant(min, "lower bound").reshape(()))
    high = np.inf if max is None else float(constant(max, "upper bound").reshape(()))
    return clip_between(build, signal(x, "input"), low, high)


def clip_between(build: Builder, x: Signal, low: float, high: float) -> Signal:
    """Clip a signal; a bound at or beyond the largest float32 is none."""
    low = -np.inf if low <= -LARGEST else low
    high = np.inf if high >= LARGEST else high
    if np.isnan(low) or np.isnan(high):
        raise Refusal("its bound is NaN", "export the model again")
    if low == -np.inf and high == np.inf:
        return build.pass_on(x, "it has no bounds")
    if low == -np.inf and isinstance(build.operator_of(x), Relu):
        low = 0.0
    if low == -np.inf:
        return build.in_place(Clip(-LARGEST, high), x)
    if not low < high:
        raise Refusal(
            f"its bounds {low:g} and {high:g} leave no range", "give a lower bound below the upper one"
        )
    if high < np.inf:
        return build.in_place(Clip(low, high), x)
    if low == 0:
        return build.in_place(Relu(), x)
    shifted = build.in_place(Bias(np.array(-low)), x, "shift")
    return build.in_place(Bias(np.array(low)), build.in_place(Relu(), shifted), "unshift")
