"""Sums, differences, products and quotients, with constants or of branches."""

from __future__ import annotations

import numpy as np

from snnc.formats.onnx.builder import Builder, constant, signal
from snnc.formats.onnx.registry import Refusal, operator
from snnc.formats.onnx.values import Constant, Signal, Value
from snnc.graph import Add, Array, Bias, Scale

from .linear import PRODUCT, PRODUCT_REMEDY


@operator("Add", 7)
def add(build: Builder, a: Value, b: Value) -> Signal:
    """Two branches, or one and a constant."""
    return total(build, (a, b))


@operator("Sum", 8)
def sum_of(build: Builder, *inputs: Value) -> Signal:
    """Any number of branches and constants."""
    return total(build, inputs)


@operator("Sub", 7)
def sub(build: Builder, a: Value, b: Value) -> Signal:
    """Difference of two branches, or of one and a constant."""
    if isinstance(b, Constant):
        return _shift(build, signal(a, "input"), -constant(b, "subtrahend"))
    negative = build.in_place(Scale(np.array(-1)), signal(b, "input"), "negate")
    return total(build, (a, negative))


@operator("Neg", 6)
def neg(build: Builder, x: Value) -> Signal:
    """-x."""
    return build.in_place(Scale(np.array(-1)), signal(x, "input"))


@operator("Mul", 7)
def mul(build: Builder, a: Value, b: Value) -> Signal:
    """A branch times a constant."""
    if isinstance(a, Signal) and isinstance(b, Signal):
        raise Refusal(PRODUCT, PRODUCT_REMEDY)
    value, factor = (a, b) if isinstance(a, Signal) else (b, a)
    return _scale(build, signal(value, "input"), constant(factor, "factor"))


@operator("Div", 7)
def div(build: Builder, a: Value, b: Value) -> Signal:
    """A branch divided by a constant."""
    if isinstance(b, Signal):
        raise Refusal(
            "it divides by a value that depends on the input",
            "spiking neurons cannot divide; use a network without it",
        )
    with np.errstate(divide="ignore"):
        return _scale(build, signal(a, "input"), 1 / np.asarray(constant(b, "divisor"), np.float64))


def total(build: Builder, terms: tuple[Value, ...]) -> Signal:
    """Sum of signals and constants; branches are repeated where others are larger."""
    branches = [value for value in terms if isinstance(value, Signal)]
    constants = [constant(value, "term") for value in terms if isinstance(value, Constant)]
    result = branches[0] if len(branches) == 1 else _joined(build, branches)
    for array in constants:
        result = _shift(build, result, array)
    if len(terms) == 1:
        return build.pass_on(result, "it is the sum of one value")
    return result


def _joined(build: Builder, branches: list[Signal]) -> Signal:
    if len({len(branch.shape) for branch in branches}) != 1:
        raise Refusal("it adds values of different numbers of axes", "give both the same axes")
    shape = np.broadcast_shapes(*(branch.shape for branch in branches))
    branches = [build.broadcast(branch, shape) for branch in branches]
    if len({branch.order for branch in branches}) != 1:
        branches = [build.settle(branch) for branch in branches]
    if len({branch.node for branch in branches}) == 1:
        return build.in_place(Scale(np.array(len(branches))), branches[0])
    made = build.emit(Add(), *branches)
    first = branches[0]
    moves = tuple(dict.fromkeys(move for branch in branches for move in branch.moves))
    return Signal(made.node, first.shape, first.order, made.dtype, moves)


def _shift(build: Builder, x: Signal, array: Array) -> Signal:
    value, aligned = build.meet(x, array)
    if not array.any():
        return build.pass_on(value, "it adds zero")
    return build.in_place(Bias(_floats(aligned)), value)


def _scale(build: Builder, x: Signal, array: Array) -> Signal:
    value, aligned = build.meet(x, array)
    if (array == 1).all():
        return build.pass_on(value, "it multiplies by one")
    return build.in_place(Scale(_floats(aligned)), value)


def _floats(array: Array) -> Array:
    return np.asarray(array, np.float64)
