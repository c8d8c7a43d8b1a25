"""Rescales weights so that every threshold is one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.node import Node
from snnc.graph.operators import Clip, Relu, Scale
from snnc.graph.operators.base import Array, Operator
from snnc.pipeline import Context, Guarantee

from ._folding import fold_elementwise
from ._scales import Balancing


@dataclass(frozen=True)
class BalanceWeights(Balancing):
    """Divide what goes into every Relu and Clip by its scale, chosen by the rules of Balancing.

    W <- W scale_before / scale, b <- b / scale (Diehl 2015, Rueckauer 2017); then every scale is 1.

    1. relu(x) = s relu(x / s): a Scale by 1/s in front and a Scale by s behind, both folded into the Conv and
       Linear nodes around where that is exact.
    2. What cannot be folded stays as a Scale, so branches that meet in Add or Concat agree.
    3. A Clip has one bound for all its channels, so it gets one scale even with ``per_channel``.
    """

    name: ClassVar[str] = "balance-weights"
    guarantee: ClassVar[Guarantee] = Guarantee.EXACT

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph with scales of 1."""
        scales = self.scales(graph, context)
        edit = graph.edit()
        inserted = []
        for node in graph.of_type(Relu, Clip):
            scale = _usable(node, scales[node.name])
            before = edit.add(f"{node.name}.normalise", Scale(1 / scale), *edit[node.name].inputs)
            after = edit.add(f"{node.name}.restore", Scale(scale), node.name)
            edit.reroute(node.name, after)
            edit.set(node.name, operator=_unit(node.operator, scale), inputs=(before,))
            inserted += [before, after]
        return fold_elementwise(edit.done(), inserted)


def _usable(node: Node, scale: Array) -> Array:
    """Case 3."""
    return np.asarray(scale.max()) if isinstance(node.operator, Clip) else scale


def _unit(operator: Operator, scale: Array) -> Operator:
    assert isinstance(operator, Relu | Clip)
    one = np.array(1, np.float32)
    if isinstance(operator, Clip):
        return replace(operator, high=operator.high / float(scale), scale=one)
    return replace(operator, scale=one)
