"""Populations that repeat spikes where two linear maps in a row are far smaller apart than as one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from snnc.errors import Diagnostic, Severity
from snnc.graph.composition import composed
from snnc.graph.graph import Edit, Graph
from snnc.graph.map_sizes import MapSize, joined_size
from snnc.graph.neurons.base import Neuron, Reset
from snnc.graph.neurons.integrate_and_fire import IF
from snnc.graph.node import Node
from snnc.graph.operators import Add, Scale
from snnc.graph.operators.base import Bounds, Operator, Shape
from snnc.graph.parallel import side_by_side
from snnc.graph.projections import Drive, Projection, drives, without_bias
from snnc.pipeline import Context

_FEW_WEIGHTS = 2**20
"""Weights that are joined however few they were apart: with 8 bits they fill a megabyte."""


def put_repeaters(graph: Graph, factor: float, context: Context) -> tuple[Graph, Mapping[str, Drive]]:
    """The graph with populations that repeat spikes in front of maps that are not to be joined with those before.

    The second value is what drives its populations and outputs, maps joined.

    Two maps stay apart where together they would have more than 2**20 weights and more than ``factor`` times those
    that they have alone; joined convolutions, whose positions share weights, only where they have as many times
    the synapses too. The population between them integrates what the first one gives. Its threshold is the
    most that this can be in a tick, so no spike is lost; a second population takes the values below zero, where
    there can be any. Note N201 says what they cost.

    Args:
        graph: level SNN, its linear maps weighted.
        factor: how many times as many the weights may become.
        context: takes the notes.
    """
    joined, relayed = _joined(graph, factor)
    if not relayed:
        return graph, joined
    draft = _RepeaterDraft(graph, graph.edit())
    for source in dict.fromkeys(graph[name].inputs[0] for name in relayed):
        readers = [name for name in relayed if graph[name].inputs[0] == source]
        context.report(draft.repeat(graph[source], readers))
    del joined  # its arrays, which are as large as the populations, before those of the new graph
    result = draft.edit.done()
    return result, drives(result, composed, side_by_side)


def _joined(graph: Graph, factor: float) -> tuple[Mapping[str, Drive], Collection[str]]:
    """What drives populations, and the nodes whose map is not to be joined with the one before it, in order."""
    relayed: dict[str, None] = {}

    def compose(projection: Projection, node: Node, shape: Shape) -> Projection:
        if node.name not in relayed and not _grows(projection, without_bias(node.operator), shape, factor):
            return composed(projection, node, shape)
        relayed[node.name] = None
        return replace(
            projection,
            gather=None,
            in_shape=projection.out_shape,
            operator=without_bias(node.operator),
            mid_shape=shape,
            place=None,
            out_shape=shape,
        )

    return drives(graph, compose, side_by_side), relayed


def _grows(projection: Projection, second: Operator, shape: Shape, factor: float) -> bool:
    """Whether a map joined with that of a projection has far more weights than both alone."""
    assert projection.operator is not None
    joined = joined_size(projection, second, shape)
    if joined.weights <= _FEW_WEIGHTS:
        return False
    apart = MapSize.of(projection.operator, projection.in_shape) + MapSize.of(second, projection.out_shape)
    shared = joined.weights < joined.synapses
    return joined.weights > factor * apart.weights and not (
        shared and joined.synapses <= factor * apart.synapses
    )


@dataclass
class _RepeaterDraft:
    """A graph and the draft in which populations are put into it."""

    graph: Graph
    edit: Edit
    _known: dict[str, Bounds] = field(default_factory=dict)

    def repeat(self, node: Node, readers: Iterable[str]) -> Diagnostic:
        """Put populations behind a node, let the readers read them, and say so."""
        low, high = self._bounds(node.name)
        ends = (("", 1.0, float(high.max())), (".below", -1.0, -float(low.min())))
        parts = [self._population(node, name, sign, most) for name, sign, most in ends if most > 0]
        spikes = parts[0] if len(parts) == 1 else self.edit.add(f"{node.name}.repeated", Add(), *parts)
        for reader in readers:
            self.edit.set(reader, inputs=(spikes,))
        neurons = len(parts) * low.size
        return Diagnostic(
            "N201",
            Severity.NOTE,
            f"{neurons:,} neurons repeat its spikes a tick later, for joined with {', '.join(readers)} it would"
            " have many times the weights",
            node=node.name,
        )

    def _bounds(self, name: str) -> Bounds:
        """The least and the most that a node behind populations gives in a tick."""
        if name not in self._known:
            node, shape = self.graph[name], self.graph.shapes[name]
            if isinstance(node.operator, Neuron):
                self._known[name] = np.zeros(shape), np.ones(shape)
            else:
                inputs = [self._bounds(source) for source in node.inputs]
                self._known[name] = node.operator.bounds(*inputs)
        return self._known[name]

    def _population(self, node: Node, name: str, sign: float, most: float) -> str:
        """Neurons that fire once for each ``most`` of ``sign`` times the node's value, and what they stand for."""
        source = node.name
        if sign < 0:
            source = self.edit.add(f"{source}{name}.minus", Scale(np.array(sign)), source)
        neurons = IF(most, self._reset, most / 2)
        fired = self.edit.add(f"{node.name}{name}.repeat", neurons, source, sources=node.sources)
        return self.edit.add(f"{fired}.scale", Scale(np.array(sign * most)), fired)

    @property
    def _reset(self) -> Reset:
        """To zero only where the populations that are there reset to zero."""
        resets = {getattr(node.operator, "reset", None) for node in self.graph.populations} - {None}
        return Reset.ZERO if resets == {Reset.ZERO} else Reset.SUBTRACT
