"""From a spiking graph of real numbers to one of the integers that Loihi computes with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import networkx as nx
import numpy as np

from snnc.errors import Diagnostic, PassError, Severity
from snnc.graph.composition import pulled_back
from snnc.graph.evaluate import evaluate_nodes
from snnc.graph.graph import Edit, Graph
from snnc.graph.neurons import IF, LIF, CurrentLIF, Integrator, Reset
from snnc.graph.node import Node
from snnc.graph.operators import (
    Add,
    Bias,
    Conv,
    Gather,
    Linear,
    LinearMap,
    LowPass,
    Operator,
    Output,
    QuantiseCurrent,
    Readout,
    SparseLinear,
)
from snnc.graph.operators.base import Array, Level, Shape
from snnc.graph.operators.sharing import Sharing, joined
from snnc.graph.order_free import STEADY_PRODUCT
from snnc.graph.projections import Drive, Projection, drives, host_nodes
from snnc.graph.samples import Samples
from snnc.graph.synapses import weight_values, with_weight_values
from snnc.pipeline import Context, Guarantee, Pass, unfit_option
from snnc.simulate import simulate
from snnc.stages import MAPS_MERGED, Need
from snnc.targets.quantisation import in_units, shortest, without_bias_node
from snnc.validation import Validation

from .compartment import LoihiCompartment
from .grid import (
    SIGN_BIT_LIMITS,
    best_mantissa,
    bias_on_grid,
    charge_on_grid,
    weight_groups,
)
from .limits import DECAY_UNIT, LOIHI, UNIT
from .rounding import rounded_weights

SUBTRACT_V_MAX = 2**21 - 1
"""Bound of the potential where two compartments make a neuron: below every threshold register's largest value, so
that the compartment which integrates never fires."""

_USUAL_EXPONENT, _HIGHEST_EXPONENT = 2, 5
"""Exponents of a threshold's units: 512 to 8160 multiples of 64, at least four thresholds below SUBTRACT_V_MAX."""

_LARGEST_GAIN = 2

_SUM_UNITS = 2**15
"""A tick's synaptic sum wraps at this many multiples of 64."""

_SAMPLES, _TICKS, _OBSERVED_BYTES = 32, 16, 2**28
"""Of the run in which currents are observed."""

_RATE_SAMPLES, _RATE_TICKS = 512, 64
"""Of the run in which rates are observed, for weights that are rounded by them."""

_WIDE = 8
"""Weights of so many bits are rounded each by itself: there is little to make up for."""


@dataclass(frozen=True)
class CompartmentMembrane:
    """What a neuron model of the graph asks of a compartment, in the graph's own units.

    Attributes:
        threshold, initial_voltage, bias: of the population's shape.
        reset: by subtraction or to zero.
        current_decay, voltage_decay: shares lost in a tick; one number, or of the population's shape.
        refractory: ticks, likewise.
    """

    threshold: Array
    initial_voltage: Array
    bias: Array
    reset: Reset
    current_decay: float | Array = 1.0
    voltage_decay: float | Array = 0.0
    refractory: int | Array = 1

    @property
    def remembers(self) -> bool:
        """Whether a current has memory."""
        return bool(np.any(np.asarray(self.current_decay) < 1))


@dataclass(frozen=True, eq=False)
class IntegerUnits:
    """How a population's real numbers become integers.

    Attributes:
        threshold: int64, of the population's shape, multiples of 64 that one synapse can carry.
        scale: float64, of the population's shape: integer potential for a potential of 1.
        operators: the integer operator of each projection, weights in units of the potential.
        shift: a constant current, in the graph's units, that makes up for what rounding did to the sums.
    """

    threshold: Array
    scale: Array
    operators: tuple[Operator, ...]
    shift: Array


