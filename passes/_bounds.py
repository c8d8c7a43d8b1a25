"""Largest and smallest values that the nodes of an ANN can take, by interval arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.node import Node
from snnc.graph.operators import BatchNorm, Clip, Conv, Decision, Input, Linear, Relu, Scale, SparseLinear
from snnc.graph.operators.base import Array, Operator

Bounds = tuple[Array, Array]
"""(lowest, highest), each of a node's shape, float64."""


def propagate_bounds(
    graph: Graph, lowest: float, highest: float, firing: Callable[[Node, Array], Array]
) -> Mapping[str, Bounds]:
    """Bounds of every node up to the decisions.

    Args:
        graph: level ANN.
        lowest: smallest value of the input.
        highest: largest value of the input.
        firing: given an activation node and the bound of its value, what its neurons can stand for at most;
            the nodes behind see [0, that]. This is Diehl 2015's assumption: a neuron may fire at every tick.
    """
    bounds: dict[str, Bounds] = {}
    for node in graph.ordered:
        operator = node.operator
        shape = graph.shapes[node.name]
        if isinstance(operator, Input):
            bounds[node.name] = (np.full(shape, float(lowest)), np.full(shape, float(highest)))
        elif isinstance(operator, Decision) or any(source not in bounds for source in node.inputs):
            continue
        else:
            low, high = through(operator, [bounds[source] for source in node.inputs])
            if isinstance(operator, Relu | Clip):
                low, high = np.minimum(low, 0), np.broadcast_to(firing(node, high), shape)
            bounds[node.name] = (low, high)
    return bounds


def through(operator: Operator, inputs: list[Bounds]) -> Bounds:
    """Bounds of a linear map or a monotone activation, given those of its inputs."""
    lows, highs = [low[None] for low, _ in inputs], [high[None] for _, high in inputs]
    if isinstance(operator, BatchNorm):
        factor, shift = (part.reshape(-1, *(1,) * (lows[0].ndim - 2)) for part in operator.affine())
        ends = lows[0] * factor + shift, highs[0] * factor + shift
        return np.minimum(*ends)[0], np.maximum(*ends)[0]
    if isinstance(operator, Scale):
        ends = operator.evaluate(lows[0]), operator.evaluate(highs[0])
        return np.minimum(*ends)[0], np.maximum(*ends)[0]
    if isinstance(operator, Conv | Linear | SparseLinear):
        rising, falling = _halves(operator)
        low = rising.evaluate(lows[0]) + falling.evaluate(highs[0])
        high = rising.evaluate(highs[0]) + falling.evaluate(lows[0])
        return low[0], high[0]
    return operator.evaluate(*lows)[0], operator.evaluate(*highs)[0]


def _halves(operator: Conv | Linear | SparseLinear) -> tuple[Operator, Operator]:
    """The positive weights with the bias, and the negative weights."""
    if isinstance(operator, SparseLinear):
        values = operator.values.astype(np.float64)
        rising = replace(operator, values=np.maximum(values, 0))
        return rising, replace(operator, values=np.minimum(values, 0))
    weight = operator.weight.astype(np.float64)
    positive = replace(operator, weight=np.maximum(weight, 0))
    return positive, replace(operator, weight=np.minimum(weight, 0), bias=None)
