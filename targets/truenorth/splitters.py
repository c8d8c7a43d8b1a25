"""Splits the spikes of neurons that more axons listen to than their core has room for copies, over splitter cores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snnc.errors import MappingError
from snnc.graph.graph import Edit, Graph
from snnc.graph.node import Node
from snnc.graph.operators import Gather
from snnc.graph.operators.base import Array, Level, Shape
from snnc.graph.projections import Drive, Projection, drives
from snnc.graph.rewrite import prune
from snnc.pipeline import Context, Guarantee, Pass
from snnc.stages import Need

from .bridges import repeater, timed
from .core_packing import PackedLayer, Wired, asked_axons, from_the_last, settled_group
from .layers import Layer, Layers, layers_of
from .limits import TRUENORTH, TrueNorthLimits
from .rewire import chain, with_inputs

_ROUNDS = 8
_LEAST_SAVING = 4.0
"""Cores that splitters must spare where they are not needed: they take a tick."""

_ROOM = 0.9
"""Share of a splitter's copies that is planned with where rows are divided: the final packing may take others."""


@dataclass(frozen=True)
class SplitFanOut(Pass):
    """Neurons that many axons listen to send to splitters: neurons that repeat their spikes, a tick later.

    A neuron of the chip sends to one axon. It is there once for each axon that listens, on one core (``pack``), and
    every core that its copies fill needs all its axons again. A splitter needs one axon and has the copies instead.

    1. A population has splitters where a neuron needs more copies than a core has neurons, or where that takes fewer
       cores: its own, the splitters', and a copy in front of it for each axon.
    2. A splitter of more copies than a core has neurons is several, and the cores behind it, with their neurons, are
       divided among them; of more such splitters than a core has neurons, a tree.
    3. Windows open a tick later behind splitters; parallel branches are kept aligned by delays, or by repeaters where
       15 ticks are not enough.
    4. Within a cycle no spike may come a tick later: there neurons have copies alone.

    Attributes:
        only_needed: whether splitters are used only where the network does not fit without.
    """

    only_needed: bool = False

    name: ClassVar[str] = "split-fan-out"
    guarantee: ClassVar[Guarantee] = Guarantee.RATES
    tolerance: ClassVar[float] = 0.05
    requires: ClassVar[tuple[Need, ...]] = (Level.INTEGER,)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph with splitters as populations."""
        return split_fan_out(graph, TRUENORTH, only_needed=self.only_needed)


def split_fan_out(graph: Graph, limits: TrueNorthLimits, *, only_needed: bool = False) -> Graph:
    """The graph with splitters as populations, for cores of some size.

    Args:
        graph: level INTEGER.
        limits: of a core.
        only_needed: whether splitters are used only where the network does not fit without.
    """
    for number in range(_ROUNDS):
        layers = layers_of(graph)
        plans = _Planner.of(layers, limits, only_needed or number > 0).plans()
        if not plans:
            break
        graph = timed(_with_splitters(graph, plans))
    return graph


@dataclass(frozen=True, eq=False)
class _Plan:
    """The splitters of a population.

    Attributes:
        name: of the population.
        shape: of the population.
        first: number of its first neuron in the network.
        members: for every splitter the flat indices of the neurons that it repeats.
        rows: for every splitter the readers' neurons that listen to it, flat indices by population.
    """

    name: str
    shape: Shape
    first: int
    members: list[Array]
    rows: list[Mapping[str, Array]]

    @staticmethod
    def of(layer: Layer) -> _Plan:
        """No splitters of a population."""
        return _Plan(layer.node.name, layer.shape, layer.first, [], [])

    def close(self, axons: Array, rows: Mapping[str, list[Array]]) -> None:
        """Add a splitter of all neurons that axons listen to."""
        self.members.append(np.flatnonzero(axons))
        self.rows.append({name: np.concatenate(parts) for name, parts in rows.items()})


@dataclass(frozen=True, eq=False)
class _Planner:
    """Where splitters are used.

    Attributes:
        layers: the populations.
        limits: of a core.
        only_needed: whether they are used only where the network does not fit without.
        behind: populations that are packed already, from the last on.
        asked: (neurons of the network + 1,) int64, axons behind that listen to each.
    """

    layers: Layers
    limits: TrueNorthLimits
    only_needed: bool
    behind: list[PackedLayer]
    asked: Array

    @staticmethod
    def of(layers: Layers, limits: TrueNorthLimits, only_needed: bool) -> _Planner:
        """Before the first population."""
        return _Planner(layers, limits, only_needed, [], np.zeros(layers.count + 1, np.int64))

    def plans(self) -> list[_Plan]:
        """The populations that have splitters, from the last to the first."""
        plans: list[_Plan] = []
        try:
            for members in from_the_last(self.layers):
                packed, own = self._smaller(members)
                plans += own
                for each in packed:
                    self.asked[:] += asked_axons(each, self.layers.count)
                self.behind.extend(packed)
        except MappingError:
            # What cannot be packed at all is refused by lowering, with its own words.
            return plans
        return plans

    def _smaller(self, members: list[Wired]) -> tuple[list[PackedLayer], list[_Plan]]:
        """The populations of one component with copies or with splitters, whichever takes fewer cores."""
        copied = None
        with suppress(MappingError):
            copied = settled_group(members, self.asked, self.limits)
        plans = [plan for wired in members if (plan := self._plan(wired.layer)).members]
        if copied is not None and (self.only_needed or not plans):
            return copied, []
        fewer, cores = self.asked.copy(), 0.0
        for plan in plans:
            own = slice(plan.first, plan.first + int(np.prod(plan.shape)))
            roots = np.bincount(np.concatenate(plan.members), minlength=own.stop - own.start)
            cores += (self.asked[own].sum() + roots.sum()) / self.limits.neurons
            # More roots than a core has neurons have splitters in the next round.
            fewer[own] = np.minimum(roots, self.limits.neurons)
        if copied is None:
            return settled_group(members, fewer, self.limits), plans
        with suppress(MappingError):
            split = settled_group(members, fewer, self.limits)
            if self._cost(split) + cores + _LEAST_SAVING < self._cost(copied):
                return split, plans
        return copied, []

    def _cost(self, packed: list[PackedLayer]) -> float:
        """Cores, and those of copies in front of them: one for each axon that no line of the host feeds."""
        own = np.append(self.layers.on_chip, False)
        copies = sum(int(own[each.line_source[each.axons.line]].sum()) for each in packed)
        return sum(each.cores for each in packed) + copies / self.limits.neurons

    def _plan(self, layer: Layer) -> _Plan:
        """The splitters of a population, each with readers of as many axons as it can have copies."""
        plan, own = _Plan.of(layer), self.asked[layer.first : layer.first + layer.size]
        if own.max(initial=0) <= 1:
            return plan
        room = self.limits.neurons
        if own.max() <= room:
            plan.close(own, {each.layer.node.name: [np.arange(each.layer.size)] for each in self.behind})
            return plan
        room = max(int(_ROOM * room), 1)
        held, rows = np.zeros(layer.size, np.int64), dict[str, list[Array]]()
        for name, neurons, axons in _readers(layer, self.behind):
            if (held + axons).max() > room and held.any():
                plan.close(held, rows)
                held, rows = np.zeros(layer.size, np.int64), {}
            held = held + axons
            rows.setdefault(name, []).append(neurons)
        plan.close(held, rows)
        return plan


def _readers(layer: Layer, behind: list[PackedLayer]) -> Iterator[tuple[str, Array, Array]]:
    """For every core that listens to a population: its own, the neurons on it, and axons for each source neuron."""
    for each in behind:
        source = each.line_source[each.axons.line] - layer.first
        mine = np.flatnonzero((source >= 0) & (source < layer.size))
        for core in np.unique(each.axons.core[mine]).tolist():
            axons = source[mine[each.axons.core[mine] == core]]
            neurons = np.flatnonzero(each.core == core)
            yield each.layer.node.name, neurons, np.bincount(axons, minlength=layer.size)


def _with_splitters(graph: Graph, plans: list[_Plan]) -> Graph:
    """The graph with the splitters of all plans, and their readers rewired."""
    driven_by = drives(graph)
    together = {name: at for at, members in enumerate(graph.components) for name in members}
    planned = {plan.name: plan for plan in plans}
    edit = graph.edit()
    splitters = {plan.name: _added(edit, plan, graph[plan.name]) for plan in plans}
    for node in graph.populations:
        drive = driven_by[node.name]
        via = [p for p in drive.projections if _is_split(p, node, planned, together)]
        if via:
            _rewire(edit, graph, node, drive, {id(p) for p in via}, planned, splitters)
    return edit.done()


def _is_split(
    projection: Projection, node: Node, planned: Mapping[str, _Plan], together: Mapping[str, int]
) -> bool:
    return projection.source in planned and together[projection.source] != together[node.name]


def _added(edit: Edit, plan: _Plan, node: Node) -> list[str]:
    """Add a population's splitters; returns their names."""
    names, size = [], int(np.prod(plan.shape))
    for members in plan.members:
        source = plan.name
        if len(members) < size:
            gather = Gather(members, plan.shape)
            source = edit.add(f"{plan.name}.split", gather, source, sources=node.sources)
        group = node.group_of("splitter")
        names.append(edit.add(f"{plan.name}.splitter", repeater(), source, sources=node.sources, group=group))
    return names


def _rewire(
    edit: Edit,
    graph: Graph,
    node: Node,
    drive: Drive,
    via: set[int],
    planned: Mapping[str, _Plan],
    splitters: Mapping[str, list[str]],
) -> None:
    """Let a population read splitters; what brought it their source's spikes is taken out."""
    before = edit[node.name].inputs
    edit.set(node.name, inputs=())
    prune(edit, before)
    inputs: list[str] = []
    for projection in drive.projections:
        if id(projection) not in via:
            inputs.append(chain(edit, projection, projection.source, None, None))
            continue
        plan = planned[projection.source]
        for name, members, rows in zip(splitters[plan.name], plan.members, plan.rows, strict=True):
            if node.name in rows:
                only_rows = rows[node.name] if len(plan.members) > 1 else None
                known = members if len(members) < int(np.prod(plan.shape)) else None
                inputs.append(chain(edit, projection, name, known, only_rows))
    with_inputs(edit, node.name, drive, inputs)