@dataclass(frozen=True)
class LoihiQuantise(Pass):
    """Integer weights, biases and thresholds, and the neuron arithmetic of Loihi.

    The graph must be one of merged linear maps (``merge-linear-maps``).

    1. A population of IF, LIF or CurrentLIF neurons becomes one of LoihiCompartment. Its unit is chosen so that
       its threshold is a weight that one synapse can carry and the weights are rounded with the least error;
       channels with small weights get units that are two or four times finer, and a threshold as much larger.
       Weights of fewer than 8 bits are rounded such that their sums on calibration samples keep their values.
    2. The weights of one synapse list (those of a source channel of a convolution, else of a source neuron)
       share an exponent, the least that holds them; a population uses few enough for a core's table.
    3. A spike needs v > threshold on Loihi and v >= threshold in the graph: the register holds one step less.
    4. An Integrator becomes a population that fires and is read by the charge that it has taken up, spikes
       counted in; a bias common to all neurons, which the Output takes off again, keeps its potential from
       the lower bound. Its threshold covers the values seen on the calibration samples.
    5. What the host computes is rounded to the current register's steps by a QuantiseCurrent; the bias of such a
       population is added by the host.
    6. Where the current of a population has memory, the host filters what it drives it with (LowPass), the
       constant current of its linear maps included, for which it drives it if need be.
    7. Currents are observed on a few samples, and units are chosen such that sums do not wrap (W210 if there are
       none); weights of many thresholds are cut off.
    8. Other neuron models are refused (P210), as is a current with memory together with reset by subtraction.

    Attributes:
        weight_bits: largest width of a weight: 2, 3, 4, 5, 6 or 8.
    """

    weight_bits: int = 8

    name: ClassVar[str] = "loihi-quantise"
    guarantee: ClassVar[Guarantee] = Guarantee.RATES
    tolerance: ClassVar[float] = 0.1
    requires: ClassVar[tuple[Need, ...]] = (
        Level.SNN,
        MAPS_MERGED,
    )
    gives: ClassVar[tuple[Need, ...]] = (Level.INTEGER,)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight_bits not in SIGN_BIT_LIMITS:
            widths = ", ".join(map(str, SIGN_BIT_LIMITS))
            raise unfit_option(self, "weight_bits", self.weight_bits, f"choose from {widths}")

    def outline(self, graph: Graph, context: Context) -> Graph:
        """The graph as it is: integers and their units are values."""
        return graph

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph at level INTEGER."""
        samples = Validation(samples=_SAMPLES).samples_from(graph, context.calibration, context.seed)
        observed = _observed(graph, context, with_rates=self.weight_bits < _WIDE)
        edit = graph.edit()
        scales: dict[str, Array] = {}
        lifts: dict[str, float] = {}
        for node, drive in _on_chip(graph):
            shape = graph.shapes[node.name]
            lift, membrane = _membrane(node, shape, drive, observed, context)
            units = self._units(node, shape, drive, membrane, observed, context)
            self._replace(edit, graph, node, drive, membrane, units, samples, context)
            scales[node.name], lifts[node.name] = units.scale, lift
        for output in graph.outputs:
            edit.set(output.name, operator=in_units(output, scales, lifts))
        return edit.done()

    def _units(
        self,
        node: Node,
        shape: Shape,
        drive: Drive,
        membrane: CompartmentMembrane,
        observed: Seen,
        context: Context,
    ) -> IntegerUnits:
        """The units of a population, its weights in them, and room for its sums (cases 1, 2 and 7)."""
        unit = [_in_thresholds(node, p, membrane.threshold) for p in drive.projections]
        channels = _channels(unit, drive.projections, shape)
        largest = _by_channel(_by_neuron(unit, drive.projections, shape), channels)
        room = _room(node, membrane, largest, channels, observed, context)
        exponent = _threshold_exponent(float(largest.max(initial=0.0)), float(room.min()))
        most = 0 if _leaks_what_it_owes(membrane) else min(_HIGHEST_EXPONENT - exponent, _LARGEST_GAIN)
        gain = _gains(largest, room / (255 * 2.0**exponent), most)
        exponents = max(1, min(4, (LOIHI.synapse_formats - 1) // max(len(unit), 1)))
        operators, groups = [], []
        for operator, projection in zip(unit, drive.projections, strict=True):
            inner = pulled_back(np.broadcast_to(gain, shape), projection)
            assert inner is not None
            written, group = weight_groups(
                operator,
                projection.mid_shape,
                inner,
                weight_bits=self.weight_bits,
                exponents=exponents,
            )
            operators.append(written)
            groups.append(group)
        units = best_mantissa(groups, exponent, int(gain.max())) * 2.0**exponent
        threshold = np.broadcast_to(gain * units * UNIT, shape).astype(np.int64)
        scale = threshold / membrane.threshold
        rates = observed.rates if not drive.host and not membrane.remembers else {}
        weights, shift = rounded_weights(drive.projections, groups, rates, units)
        integers = tuple(_integer(*pair) for pair in zip(operators, weights, strict=True))
        return IntegerUnits(
            threshold, scale, integers, shift.reshape(-1, *(1,) * (len(shape) - 1)) * UNIT / scale
        )

    def _replace(
        self,
        edit: Edit,
        graph: Graph,
        node: Node,
        drive: Drive,
        membrane: CompartmentMembrane,
        units: IntegerUnits,
        samples: Samples,
        context: Context,
    ) -> None:
        """Write a population, its synapses and its current."""
        for projection, operator in zip(drive.projections, units.operators, strict=True):
            edit.set(projection.nodes[-1], operator=operator)
        inputs = [without_bias_node(edit, name) for name in node.inputs if name not in drive.host]
        bias = membrane.bias
        driven = bool(drive.host) or (drive.bias is not None and membrane.remembers)
        if driven:
            context.report(_host_share(graph, node, drive))
            inputs.append(_host_current(edit, graph, node, drive, membrane, units, samples))
            bias = np.zeros(())
        elif drive.bias is not None:
            bias = bias + drive.bias
        bias = bias + units.shift
        compartment = _compartment(membrane, units, bias, driven=driven)
        edit.set(node.name, operator=compartment, inputs=tuple(inputs))


def _on_chip(graph: Graph) -> list[tuple[Node, Drive]]:
    """The populations that the chip computes, with their drives; spike sources are the host's."""
    driven_by = drives(graph)
    return [
        (node, driven_by[node.name])
        for node in graph.populations
        if not getattr(node.operator, "takes_samples", False)
    ]


