"""Networks of trinary weights and step activations, mapped one to one: a neuron for each step, a tick a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.errors import Diagnostic, PassError, Severity
from snnc.graph.composition import composed, pulled_back, sparse_form
from snnc.graph.graph import Edit, Graph
from snnc.graph.neurons import Integrator, Neuron, SpikeSource
from snnc.graph.node import Node
from snnc.graph.operators import (
    Add,
    Bias,
    LinearMap,
    MaxPool,
    Output,
    Readout,
    SparseLinear,
    Step,
)
from snnc.graph.operators.base import Array, Level, Operator, Shape
from snnc.graph.parallel import side_by_side
from snnc.graph.projections import Drive, Projection, drives
from snnc.graph.rewrite import prune
from snnc.graph.synapses import entries, real_entries
from snnc.passes.merge_linear_maps import MergeLinearMaps
from snnc.pipeline import Context, Guarantee, Pass
from snnc.stages import Need
from snnc.targets.quantisation import short_integers, shortest
from snnc.validation import without_decision

from .bridges import timed
from .limits import AXONS
from .neuron import NegativeMode, ResetMode, TrueNorthNeuron
from .steps import simplified

LARGEST_FAN_IN = AXONS - 1
"""Inputs of one neuron: each takes an axon, and thresholds from one more than all of them to none must be leaks."""

_ROUNDING = 1e-4
"""Largest distance of a weight, in units of the neuron's largest one, from -1, 0 or 1."""

_TIE = 1e-6
"""A threshold this close to a possible sum, relative to its terms, may be decided by rounding; so may be what of a
readout's weights and offsets is this close to a whole number of steps."""

_READ_STEPS = 2.0**24
"""Steps of the largest weight of a readout whose weights are not multiples of one number."""


