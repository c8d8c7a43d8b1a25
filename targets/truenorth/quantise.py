"""From a spiking graph of real numbers to the integers of TrueNorth: few weight levels, each neuron its own scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.errors import Diagnostic, PassError, Severity
from snnc.graph.composition import pulled_back, sparse_form
from snnc.graph.graph import Edit, Graph
from snnc.graph.neurons import Integrator, Reset
from snnc.graph.node import Node
from snnc.graph.operators import Conv, Operator, Output, Readout, Scale, SparseLinear
from snnc.graph.operators.base import Array, Level, Shape
from snnc.graph.operators.sharing import one_a_channel
from snnc.graph.projections import Drive, Projection, drives, without_bias
from snnc.graph.synapses import weight_values, with_weight_values
from snnc.pipeline import Context, Guarantee, Pass, unfit_option
from snnc.simulate import simulate
from snnc.stages import MAPS_MERGED, Need
from snnc.targets.quantisation import in_integers, membrane, short_integers, without_bias_node
from snnc.targets.rounding import has_one_sum
from snnc.validation import Validation, are_values, difference, share_of_range

from .limits import TRUENORTH
from .neuron import NegativeMode, ResetMode, TrueNorthNeuron
from .rounding import Observations, Single, TickSums, best_steps

LEVELS = {2: (-1, 1), 3: (-4, 3), 4: (-8, 7), 5: (-16, 15), 6: (-32, 31), 8: (-128, 127)}
"""Smallest and largest weight in steps, by width."""

LINE_AXONS = {2: 2, 3: 3, 4: 4, 5: 7, 6: 9, 8: 15}
"""Axons of a line, by width: up to 4 bits one of each type, beyond several of one type (``axon_types``), such as those
for 1, 3, 9 and -27 or 1, 4, 16 and -64 steps."""

_LARGEST_STEP = {2: 255, 3: 63, 4: 31, 5: 9, 6: 9, 8: 3}
"""Largest step whose multiples, and their negatives for a relay, are weights of 9 bits."""

_EACH_TYPE_ONCE = 4
"""The width of weights to which a line needs no more than one axon of each type."""

_READ_TICKS = 1024
"""Ticks that the potential of a neuron which is read keeps within its range, about."""

_SAMPLES, _TICKS, _OBSERVED_BYTES = 1024, 64, 2**28
"""Of the run in which rates are observed."""

_COMPARED, _AGREEMENT = 256, 0.985
"""Samples on which widths are compared, and the share of their decisions that must stay."""

_VALUE_ERROR = 0.03
"""The largest error of an answer that is a value, as a share of the range of these values."""

_SHRINKS = np.linspace(0.3, 1.0, 36)


@dataclass(frozen=True, eq=False)
class _Weights:
    """A projection's weights.

    Attributes:
        operator: without bias, in a form whose weights are each of one group of neurons.
        values: of the operator, in thresholds.
        group: int64 like ``values``.
    """

    operator: Operator
    values: Array
    group: Array


@dataclass(frozen=True)
class TrueNorthQuantise(Pass):
    """Integer weights of few levels, integer thresholds and leaks, and the neuron of TrueNorth.

    The graph must be one of merged linear maps (``merge-linear-maps``).

    1. Weights have the levels that an input line on several axons gives: -1 to 1 on two, -4 to 3 on three, -8 to 7 on
       four of different types; 5, 6 and 8 bits on up to 7, 9 and 15. Each neuron (each channel of a population with
       spatial axes) has its own step, that with the least squared error. Dense layers and convolutions are rounded
       such that their sums on calibration samples keep their values (see ``rounding``), layer after layer: each has
       the inputs that the rounded layers before it give, and is to have the sums of the network that is not rounded.
    2. A constant current becomes the leak, 9 bits signed; steps are as many units of the potential as weights and
       leak leave room for, so that thresholds are fine.
    3. An IF population becomes one of TrueNorthNeuron, reset by subtraction (gamma 1) or to zero (gamma 0).
    4. An Integrator becomes one that is read by the charge that it has taken up, spikes counted in.
    5. A population that the samples drive directly is the host's: a RateSource, whose evenly spaced spikes enter
       the chip (note N220), because no neuron of TrueNorth takes a current.
    6. Other neuron models are refused (P220), as are populations with spikes and values of the host (P222).

    Attributes:
        weight_bits: 2, 3, 4, 5, 6 or 8; 0 takes the fewest that leave nearly all answers on calibration samples as
            they are (decisions, or values to 3 % of their range): on a third of them, which rounding does not see.
            More than 4 only where the lines of every neuron fit the axons of a core.
    """

    weight_bits: int = 0

    name: ClassVar[str] = "truenorth-quantise"
    guarantee: ClassVar[Guarantee] = Guarantee.RATES
    tolerance: ClassVar[float] = 0.25
    requires: ClassVar[tuple[Need, ...]] = (
        Level.SNN,
        MAPS_MERGED,
    )
    gives: ClassVar[tuple[Need, ...]] = (Level.INTEGER,)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight_bits not in (0, *LEVELS):
            widths = ", ".join(map(str, LEVELS))
            remedy = f"choose from {widths}, or 0 for the fewest that do"
            raise unfit_option(self, "weight_bits", self.weight_bits, remedy)

    def outline(self, graph: Graph, context: Context) -> Graph:
        """The graph with weights that are rounded without data, to the widest that it may choose."""
        return quantised(graph, self.weight_bits or _EACH_TYPE_ONCE, Observations({}), {}, context)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph at level INTEGER."""
        if not self.weight_bits:
            return _narrowest(graph, context)
        return quantised(graph, self.weight_bits, *_observed(graph, context), context)


