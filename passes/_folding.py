"""Folding of Scale and Bias nodes into the convolutions and fully connected maps around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeGuard

import numpy as np

from snnc.graph.graph import Edit, Graph
from snnc.graph.node import Node
from snnc.graph.operators import AvgPool, Bias, Flatten, LinearMap, MaxPool, Reshape, Scale, Transpose
from snnc.graph.operators.base import Array, Operator, Shape
from snnc.graph.operators.sharing import one_a_channel

_PERMUTATIONS = (Flatten, Reshape, Transpose)


def fold_elementwise(graph: Graph, names: Iterable[str]) -> Graph:
    """The graph with those of its Scale and Bias nodes ``names`` folded that can be folded exactly.

    Rules, tried in this order:

    1. Into the map with weights (Conv, Linear) before the node, if the node is its only reader; reshapes and
       transposes in between are passed. The parameter must be one number an output channel.
    2. Into the map with weights behind the node, for each reader by itself; reshapes, transposes and (for one
       positive factor a channel) pooling in between are passed if they have one reader. A factor must be one
       number an input channel. A value that is added is folded into a Conv only if it is one number a channel
       and the Conv has no zero padding: a padded zero does not get the value.
    3. What cannot be folded stays.

    Weights are computed in float64 and stored in float32.
    """
    wanted = [node.name for node in graph.ordered if node.name in set(names)]
    folding = _Folding(graph)
    unfolded = [name for name in wanted if not folding.into_producer(name)]
    for name in reversed(unfolded):
        folding.into_readers(name)
    return folding.done()


class _Folding:
    """A draft in which weights stay in float64 until it is done."""

    def __init__(self, graph: Graph) -> None:
        self.shapes: Mapping[str, Shape] = graph.shapes
        self.edit: Edit = graph.edit()
        self.changed: set[str] = set()

    def done(self) -> Graph:
        """The folded graph, with its changed weights in float32."""
        for name in self.changed:
            operator: Any = self.edit[name].operator
            values = {key: value.astype(np.float32) for key, value in operator.coefficients().items()}
            self.edit.set(name, operator=replace(operator, **values))
        return self.edit.done()

    def into_producer(self, name: str) -> bool:
        """Rule 1."""
        node = self.edit[name]
        value = _parameter(node, self.shapes[name])
        producer = self.edit[node.inputs[0]]
        while isinstance(producer.operator, _PERMUTATIONS) and len(self.edit.readers(producer.name)) == 1:
            value = _moved_back(producer.operator, value, self.shapes[producer.inputs[0]])
            producer = self.edit[producer.inputs[0]]
        operator = producer.operator
        if not _takes_bias(operator) or len(self.edit.readers(producer.name)) > 1:
            return False
        is_scale = isinstance(node.operator, Scale)
        folded = operator.scaled_outputs(value) if is_scale else operator.with_bias(value)
        if folded is None:
            return False
        self._store(producer.name, node, folded)
        self.edit.bypass(name)
        return True

    def into_readers(self, name: str) -> None:
        """Rule 2 for every reader; the node goes when nobody is left that reads it."""
        source = self.edit[name].inputs[0]
        for reader in self.edit.readers(name):
            if self._into_reader(name, reader):
                inputs = tuple(source if one == name else one for one in self.edit[reader].inputs)
                self.edit.set(reader, inputs=inputs)
        if not self.edit.readers(name):
            self.edit.remove(name)

    def _into_reader(self, name: str, reader: str) -> bool:
        node = self.edit[name]
        is_scale = isinstance(node.operator, Scale)
        value: Array | None = _parameter(node, self.shapes[name])
        target = self.edit[reader]
        while not _takes_bias(operator := target.operator):
            value = _moved_on(target.operator, value, self.shapes[target.name], is_scale)
            readers = self.edit.readers(target.name)
            if value is None or len(readers) != 1:
                return False
            target = self.edit[readers[0]]
        if value is None:
            return False
        folded = operator.scaled_inputs(value) if is_scale else operator.with_input_bias(value)
        if folded is None:
            return False
        self._store(target.name, node, folded)
        return True

    def _store(self, name: str, folded: Node, operator: LinearMap) -> None:
        sources = tuple(dict.fromkeys((*self.edit[name].sources, *folded.sources)))
        self.edit.set(name, operator=operator, sources=sources)
        self.changed.add(name)


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
