"""Shape inference over a whole graph, cycles included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snnc.errors import GraphError

from .neurons.base import Neuron
from .node import Node
from .operators.base import Shape


def infer_shapes(nodes: Mapping[str, Node], components: Sequence[tuple[str, ...]]) -> Mapping[str, Shape]:
    """Shape of every node; raises GraphError that names the node whose inputs do not fit.

    In a cycle a population takes its shape from those of its inputs that are known already; the rest are
    checked once the shapes of the cycle are complete.
    """
    shapes: dict[str, Shape] = {}
    for component in components:
        pending = list(component)
        while pending:
            ready = [name for name in pending if _ready(nodes[name], shapes)]
            if not ready:
                raise _unsettled(nodes, pending)
            for name in ready:
                known = [shapes[source] for source in nodes[name].inputs if source in shapes]
                shapes[name] = _shape(nodes[name], known)
            pending = [name for name in pending if name not in shapes]
        for name in component:
            if any(source in component for source in nodes[name].inputs):
                _shape(nodes[name], [shapes[source] for source in nodes[name].inputs])
    return shapes


def _unsettled(nodes: Mapping[str, Node], pending: Sequence[str]) -> GraphError:
    """The error for nodes none of which has a shape to start from: a node without input, or a cycle by itself."""
    alone = next((name for name in pending if not nodes[name].inputs), None)
    if alone is not None:
        return GraphError(
            "G007",
            f"{type(nodes[alone].operator).__name__} has no input, so that its shape is not known",
            node=alone,
            source=nodes[alone].source,
            remedy="let it read a node (an Input, or a Bias of what drives it behind one)",
        )
    return GraphError(
        "G004",
        "the shapes of a cycle cannot be settled",
        node=pending[0],
        remedy="let a population of the cycle also read a node outside of it",
    )


def _ready(node: Node, shapes: Mapping[str, Shape]) -> bool:
    known = [source in shapes for source in node.inputs]
    return any(known) if isinstance(node.operator, Neuron) else all(known)


def _shape(node: Node, inputs: list[Shape]) -> Shape:
    try:
        return node.operator.infer_shape(*inputs)
    except GraphError as error:
        error.node, error.source = node.name, node.source
        raise