@dataclass(frozen=True)
class MapNative(Pass):
    """Steps behind trinary weights become TrueNorth neurons without memory (Esser 2016).

    1. Steps that read the samples, by linear maps if any, are computed by the host, which sends their spikes; those
       that the answer is read from are repeated by neurons of the chip.
    2. Linear maps in a row become one; the weights of a neuron are -1, 0 and 1 times one number of its own, which
       goes into its threshold (so batch normalisation in front of a step costs nothing). The threshold is the least
       whole sum of inputs at which the step gives 1.
    3. Maxima and other activations are brought to steps as far as they go, and sums to their simplest form, see
       ``steps.simplified``: a maximum over steps is a step behind their sum.
    4. A neuron of threshold T gets the leak -T, positive and negative threshold 0, reset potential 0, and the
       resetting negative mode: V = sum - T is at or above 0 and it spikes, or below 0 and it does not, and is 0
       afterwards in both cases. It forgets every tick, so a new image can follow every tick.
    5. Steps that read the same and have the same neurons, as those of a sign that is never 0, become one.
    6. What lies behind the last steps is the readout: a linear map off the chip, read by value.
    7. A step that is read more than 15 layers later is repeated on the way.

    Fails with P230 for other activations, P231 for other weights, P232 for more than 255 inputs of a neuron, P233 for
    a network without steps, P234 for a neuron of spikes and samples together; a threshold that rounding may decide
    is reported (W230).
    """

    name: ClassVar[str] = "map-native"
    guarantee: ClassVar[Guarantee] = Guarantee.RATES
    tolerance: ClassVar[float] = 1e-4
    requires: ClassVar[tuple[Need, ...]] = (Level.ANN,)
    gives: ClassVar[tuple[Need, ...]] = (Level.INTEGER,)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph at level INTEGER."""
        graph = simplified(without_decision(graph))
        require_steps(graph)
        integers, notes = _mapped(graph, context)
        while twins := _twins(graph, integers):
            graph = _joined(graph, twins)
            integers, notes = _mapped(graph, context)
        _check_fan_in(integers)
        for note in notes:
            context.report(note)
        return timed(integers)


def _mapped(graph: Graph, context: Context) -> tuple[Graph, list[Diagnostic]]:
    """The graph with its steps as neurons and its readout off the chip (cases 1, 2, 4 and 6), and the notes on it."""
    graph = _repeated(graph)
    merged = MergeLinearMaps()(_with_placeholders(graph), context)
    driven_by = drives(merged, composed, side_by_side)
    edit = merged.edit()
    notes: list[Diagnostic] = []
    for node in merged.populations:
        if isinstance(node.operator, Integrator):
            step = graph[node.name].operator
            assert isinstance(step, Step)
            notes += _replace(edit, merged, node, driven_by[node.name], step)
    for output in merged.outputs:
        _read(edit, merged, output, driven_by[output.name])
    return edit.done(), notes


def _twins(graph: Graph, integers: Graph) -> Mapping[str, str]:
    """For steps of an ANN graph an earlier one that reads the same and has the same neurons (case 5)."""
    first: dict[tuple[str, bytes], str] = {}
    twins: dict[str, str] = {}
    for node in graph.of_type(Step):
        neuron = integers[node.name].operator
        if isinstance(neuron, TrueNorthNeuron):
            leak = np.broadcast_to(np.asarray(neuron.leak), graph.shapes[node.name])
            earlier = first.setdefault((node.inputs[0], leak.tobytes()), node.name)
            if earlier != node.name:
                twins[node.name] = earlier
    return twins


def _joined(graph: Graph, twins: Mapping[str, str]) -> Graph:
    """The graph with only the earlier ones; a sum of one and its twin is twice the one."""
    edit = graph.edit()
    for name, earlier in twins.items():
        edit.reroute(name, earlier)
        edit.remove(name)
    return simplified(edit.done())


def require_steps(graph: Graph) -> None:
    """Raise PassError P230 for activations that are no steps, P233 if there are none at all."""
    others = [node for node in graph.activations if not isinstance(node.operator, Step)]
    if others:
        maxima = all(isinstance(node.operator, MaxPool) for node in others)
        raise PassError(
            "P230",
            f"{len(others)} {'maxima are not over steps' if maxima else 'activations are no steps'},"
            " so that the network cannot be mapped one to one",
            node=others[0].name,
            source=others[0].source,
            remedy="put a step in front of each maximum"
            if maxima
            else "train with step activations throughout; or with none, for a network of rates",
            details=tuple(f"{node.name}: {type(node.operator).__name__}" for node in others),
        )
    if not graph.of_type(Step):
        raise PassError(
            "P233",
            "there are no step activations to map one to one",
            remedy="train with step activations, or compile it as a network of rates",
        )


def _repeated(graph: Graph) -> Graph:
    """The graph with a step on the chip that repeats each step of the host that the answer is read from (case 1)."""
    on_chip, edit = behind_steps(graph), graph.edit()
    waiting = [name for output in graph.outputs for name in output.inputs]
    seen: set[str] = set()
    while waiting:
        node = graph[waiting.pop()]
        if node.name in seen:
            continue
        seen.add(node.name)
        if not isinstance(node.operator, Step):
            waiting += node.inputs
        elif node.name not in on_chip:
            half = Step(np.array(0.5, np.float32))
            again = edit.add(
                f"{node.name}.again", half, node.name, sources=node.sources, group=node.group_of("again")
            )
            edit.reroute(node.name, again)
    return edit.done()


def _with_placeholders(graph: Graph) -> Graph:
    """A spiking graph: populations in the places of the steps, the host's with their thresholds (case 1)."""
    edit = graph.edit()
    on_chip = behind_steps(graph)
    for node in graph.of_type(Step):
        if node.name in on_chip:
            edit.set(node.name, operator=Integrator())
            continue
        assert isinstance(node.operator, Step)
        below = np.nextafter(np.asarray(node.operator.threshold, np.float32), np.float32(-np.inf))
        name = edit.add(f"{node.name}.offset", Bias(-below), *node.inputs, sources=node.sources)
        edit.set(node.name, operator=SpikeSource(), inputs=(name,))
    return edit.done()


def behind_steps(graph: Graph) -> set[str]:
    """The nodes that some step is in front of; what is not behind a step is computed by the host."""
    behind: set[str] = set()
    for node in graph.ordered:
        if any(name in behind or isinstance(graph[name].operator, Step) for name in node.inputs):
            behind.add(node.name)
    return behind


