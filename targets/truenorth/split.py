"""Splits sums that are too large for a core's axons over relays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.graph.graph import Edit, Graph
from snnc.graph.node import Node
from snnc.graph.operators import Output, Readout, SparseLinear
from snnc.graph.operators.base import Array, Level, Shape
from snnc.graph.projections import Drive, Projection, drives
from snnc.graph.synapses import entries
from snnc.pipeline import Context, Guarantee, Pass
from snnc.simulate import simulate
from snnc.stages import Need
from snnc.targets.quantisation import short_integers
from snnc.validation import Validation

from .axon_types import subset_sums
from .bridges import timed
from .limits import AXONS, TRUENORTH
from .neuron import TrueNorthNeuron
from .relays import add_relays, both_signs, relay_pair, relay_thresholds
from .sum_parts import SumPart, equal_chunks, mean_sums, parts_of

_SAMPLES, _TICKS = 32, 64


@dataclass(frozen=True)
class SplitFanIn(Pass):
    """Sums of more lines than a core has axons become sums of parts, sent on as spikes by relays.

    1. A population whose neurons need more axons than a core has is split: a dense layer by its inputs, a
       convolution by its input channels, all else by entries. Neurons without synapses in a part (groups, pruned
       weights) get no relay there.
    2. A part is computed by two relays a neuron, one for each sign, that reset by subtraction on both sides (gamma
       1, kappa 0). Both start at half their threshold, such that V+ + V- is one less than it, so a sum of either
       sign is rounded to multiples of the threshold, and not cut off. From the first spike on they are each
       other's mirror image, V- = -V+ - 1: their spikes are what the part's sum has passed of such multiples, and
       nothing is lost but what is in the relay's potential at the end of a run, less than one threshold a part.
    3. The relay's threshold is the largest mean partial sum of a tick on a few samples, with a margin: it can just
       follow, and the rest at the end is small.
    4. A relay's weight is its threshold where that has 9 bits; else the population's unit becomes coarser.
    5. More parts than fit the axons of one neuron are summed by relays in turn, 64 parts each.
    6. Spikes that would be underway for more than 15 ticks go through a population that repeats them.
    7. Neurons run before their window opens: one with a negative leak starts low enough to stay below its
       threshold until then.
    """

    name: ClassVar[str] = "split-fan-in"
    guarantee: ClassVar[Guarantee] = Guarantee.RATES
    tolerance: ClassVar[float] = 0.25
    requires: ClassVar[tuple[Need, ...]] = (Level.INTEGER,)

    def outline(self, graph: Graph, context: Context) -> Graph:
        """The graph with its sums split as they are without data."""
        return split_without_data(graph)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph with relays as populations."""
        driven_by = drives(graph)
        large = [node for node in graph.populations if _is_too_large(graph, node, driven_by[node.name])]
        rates = _rates(graph, context) if large else {}
        return split(graph, driven_by, large, rates)


def split_without_data(graph: Graph) -> Graph:
    """The graph as ``SplitFanIn`` makes it, but relays with any threshold: for its size."""
    driven_by = drives(graph)
    large = [node for node in graph.populations if _is_too_large(graph, node, driven_by[node.name])]
    full = {node.name: np.ones((1, *graph.shapes[node.name])) for node in graph.populations}
    return split(graph, driven_by, large, full)


def split(
    graph: Graph, driven_by: Mapping[str, Drive], large: list[Node], rates: Mapping[str, Array]
) -> Graph:
    """The graph with some populations split.

    Args:
        graph: level INTEGER.
        driven_by: its drives.
        large: the populations.
        rates: spikes a tick of every neuron on a few samples, (samples, *shape).
    """
    edit = graph.edit()
    for node in large:
        _split(edit, graph, node, driven_by[node.name], rates)
    return timed(edit.done() if large else graph)


def _is_too_large(graph: Graph, node: Node, drive: Drive) -> bool:
    """Whether some neuron needs more axons than a core has."""
    if not isinstance(node.operator, TrueNorthNeuron) or drive.bias is not None or drive.host:
        return False
    lines, width = _lines(graph, node, drive)
    return bool((lines * width).max(initial=0) > AXONS)


def _lines(graph: Graph, node: Node, drive: Drive) -> tuple[Array, Array]:
    """Input lines of every neuron, and how many axons each of them takes."""
    size = int(np.prod(graph.shapes[node.name]))
    target, weight = _targets_and_weights(drive)
    return np.bincount(target, minlength=size), subset_sums(target, weight, size).bits


def _targets_and_weights(drive: Drive) -> tuple[Array, Array]:
    parts = [entries(projection) for projection in drive.projections]
    target = np.concatenate([part[0] for part in parts])
    weight = np.concatenate([part[2] for part in parts])
    order = np.argsort(target, kind="stable")
    order = order[weight[order] != 0]
    return target[order], weight[order]


