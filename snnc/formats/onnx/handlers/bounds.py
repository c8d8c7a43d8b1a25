"""The larger or smaller of signals and constants: clippings, and rectified differences where one does not do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from snnc.formats.onnx.builder import Builder, constant, signal
from snnc.formats.onnx.registry import Refusal, operator
from snnc.formats.onnx.values import Constant, Signal, Value
from snnc.graph import Array, Bias, Relu, Scale

from .activation import clip_between
from .arithmetic import sub, total
from .leaky_relu import leaky_of_two

MINUS = Scale(np.array(-1.0))


@operator("Max", 8)
def maximum(build: Builder, *inputs: Value) -> Signal:
    """The largest of any signals and constants: of two branches b + relu(a - b)."""
    return _extreme(build, inputs, np.maximum, _not_below)


@operator("Min", 8)
def minimum(build: Builder, *inputs: Value) -> Signal:
    """The smallest of any signals and constants: of two branches b - relu(b - a)."""
    return _extreme(build, inputs, np.minimum, _not_above)


@operator("HardSigmoid")
def hard_sigmoid(build: Builder, x: Value, *, alpha: float = 0.2, beta: float = 0.5) -> Signal:
    """min(max(alpha x + beta, 0), 1)."""
    steeper = build.in_place(Scale(np.array(alpha)), signal(x, "input"), "slope")
    return clip_between(build, build.in_place(Bias(np.array(beta)), steeper, "centre"), 0.0, 1.0)


def _extreme(
    build: Builder,
    inputs: tuple[Value, ...],
    of_constants: Callable[[Array, Array], Array],
    bounded: Callable[[Builder, Signal, Array], Signal],
) -> Signal:
    constants = [constant(value, "bound") for value in inputs if isinstance(value, Constant)]
    first, *others = [value for value in inputs if isinstance(value, Signal)]
    for other in others:
        first = _of_two(build, first, other, of_constants is np.minimum)
    if not constants:
        return first if others else build.pass_on(first, "it compares one value")
    bound = constants[0]
    for more in constants[1:]:
        bound = of_constants(bound, more)
    if np.isnan(bound).any():
        raise Refusal("its bound is NaN", "export the model again")
    return bounded(build, first, np.asarray(bound, np.float64))


def _of_two(build: Builder, a: Signal, b: Signal, smaller: bool) -> Signal:
    """max(a, b) = b + relu(a - b); min(a, b) = b - relu(b - a)."""
    leaky = leaky_of_two(build, a, b, smaller)
    if leaky is not None:
        return leaky
    if not smaller:
        return total(build, (build.in_place(Relu(), sub(build, a, b), "excess"), b))
    over = build.in_place(Relu(), sub(build, b, a), "excess")
    return total(build, (build.in_place(MINUS, over, "minus"), b))


def _not_below(build: Builder, x: Signal, low: Array) -> Signal:
    """max(x, low)."""
    value, bound = build.meet(x, low)
    if bound.size == 1:
        return clip_between(build, value, float(bound), np.inf)
    lifted = build.in_place(Relu(), build.in_place(Bias(-bound), value, "shift"))
    return build.in_place(Bias(bound), lifted, "unshift")


def _not_above(build: Builder, x: Signal, high: Array) -> Signal:
    """min(x, high) = high - relu(high - x)."""
    value, bound = build.meet(x, high)
    if bound.size == 1:
        return clip_between(build, value, -np.inf, float(bound))
    below = build.in_place(Bias(bound), build.in_place(MINUS, value, "minus"), "shift")
    over = build.in_place(MINUS, build.in_place(Relu(), below), "minus")
    return build.in_place(Bias(bound), over, "unshift")
