"""Gives every Clip the lower bound 0, which is what a silent neuron stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snnc.graph.graph import Edit, Graph
from snnc.graph.node import Node
from snnc.graph.operators import Bias, Clip, Relu, Scale
from snnc.graph.operators.base import Operator
from snnc.pipeline import Context, Guarantee, Pass

_UNBOUNDED = 3e38
"""Exporters write the largest float32 where they mean no bound."""


@dataclass(frozen=True)
class NormaliseClip(Pass):
    """Write clip(x, low, high) with a lower bound of 0.

    1. 0 to high stays; 0 to infinity becomes Relu.
    2. low to high: Bias(-low), Clip(0, high - low), Bias(low).
    3. low to infinity: Bias(-low), Relu, Bias(low).
    4. minus infinity to high: high - relu(high - x), with Scale(-1) and Bias nodes.
    5. No bound at all: the node is left out.

    The last node keeps the name of the Clip. A bound of 3e38 or more counts as infinite.
    """

    name: ClassVar[str] = "normalise-clip"
    guarantee: ClassVar[Guarantee] = Guarantee.EXACT

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph with Clip(0, high) and Relu only."""
        wanted = [node for node in graph.of_type(Clip) if not is_normal(node.operator)]
        edit = graph.edit()
        for node in wanted:
            chain = _chain(node.operator)
            if chain:
                _write(edit, node, chain)
            else:
                edit.bypass(node.name)
        return edit.done() if wanted else graph


def is_normal(clip: Operator) -> bool:
    """Whether a Clip runs from 0 to a finite bound."""
    assert isinstance(clip, Clip)
    return clip.low == 0 and clip.high < _UNBOUNDED


def _chain(clip: Operator) -> list[tuple[str, Operator]]:
    """The operators that stand for a Clip, with the part of the name of each; the last takes the Clip's."""
    assert isinstance(clip, Clip)
    from_below, from_above = clip.low > -_UNBOUNDED, clip.high < _UNBOUNDED
    if from_below:
        core = Clip(0.0, clip.high - clip.low, clip.scale) if from_above else Relu(clip.scale)
        if clip.low == 0:
            return [("relu", core)]
        return [("lift", _bias(-clip.low)), ("relu", core), ("lower", _bias(clip.low))]
    if not from_above:
        return []
    minus = Scale(np.array(-1, np.float32))
    return [
        ("minus", minus),
        ("lift", _bias(clip.high)),
        ("relu", Relu(clip.scale)),
        ("minus", minus),
        ("lower", _bias(clip.high)),
    ]


def _bias(value: float) -> Bias:
    return Bias(np.array(value, np.float32))


def _write(edit: Edit, node: Node, chain: list[tuple[str, Operator]]) -> None:
    source = edit[node.name].inputs[0]
    for part, operator in chain[:-1]:
        source = edit.add(f"{node.name}.{part}", operator, source, sources=node.sources)
    edit.set(node.name, operator=chain[-1][1], inputs=(source,))
