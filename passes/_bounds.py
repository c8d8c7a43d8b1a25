"""Largest and smallest values that the nodes of an ANN can take, by interval arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.node import Node
from snnc.graph.operators import Decision, Input
from snnc.graph.operators.activation import Rectifier
from snnc.graph.operators.base import Array, Bounds


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
            low, high = operator.bounds(*(bounds[source] for source in node.inputs))
            if isinstance(operator, Rectifier):
                low, high = np.minimum(low, 0), np.broadcast_to(firing(node, high), shape)
            bounds[node.name] = (low, high)
    return bounds
