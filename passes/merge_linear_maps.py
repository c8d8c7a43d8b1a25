"""Merge the linear maps between two populations into one set of synapses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.errors import PassError
from snnc.fields import option
from snnc.graph.composition import settled, weighted_form
from snnc.graph.graph import Edit, Graph
from snnc.graph.neurons.base import Neuron
from snnc.graph.node import Node
from snnc.graph.operators import (
    Bias,
    Conv,
    Delay,
    Gather,
    Linear,
    LinearMap,
    Output,
    Reshape,
    Scale,
    Select,
)
from snnc.graph.operators.base import Array, Level, Operator, Shape
from snnc.graph.operators.index_map import AxisMap, IndexMap
from snnc.graph.projections import Drive, Projection, host_nodes
from snnc.pipeline import Context, Guarantee, Pass
from snnc.stages import MAPS_MERGED, Need

from ._repeaters import put_repeaters


@dataclass(frozen=True)
class MergeLinearMaps(Pass):
    """Rewrite a spiking graph so that every projection is one weighted map.

    1. Average pooling counts as a convolution, any other map as what it says it is (see ``LinearMap.plain``).
    2. Between a population and the next, linear maps in a row become one (see ``composition.composed``),
       rearrangements before and behind it one Select or Gather each, delays one Delay.
    3. A population reads one node a projection; they are summed by the population.
    4. Constant currents, border effects of zero padding included, end up in the bias of a projection's map where
       that has one, else in a Bias node.
    5. What the host computes, and the way from a population to an output, stays as it is.
    6. Where maps as one would have many times the weights that they have alone (an average over a plane and a
       dense map behind it, say), a population that repeats spikes goes between them instead, see note N201.

    The membrane sums are the same up to rounding, so a spike may move where a potential meets the threshold.

    Attributes:
        factor: how many times the weights of the maps in a row those of the joined one may be; at most 2**20 weights
            are joined in any case.
    """

    factor: float = option(
        3.0, "Times the weights of the maps in a row that the joined one may have.", above=0
    )

    name: ClassVar[str] = "merge-linear-maps"
    guarantee: ClassVar[Guarantee] = Guarantee.RATES
    tolerance: ClassVar[float] = 0.05
    keeps_sums: ClassVar[bool] = True
    requires: ClassVar[tuple[Need, ...]] = (Level.SNN,)
    gives: ClassVar[tuple[Need, ...]] = (MAPS_MERGED,)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The merged graph; raises PassError P201 for a graph without populations."""
        if not graph.populations:
            raise PassError(
                "P201", "there are no populations to merge synapses for", remedy="convert to spiking first"
            )
        plain, driven_by = put_repeaters(_weighted_only(graph), self.factor, context)
        kept = host_nodes(plain) | _on_the_way_out(plain)
        merged = Graph(
            graph.name, [n for n in plain if n.name in kept or isinstance(n.operator, (Neuron, Output))]
        )
        edit = merged.edit()
        for node in plain.populations:
            edit.set(node.name, inputs=_emit(edit, plain, node.name, driven_by[node.name]))
        return edit.done()


def _weighted_only(graph: Graph) -> Graph:
    """The graph with every map written with weights (case 1); the map with the weights keeps the name."""
    hosted = host_nodes(graph)
    edit = graph.edit()
    for node in graph:
        if node.name in hosted or not isinstance(node.operator, LinearMap):
            continue
        shape = graph.shapes[node.inputs[0]]
        form = weighted_form(node.operator, shape)
        maps = form.plain(shape)
        if maps != (node.operator,):
            _write_out(edit, node, maps)
    return edit.done()


def _write_out(edit: Edit, node: Node, maps: tuple[LinearMap, ...]) -> None:
    """Put maps in a row in place of a node."""
    named = next(at for at, each in enumerate(maps) if each.multipliers)
    source, *others = edit[node.name].inputs
    for each in maps[:named]:
        source = edit.add(f"{node.name}.spread", each, source, sources=node.sources)
    edit.set(node.name, operator=maps[named], inputs=(source, *others))
    last = node.name
    for each in maps[named + 1 :]:
        last = edit.add(f"{node.name}.shift", each, last, sources=node.sources)
    edit.reroute(node.name, last, but=[f"{node.name}.shift"])


def _on_the_way_out(graph: Graph) -> set[str]:
    """Linear maps from a population to an output."""
    waiting = [source for node in graph.outputs for source in node.inputs]
    maps: set[str] = set()
    while waiting:
        name = waiting.pop()
        if not isinstance(graph[name].operator, Neuron) and name not in maps:
            maps.add(name)
            waiting += graph[name].inputs
    return maps


def _emit(edit: Edit, graph: Graph, target: str, drive: Drive) -> tuple[str, ...]:
    """Write a population's drive as nodes; returns the names that the population reads."""
    bias = drive.bias
    inputs = []
    for projection in map(settled, drive.projections):
        with_bias = None if bias is None else _with_bias(projection, bias)
        if with_bias is not None:
            bias = None
        inputs.append(_emit_projection(edit, target, with_bias or projection))
    inputs += drive.host
    if bias is not None:
        shape = graph.shapes[target]
        inputs[0] = edit.add(f"{target}.bias", Bias(bias.reshape(shape)), inputs[0])
    return tuple(inputs)


def _with_bias(projection: Projection, bias: Array) -> Projection | None:
    """The projection with the current in its own map, or None where the map has no such bias."""
    operator = projection.operator
    if projection.place is not None or projection.mid_shape != bias.shape:
        return None
    if isinstance(operator, Conv):
        flat = bias.reshape(bias.shape[0], -1)
    elif isinstance(operator, Linear):
        flat = bias.reshape(-1, bias.shape[-1]).T
    else:
        return None
    if (flat != flat[:, :1]).any():
        return None
    return replace(projection, operator=replace(operator, bias=flat[:, 0].copy()))


def _emit_projection(edit: Edit, target: str, projection: Projection) -> str:
    base = projection.nodes[-1] if projection.nodes else f"{target}.synapses"
    name, shape = projection.source, projection.source_shape
    if projection.delay:
        name = edit.add(f"{base}.delay", Delay(projection.delay), name)
    if projection.gather is not None:
        name = edit.add(f"{base}.gather", _moving(projection.gather, shape, projection.in_shape), name)
    elif shape != projection.in_shape:
        name = edit.add(f"{base}.reshape", Reshape(projection.in_shape), name)
    if projection.operator is None:
        ones = Scale(np.ones((1,) * len(projection.in_shape)))
        return edit.add(base, ones, name, sources=projection.sources)
    name = edit.add(base, projection.operator, name, sources=projection.sources)
    if projection.place is not None:
        place = _moving(projection.place, projection.mid_shape, projection.out_shape)
        return edit.add(f"{base}.place", place, name)
    if projection.mid_shape != projection.out_shape:
        return edit.add(f"{base}.shape", Reshape(projection.out_shape), name)
    return name


def _moving(moved: IndexMap, in_shape: Shape, shape: Shape) -> Operator:
    """An index map as an operator between these shapes."""
    if isinstance(moved, AxisMap) and (moved.in_shape, moved.shape) == (in_shape, shape):
        return Select(moved.axes, in_shape, moved.order)
    return Gather(moved.indices.reshape(shape), in_shape)
