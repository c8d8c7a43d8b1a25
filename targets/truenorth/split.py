"""Splits sums that are too large for a core's axons over relays, and bridges what is too far for a delay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.graph.composition import pulled_back, sparse_form
from snnc.graph.graph import Edit, Graph
from snnc.graph.node import Node
from snnc.graph.operators import Conv, Gather, Linear, Operator, Output, Readout, Scale, SparseLinear
from snnc.graph.operators.base import Array, Level, Shape
from snnc.graph.projections import Drive, Projection, drives
from snnc.graph.synapses import entries
from snnc.pipeline import Context, Guarantee, Pass
from snnc.simulate import simulate
from snnc.stages import Need
from snnc.targets.quantisation import short_integers
from snnc.targets.schedule import Schedule
from snnc.validation import Validation

from .axon_types import subset_sums
from .layers import LONGEST
from .limits import AXONS, NEURONS, TRUENORTH
from .neuron import NegativeMode, ResetMode, TrueNorthNeuron
from .rewire import reading_others

_SAMPLES, _TICKS = 32, 64
_MARGIN, _LEAST_SHARE = 1.25, 0.25
_LARGEST_TILE = 8


@dataclass(frozen=True, eq=False)
class _SumPart:
    """A part of a projection's sums.

    Attributes:
        columns: (inputs,) int64, the elements of the operator's input that it takes.
        in_shape: their shape.
        operator: from these to ``rows``.
        rows: (sums,) int64, flat indices of the operator's outputs that have synapses in this part.
        shape: of the sums.
    """

    columns: Array
    in_shape: Shape
    operator: Operator
    rows: Array
    shape: Shape


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


def timed(graph: Graph) -> Graph:
    """The graph with its branches aligned and its neurons quiet before their windows open (cases 6 and 7)."""
    return _settled(_bridged(graph))


def repeater() -> TrueNorthNeuron:
    """A population that repeats spikes a tick later, and keeps nothing: any weight of at least 1 makes it fire."""
    return TrueNorthNeuron(np.array(1), np.array(0), ResetMode.NORMAL, NegativeMode.SATURATE)


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
    plans = [(p, part) for p in drive.projections for part in _parts(p, width) if len(part.rows)]
    unit = np.broadcast_to(np.asarray(neuron.threshold), shape).astype(np.float64)
    largest = np.zeros(shape)
    for projection, part in plans:
        largest = np.maximum(largest, np.abs(_mean_sums(projection, part, rates, shape)).max(axis=0))
    alike = any(projection.place is not None for projection in drive.projections)
    relay = _relay_thresholds(largest, unit, alike)
    weight = np.minimum(relay, TRUENORTH.weight[1])
    joined = [_relays(edit, node, *plan, number + 1, relay, weight) for number, plan in enumerate(plans)]
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
    plans: list[tuple[Projection, _SumPart]],
    unit: Array,
    factor: Array,
    rates: Mapping[str, Array],
) -> tuple[list[str], Array]:
    """Relays of the sums of up to 64 parts each (case 5); returns their sums' names and the units' further factor."""
    shape = unit.shape
    groups = _chunks(np.arange(len(joined)), AXONS // 4)
    largest = np.zeros(shape)
    for group in groups:
        parts = [_mean_sums(plans[at][0], plans[at][1], rates, shape) for at in group]
        largest = np.maximum(largest, np.abs(np.sum(parts, axis=0)).max(axis=0))
    relay = _relay_thresholds(largest * factor, unit * factor, alike=False)
    weight = np.minimum(relay, TRUENORTH.weight[1])
    size, names = int(np.prod(shape)), []
    for number, group in enumerate(groups):
        for member in group:
            operator = edit[joined[member]].operator
            assert isinstance(operator, SparseLinear)
            edit.set(joined[member], operator=_both_signs(replace(operator, out_shape=(size,))))
        name = f"{node.name}.sum{number + 1}"
        pair = _pair(np.concatenate([relay.ravel(), relay.ravel()]), size)
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


def _parts(projection: Projection, width: int) -> Iterator[_SumPart]:
    """The parts of a projection."""
    operator, lines = projection.operator, AXONS // width
    if isinstance(operator, Linear) and len(projection.in_shape) == 1:
        used = np.flatnonzero(operator.weight.any(axis=0))
        for columns in _chunks(used, lines):
            weight = operator.weight[:, columns]
            rows = np.flatnonzero(weight.any(axis=1))
            yield _SumPart(columns, (len(columns),), Linear(weight[rows]), rows, (len(rows),))
    elif isinstance(operator, Conv) and operator.groups == 1 and np.prod(operator.kernel) <= lines:
        yield from _channel_parts(projection, operator, width)
    else:
        yield from _entry_parts(projection, lines)


def _chunks(values: Array, most: int) -> list[Array]:
    """Values in order, in as few nearly equal parts as hold at most ``most`` each."""
    return list(np.array_split(values, max(-(-len(values) // most), 1)))


def _channel_parts(projection: Projection, conv: Conv, width: int) -> Iterator[_SumPart]:
    channels, *space = projection.in_shape
    size = int(np.prod(space))
    for chosen in _chunks(np.arange(channels), _channels_of_a_part(projection, conv, width)):
        weight = conv.weight[:, chosen]
        kept = np.flatnonzero(weight.reshape(len(weight), -1).any(axis=1))
        positions = int(np.prod(projection.mid_shape[1:]))
        yield _SumPart(
            (chosen[:, None] * size + np.arange(size)).ravel(),
            (len(chosen), *space),
            replace(conv, weight=weight[kept], bias=None),
            (kept[:, None] * positions + np.arange(positions)).ravel(),
            (len(kept), *projection.mid_shape[1:]),
        )


def _channels_of_a_part(projection: Projection, conv: Conv, width: int) -> int:
    """Input channels of a part such that relays, their sources' copies and the sums take the fewest cores, about."""
    channels, outputs, space = projection.in_shape[0], conv.weight.shape[0], projection.mid_shape[1:]
    best, fewest = 1, np.inf
    for side in range(1, _LARGEST_TILE + 1):
        reach = [
            (min(side, n) - 1) * stride + (kernel - 1) * dilation + 1
            for n, stride, kernel, dilation in zip(
                space, conv.stride, conv.kernel, conv.dilation, strict=True
            )
        ]
        patch = int(np.prod(reach)) * width
        most = min(AXONS // patch, channels)
        if most == 0:
            break
        parts = -(-channels // most)
        tiles = int(np.prod([-(-n // side) for n in space]))
        relays = -(-2 * outputs * int(np.prod([min(side, n) for n in space])) // NEURONS)
        cores = tiles * relays * parts * (1 + patch * most / AXONS)
        cores += 2 * parts * outputs * int(np.prod(space)) / AXONS
        if cores < fewest:
            best, fewest = most, cores
    return best


def _entry_parts(projection: Projection, lines: int) -> Iterator[_SumPart]:
    """By channels where a neuron has few entries in each, else by inputs in order."""
    operator = projection.operator or Scale(np.ones((1,) * len(projection.in_shape)))
    sparse = sparse_form(operator, projection.in_shape)
    inner = int(np.prod(projection.in_shape[1:]))
    channel, outputs = sparse.columns // inner, int(np.prod(projection.mid_shape))
    pairs = np.unique(channel * outputs + sparse.rows, return_counts=True)[1]
    most = int(pairs.max(initial=1))
    if most <= lines:
        chunks = _chunks(np.unique(channel), lines // most)
        columns = [np.unique(sparse.columns[np.isin(channel, chunk)]) for chunk in chunks]
    else:
        columns = _chunks(np.unique(sparse.columns), lines)
    for chosen in columns:
        kept = np.isin(sparse.columns, chosen)
        rows, row = np.unique(sparse.rows[kept], return_inverse=True)
        column = np.searchsorted(chosen, sparse.columns[kept])
        part = SparseLinear(row.reshape(-1), column, sparse.values[kept], (len(chosen),), (len(rows),))
        yield _SumPart(chosen, (len(chosen),), part, rows, (len(rows),))


def _mean_sums(projection: Projection, part: _SumPart, rates: Mapping[str, Array], shape: Shape) -> Array:
    """What a part gives each neuron of the population in a tick, (samples, *shape)."""
    spikes = rates[projection.source]
    flat = np.concatenate([spikes.reshape(len(spikes), -1), np.zeros((len(spikes), 1))], axis=1)
    gathered = flat[:, projection.gather_indices()[part.columns]].reshape(-1, *part.in_shape)
    sums = np.zeros((len(spikes), int(np.prod(projection.mid_shape)) + 1))
    sums[:, part.rows] = part.operator.evaluate(gathered).reshape(len(spikes), -1)
    return sums[:, projection.place_indices()].reshape(-1, *shape)


def _relay_thresholds(largest: Array, unit: Array, alike: bool) -> Array:
    """Thresholds that relays can just follow (case 3), (*shape) int64; channels of a population with axes share one.

    Args:
        largest: largest mean partial sum of a tick, (*shape).
        unit: threshold of the population, (*shape).
        alike: whether all neurons have the same in units of their threshold.
    """
    share, axes = largest / unit, tuple(range(1, unit.ndim))
    if axes:
        share = np.broadcast_to(share.max(axis=axes, keepdims=True), unit.shape)
    if alike:
        share = np.broadcast_to(share.max(), unit.shape)
    share = np.maximum(_MARGIN * share, _LEAST_SHARE * share.max())
    return np.asarray(np.clip(np.ceil(share * unit), 1, TRUENORTH.threshold), np.int64)


def _pair(thresholds: Array, positive: int) -> TrueNorthNeuron:
    """Relays of both signs (case 2), the first ``positive`` rows of them for the positive one."""
    half, is_negative = thresholds // 2, np.arange(len(thresholds)) >= positive
    is_negative = is_negative.reshape(-1, *(1,) * (thresholds.ndim - 1))
    threshold = short_integers(thresholds)
    return TrueNorthNeuron(
        threshold=threshold,
        negative_threshold=threshold,
        reset=ResetMode.LINEAR,
        negative=NegativeMode.RESET,
        initial_potential=short_integers(np.where(is_negative, thresholds - 1 - half, half)),
    )


def _relays(
    edit: Edit,
    node: Node,
    projection: Projection,
    part: _SumPart,
    number: int,
    relay: Array,
    weight: Array,
) -> str:
    """Write a part's relays (case 2) and their sum; returns its name."""
    base = projection.nodes[-1]
    (source,) = edit[base].inputs
    name = f"{base}.part{number}"
    whole = np.array_equal(part.columns, np.arange(int(np.prod(projection.in_shape))))
    if not whole or part.in_shape != projection.in_shape:
        gather = Gather(part.columns.reshape(part.in_shape), projection.in_shape)
        source = edit.add(f"{name}.inputs", gather, source, sources=node.sources)
    sums = edit.add(f"{name}.sums", _both_signs(part.operator), source, sources=projection.sources)
    thresholds = _of_rows(relay, projection, part)
    shape = (2 * part.shape[0], *part.shape[1:])
    neuron = _pair(np.concatenate([thresholds, thresholds]).reshape(shape), part.shape[0])
    together = f"{edit[base].group or base}.part*.relays"
    relays = edit.add(f"{name}.relays", neuron, sums, sources=projection.sources, group=together)
    return edit.add(
        f"{name}.joined", _joined(projection, part, weight, shape), relays, sources=projection.sources
    )


def _both_signs(operator: Operator) -> Operator:
    """The map and behind it, along the first axis, its negative."""
    if isinstance(operator, Conv | Linear):
        return replace(operator, weight=np.concatenate([operator.weight, -operator.weight]), bias=None)
    assert isinstance(operator, SparseLinear)
    size = operator.out_shape[0]
    return SparseLinear(
        np.concatenate([operator.rows, operator.rows + size]),
        np.concatenate([operator.columns, operator.columns]),
        np.concatenate([operator.values, -operator.values]),
        operator.in_shape,
        (2 * size,),
    )


def _of_rows(values: Array, projection: Projection, part: _SumPart) -> Array:
    """Values of neurons as values of the part's sums; 1 for sums that go nowhere."""
    inner = pulled_back(values.reshape(projection.out_shape).astype(np.float64), projection)
    assert inner is not None
    return np.nan_to_num(inner.ravel()[part.rows], nan=1.0).astype(np.int64)


def _joined(projection: Projection, part: _SumPart, weight: Array, shape: Shape) -> SparseLinear:
    """From a part's relays to the population."""
    sums = int(np.prod(projection.mid_shape))
    position = np.full(sums + 1, -1)
    position[part.rows] = np.arange(len(part.rows))
    index = position[projection.place_indices()]
    rows = np.flatnonzero(index >= 0)
    columns, values = index[rows], weight.ravel()[rows]
    return SparseLinear(
        np.concatenate([rows, rows]),
        np.concatenate([columns, columns + len(part.rows)]),
        np.concatenate([values, -values]),
        shape,
        projection.out_shape,
    )


def _bridged(graph: Graph) -> Graph:
    """The graph with populations that repeat spikes which would be underway too long (case 6)."""
    while True:
        driven_by = drives(graph)
        schedule = Schedule.of(graph, driven_by, LONGEST)
        far = [
            (node.name, projection)
            for node in graph.populations
            for projection in driven_by[node.name].projections
            if isinstance(graph[projection.source].operator, TrueNorthNeuron)
            and schedule.components[projection.source] != schedule.components[node.name]
            and schedule.delay(projection, node.name) > LONGEST
        ]
        if not far:
            return graph
        edit, source = graph.edit(), far[0][1].source
        group = edit[source].group_of("repeated")
        repeated = edit.add(f"{source}.repeated", repeater(), source, group=group)
        late = [(name, projection) for name, projection in far if projection.source == source]
        for name in dict.fromkeys(name for name, _ in late):
            own = [projection for other, projection in late if other == name]
            sources = [repeated if p in own else p.source for p in driven_by[name].projections]
            reading_others(edit, name, driven_by[name], sources)
        graph = edit.done()


def _settled(graph: Graph) -> Graph:
    """The graph with neurons that start low enough to stay silent until their windows open (case 7)."""
    begins = Schedule.of(graph, drives(graph), LONGEST).starts
    edit = graph.edit()
    for node in graph.populations:
        neuron = node.operator
        if not isinstance(neuron, TrueNorthNeuron) or neuron.is_stochastic or neuron.forgets:
            continue
        if begins[node.name] > 0:
            shape = graph.shapes[node.name]
            leak = np.broadcast_to(np.asarray(neuron.leak), shape)
            before = np.minimum(leak, 0) * (begins[node.name] - 1)
            highest = np.asarray(neuron.threshold) - 1 + before
            start = np.broadcast_to(np.asarray(neuron.initial_potential), shape)
            if (start > highest).any():
                edit.set(
                    node.name,
                    operator=replace(neuron, initial_potential=short_integers(np.minimum(start, highest))),
                )
    return edit.done()
