"""Chooses what a neuron firing at every tick stands for, to be used as threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc.graph.graph import Graph
from snnc.graph.operators.activation import Rectifier
from snnc.graph.operators.base import Level
from snnc.pipeline import Context, Guarantee
from snnc.stages import NORMAL_CLIPS, SCALES_SET, Need

from ._scales import Balancing


@dataclass(frozen=True)
class BalanceThresholds(Balancing):
    """Set the scale of every rectifier (Relu, Clip), chosen by the rules of Balancing; weights stay as they are.

    ConvertToSpiking takes the scale as threshold and lets each spike stand for it: threshold balancing. It
    gives the spikes that BalanceWeights gives with thresholds of 1.
    """

    name: ClassVar[str] = "balance-thresholds"
    guarantee: ClassVar[Guarantee] = Guarantee.EXACT
    requires: ClassVar[tuple[Need, ...]] = (
        Level.ANN,
        NORMAL_CLIPS,
    )
    gives: ClassVar[tuple[Need, ...]] = (SCALES_SET,)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph with scales."""
        scales = self.scales(graph, context)
        edit = graph.edit()
        for node in graph.of_type(Rectifier):
            assert isinstance(node.operator, Rectifier)
            edit.set(node.name, operator=node.operator.with_scale(scales[node.name]))
        return edit.done()
