"""What an ANN graph computes, node by node in numpy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import networkx as nx
import numpy as np

from snnc.errors import DataError, GraphError

from .graph import Graph
from .operators.base import Array
from .operators.interface import Input


def check_samples(graph: Graph, x: Array) -> None:
    """Raise DataError D101 unless ``x`` is (samples, *input shape) or (samples, ticks, *input shape)."""
    shape = graph.inputs[0].operator.infer_shape()
    if x.shape[1:] != shape and x.shape[2:] != shape:
        wanted = ", ".join(map(str, shape))
        raise DataError(
            "D101",
            f"data of shape {tuple(x.shape)} does not fit the model's input (samples, {wanted})",
            node=graph.inputs[0].name,
            remedy="bring the data into the model's own layout",
        )


def evaluate_nodes(graph: Graph, x: Array, wanted: Iterable[str]) -> Mapping[str, Array]:
    """Values (samples, *shape) of the wanted nodes of an ANN graph for a batch ``x``.

    Intermediate values are dropped as soon as no later node reads them.
    """
    check_samples(graph, x)
    kept = set(wanted)
    needed = kept.union(*(nx.ancestors(graph.digraph, name) for name in kept))
    unread = {name: sum(reader in needed for reader in readers) for name, readers in graph.consumers.items()}
    values: dict[str, Array] = {}
    for node in graph.ordered:
        if node.name not in needed:
            continue
        if isinstance(node.operator, Input):
            values[node.name] = x
            continue
        if any(source not in values for source in node.inputs):
            raise GraphError("G013", "a recurrent graph is run by a simulator", node=node.name)
        values[node.name] = node.operator.evaluate(*(values[source] for source in node.inputs))
        for source in dict.fromkeys(node.inputs):
            unread[source] -= 1
            if not unread[source] and source not in kept:
                del values[source]
    return {name: values[name] for name in kept}


def batches(x: Array, size: int) -> Iterator[Array]:
    """``x`` in pieces of at most ``size`` samples."""
    for start in range(0, len(x), size):
        yield x[start : start + size]


def evaluate(graph: Graph, x: Array, batch: int = 64) -> Array:
    """The first output of an ANN graph for all samples, (samples, *output shape)."""
    name = graph.outputs[0].name
    parts = [evaluate_nodes(graph, part, [name])[name] for part in batches(x, batch)]
    return np.concatenate(parts)