@dataclass(frozen=True, eq=False)
class Seen:
    """What a short run of the graph on samples showed.

    Attributes:
        currents: by population, the largest current of a tick of each neuron, (*shape).
        answers: by population that is read by its potential, its mean current a tick, (samples, *shape).
        rates: by population, spikes a tick, (samples, *shape); empty where weights are not rounded by them.
    """

    currents: Mapping[str, Array]
    answers: Mapping[str, Array]
    rates: Mapping[str, Array]


def _observed(graph: Graph, context: Context, *, with_rates: bool) -> Seen:
    neurons = sum(int(np.prod(graph.shapes[node.name])) for node in graph.populations)
    count = int(np.clip(_OBSERVED_BYTES // (8 * neurons * _TICKS), 1, _SAMPLES))
    samples = Validation(samples=count).samples_from(graph, context.calibration, context.seed)
    trace = simulate(_read_plainly(graph), samples, _TICKS, record=("current",))
    largest = {name: np.abs(values).max(axis=(0, 1)) for name, values in trace.current.items()}
    answers = {
        output.inputs[0]: trace.outputs[output.name]
        for output in graph.outputs
        if isinstance(graph[output.inputs[0]].operator, Integrator)
    }
    return Seen(largest, answers, _rates(graph, context) if with_rates else {})


def _rates(graph: Graph, context: Context) -> Mapping[str, Array]:
    neurons = sum(int(np.prod(graph.shapes[node.name])) for node in graph.populations)
    count = int(np.clip(_OBSERVED_BYTES // (neurons * _RATE_TICKS), 1, _RATE_SAMPLES))
    samples = Validation(samples=count).samples_from(graph, context.calibration, context.seed)
    trace = simulate(graph, samples, _RATE_TICKS, record=("spikes",))
    return {name: spikes.mean(axis=1, dtype=np.float32) for name, spikes in trace.spikes.items()}


def _read_plainly(graph: Graph) -> Graph:
    """The graph with its answers in units of the populations' own potentials, where those are read."""
    edit = graph.edit()
    for output in graph.outputs:
        if isinstance(graph[output.inputs[0]].operator, Integrator):
            edit.set(output.name, operator=Output(Readout.POTENTIAL))
    return edit.done()


def _membrane(
    node: Node, shape: Shape, drive: Drive, observed: Seen, context: Context
) -> tuple[float, CompartmentMembrane]:
    """(current added to all neurons, what the neuron model asks for)."""
    model = node.operator
    if isinstance(model, Integrator):
        return _reading_membrane(node, shape, drive, observed, context)
    if not isinstance(model, IF | LIF | CurrentLIF):
        raise PassError(
            "P210",
            f"Loihi has no neurons of the model {type(model).__name__}",
            node=node.name,
            source=node.source,
            remedy="use IF, LIF or CurrentLIF neurons; for a max-pool gate, replace max-pooling exactly",
        )

    def spread(value: float | Array) -> Array:
        return np.broadcast_to(np.asarray(value, np.float64), shape)

    membrane = CompartmentMembrane(
        spread(model.threshold), spread(model.initial_voltage), spread(0.0), model.reset
    )
    if isinstance(model, LIF | CurrentLIF):
        membrane = replace(membrane, voltage_decay=shortest(spread(model.voltage_decay)))
    if isinstance(model, CurrentLIF):
        membrane = replace(
            membrane,
            bias=spread(model.bias),
            current_decay=shortest(spread(model.current_decay)),
            refractory=shortest(np.broadcast_to(np.asarray(model.refractory, np.int64), shape)),
        )
    if membrane.reset is Reset.SUBTRACT and membrane.remembers:
        raise PassError(
            "P212",
            "reset by subtraction on Loihi goes through the current and needs one without memory",
            node=node.name,
            source=node.source,
            remedy="reset to zero, or set current_decay to 1",
        )
    return 0.0, membrane


def _reading_membrane(
    node: Node, shape: Shape, drive: Drive, observed: Seen, context: Context
) -> tuple[float, CompartmentMembrane]:
    """That of an Integrator, read by its charge (case 4); a threshold is never less than the largest weight."""
    values = observed.answers.get(node.name, np.zeros(1))
    low, high = float(values.min()), float(values.max())
    margin = (0.5 if context.calibration is not None else 1.0) * max(high - low, 1e-6)
    lift = margin - low
    weights = [float(np.abs(weight_values(p.operator)).max(initial=0)) for p in drive.projections]
    threshold = np.full(shape, max(high + lift + margin, *weights, 1e-6))
    return lift, CompartmentMembrane(threshold, threshold / 2, np.full(shape, lift), Reset.SUBTRACT)


def _in_thresholds(node: Node, projection: Projection, threshold: Array) -> Operator:
    """A projection's operator with weights in thresholds of the population."""
    factors = pulled_back(1 / threshold, projection)
    scaled = None
    if factors is not None and isinstance(projection.operator, LinearMap):
        scaled = projection.operator.scaled_outputs(factors)
    if scaled is None:
        raise PassError(
            "P213",
            "its thresholds differ inside a channel, so its synapses cannot share weights",
            node=node.name,
            source=node.source,
            remedy="give one threshold a channel, or balance by channel or layer",
        )
    return scaled


def _by_neuron(operators: list[Operator], projections: tuple[Projection, ...], shape: Shape) -> Array:
    """The largest magnitude of the weights of each neuron, (*shape)."""
    largest = np.zeros(shape)
    for operator, projection in zip(operators, projections, strict=True):
        rows = np.append(_by_row(operator, projection.mid_shape).ravel(), 0.0)
        largest = np.maximum(largest, rows[projection.place_indices()].reshape(shape))
    return largest


def _by_row(operator: Operator, mid_shape: Shape) -> Array:
    """The largest magnitude of the weights of each of an operator's outputs."""
    weights = np.abs(weight_values(operator))
    if isinstance(operator, Conv):
        rows = weights.reshape(weights.shape[0], -1).max(axis=1)
        return np.broadcast_to(rows.reshape(-1, *(1,) * (len(mid_shape) - 1)), mid_shape)
    if isinstance(operator, Linear):
        return np.broadcast_to(weights.max(axis=1), mid_shape)
    if isinstance(operator, SparseLinear):
        sparse = np.zeros(int(np.prod(mid_shape)))
        np.maximum.at(sparse, operator.rows, weights)
        return sparse.reshape(mid_shape)
    return np.broadcast_to(weights, mid_shape)


def _channels(operators: list[Operator], projections: tuple[Projection, ...], shape: Shape) -> Sharing:
    """The neurons that can have one unit only, because they share weights."""
    parts = [Sharing(shape)]
    for operator, projection in zip(operators, projections, strict=True):
        own = operator.sharing(projection.mid_shape, Sharing(projection.in_shape))
        moved = projection.place is not None or projection.mid_shape != shape
        parts.append(own.picked(projection.place_indices(), shape) if moved else own)
    return joined(parts).by_channel()


def _by_channel(values: Array, channels: Sharing) -> Array:
    """The largest value of each channel, as an array that broadcasts to the population."""
    return np.asarray(channels.spread(channels.rows(values).max(axis=1)))


def _room(
    node: Node,
    membrane: CompartmentMembrane,
    largest: Array,
    channels: Sharing,
    observed: Seen,
    context: Context,
) -> Array:
    """Units that a threshold of each channel may be at most, so that sums do not wrap, as ``largest``.

    A tick's sum wraps beyond 2^15 units. The largest seen current is to stay below a half of that (a quarter
    without calibration samples), the largest weight below an eighth.
    """
    currents = observed.currents.get(node.name, np.zeros(membrane.threshold.shape))
    seen = _by_channel(currents / membrane.threshold, channels)
    share = 0.5 if context.calibration is not None else 0.25
    room = _SUM_UNITS * np.minimum(share / np.maximum(seen, 1e-3), 0.125 / np.maximum(largest, 1e-3))
    if room.min() < 128:
        context.report(
            Diagnostic(
                "W210",
                Severity.WARNING,
                f"inputs of a tick reach {float(seen.max()):.0f} thresholds, and the largest weight"
                f" {float(largest.max()):.0f}: synaptic sums may wrap, and weights are cut off",
                node=node.name,
                remedy="balance by layer (--per-layer), or give calibration data of the model's own kind",
            )
        )
    return np.asarray(room)


def _threshold_exponent(largest: float, room: float) -> int:
    """The exponent of the units that stand for a threshold; a threshold has 128 to 255 times two to it.

    Args:
        largest: largest weight in thresholds; it is to fill 8 bits.
        room: see ``_room``.
    """
    resolution = np.ceil(np.log2(127 / (max(largest, 1e-9) * 255)))
    finest = max(resolution, _USUAL_EXPONENT) if largest > 0 else 3
    return int(np.clip(min(finest, np.floor(np.log2(room / 255))), 0, _HIGHEST_EXPONENT))


def _gains(largest: Array, room: Array, most: int) -> Array:
    """How much finer each channel's units are: 1, 2 or 4, and no more than there is room for."""
    top = largest.max(initial=0.0)
    ratio = np.where(largest > 0, top / np.where(largest > 0, largest, 1), 1.0)
    return np.asarray(2.0 ** np.clip(np.floor(np.log2(np.minimum(ratio, room))), 0, most))


def _integer(operator: Operator, weights: Array) -> Operator:
    """The operator with weights in multiples of 64 of the potential, given flat."""
    return with_weight_values(operator, weights.reshape(weight_values(operator).shape) * UNIT)


def _host_current(
    edit: Edit,
    graph: Graph,
    node: Node,
    drive: Drive,
    membrane: CompartmentMembrane,
    units: IntegerUnits,
    samples: Samples,
) -> str:
    """Add the nodes behind what the host computes (cases 5 and 6); returns the name of the last."""
    through = np.zeros(()) if drive.bias is None else drive.bias
    shape = graph.shapes[node.name]
    host_values = evaluate_nodes(graph, samples, drive.host, STEADY_PRODUCT)
    value = sum((host_values[name] for name in drive.host), start=np.zeros(shape))
    value = (value + through) / membrane.current_decay + membrane.bias
    largest, threshold = float(np.abs(value * units.scale).max()), float(units.threshold.min())
    needed = 1.25 * largest if largest > threshold else 0.999 * threshold
    exponent = int(np.clip(np.ceil(np.log2(needed / LOIHI.bias_mantissa)), 0, LOIHI.bias_exponent))
    name = drive.host[0] if drive.host else _nothing(edit, graph, node)
    if len(drive.host) > 1:
        name = edit.add(f"{node.name}.host", Add(), *drive.host)
    if through.any():
        name = edit.add(f"{node.name}.bias", Bias(through), name)
    if membrane.remembers:
        name = edit.add(f"{node.name}.filtered", LowPass(membrane.current_decay), name)
    if membrane.bias.any():
        name = edit.add(f"{node.name}.drive", Bias(shortest(membrane.bias)), name)
    return edit.add(f"{node.name}.current", QuantiseCurrent(units.scale, exponent, LOIHI.bias_mantissa), name)


def _host_share(graph: Graph, node: Node, drive: Drive) -> Diagnostic:
    """What the host does for a population that it drives."""
    before = nx.ancestors(graph.digraph, node.name) & host_nodes(graph) if drive.host else set()
    maps = [layer.name for layer in graph.of_type(Conv, Linear, SparseLinear) if layer.name in before]
    what = f"{', '.join(maps)} computed by the host" if maps else "its input neurons are on the chip"
    return Diagnostic(
        "N210", Severity.NOTE, f"driven by a bias current from the samples; {what}", node=node.name
    )


def _nothing(edit: Edit, graph: Graph, node: Node) -> str:
    """A node of zeros, of the population's shape, that the host has."""
    source = graph.inputs[0]
    nowhere = Gather(np.full(graph.shapes[node.name], -1, np.int64), graph.shapes[source.name])
    return edit.add(f"{node.name}.nothing", nowhere, source.name)


def _compartment(
    membrane: CompartmentMembrane, units: IntegerUnits, bias: Array, *, driven: bool
) -> LoihiCompartment:
    """The neuron with its registers: a threshold one step less (case 3), decays and bounds."""
    subtract = membrane.reset is Reset.SUBTRACT
    initial = np.rint(membrane.initial_voltage * units.scale).astype(np.int64)
    charge = units.threshold
    if _leaks_what_it_owes(membrane):
        charge = charge_on_grid(units.threshold * (1 - membrane.voltage_decay))
    return LoihiCompartment(
        threshold=shortest(units.threshold - UNIT),
        reset=membrane.reset,
        reset_charge=shortest(charge) if subtract else None,
        current_decay=_decay_register(membrane.current_decay, 1),
        voltage_decay=_decay_register(membrane.voltage_decay, 0),
        bias=shortest(bias_on_grid(np.asarray(bias * units.scale))),
        refractory=membrane.refractory,
        v_max=SUBTRACT_V_MAX if subtract else 2**23 - 1,
        initial_voltage=shortest(initial),
        driven=driven,
    )


def _decay_register(share: float | Array, least: int) -> Array:
    """The register of a decay of 12 bits, from ``least`` to ``least + 4095``."""
    register = np.rint(DECAY_UNIT * np.asarray(share)).astype(np.int64)
    return np.asarray(np.clip(register, least, least + DECAY_UNIT - 1))


def _leaks_what_it_owes(membrane: CompartmentMembrane) -> bool:
    """Whether the potential decays before the inhibition of a spike has come back: less is subtracted then.

    All neurons subtract the same, so that one synapse format holds it.
    """
    return membrane.reset is Reset.SUBTRACT and bool(np.any(np.asarray(membrane.voltage_decay) > 0))
