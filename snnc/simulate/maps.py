"""How the linear maps of a spiking graph are computed: in float64, or exactly for integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.node import Node
from snnc.graph.operators.base import Array, LinearMap, Operator, Product, Rearrangement
from snnc.graph.operators.conv import Conv
from snnc.graph.operators.interface import Input, Output

from .exact import Extent, exact_dtype
from .product import product, steady_product

_ELEMENTS_AT_ONCE = 2**20


class MapEvaluator(Protocol):
    """Computes one map for a batch over some ticks."""

    def __call__(self, *inputs: Array) -> Array:
        """(samples, ticks, *shape), for inputs (samples, ticks or 1, *their shape); 1 means constant."""


@dataclass(frozen=True, eq=False)
class Moved:
    """A rearrangement, in whatever dtype its inputs have."""

    operator: Rearrangement

    def __call__(self, *inputs: Array) -> Array:
        """The moved elements."""
        return _unfolded(self.operator.evaluate(*_folded(inputs)), inputs)


@dataclass(frozen=True, eq=False)
class RealMap:
    """A map in float64.

    Each sample is computed by itself, so that nothing depends on the size of the batch, and with sums that have the
    same bits on every machine, since what is observed of them decides how a network is rounded.
    """

    operator: Operator

    def __call__(self, *inputs: Array) -> Array:
        """The value, float64 (or what an encoder gives)."""
        ticks = _ticks(inputs)
        parts = []
        for sample in zip(*inputs, strict=True):
            aligned = [np.broadcast_to(value, (ticks, *value.shape[1:])) for value in sample]
            real = [value.astype(np.float64) for value in aligned]
            parts.append(_computed(self.operator, steady_product, *real))
        return np.stack(parts)


@dataclass(frozen=True, eq=False)
class ExactMap:
    """A map of integers in a floating-point dtype that holds all of its sums exactly.

    Attributes:
        operator: with coefficients of the dtype.
        dtype: float32 or float64.
    """

    operator: Operator
    dtype: np.dtype

    def __call__(self, *inputs: Array) -> Array:
        """The value, whole numbers in ``dtype``."""
        folded = [value.astype(self.dtype, copy=False) for value in _folded(inputs)]
        return _unfolded(_computed(self.operator, product, *folded), inputs)


@dataclass(frozen=True, eq=False)
class ExactConv:
    """A convolution of integers whose sums are exact in float32, by onnxruntime.

    Attributes:
        session: of the one node.
        source: name of its input.
    """

    session: Any
    source: str

    def __call__(self, *inputs: Array) -> Array:
        """The value, whole numbers in float32."""
        (x,) = _folded(inputs)
        at_once = max(1, _ELEMENTS_AT_ONCE // max(1, x[0].size))
        parts = [
            self.session.run(None, {self.source: x[start : start + at_once].astype(np.float32)})[0]
            for start in range(0, len(x), at_once)
        ]
        return _unfolded(np.concatenate(parts), inputs)


def map_evaluators(
    graph: Graph, whole: frozenset[str], extents: Mapping[str, Extent]
) -> Mapping[str, MapEvaluator]:
    """The evaluator of every map without memory, by its node's name.

    Args:
        graph: level SNN or INTEGER.
        whole: nodes that are computed in integers; the others are computed in float64.
        extents: extents of the nodes in ``whole``.

    Raises:
        GraphError G201: sums could leave the exact range.
    """
    evaluators: dict[str, MapEvaluator] = {}
    for node in graph:
        operator = node.operator
        if operator.has_memory or isinstance(operator, Input | Output):
            continue
        if isinstance(operator, Rearrangement):
            evaluators[node.name] = Moved(operator)
        elif isinstance(operator, LinearMap) and node.name in whole:
            evaluators[node.name] = _exact(graph, node, operator, extents[node.name])
        else:
            evaluators[node.name] = RealMap(_cast(operator, np.dtype(np.float64)))
    return evaluators


def _exact(graph: Graph, node: Node, operator: LinearMap, extent: Extent) -> MapEvaluator:
    dtype = exact_dtype(node, extent)
    if isinstance(operator, Conv) and dtype == np.float32:
        return ExactConv(_session(graph, node), node.inputs[0])
    return ExactMap(_cast(operator, dtype), dtype)


def _computed(operator: Operator, by: Product, *inputs: Array) -> Array:
    if isinstance(operator, LinearMap):
        return operator.evaluate_by(by, *inputs)
    return operator.evaluate(*inputs)


def _cast(operator: Operator, dtype: np.dtype) -> Operator:
    """The operator with its coefficients in a dtype."""
    if not isinstance(operator, LinearMap):
        return operator
    return replace(operator, **{name: value.astype(dtype) for name, value in operator.coefficients().items()})


def _session(graph: Graph, node: Node) -> Any:
    """An onnxruntime session of one node, with one thread: it is the batches that share the processor."""
    import onnxruntime

    from snnc.formats.onnx.export import export_onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = export_onnx(graph, node.inputs, [node.name]).SerializeToString()
    return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])


def _ticks(inputs: tuple[Array, ...]) -> int:
    return max(int(value.shape[1]) for value in inputs)


def _folded(inputs: tuple[Array, ...]) -> list[Array]:
    """The inputs as (samples * ticks, *shape)."""
    ticks = _ticks(inputs)
    aligned = [
        np.broadcast_to(value, (len(value), ticks, *value.shape[2:])) if value.shape[1] != ticks else value
        for value in inputs
    ]
    return [value.reshape(-1, *value.shape[2:]) for value in aligned]


def _unfolded(result: Array, inputs: tuple[Array, ...]) -> Array:
    return result.reshape(len(inputs[0]), _ticks(inputs), *result.shape[1:])