def _rates(graph: Graph, context: Context) -> Mapping[str, Array]:
    """Spikes a tick of every neuron on a few samples, (samples, *shape)."""
    samples = Validation(samples=_SAMPLES).samples_from(graph, context.calibration, context.seed)
    trace = simulate(graph, samples, _TICKS, record=("spikes",))
    return {name: spikes.mean(axis=1) for name, spikes in trace.spikes.items()}


def _split(edit: Edit, graph: Graph, node: Node, drive: Drive, rates: Mapping[str, Array]) -> None:
    """Put relays in front of one population, which sums what they send (cases 1 to 5)."""
    neuron, shape = node.operator, graph.shapes[node.name]
    assert isinstance(neuron, TrueNorthNeuron)
    width = int(_lines(graph, node, drive)[1].max())
    plans = [(p, part) for p in drive.projections for part in parts_of(p, width) if len(part.rows)]
    unit = np.broadcast_to(np.asarray(neuron.threshold), shape).astype(np.float64)
    largest = np.zeros(shape)
    for projection, part in plans:
        largest = np.maximum(largest, np.abs(mean_sums(projection, part, rates, shape)).max(axis=0))
    alike = any(projection.place is not None for projection in drive.projections)
    relay = relay_thresholds(largest, unit, alike)
    weight = np.minimum(relay, TRUENORTH.weight[1])
    joined = [add_relays(edit, node, *plan, number + 1, relay, weight) for number, plan in enumerate(plans)]
    factor = weight / relay
    if 2 * len(joined) > AXONS:
        joined, further = _second_level(edit, node, joined, plans, unit, factor, rates)
        factor = factor * further
    edit.set(node.name, operator=_coarser(neuron, factor, shape), inputs=tuple(joined))
    for projection in drive.projections:
        _remove(edit, projection, node)
    for output in graph.outputs:
        operator = edit[output.name].operator
        assert isinstance(operator, Output)
        if output.inputs == (node.name,) and operator.readout is Readout.POTENTIAL:
            edit.set(output.name, operator=replace(operator, scale=np.asarray(operator.scale / factor)))


def _second_level(
    edit: Edit,
    node: Node,
    joined: list[str],
    plans: list[tuple[Projection, SumPart]],
    unit: Array,
    factor: Array,
    rates: Mapping[str, Array],
) -> tuple[list[str], Array]:
    """Relays of the sums of up to 64 parts each (case 5); returns their sums' names and the units' further factor."""
    shape = unit.shape
    groups = equal_chunks(np.arange(len(joined)), AXONS // 4)
    largest = np.zeros(shape)
    for group in groups:
        parts = [mean_sums(plans[at][0], plans[at][1], rates, shape) for at in group]
        largest = np.maximum(largest, np.abs(np.sum(parts, axis=0)).max(axis=0))
    relay = relay_thresholds(largest * factor, unit * factor, alike=False)
    weight = np.minimum(relay, TRUENORTH.weight[1])
    size, names = int(np.prod(shape)), []
    for number, group in enumerate(groups):
        for member in group:
            operator = edit[joined[member]].operator
            assert isinstance(operator, SparseLinear)
            edit.set(joined[member], operator=both_signs(replace(operator, out_shape=(size,))))
        name = f"{node.name}.sum{number + 1}"
        pair = relay_pair(np.concatenate([relay.ravel(), relay.ravel()]), size)
        relays = edit.add(
            f"{name}.relays",
            pair,
            *(joined[member] for member in group),
            sources=node.sources,
            group=f"{node.group or node.name}.sum*.relays",
        )
        rows, values = np.arange(size), weight.ravel()
        back = SparseLinear(
            np.concatenate([rows, rows]),
            np.arange(2 * size),
            np.concatenate([values, -values]),
            (2 * size,),
            shape,
        )
        names.append(edit.add(f"{name}.joined", back, relays, sources=node.sources))
    return names, weight / relay


def _remove(edit: Edit, projection: Projection, node: Node) -> None:
    """Take out the projection's map, and what nobody reads any more behind and in front of it."""
    waiting = [projection.nodes[-1]]
    while waiting:
        name = waiting.pop()
        readers = edit.readers(name)
        if name == node.name:
            continue
        waiting += [reader for reader in readers if reader != node.name]
        if not readers:
            before = edit[name].inputs
            edit.remove(name)
            waiting += [source for source in before if not edit.readers(source)]


def _coarser(neuron: TrueNorthNeuron, factor: Array, shape: Shape) -> TrueNorthNeuron:
    """The neuron with all registers in units that are 1 / factor as large."""

    def scaled(value: Array | None) -> Array:
        return short_integers(np.rint(np.broadcast_to(np.asarray(value), shape) * factor))

    most = np.asarray(neuron.threshold) == TRUENORTH.threshold
    threshold = np.where(most, neuron.threshold, np.maximum(scaled(neuron.threshold), 1))
    return replace(
        neuron,
        threshold=short_integers(np.broadcast_to(threshold, shape)),
        leak=scaled(neuron.leak),
        initial_potential=scaled(neuron.initial_potential),
    )
