"""Merges neighbours that are one layer: maps and the constants behind them, paddings, reshapes, clippings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc.graph.graph import Graph
from snnc.graph.simplify import simplified
from snnc.pipeline import Context, Guarantee, Pass


@dataclass(frozen=True)
class Simplify(Pass):
    """Write a graph as plainly as can be; the first pass over every network that is imported from ONNX.

    Nodes that no output reads go, and pairs of which the first is read by the second alone become one: a Bias
    behind a Conv or Linear, a Pad in front of a Conv or MaxPool, a reshape of a reshape, a clipping of a clipping.
    The rules are those of ``snnc.graph.simplify``.
    """

    name: ClassVar[str] = "simplify"
    guarantee: ClassVar[Guarantee] = Guarantee.EXACT

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The plainer graph."""
        result = simplified(graph)[0]
        return graph if len(result) == len(graph) else result
