"""In which order the nodes of a graph are computed within a tick."""

from __future__ import annotations

from collections.abc import Iterable

from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron
from snnc.graph.node import Node


def dataflow(graph: Graph) -> tuple[Node, ...]:
    """All nodes, populations first and every other node behind those that it reads."""
    others = [node for node in graph.ordered if not isinstance(node.operator, Neuron)]
    return (*graph.populations, *_behind_inputs(others))


def cycle_order(graph: Graph, component: Iterable[str]) -> tuple[Node, ...]:
    """The nodes of a recurrent component, linear maps behind the maps that they read, populations last.

    A population reads what the maps give in the same tick; the maps read the spikes of the tick before.
    """
    nodes = [graph[name] for name in component]
    maps = [node for node in nodes if not isinstance(node.operator, Neuron)]
    return (*_behind_inputs(maps), *(node for node in nodes if isinstance(node.operator, Neuron)))


def _behind_inputs(nodes: list[Node]) -> list[Node]:
    """The nodes, acyclic among themselves, each behind those of them that it reads."""
    waiting = {node.name: node for node in nodes}
    ordered: list[Node] = []
    while waiting:
        ready = [node for node in waiting.values() if not any(source in waiting for source in node.inputs)]
        ordered += ready
        for node in ready:
            del waiting[node.name]
    return ordered
