"""Which arithmetic is exact for the sums of an INTEGER graph, found out before a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snnc.errors import GraphError
from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron
from snnc.graph.node import Node
from snnc.graph.operators.base import Array, LinearMap
from snnc.graph.operators.interface import Input, Output

from .order import dataflow

FLOAT32_INTEGERS = 2.0**24
"""Every integer up to here is a float32 (24-bit significand, IEEE 754)."""
FLOAT64_INTEGERS = 2.0**53
"""Every integer up to here is a float64 (53-bit significand, IEEE 754)."""
INT64_CHARGE = 2.0**62
"""What a population may be given over a run, so that its int64 potential and one more sum cannot overflow."""


@dataclass(frozen=True, eq=False)
class Extent:
    """How large and how fine a node's values can be.

    Attributes:
        bound: (*shape) float64, the largest absolute value.
        grain: power of two that divides every value.
    """

    bound: Array
    grain: float = 1.0


def extents(graph: Graph, largest_input: float) -> Mapping[str, Extent]:
    """The extent of every node but Outputs, for samples of at most ``largest_input`` in absolute value.

    A spike counts 1; weights and biases count with their absolute values, repeated elements as often as they
    are read; so every partial sum, in whatever order it is made, is within the bound of its node. The grain
    says nothing of nodes that the host computes in real numbers.
    """
    extents: dict[str, Extent] = {}
    for node in dataflow(graph):
        operator, shape = node.operator, graph.shapes[node.name]
        if isinstance(operator, Output):
            continue
        if isinstance(operator, Neuron):
            extents[node.name] = Extent(np.ones(shape))
        elif isinstance(operator, Input):
            extents[node.name] = Extent(np.full(shape, largest_input))
        else:
            inputs = [extents[source] for source in node.inputs]
            extents[node.name] = Extent(_bound(node, inputs), _grain(node, inputs))
    return extents


def exact_dtype(node: Node, extent: Extent) -> np.dtype:
    """float32 if the node's sums are exact in it, float64 if they are in that; else GraphError G201."""
    assert isinstance(node.operator, LinearMap)
    values = node.operator.coefficients().values()
    largest = max([float(extent.bound.max()), *(float(np.abs(value).max(initial=0)) for value in values)])
    if largest <= FLOAT32_INTEGERS * extent.grain:
        return np.dtype(np.float32)
    # Not <=: a bound that float64 itself has rounded is never rounded below this limit.
    if largest < FLOAT64_INTEGERS * extent.grain:
        return np.dtype(np.float64)
    raise GraphError(
        "G201",
        f"its sums can reach {largest:.3g}, beyond the integers that are computed exactly"
        f" ({FLOAT64_INTEGERS * extent.grain:.3g})",
        node=node.name,
        source=node.source,
        remedy="quantise its weights and biases to fewer bits",
    )


def check_charges(graph: Graph, extents: Mapping[str, Extent], ticks: int) -> None:
    """Raise GraphError G202 where the charge of a whole run could overflow a population's potential."""
    for node in graph.populations:
        assert isinstance(node.operator, Neuron)
        charge = ticks * sum(float(extents[source].bound.max()) for source in node.inputs)
        if not node.operator.takes_samples and charge > INT64_CHARGE:
            raise GraphError(
                "G202",
                f"its potential can reach {charge:.3g} in {ticks} ticks, beyond 64-bit integers",
                node=node.name,
                source=node.source,
                remedy="quantise to fewer bits, or run fewer ticks",
            )


def check_whole(node: Node, values: Array) -> None:
    """Raise GraphError G203 unless all values are whole numbers of float64."""
    whole = np.issubdtype(values.dtype, np.integer) or values.dtype == np.bool_
    if not whole and not (values == np.rint(values)).all():
        raise GraphError(
            "G203",
            "its values are real numbers, but what reads it computes in integers",
            node=node.name,
            source=node.source,
            remedy="put QuantiseCurrent or a spike source behind it, or give samples of whole numbers",
        )


def _bound(node: Node, inputs: Sequence[Extent]) -> Array:
    bounds = [extent.bound[None] for extent in inputs]
    if isinstance(node.operator, LinearMap):
        return np.asarray(node.operator.magnitude(*bounds)[0], np.float64)
    # An encoder treats every element by itself and is monotone, so its extremes are at the input's extremes.
    ends = [np.abs(node.operator.evaluate(sign * bounds[0])[0]) for sign in (1.0, -1.0)]
    return np.asarray(np.maximum(*ends), np.float64)


def _grain(node: Node, inputs: Sequence[Extent]) -> float:
    operator = node.operator
    if not isinstance(operator, LinearMap):
        return 1.0
    coefficients = operator.coefficients()
    factor = common_power_of_two(coefficients[name] for name in operator.multipliers if name in coefficients)
    offset = common_power_of_two(coefficients[name] for name in operator.offsets if name in coefficients)
    grain = min(extent.grain for extent in inputs) * (factor or 1.0)
    return min(grain, offset or grain)


def common_power_of_two(arrays: Iterable[Array]) -> float:
    """The largest power of two that divides every entry, 0 where there is none but zeros.

    Entries beyond 2^62, or not whole, count as 1: no power of two is known for them.
    """
    bits = 0
    for array in arrays:
        magnitudes = np.abs(array.astype(np.float64))
        if magnitudes.max(initial=0) > 2.0**62 or (magnitudes != np.rint(magnitudes)).any():
            return 1.0
        bits |= int(np.bitwise_or.reduce(np.abs(array.astype(np.int64)), axis=None))
    return float(bits & -bits)
