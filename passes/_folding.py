"""The rules by which Scale and Bias nodes are folded into the convolutions and fully connected maps around them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeGuard

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.node import Node
from snnc.graph.operators import AvgPool, Bias, Flatten, LinearMap, MaxPool, Reshape, Scale, Transpose
from snnc.graph.operators.base import Array, Operator, Shape
from snnc.graph.operators.sharing import one_a_channel
from snnc.graph.rewrite import Draft, Rule

_PERMUTATIONS = (Flatten, Reshape, Transpose)


def fold_elementwise(graph: Graph, names: Iterable[str]) -> Graph:
    """The graph with those of its Scale and Bias nodes ``names`` folded that can be folded exactly.

    ``INTO_MAP_BEFORE`` is tried at all of them, then ``INTO_MAPS_BEHIND``; what cannot be folded stays. Weights are
    computed in float64 and stored in float32.
    """
    chosen = set(names)
    order = [node.name for node in graph.ordered if node.name in chosen]
    draft = Draft(graph)
    draft.apply([INTO_MAP_BEFORE], order, only=chosen)
    draft.apply([INTO_MAPS_BEHIND], reversed(order), only=chosen)
    for name in draft.names:
        operator: Any = draft[name].operator
        if operator is not graph[name].operator:
            values = {key: value.astype(np.float32) for key, value in operator.coefficients().items()}
            draft.set(name, operator=replace(operator, **values))
    return draft.done()


def _into_map_before(draft: Draft, node: Node) -> bool:
    value = _parameter(node, draft.shapes[node.name])
    producer = draft[node.inputs[0]]
    while isinstance(producer.operator, _PERMUTATIONS) and len(draft.readers(producer.name)) == 1:
        value = _moved_back(producer.operator, value, draft.shapes[producer.inputs[0]])
        producer = draft[producer.inputs[0]]
    operator = producer.operator
    if not _takes_bias(operator) or len(draft.readers(producer.name)) > 1:
        return False
    is_scale = isinstance(node.operator, Scale)
    folded = operator.scaled_outputs(value) if is_scale else operator.with_bias(value)
    if folded is None:
        return False
    _store(draft, producer.name, node, folded)
    draft.bypass(node.name)
    return True


def _into_maps_behind(draft: Draft, node: Node) -> bool:
    (source,) = node.inputs
    folded = [reader for reader in draft.readers(node.name) if _into_reader(draft, node, reader)]
    for reader in folded:
        inputs = tuple(source if name == node.name else name for name in draft[reader].inputs)
        draft.set(reader, inputs=inputs)
    if draft.readers(node.name):
        return bool(folded)
    draft.remove(node.name)
    return True


INTO_MAP_BEFORE = Rule((Scale, Bias), _into_map_before)
"""Into the map with weights (Conv, Linear) before the node, if the node is its only reader.

Reshapes and transposes in between are passed. The parameter must be one number an output channel.
"""

INTO_MAPS_BEHIND = Rule((Scale, Bias), _into_maps_behind)
"""Into the map with weights behind the node, for each reader by itself; the node goes when nobody is left to read it.

Reshapes, transposes and (for one positive factor a channel) pooling in between are passed if they have one reader. A
factor must be one number an input channel. A value that is added is folded into a Conv only if it is one number a
channel and the Conv has no zero padding: a padded zero does not get the value.
"""


def _into_reader(draft: Draft, node: Node, reader: str) -> bool:
    is_scale = isinstance(node.operator, Scale)
    value: Array | None = _parameter(node, draft.shapes[node.name])
    target = draft[reader]
    while not _takes_bias(operator := target.operator):
        value = _moved_on(target.operator, value, draft.shapes[target.name], is_scale)
        readers = draft.readers(target.name)
        if value is None or len(readers) != 1:
            return False
        target = draft[readers[0]]
    if value is None:
        return False
    folded = operator.scaled_inputs(value) if is_scale else operator.with_input_bias(value)
    if folded is None:
        return False
    _store(draft, target.name, node, folded)
    return True


def _store(draft: Draft, name: str, folded: Node, operator: LinearMap) -> None:
    sources = tuple(dict.fromkeys((*draft[name].sources, *folded.sources)))
    draft.set(name, operator=operator, sources=sources)


def _takes_bias(operator: Operator) -> TypeGuard[LinearMap]:
    return isinstance(operator, LinearMap) and operator.takes_bias


def _parameter(node: Node, shape: Shape) -> Array:
    """The factor or value of a Scale or Bias node for every element, float64."""
    operator: Any = node.operator
    assert isinstance(operator, Scale | Bias)
    value = operator.factor if isinstance(operator, Scale) else operator.value
    return np.broadcast_to(np.asarray(value, np.float64), shape)


def _moved_back(operator: Operator, value: Array, shape: Shape) -> Array:
    """``value`` of every element behind a permutation, by the elements in front of it."""
    size = int(np.prod(shape))
    positions = operator.evaluate(np.arange(size).reshape(1, *shape)).ravel()
    result = np.empty(size)
    result[positions] = value.ravel()
    return result.reshape(shape)


def _moved_on(operator: Operator, value: Array | None, shape: Shape, is_scale: bool) -> Array | None:
    """``value`` of every element in front of ``operator`` by those behind it; None if it cannot pass."""
    if value is None:
        return None
    if isinstance(operator, _PERMUTATIONS):
        return np.asarray(operator.evaluate(value[None])[0])
    if isinstance(operator, AvgPool | MaxPool) and is_scale:
        vector = one_a_channel(value, 0)
        if vector is not None and (vector > 0).all():
            return np.broadcast_to(vector.reshape(-1, *(1,) * (len(shape) - 1)), shape)
    return None
