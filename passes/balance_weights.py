"""Rescales weights so that every threshold is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.operators import Scale
from snnc.graph.operators.activation import Rectifier
from snnc.graph.operators.base import Level
from snnc.pipeline import Context, Guarantee
from snnc.stages import NORMAL_CLIPS, SCALES_SET, Need

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
    requires: ClassVar[tuple[Need, ...]] = (
        Level.ANN,
        NORMAL_CLIPS,
    )
    gives: ClassVar[tuple[Need, ...]] = (SCALES_SET,)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph with scales of 1."""
        scales = self.scales(graph, context)
        edit = graph.edit()
        inserted = []
        for node in graph.of_type(Rectifier):
            operator, scale = node.operator, scales[node.name]
            assert isinstance(operator, Rectifier)
            if operator.one_scale:
                scale = np.asarray(scale.max())
            before = edit.add(f"{node.name}.normalise", Scale(1 / scale), *edit[node.name].inputs)
            after = edit.add(f"{node.name}.restore", Scale(scale), node.name)
            edit.reroute(node.name, after)
            edit.set(node.name, operator=operator.divided(scale), inputs=(before,))
            inserted += [before, after]
        return fold_elementwise(edit.done(), inserted)
