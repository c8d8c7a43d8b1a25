"""Rectifiers that let negative values through: LeakyRelu, PRelu, Abs, and the maximum of a value and its multiple."""

from __future__ import annotations

import numpy as np

from snnc.formats.onnx.builder import Builder, constant, signal
from snnc.formats.onnx.registry import operator
from snnc.formats.onnx.values import Signal, Value
from snnc.formats.onnx.writer import Writer, write
from snnc.graph import Array, Node, Relu, Scale, Shape
from snnc.graph.operators.leaky_relu import LeakyRelu


@operator("LeakyRelu")
def leaky_relu(build: Builder, x: Value, *, alpha: float = 0.01) -> Signal:
    """X, times ``alpha`` where it is negative."""
    return sloped(build, signal(x, "input"), np.array(alpha))


@operator("PRelu")
def p_relu(build: Builder, x: Value, slope: Value) -> Signal:
    """X, times constant slopes where it is negative."""
    value, slopes = build.meet(signal(x, "input"), constant(slope, "slope"))
    return sloped(build, value, slopes)


@operator("Abs")
def absolute(build: Builder, x: Value) -> Signal:
    """|x|."""
    return sloped(build, signal(x, "input"), np.array(-1))


def sloped(build: Builder, x: Signal, slope: Array) -> Signal:
    """A signal, times slopes in the layout of its graph node where it is negative."""
    if not slope.any():
        return build.in_place(Relu(), x)
    if (slope == 1).all():
        return build.pass_on(x, "its slope is 1 on both sides")
    return build.in_place(LeakyRelu(np.asarray(slope, np.float64)), x)


def leaky_of_two(build: Builder, a: Signal, b: Signal, smaller: bool) -> Signal | None:
    """The larger or smaller of a signal and a multiple of it, where that is a LeakyRelu."""
    for plain, multiple in ((a, b), (b, a)):
        factor = _multiple(build, multiple, plain)
        if factor is not None and (factor >= 1 if smaller else factor <= 1):
            return sloped(build, plain, np.array(factor))
    return None


def _multiple(build: Builder, value: Signal, base: Signal) -> float | None:
    """The number that ``value`` is ``base`` times, if it was computed so."""
    node = build.node(value.node)
    if not isinstance(node.operator, Scale) or node.inputs != (base.node,) or value.order != base.order:
        return None
    return float(node.operator.factor.item()) if node.operator.factor.size == 1 else None


@write.register
def _(operator: LeakyRelu, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    writer.add("PRelu", (*node.inputs, writer.constant(f"{node.name}.slope", operator.slope)), node.name)
