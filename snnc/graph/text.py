"""A graph as stable text: one node a line, with its operator, inputs and shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .node import Node
from .operators.base import Level, Shape


def graph_text(name: str, level: Level, nodes: Iterable[Node], shapes: Mapping[str, Shape]) -> str:
    """A line a node, e.g. ``relu1 = Relu(scale=None) <- conv1 : 16x28x28``, in the order given.

    A node's role and group stand in brackets behind it, where it has any.
    """
    lines = [f"graph {name} ({level.value})"]
    for node in nodes:
        inputs = f" <- {', '.join(node.inputs)}" if node.inputs else ""
        shape = "x".join(map(str, shapes[node.name]))
        said = [node.role.value] if node.role else []
        said += [f"of {node.group}"] if node.group else []
        note = f" ({', '.join(said)})" if said else ""
        lines.append(f"{node.name} = {node.operator.describe()}{inputs} : {shape}{note}")
    return "\n".join(lines) + "\n"
