"""What only the whole graph shows: a softmax or arg-max in the middle, a maximum over padding alone."""

from __future__ import annotations

from collections.abc import Mapping

from snnc.graph import Decision, Graph, MaxPool, Operator, Output, Rearrangement

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


def padded_maxima(graph: Graph, makers: Mapping[str, int]) -> dict[int, Refusal]:
    """A refusal for each maximum over windows of padding alone: its value there is minus infinity."""
    why, remedy = "it pads with minus infinity where no MaxPool reads it", "pad with zeros, or in the MaxPool"
    return {makers[node.name]: Refusal(why, remedy) for node in graph if _sees_padding_alone(node.operator)}


def _sees_padding_alone(operator: Operator) -> bool:
    if not isinstance(operator, MaxPool):
        return False
    windows = zip(operator.pads, operator.kernel, operator.dilation, strict=True)
    return any(max(pair) > (size - 1) * step for pair, size, step in windows)


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
