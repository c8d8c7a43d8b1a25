"""What an ANN graph computes, node by node in numpy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import networkx as nx
import numpy as np

from snnc.errors import GraphError, UsageError

from .graph import Graph
from .operators.base import Array, LinearMap, Product
from .operators.interface import Input
from .samples import Data, Samples


def check_samples(graph: Graph, x: Data) -> None:
    """Raise DataError D101 or D105 unless ``x`` fits the inputs, see ``Samples``."""
    Samples.of(graph, x)


def evaluate_nodes(
    graph: Graph, x: Data, names: Iterable[str], product: Product = np.matmul
) -> Mapping[str, Array]:
    """Values (samples, *shape) of the wanted nodes of an ANN graph for a batch ``x``, see ``Samples``.

    Intermediate values are dropped as soon as no later node reads them. What choices hang on is computed with a
    ``product`` of the same bits on every machine (``STEADY_PRODUCT``).
    """
    samples = Samples.of(graph, x)
    kept = set(names)
    needed = kept.union(*(nx.ancestors(graph.digraph, name) for name in kept))
    unread = {name: sum(reader in needed for reader in readers) for name, readers in graph.consumers.items()}
    values: dict[str, Array] = {}
    for node in graph.ordered:
        if node.name not in needed:
            continue
        if isinstance(node.operator, Input):
            values[node.name] = samples.arrays[node.name]
            continue
        if any(source not in values for source in node.inputs):
            raise GraphError("G013", "a recurrent graph is run by a simulator", node=node.name)
        read, operator = [values[source] for source in node.inputs], node.operator
        if isinstance(operator, LinearMap):
            values[node.name] = operator.evaluate_by(product, *read)
        else:
            values[node.name] = operator.evaluate(*read)
        for source in dict.fromkeys(node.inputs):
            unread[source] -= 1
            if not unread[source] and source not in kept:
                del values[source]
    return {name: values[name] for name in kept}


def most_live(graph: Graph) -> int:
    """Elements of the values that ``evaluate_nodes`` holds at a time, at most, for one sample."""
    unread = {name: len(set(readers)) for name, readers in graph.consumers.items()}
    live = most = 0
    for node in graph.ordered:
        live += math.prod(graph.shapes[node.name])
        most = max(most, live)
        for source in dict.fromkeys(node.inputs):
            unread[source] -= 1
            if not unread[source]:
                live -= math.prod(graph.shapes[source])
    return most


def evaluate_outputs(graph: Graph, x: Data, batch: int = 64) -> Mapping[str, Array]:
    """The outputs of an ANN graph for all samples, (samples, *output shape) by the Output's name."""
    names = [node.name for node in graph.outputs]
    samples = Samples.of(graph, x)
    parts = [
        evaluate_nodes(graph, samples[start : start + batch], names)
        for start in range(0, max(len(samples), 1), batch)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def evaluate(graph: Graph, x: Data, batch: int = 64) -> Array:
    """The output of an ANN graph with one output, for all samples, (samples, *output shape).

    Raises:
        UsageError U206: it has several; ``evaluate_outputs`` gives them by name.
    """
    return only(evaluate_outputs(graph, x, batch))


def only(outputs: Mapping[str, Array]) -> Array:
    """The answer of a network with one output; raises UsageError U206 where there are several."""
    if len(outputs) != 1:
        raise UsageError(
            "U206",
            f"there are {len(outputs)} outputs, {', '.join(outputs)}, and one was asked for",
            remedy="take them by name from outputs",
        )
    return next(iter(outputs.values()))
