"""How the linear maps of a spiking graph are computed: in float64, or exactly for integers."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np

from snnc.graph.graph import Graph, Node
from snnc.graph.operators.base import Array, Level, Operator


class LinearEvaluator(Protocol):
    """Computes a linear map's value for a batch."""

    def __call__(self, node: Node, *inputs: Array) -> Array:
        """The value of ``node`` for inputs (batch, *shape)."""


@dataclass(frozen=True)
class FloatEvaluator:
    """Linear maps in float64."""

    operators: dict[str, Operator]

    def __call__(self, node: Node, *inputs: Array) -> Array:
        """The value, float64."""
        return self.operators[node.name].evaluate(*(np.asarray(value, np.float64) for value in inputs))


def linear_evaluator(graph: Graph) -> LinearEvaluator:
    """The evaluator for a graph: exact where the graph is one of integers."""
    assert graph.level in (Level.SNN, Level.INTEGER)
    return FloatEvaluator({node.name: _in_float64(node.operator) for node in graph})


def _in_float64(operator: Operator) -> Operator:
    changes = {
        field.name: value.astype(np.float64)
        for field in fields(operator)
        if isinstance(value := getattr(operator, field.name), np.ndarray)
        and field.name in ("weight", "bias", "values")
    }
    return replace(operator, **changes) if changes else operator