def _replace(edit: Edit, graph: Graph, node: Node, drive: Drive, step: Step) -> list[Diagnostic]:
    """Write a population and its synapses (cases 2 and 4); returns what is to be reported."""
    _require_spikes(node, drive)
    shape = graph.shapes[node.name]
    unit = _units(drive, shape)
    integers = [_trinary(node, projection, unit) for projection in drive.projections]
    for projection, operator in zip(drive.projections, integers, strict=True):
        edit.set(projection.nodes[-1], operator=operator)
    wired = tuple(replace(p, operator=o) for p, o in zip(drive.projections, integers, strict=True))
    inputs = _fan_in(wired, shape)
    bias = np.zeros(shape) if drive.bias is None else drive.bias.reshape(shape)
    threshold, notes = _thresholds(node, unit, bias, np.asarray(step.threshold, np.float64))
    most = np.minimum(inputs, LARGEST_FAN_IN)
    neuron = TrueNorthNeuron(
        threshold=np.zeros((), np.int64),
        negative_threshold=np.zeros((), np.int64),
        reset=ResetMode.NORMAL,
        negative=NegativeMode.RESET,
        leak=short_integers(-np.clip(threshold, -most, most + 1)),
    )
    edit.set(node.name, operator=neuron, inputs=tuple(_without_bias_node(edit, name) for name in node.inputs))
    return notes


def _require_spikes(node: Node, drive: Drive) -> None:
    """Raise PassError P234 for what reads values of the samples beside spikes."""
    if drive.host:
        raise PassError(
            "P234",
            "it sums spikes and values of the samples",
            node=node.name,
            source=node.source,
            remedy="put a step in front of what comes from the samples",
        )


def _units(drive: Drive, shape: Shape) -> Array:
    """The largest magnitude of each neuron's weights; of its channel's where it has none but 0, else 1.

    Half of it where the least is half of the largest: a sign that is never 0 is one step of twice the strength of the
    two steps of a sign that may be 0, and both may meet in a sum.
    """
    largest, least = np.zeros(shape), np.full(shape, np.inf)
    for projection in drive.projections:
        assert projection.operator is not None
        sparse = sparse_form(projection.operator, projection.in_shape)
        size = np.abs(sparse.values).astype(np.float64)
        high = np.zeros(int(np.prod(projection.mid_shape)) + 1)
        low = np.full(high.shape, np.inf)
        np.maximum.at(high, sparse.rows, size)
        np.minimum.at(low, sparse.rows, np.where(size > 0, size, np.inf))
        place = projection.place_indices()
        largest = np.maximum(largest, high[place].reshape(shape))
        least = np.minimum(least, low[place].reshape(shape))
    largest = np.where(np.abs(2 * least - largest) <= _ROUNDING * largest, largest / 2, largest)
    channel = largest.reshape(shape[0], -1).max(axis=1).reshape(-1, *(1,) * (len(shape) - 1))
    filled = np.where(largest > 0, largest, channel)
    return np.where(filled > 0, filled, 1.0)


def _trinary(node: Node, projection: Projection, unit: Array) -> Operator:
    """A projection's operator with weights -1, 0 and 1, or twice these; raises PassError P231 for others."""
    factors = pulled_back(1 / unit, projection)
    scaled: LinearMap | None = None
    if factors is not None and isinstance(projection.operator, LinearMap):
        scaled = projection.operator.scaled_outputs(factors)
        if scaled is None:
            scaled = sparse_form(projection.operator, projection.in_shape).scaled_outputs(factors)
    weights = None if scaled is None else next(iter(scaled.coefficients().values()))
    whole = None if weights is None else np.rint(weights)
    if (
        scaled is None
        or weights is None
        or whole is None
        or np.abs(weights - whole).max(initial=0) > _ROUNDING
    ):
        wrong = 0 if weights is None else int((np.abs(weights - np.rint(weights)) > _ROUNDING).sum())
        raise PassError(
            "P231",
            f"{wrong or 'some'} of its weights are not -1, 0 or 1 times one number of their neuron",
            node=node.name,
            source=node.source,
            remedy="round the weights of every neuron to -1, 0 and 1 times one number in training; or, if they are"
            " trained as probabilities of connections, draw networks from them with --copies 16",
        )
    return replace(scaled, **{scaled.multipliers[0]: whole.astype(np.int64)})


def _check_fan_in(graph: Graph) -> None:
    """Raise PassError P232 for a neuron of more inputs than the chip's."""
    for name, drive in drives(graph).items():
        node = graph[name]
        if not isinstance(node.operator, TrueNorthNeuron):
            continue
        most = int(_fan_in(drive.projections, graph.shapes[name]).max(initial=0))
        if most > LARGEST_FAN_IN:
            raise PassError(
                "P232",
                f"its neurons have up to {most} inputs, {most - LARGEST_FAN_IN} more than the {LARGEST_FAN_IN} that one"
                " neuron takes",
                node=name,
                source=node.source,
                remedy="use more groups or a smaller kernel, or prune, until every neuron has at most"
                f" {LARGEST_FAN_IN} inputs",
            )


