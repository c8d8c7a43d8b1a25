"""A graph as stable text: one node a line, with its operator, inputs and shape."""

from __future__ import annotations

from .graph import Graph


def graph_text(graph: Graph) -> str:
    """The graph in dataflow order, e.g. ``relu1 = Relu(scale=None) <- conv1 : 16x28x28``."""
    lines = [f"graph {graph.name} ({graph.level.value})"]
    for node in graph.ordered:
        inputs = f" <- {', '.join(node.inputs)}" if node.inputs else ""
        shape = "x".join(map(str, graph.shapes[node.name]))
        lines.append(f"{node.name} = {node.operator.describe()}{inputs} : {shape}")
    return "\n".join(lines) + "\n"
