"""Softmax and arg-max belong at the end: finding those that further computation follows."""

from __future__ import annotations

from collections.abc import Mapping

from snnc.graph import Decision, Graph, Output, Rearrangement

from .registry import Refusal


def misplaced_decisions(graph: Graph, makers: Mapping[str, int]) -> dict[int, Refusal]:
    """A refusal for each softmax or arg-max whose value is computed with.

    Args:
        graph: the converted nodes.
        makers: for each graph node the position in the file of the node it was made for.
    """
    return {
        makers[node.name]: Refusal(
            "it is not at the end of the network", "remove it, or everything that is computed from it"
        )
        for node in graph.decisions
        if node.name in makers and not _ends(graph, node.name)
    }


def _ends(graph: Graph, name: str) -> bool:
    pending = list(graph.consumers[name])
    while pending:
        reader = pending.pop()
        operator = graph[reader].operator
        if not isinstance(operator, Output | Decision | Rearrangement):
            return False
        if len(graph[reader].inputs) > 1:
            return False
        pending += graph.consumers[reader]
    return True
