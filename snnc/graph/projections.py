"""What drives each population: projections from other populations, a constant current, and the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snnc.errors import GraphError

from .graph import Graph
from .neurons.base import Neuron
from .node import Node
from .operators.base import Array, LinearMap, Operator, Rearrangement, Shape
from .operators.conv import Conv
from .operators.delay import Delay
from .operators.elementwise import Bias
from .operators.index_map import AxisMap, IndexMap
from .operators.interface import Input, Output
from .operators.linear import Linear
from .operators.merge import Add, Concat


@dataclass(frozen=True, eq=False)
class Projection:
    """The synapses from one population to one node, y = place(operator(gather(spikes))).

    An index map that is None is the identity in C order (so a mere reshape is None).

    Attributes:
        source: the population.
        source_shape: its shape.
        gather: from the source to the operator's input, or None.
        in_shape: shape of the operator's input.
        operator: a weighted map without bias (Conv, Linear, Scale, SparseLinear), or None for plain weights of 1.
        mid_shape: shape of the operator's output.
        place: from the operator's output to the node, or None.
        out_shape: shape of the node.
        delay: ticks of Delay nodes on the way.
        nodes: names of the weighted nodes on the way.
        sources: ONNX nodes that they came from.
    """

    source: str
    source_shape: Shape
    gather: IndexMap | None
    in_shape: Shape
    operator: Operator | None
    mid_shape: Shape
    place: IndexMap | None
    out_shape: Shape
    delay: int = 0
    nodes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def gather_indices(self) -> Array:
        """``gather`` written out: (elements of in_shape,) int64, flat indices into the source, -1 for zeros."""
        return np.arange(int(np.prod(self.in_shape))) if self.gather is None else self.gather.indices

    def place_indices(self) -> Array:
        """``place`` written out: (elements of out_shape,) int64, flat indices into mid_shape, -1 for zeros."""
        return np.arange(int(np.prod(self.out_shape))) if self.place is None else self.place.indices


@dataclass(frozen=True, eq=False)
class Drive:
    """Everything that arrives at a node in a tick.

    Attributes:
        projections: from populations.
        bias: constant current of the node's shape, or None.
        host: nodes without a population in front of them, whose value is added as it is.
    """

    projections: tuple[Projection, ...] = ()
    bias: Array | None = None
    host: tuple[str, ...] = ()


Compose = Callable[[Projection, Node, Shape], Projection]
"""Put a further weighted node (with the shape of its output) behind a projection that has one already."""


Join = Callable[[Sequence[Projection]], Projection]
"""Put the sum of projections from one population with one delay in their place."""

MOST_BRANCHES = 8
"""Projections of one population to one node that are left side by side where a sum could join them."""


def drives(graph: Graph, compose: Compose | None = None, join: Join | None = None) -> Mapping[str, Drive]:
    """The drive of every population and of every Output, by its name.

    Args:
        graph: level SNN or INTEGER.
        compose: how to join two weighted maps in a row; without it, such a graph is refused.
        join: how more than ``MOST_BRANCHES`` projections of one population become one; without it, they stay: k sums
            of two branches in a row are 2^k projections.

    Raises:
        GraphError G301: two weighted maps in a row and no ``compose``; G302: a linear map sums spikes and host
            values in a way that is neither.
    """
    values: dict[str, Drive] = {}
    by_reader: dict[str, Drive] = {}
    hosted = host_nodes(graph)
    firing = {node.name for node in graph.populations}
    for node in _dataflow(graph, firing):
        if node.name in hosted:
            values[node.name] = Drive(host=(node.name,))
        elif node.name in firing:
            shape = graph.shapes[node.name]
            values[node.name] = Drive((Projection(node.name, shape, None, shape, None, shape, None, shape),))
        elif not isinstance(node.operator, Output):
            behind = _behind(graph, node, [values[source] for source in node.inputs], compose)
            values[node.name] = behind if join is None else _fewer_branches(behind, join)
    for node in graph:
        if node.name in firing or isinstance(node.operator, Output):
            by_reader[node.name] = summed([values[source] for source in node.inputs])
    return by_reader


def host_nodes(graph: Graph) -> frozenset[str]:
    """The nodes that no population is in front of: what the host computes from the samples."""
    hosted: set[str] = set()
    for node in graph.ordered:
        inner = isinstance(node.operator, (Neuron, Output))
        if isinstance(node.operator, Input) or (
            not inner and all(source in hosted for source in node.inputs)
        ):
            hosted.add(node.name)
    return frozenset(hosted)


def _dataflow(graph: Graph, firing: set[str]) -> list[Node]:
    """The nodes with every linear map behind the maps it reads, populations first: cycles are cut at them."""
    ordered = [node for node in graph.ordered if node.name in firing]
    pending = [node for node in graph.ordered if node.name not in firing]
    done = set(firing)
    while pending:
        ready = [node for node in pending if all(source in done for source in node.inputs)]
        ordered += ready
        done |= {node.name for node in ready}
        pending = [node for node in pending if node.name not in done]
    return ordered


def summed(parts: list[Drive]) -> Drive:
    """The sum of several drives of one node."""
    biases = [part.bias for part in parts if part.bias is not None]
    return Drive(
        tuple(projection for part in parts for projection in part.projections),
        np.sum(biases, axis=0) if biases else None,
        tuple(name for part in parts for name in part.host),
    )


def _fewer_branches(drive: Drive, join: Join) -> Drive:
    """The drive with the projections joined of which there are many from one population."""
    if len(drive.projections) <= MOST_BRANCHES:
        return drive
    branches: dict[tuple[str, int], list[Projection]] = {}
    for projection in drive.projections:
        branches.setdefault((projection.source, projection.delay), []).append(projection)
    joined = ((join(group),) if len(group) > MOST_BRANCHES else tuple(group) for group in branches.values())
    return replace(drive, projections=tuple(projection for group in joined for projection in group))


def _behind(graph: Graph, node: Node, inputs: list[Drive], compose: Compose | None) -> Drive:
    """The drive of a linear node."""
    shape = graph.shapes[node.name]
    if isinstance(node.operator, Add):
        return summed(inputs)
    if any(part.host for part in inputs) and not isinstance(node.operator, Bias):
        raise GraphError(
            "G302",
            "it takes spikes and values of the host together",
            node=node.name,
            source=node.source,
            remedy="let input neurons make spikes of the samples (--input neurons)",
        )
    if isinstance(node.operator, Concat):
        return summed([_concatenated(graph, node, index, part) for index, part in enumerate(inputs)])
    (only,) = inputs
    bias = _bias_behind(graph, node, only.bias)
    if isinstance(node.operator, Bias):
        return Drive(only.projections, bias, only.host)
    if isinstance(node.operator, Delay):
        ticks = node.operator.ticks
        return Drive(tuple(replace(p, delay=p.delay + ticks) for p in only.projections), bias)
    if isinstance(node.operator, Rearrangement):
        moved = node.operator.index_map(graph.shapes[node.inputs[0]])
        return Drive(rearranged(only.projections, moved, shape), bias)
    return Drive(tuple(_weighted(p, node, shape, compose) for p in only.projections), bias)


def _bias_behind(graph: Graph, node: Node, bias: Array | None) -> Array | None:
    """The constant current behind a linear node, its own included; zero padding is honoured exactly."""
    if bias is None and _is_linear(node.operator):
        return None
    if bias is None and isinstance(node.operator, Conv | Linear):
        value = _own_bias(node.operator, graph.shapes[node.name])
    else:
        bias_before = np.zeros(graph.shapes[node.inputs[0]]) if bias is None else bias
        value = node.operator.evaluate(bias_before[None])[0]
    return value if value.any() else None


def _own_bias(operator: Conv | Linear, shape: Shape) -> Array:
    """What an affine map of output ``shape`` gives for zeros, float64; without computing it."""
    axes = len(shape) - 1 if isinstance(operator, Conv) else 0
    bias = np.asarray(operator.bias, np.float64)
    return np.broadcast_to(bias.reshape(-1, *(1,) * axes), shape)


def _is_linear(operator: Operator) -> bool:
    """Whether a map surely gives 0 for 0, seen without computing it."""
    if not isinstance(operator, LinearMap) or not operator.keeps_integers:
        return False
    return all(getattr(operator, name) is None for name in operator.offsets)


def _weighted(projection: Projection, node: Node, shape: Shape, compose: Compose | None) -> Projection:
    if projection.operator is not None:
        if compose is None:
            raise GraphError(
                "G301",
                f"it follows {projection.nodes[-1]} without a population between them",
                node=node.name,
                source=node.source,
                remedy="merge them first (merge-linear-maps)",
            )
        return compose(projection, node, shape)
    return replace(
        projection,
        operator=without_bias(node.operator),
        mid_shape=shape,
        out_shape=shape,
        nodes=(*projection.nodes, node.name),
        sources=(*projection.sources, *node.sources),
    )


def without_bias(operator: Operator) -> Operator:
    """The linear part of an affine map."""
    return replace(operator, bias=None) if getattr(operator, "bias", None) is not None else operator  # type: ignore[call-arg]


def rearranged(projections: tuple[Projection, ...], moved: IndexMap, shape: Shape) -> tuple[Projection, ...]:
    """Projections into one node behind an index map whose output has ``shape``; those of one map share the new one."""
    known: dict[int, IndexMap | None] = {}

    def behind(first: IndexMap | None) -> IndexMap | None:
        if moved.is_identity:
            return first
        if id(first) not in known:
            known[id(first)] = chained(first, moved)
        return known[id(first)]

    return tuple(
        replace(
            projection, gather=behind(projection.gather), in_shape=shape, mid_shape=shape, out_shape=shape
        )
        if projection.operator is None
        else replace(projection, place=behind(projection.place), out_shape=shape)
        for projection in projections
    )


def chained(first: IndexMap | None, second: IndexMap | None) -> IndexMap | None:
    """The index map that applies ``first`` and then ``second``."""
    if first is None or second is None:
        return first if second is None else second
    return first.then(second)


def _concatenated(graph: Graph, node: Node, index: int, part: Drive) -> Drive:
    """One input of a Concat, placed into its whole."""
    assert isinstance(node.operator, Concat)
    sizes = [graph.shapes[source][node.operator.axis] for source in node.inputs]
    places = np.full(sum(sizes), -1)
    start = sum(sizes[:index])
    places[start : start + sizes[index]] = np.arange(sizes[index])
    moved = AxisMap.along(graph.shapes[node.inputs[index]], node.operator.axis, places)
    shape = graph.shapes[node.name]
    bias = None if part.bias is None else np.broadcast_to(moved.moved(part.bias, 0.0), shape)
    return Drive(rearranged(part.projections, moved, shape), bias)
