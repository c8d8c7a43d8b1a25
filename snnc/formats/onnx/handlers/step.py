"""Steps: comparisons with constants, signs, and choices between two constants."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from snnc.formats.onnx.builder import KEEP_BATCH, Builder, constant, signal
from snnc.formats.onnx.registry import Refusal, operator
from snnc.formats.onnx.values import Constant, Signal, Value
from snnc.graph import Add, Array, Bias, Scale, Step
from snnc.graph.operators.step import next_above

from .arithmetic import sub, total
from .mask import masked

TRUTH = np.dtype(np.bool_)
NUMBER = np.dtype(np.float32)


@dataclass(frozen=True, eq=False)
class Equality(Signal):
    """1 where a graph node's value is equal to a constant.

    Attributes:
        compared: the graph node.
        value: what it is compared with, float32 in the node's layout.
    """

    compared: str = ""
    value: Array | None = None


@operator("GreaterOrEqual", 12)
def greater_or_equal(build: Builder, a: Value, b: Value) -> Signal:
    """1 where a >= b."""
    return _reaches(build, a, b, above=False)


@operator("Greater", 7)
def greater(build: Builder, a: Value, b: Value) -> Signal:
    """1 where a > b."""
    return _reaches(build, a, b, above=True)


@operator("LessOrEqual", 12)
def less_or_equal(build: Builder, a: Value, b: Value) -> Signal:
    """1 where a <= b."""
    return _reaches(build, b, a, above=False)


@operator("Less", 7)
def less(build: Builder, a: Value, b: Value) -> Signal:
    """1 where a < b."""
    return _reaches(build, b, a, above=True)


@operator("Equal", 7)
def equal(build: Builder, a: Value, b: Value) -> Signal:
    """1 where a signal has a constant value: it reaches it, and is not above it."""
    if isinstance(a, Signal) and isinstance(b, Signal):
        raise Refusal("it compares two values that depend on the input", "compare a signal with a constant")
    compared, other = (a, b) if isinstance(a, Signal) else (b, a)
    value, aligned = build.meet(signal(compared, "input"), _floats(constant(other, "value")))
    reached = build.in_place(Step(aligned), value, "reached")
    passed = build.in_place(Step(next_above(aligned)), value, "passed")
    met = total(build, (reached, build.in_place(Scale(np.array(-1.0)), passed, "minus")))
    return Equality(met.node, met.shape, met.order, TRUTH, met.moves, value.node, aligned)


@operator("Not")
def negation(build: Builder, x: Value) -> Signal:
    """1 where x is 0."""
    return replace(_affine(build, _truth(x), np.array(-1.0), np.array(1.0)), dtype=TRUTH)


@operator("Sign", 9)
def sign(build: Builder, x: Value) -> Signal:
    """-1, 0 or 1: how many of the two steps at 0 the signal has passed, less 1."""
    value, zero = signal(x, "input"), np.zeros((), np.float32)
    reached = build.in_place(Step(zero), value, "reached")
    passed = build.in_place(Step(next_above(zero)), value, "passed")
    both = replace(value, node=build.emit(Add(), reached, passed, role="both").node)
    return build.in_place(Bias(np.array(-1.0)), both)


@operator("Where", 9)
def where(build: Builder, condition: Value, x: Value, y: Value) -> Signal:
    """X where the condition holds, else y: constants, or what is chosen from by a constant condition.

    Of a condition that depends on the input, y may also be what y has there in any case.
    """
    if not isinstance(condition, Signal):
        return masked(build, constant(condition, "condition"), x, y)
    if isinstance(condition, Equality) and isinstance(x, Constant) and isinstance(y, Signal):
        return _replaced(build, condition, constant(x, "value"), y)
    if isinstance(x, Signal) or isinstance(y, Signal):
        raise Refusal(
            "it chooses between values that depend on the input",
            "use Relu or Clip, or let it choose between two constants",
        )
    rank = len(condition.shape)
    then, other = (np.asarray(_of_any_sample(value, rank), np.float64) for value in (x, y))
    return replace(_affine(build, _truth(condition), then - other, other), dtype=NUMBER)


def _reaches(build: Builder, upper: Value, lower: Value, *, above: bool) -> Signal:
    """1 where upper >= lower, or where upper > lower; at least one of them is a signal."""
    if isinstance(upper, Signal) and isinstance(lower, Signal):
        return _step(build, sub(build, upper, lower), np.zeros(()), above)
    if isinstance(upper, Signal):
        return _step(build, upper, constant(lower, "threshold"), above)
    negative = build.in_place(Scale(np.array(-1.0)), signal(lower, "input"), "negate")
    return _step(build, negative, -_floats(constant(upper, "threshold")), above)


def _step(build: Builder, x: Signal, threshold: Array, above: bool) -> Signal:
    value, aligned = build.meet(x, _floats(threshold))
    return replace(build.in_place(Step(next_above(aligned) if above else aligned), value), dtype=TRUTH)


def _replaced(build: Builder, condition: Equality, replacement: Array, other: Signal) -> Signal:
    """``other``, a function of the compared node alone, with another value where that node has its one value.

    PyTorch writes heaviside so: 0 or 1 by the sign, but a value of its own at 0.
    """
    assert condition.value is not None
    there = _value_at(build, other.node, condition.compared, condition.value[None])
    _, aligned = build.meet(condition, np.asarray(replacement, np.float32))
    if np.shape(there)[1:] != aligned.shape and aligned.size != 1:
        there = np.broadcast_to(there, (1, *aligned.shape))
    change = aligned - there[0]
    if not change.any():
        return build.pass_on(other, "the value at equality is what it would be anyway")
    scaled = build.in_place(Scale(change), _truth(condition), "at")
    return total(build, (other, scaled))


def _value_at(build: Builder, name: str, compared: str, value: Array) -> Array:
    """The value of a graph node where the node ``compared`` has the value ``value`` (1, ...)."""
    if name == compared:
        return value
    node = build.node(name)
    if len(node.inputs) != 1 or not isinstance(node.operator, Scale | Bias | Step):
        raise Refusal(
            "it chooses between values that depend on the input",
            "use Relu or Clip, or let it choose between two constants",
        )
    return node.operator.evaluate(_value_at(build, node.inputs[0], compared, value))


def _floats(array: Array) -> Array:
    return np.asarray(array, np.float32)


def _truth(value: Value) -> Signal:
    """A signal of truth values as the numbers that stand for them."""
    truth = signal(value, "condition")
    if truth.dtype != TRUTH:
        raise Refusal(f"its condition is of type {truth.dtype}", "compare the signal with a constant")
    return Signal(truth.node, truth.shape, truth.order, NUMBER, truth.moves)


def _affine(build: Builder, x: Signal, factor: Array, shift: Array) -> Signal:
    """The signal times ``factor`` plus ``shift``, constants that broadcast against the signal."""
    rank = len(np.broadcast_shapes(factor.shape, shift.shape))
    value, scale = build.meet(x, np.broadcast_to(factor, (1,) * (rank - factor.ndim) + factor.shape))
    changed = False
    if (scale != 1).any():
        value, changed = build.in_place(Scale(scale), value, "scale"), True
    if shift.any():
        value, offset = build.meet(value, shift)
        value, changed = build.in_place(Bias(offset), value), True
    return value if changed else build.pass_on(value, "the signal is 0 or 1 already")


def _of_any_sample(value: Value, rank: int) -> Array:
    """A constant without its batch axis where it has one along which it does not change."""
    assert isinstance(value, Constant)
    rows: list[Array] = []
    for array in value.arrays:
        if array.size and (array == array.flat[0]).all():
            rows.append(array.reshape(-1)[0])
        elif array.ndim == rank + 1 and (array == array[:1]).all():
            rows.append(array[0])
        else:
            rows.append(array)
    if any(not np.array_equal(rows[0], other) for other in rows[1:]):
        raise Refusal("what it chooses from depends on the batch size", KEEP_BATCH, batch=True)
    return rows[0]