def quantised(
    graph: Graph, bits: int, seen: Observations, currents: Mapping[str, float], context: Context
) -> Graph:
    """The graph in integers.

    Args:
        graph: of merged linear maps.
        bits: width of a weight.
        seen: rates of populations on a few samples; without them each weight is rounded by itself.
        currents: the largest mean current of a tick of each population that is read by its potential.
        context: takes the notes.
    """
    own = Observations(seen.rates)

    def replaced(edit: Edit, node: Node, shape: Shape, drive: Drive) -> Array:
        return _replace(edit, node, shape, drive, bits, own, currents.get(node.name, 0.0))

    return in_integers(graph, replaced, "TrueNorth", context)


def _narrowest(graph: Graph, context: Context) -> Graph:
    """The graph with the fewest bits that leave nearly all answers as they are, reported as note N221.

    Answers are decisions, or values where there is no choice among them (see ``are_values``). Rounding fits the
    samples that it sees, above all where they are few for the inputs of a layer.
    """
    rounding_samples = unseen = context.samples(graph)
    if rounding_samples is not None and len(rounding_samples) > 2:
        unseen = rounding_samples[-min(len(rounding_samples) // 3, _COMPARED) :]
        rounding_samples = rounding_samples[: -len(unseen)]
    seen, currents = _observed(graph, replace(context, calibration=rounding_samples))
    samples = Validation(samples=_COMPARED).samples_from(graph, unseen, context.seed + 1)
    exact = simulate(graph, samples, _TICKS).outputs
    widths = _widths(graph)
    for bits in widths:
        notes = Context()
        integers = quantised(graph, bits, seen, currents, notes)
        answers = simulate(integers, samples, _TICKS).outputs
        kept = [_kept(values, answers[name]) for name, values in exact.items()]
        if all(enough for enough, _ in kept):
            break
    context.report(
        Diagnostic(
            "N221",
            Severity.NOTE,
            f"weights of {bits} bits keep {' and '.join(what for _, what in kept)} on {len(samples)} samples",
            remedy="choose another width by --weight-bits 2, 3, 4, 5, 6 or 8",
        )
    )
    for note in notes.diagnostics:
        context.report(note)
    return integers


def _widths(graph: Graph) -> list[int]:
    """The widths of weights, ascending, with which no neuron needs more axons than a core has for their sake."""
    most = max(
        (
            sum(_largest_fan_in(projection) for projection in drive.projections)
            for name, drive in drives(graph).items()
            if not isinstance(graph[name].operator, Output)
        ),
        default=0,
    )
    return [bits for bits in LEVELS if bits <= _EACH_TYPE_ONCE or most * LINE_AXONS[bits] <= TRUENORTH.axons]


def _largest_fan_in(projection: Projection) -> int:
    """The most inputs that one output of a projection reads."""
    operator, weights = projection.operator, weight_values(projection.operator)
    if isinstance(operator, SparseLinear):
        return int(np.bincount(operator.rows, minlength=1).max())
    if isinstance(operator, Scale):
        return 1
    return int(weights[0].size)


def _kept(exact: Array, answers: Array) -> tuple[bool, str]:
    """Whether answers are nearly as wanted, and what of them is."""
    if are_values(exact):
        error = share_of_range(exact, answers)
        return error <= _VALUE_ERROR, f"the values to {error:.1%} of their range"
    _, agreement = difference(exact, answers)
    return agreement >= _AGREEMENT, f"{agreement:.1%} of the decisions"


def _observed(graph: Graph, context: Context) -> tuple[Observations, Mapping[str, float]]:
    """Rates of all populations, (samples, *shape), and the largest mean current of those that are read."""
    neurons = sum(int(np.prod(graph.shapes[node.name])) for node in graph.populations)
    count = int(np.clip(_OBSERVED_BYTES // (neurons * _TICKS), 1, _SAMPLES))
    samples = Validation(samples=count).samples_from(graph, context.calibration, context.seed)
    edit = graph.edit()
    for output in graph.outputs:
        if isinstance(graph[output.inputs[0]].operator, Integrator):
            edit.set(output.name, operator=Output(Readout.POTENTIAL))
    trace = simulate(edit.done(), samples, _TICKS, record=("spikes",))
    rates = {name: spikes.mean(axis=1, dtype=np.float32) for name, spikes in trace.spikes.items()}
    driven_by, currents = drives(graph), dict[str, float]()
    for output in graph.outputs:
        largest = float(np.abs(trace.outputs[output.name]).max())
        for part in driven_by[output.name].projections:
            currents[part.source] = max(largest, currents.get(part.source, 0.0))
    return Observations(rates), currents


def _replace(
    edit: Edit,
    node: Node,
    shape: Shape,
    drive: Drive,
    bits: int,
    seen: Observations,
    current: float,
) -> Array:
    """Write a population and its synapses; returns the units of the potential that stand for 1."""
    asked = membrane(node, shape, "TrueNorth")
    threshold = asked.threshold
    group = _groups(threshold)
    weights = [_grouped(p, threshold, group) for p in drive.projections]
    bias = np.zeros(shape) if drive.bias is None else drive.bias.reshape(shape) / threshold
    before = TickSums(drive.projections, [with_weight_values(w.operator, w.values) for w in weights], bias)
    steps, codes, bias = _rounded(drive, weights, group, bias, bits, seen)
    if not asked.reads:
        rounded = [
            with_weight_values(weight.operator, code * steps[weight.group])
            for weight, code in zip(weights, codes, strict=True)
        ]
        seen.follow(node.name, before, TickSums(drive.projections, rounded, bias))
    size = _sizes(weights, codes, steps, _largest(bias, group), bits, current if asked.reads else None)
    for projection, weight, code in zip(drive.projections, weights, codes, strict=True):
        edit.set(
            projection.nodes[-1], operator=with_weight_values(weight.operator, code * size[weight.group])
        )
    units = (size / steps)[group]
    most = TRUENORTH.threshold
    neuron = TrueNorthNeuron(
        threshold=short_integers(np.full(shape, most) if asked.reads else np.clip(units, 1, most)),
        reset=ResetMode.LINEAR if asked.reset is Reset.SUBTRACT else ResetMode.NORMAL,
        negative=NegativeMode.SATURATE,
        leak=short_integers(np.clip(bias * units, *TRUENORTH.leak)),
        initial_potential=short_integers(
            np.clip(asked.initial_voltage / threshold * units, *TRUENORTH.potential)
        ),
    )
    edit.set(node.name, operator=neuron, inputs=tuple(without_bias_node(edit, name) for name in node.inputs))
    return np.asarray(units / threshold)


def _groups(threshold: Array) -> Array:
    """The group of every neuron: its channel where channels have one threshold, else itself; (*shape) int64."""
    shape = threshold.shape
    channels = threshold.reshape(*(shape[:1] or (1,)), -1)
    if len(shape) > 1 and (channels == channels[:, :1]).all():
        return np.broadcast_to(np.arange(shape[0]).reshape(-1, *(1,) * (len(shape) - 1)), shape)
    return np.arange(threshold.size).reshape(shape)


def _grouped(projection: Projection, threshold: Array, group: Array) -> _Weights:
    """A projection's weights by group; as single entries where its own form mixes groups."""
    operator = projection.operator
    assert operator is not None
    operator = without_bias(operator)
    if isinstance(operator, Scale):
        operator = Scale(
            np.broadcast_to(np.asarray(operator.factor, np.float64), projection.mid_shape).copy()
        )
    owner = pulled_back(group.astype(np.float64), projection)
    if owner is None:
        raise PassError(
            "P223",
            "one sum of synapses goes to several neurons of different thresholds",
            node=projection.nodes[-1],
            remedy="balance by layer (--per-layer)",
        )
    own = _groups_of_weights(operator, owner)
    if own is None:
        operator = sparse_form(operator, projection.in_shape)
        own = _groups_of_weights(operator, owner)
    assert own is not None
    by_group = np.ones(int(group.max()) + 1)
    by_group[group.ravel()] = threshold.ravel()
    goes_nowhere = np.isnan(own)
    own = np.where(goes_nowhere, 0, own).astype(np.int64)
    values = np.where(goes_nowhere, 0.0, np.asarray(weight_values(operator), np.float64) / by_group[own])
    return _Weights(operator, values, own)


def _groups_of_weights(operator: Operator, owner: Array) -> Array | None:
    """The group of each weight, given that of each output (NaN: of none); None where a weight has several."""
    if isinstance(operator, SparseLinear):
        return np.asarray(owner.ravel()[operator.rows])
    if isinstance(operator, Scale):
        return owner
    weight = weight_values(operator)
    groups = one_a_channel(owner, 0 if isinstance(operator, Conv) else -1, empty=np.nan)
    if groups is None:
        return None
    return np.broadcast_to(groups.reshape(-1, *(1,) * (weight.ndim - 1)), weight.shape)


def _codes(values: Array, step: Array, bits: int) -> Array:
    """Weights in steps, int64."""
    return np.asarray(np.clip(np.rint(values / step), *LEVELS[bits]), np.int64)


def _rounded(
    drive: Drive, weights: list[_Weights], group: Array, bias: Array, bits: int, seen: Observations
) -> tuple[Array, list[Array], Array]:
    """The step of each group, every projection's weights in steps, and the constant current (case 1)."""
    count = int(group.max()) + 1
    # A step is at least one unit of the potential, of which a threshold has no more than its register holds.
    least = np.maximum(_largest(bias, group) / TRUENORTH.leak[1], 1 / TRUENORTH.threshold)
    together = [
        at for at, p in enumerate(drive.projections) if has_one_sum(p) and len(weights[at].values) == count
    ]
    observed = seen.of([drive.projections[at] for at in together])
    if observed is not None:
        rows = [weights[at].values.reshape(count, -1) for at in together]
        singles = _singles(drive, weights, seen)
        step, rounded = best_steps(np.concatenate(rows, axis=1), observed, LEVELS[bits], least, singles)
        codes = [_codes(weight.values, step[weight.group], bits) for weight in weights]
        parts = np.split(rounded.code, np.cumsum([row.shape[1] for row in rows])[:-1], axis=1)
        for at, part in zip(together, parts, strict=True):
            codes[at] = part.reshape(weights[at].values.shape)
        return step, codes, bias + rounded.shift[group]
    values = np.concatenate([np.zeros(0), *(weight.values.ravel() for weight in weights)])
    owner = np.concatenate([np.zeros(0, np.int64), *(weight.group.ravel() for weight in weights)])
    steps = np.maximum(_steps(values, owner, count, bits), least)
    return steps, [_codes(weight.values, steps[weight.group], bits) for weight in weights], bias


def _singles(drive: Drive, weights: list[_Weights], seen: Observations) -> list[Single]:
    """The weights of shortcuts, one a neuron."""
    singles = []
    for projection, weight in zip(drive.projections, weights, strict=True):
        if isinstance(weight.operator, Scale) and projection.source in seen.rates:
            power = np.mean(np.square(seen.rates[projection.source], dtype=np.float64))
            values = np.broadcast_to(weight.values, weight.group.shape).ravel()
            singles.append(Single(values, weight.group.ravel(), np.full(values.shape, power)))
    return singles


def _largest(bias: Array, group: Array) -> Array:
    """The largest constant current of each group."""
    constant = np.zeros(int(group.max()) + 1)
    np.maximum.at(constant, group.ravel(), np.abs(bias).ravel())
    return constant


def _sizes(
    weights: list[_Weights],
    codes: list[Array],
    steps: Array,
    constant: Array,
    bits: int,
    current: float | None,
) -> Array:
    """Units of the potential in a step of each group (case 2), int64.

    Args:
        weights: of all projections.
        codes: these in steps.
        steps: of each group, in thresholds.
        constant: largest constant current of each group, in thresholds.
        bits: width of a weight.
        current: for a population that is read by its potential, its largest mean current.
    """
    total = np.zeros(len(steps))
    for weight, code in zip(weights, codes, strict=True):
        total += np.bincount(weight.group.ravel(), np.abs(code).ravel(), len(steps))
    most = TRUENORTH.threshold
    size = np.minimum(_LARGEST_STEP[bits], most * np.minimum(steps, 1 / np.maximum(total, 1)))
    size = np.minimum(size, TRUENORTH.leak[1] * steps / np.maximum(constant, 1e-12))
    if current is not None:
        size = np.minimum(size, most / _READ_TICKS * steps / max(current, 1e-12))
    return np.asarray(np.maximum(np.floor(size), 1), np.int64)


def _steps(values: Array, owner: Array, count: int, bits: int) -> Array:
    """The step of each group with the least squared error; 1 for groups without weights."""
    largest = np.zeros(count)
    np.maximum.at(largest, owner, np.abs(values))
    full = np.where(largest > 0, largest, 1.0) / LEVELS[bits][1]
    best, least = full, np.full(count, np.inf)
    for shrink in _SHRINKS:
        step = full * shrink
        error = values - _codes(values, step[owner], bits) * step[owner]
        total = np.bincount(owner, error**2, count)
        best, least = np.where(total < least, step, best), np.minimum(total, least)
    return np.where(largest > 0, best, 1.0)
