"""A node of a graph: a name, an operator, and what it reads."""

from __future__ import annotations

from dataclasses import dataclass

from .operators.base import Operator


@dataclass(frozen=True, eq=False)
class Node:
    """One node.

    Attributes:
        name: unique in its graph.
        operator: what it computes.
        inputs: names of the nodes it reads, in the operator's order.
        sources: the ONNX nodes that it came from, each as ``"name (Operator)"``.
    """

    name: str
    operator: Operator
    inputs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def source(self) -> str | None:
        """The sources as one text for messages, or None."""
        return ", ".join(self.sources) or None