def _fan_in(projections: tuple[Projection, ...], shape: Shape) -> Array:
    """Number of inputs of each neuron, those of double weight counted twice."""
    count = np.zeros(int(np.prod(shape)), np.int64)
    for projection in projections:
        target, _, weight = entries(projection)
        np.add.at(count, target, np.rint(np.abs(weight)).astype(np.int64))
    return count.reshape(shape)


def _thresholds(node: Node, unit: Array, bias: Array, threshold: Array) -> tuple[Array, list[Diagnostic]]:
    """The least whole sum s of each neuron with unit * s + bias >= threshold, int64; and W230 where it is close."""
    bias, threshold = np.broadcast_to(bias, unit.shape), np.broadcast_to(threshold, unit.shape)
    start = np.floor(np.clip((threshold - bias) / unit, -(2**20), 2**20)) - 1
    least = start + 3
    for ahead in (2, 1, 0):
        least = np.where(unit * (start + ahead) + bias >= threshold, start + ahead, least)
    sums = start + np.arange(4).reshape(-1, *(1,) * unit.ndim)
    distance = np.abs(unit * sums + bias - threshold)
    whole = (unit == np.rint(unit)) & (bias == np.rint(bias))
    close = int(((distance <= _TIE * (unit * np.abs(sums) + np.abs(bias))) & (distance > 0) & ~whole).sum())
    note = Diagnostic(
        "W230",
        Severity.WARNING,
        f"{close} thresholds lie so close to a possible sum that rounding decides",
        node=node.name,
        remedy="let thresholds lie between two possible sums",
    )
    return least.astype(np.int64), [note] if close else []


def _without_bias_node(edit: Edit, name: str) -> str:
    """The node itself; or what it reads, if it is a constant current, which is in the threshold."""
    if not isinstance(edit[name].operator, Bias):
        return name
    (source,) = edit[name].inputs
    edit.remove(name)
    return source


def _read(edit: Edit, graph: Graph, output: Node, drive: Drive) -> None:
    """Read an output by one whole-numbered map for each population (case 6); raises PassError P234 for samples."""
    _require_spikes(output, drive)
    (last,) = output.inputs
    if isinstance(graph[last].operator, Neuron):
        edit.set(output.name, operator=Output(Readout.COUNT))
        return
    shape = graph.shapes[output.name]
    parts = [real_entries(projection) for projection in drive.projections]
    step = _read_steps(int(np.prod(shape)), parts)
    names = []
    for projection, (row, column, value) in zip(drive.projections, parts, strict=True):
        whole = np.rint(value / step[row]).astype(np.int64)
        weights = SparseLinear(row, column, whole, projection.source_shape, shape)
        names.append(
            edit.add(f"{projection.source}.readout", weights, projection.source, sources=output.sources)
        )
    name = names[0] if len(names) == 1 else edit.add(f"{output.name}.sum", Add(), *names)
    bias = np.zeros(shape) if drive.bias is None else drive.bias.reshape(shape).astype(np.float64)
    step = step.reshape(shape)
    edit.set(
        output.name, operator=Output(Readout.VALUE, shortest(step), _in_steps(bias, step)), inputs=(name,)
    )
    prune(edit, [last])


def _read_steps(size: int, parts: list[tuple[Array, Array, Array]]) -> Array:
    """For each element of the answer a number of which its weights are whole multiples, or a small share of them."""
    least, largest, off = np.full(size, np.inf), np.zeros(size), np.zeros(size)
    for row, _, value in parts:
        np.minimum.at(least, row[value != 0], np.abs(value[value != 0]))
        np.maximum.at(largest, row, np.abs(value))
    least = np.where(largest > 0, least, 1.0)
    for row, _, value in parts:
        multiple = value / least[row]
        np.maximum.at(off, row, np.abs(multiple - np.rint(multiple)))
    whole = (off <= _TIE) & (largest < least * _READ_STEPS)
    return np.where(whole, least, largest / _READ_STEPS)


def _in_steps(bias: Array, step: Array) -> Array | float:
    """What is added to the answer, as a whole number of steps where rounding alone has made it another."""
    whole = np.rint(bias / step)
    near = np.abs(bias / step - whole) <= _TIE * np.maximum(np.abs(whole), 1)
    offset = np.where(near, whole * step, bias)
    return offset if offset.any() else 0.0
