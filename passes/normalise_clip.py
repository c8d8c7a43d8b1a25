"""Writes activations with rectifiers that start at 0, which is what a silent neuron stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from snnc.graph.graph import Edit, Graph
from snnc.graph.node import Node
from snnc.graph.operators import Activation
from snnc.graph.operators.base import Operator
from snnc.pipeline import Context, Guarantee, Pass
from snnc.stages import NORMAL_CLIPS, Need


@dataclass(frozen=True)
class NormaliseClip(Pass):
    """Write every activation that can be so with Relu, Clips from 0 to a finite bound, and linear maps.

    Each activation says how (see ``Activation.in_rectifiers``): a Clip with another lower bound is shifted, a
    LeakyRelu is relu(x) - slope relu(-x). The last node keeps the name of the activation.
    """

    name: ClassVar[str] = "normalise-clip"
    guarantee: ClassVar[Guarantee] = Guarantee.EXACT
    gives: ClassVar[tuple[Need, ...]] = (NORMAL_CLIPS,)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph with rectifiers from 0 only."""
        edit, written = graph.edit(), False
        for node in graph.of_type(Activation):
            written |= _write(edit, node)
        return edit.done() if written else graph


def _write(edit: Edit, node: Node) -> bool:
    """Put what an activation is written with in its place; whether it is written with others."""

    def add(part: str, operator: Operator, *inputs: str) -> str:
        return edit.add(f"{node.name}.{part}", operator, *inputs, sources=node.sources)

    assert isinstance(node.operator, Activation)
    (source,) = edit[node.name].inputs
    last = node.operator.in_rectifiers(add, source)
    if last is None:
        return False
    if last == source:
        edit.bypass(node.name)
    else:
        edit.set(node.name, operator=edit[last].operator, inputs=edit[last].inputs)
        edit.remove(last)
    return True
