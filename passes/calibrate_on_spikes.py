"""Calibrates a converted network layer by layer on the spikes that the layers before really send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snnc.choices import Reset
from snnc.fields import option
from snnc.graph.evaluate import evaluate_nodes
from snnc.graph.graph import Edit, Graph
from snnc.graph.neurons import IF, Integrator
from snnc.graph.node import Node
from snnc.graph.operators import Add, Bias, Conv, Linear, LinearMap, Output, Scale
from snnc.graph.operators.activation import Rectifier
from snnc.graph.operators.base import Array, Level
from snnc.graph.operators.sharing import Sharing
from snnc.graph.projections import host_nodes
from snnc.graph.samples import Samples
from snnc.pipeline import Context, Guarantee, Pass
from snnc.stages import MAPS_MERGED, Form, Need

from ._checks import require_snn
from ._layerwise import SpikeTrains, readers_to_come
from ._least_squares import corrected, sampled_inputs
from ._rate_fit import fit_rates
from ._scales import sample_batches

_PRODUCTS = 6 * 10**11
"""Products of all ticks and samples, about, that bound the time."""

_LEAST_SAMPLES = 8

_CURRENTS = 2**24
"""Input currents of all ticks and samples that a choice looks at."""

_MOST_POSITIONS = 64


@dataclass(frozen=True)
class CalibrateOnSpikes(Pass):
    """Choose thresholds, initial potentials, biases and weights anew, in dataflow order, on calibration samples.

    1. Each population that stands for a rectifier of the ANN sees what the populations before it, calibrated
       already, fire for the samples in ``ticks`` ticks.
    2. The weights in front of it get the ridge regression of what its sums lack (the ANN's less the mean
       current), a channel only where samples that the regression has not seen come closer.
    3. Of some thresholds and initial potentials it takes, channel by channel, those of least squared error of the
       decoded rate against the ANN's activation; then the mean error that is left becomes a bias (Li 2021) where
       that makes the squared error smaller.
    4. The population that is read by its potential gets corrected weights only.
    5. Populations that stand for nothing in the ANN (input neurons, gates) or reset to zero stay, and so does a
       network with cycles and any network without calibration samples or without an ANN it came from.
    6. A network too large for all samples in a bounded time is calibrated on the first of them.

    Attributes:
        ticks: length of the runs.
        weights: whether weights are corrected, too.
    """

    ticks: int = option(64, "Length of the runs that are calibrated for.", least=1)
    weights: bool = option(True, "Weights are corrected by least squares, too.")

    name: ClassVar[str] = "calibrate-on-spikes"
    guarantee: ClassVar[Guarantee] = Guarantee.RATES
    tolerance: ClassVar[float] = 0.25
    compared_with_ann: ClassVar[bool] = True
    requires: ClassVar[tuple[Need, ...]] = (Level.SNN,)
    undoes: ClassVar[tuple[Form, ...]] = (MAPS_MERGED,)

    def outline(self, graph: Graph, context: Context) -> Graph:
        """The graph as it is: what is chosen are values."""
        return graph

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The calibrated graph."""
        require_snn(self, graph)
        samples = context.samples(graph)
        cyclic = any(map(graph.is_recurrent, graph.components))
        if samples is None or context.ann is None or cyclic or samples.moving(graph):
            return graph
        layers = {layer.name: layer for layer in _layers(graph, context.ann)}
        if not layers:
            return graph
        kept = samples[: _affordable(graph, self.ticks)].astype(np.float32)
        run = _Calibration(self, context.ann, kept, layers)
        done: dict[str, None] = {}
        for number, node in enumerate(graph.populations):
            context.progress("calibrating on spikes", number, len(graph.populations))
            graph = run.calibrated(graph, node.name)
            done[node.name] = None
            run.trains.keep(readers_to_come(graph, done))
        context.progress("calibrating on spikes", len(done), len(done))
        return graph


@dataclass(frozen=True, eq=False)
class _Layer:
    """A population that stands for something in the ANN.

    Attributes:
        name: of the population.
        sums: node of the ANN whose value its input current has.
        values: node of the ANN that it stands for.
        channels: its neurons that share weights.
        elements: (channels, positions) flat indices of the neurons that are looked at.
    """

    name: str
    sums: str
    values: str
    channels: Sharing
    elements: Array

    @property
    def positions(self) -> Array | None:
        """The positions of the space that are looked at; None where channels are not the first axis."""
        if self.channels.axis != 0:
            return None
        space = int(np.prod(self.channels.shape[1:]))
        return np.asarray(self.elements[0] % space)


@dataclass(eq=False)
class _Calibration:
    """A calibration on its way through a network."""

    step: CalibrateOnSpikes
    ann: Graph
    samples: Samples
    layers: Mapping[str, _Layer]

    def __post_init__(self) -> None:
        self.trains = SpikeTrains(self.samples, self.step.ticks)
        self.ann_values = self._observe()

    def _observe(self) -> dict[tuple[str, str], Array]:
        """By layer and node of the ANN, its value at the layer's elements, (samples, channels, positions)."""
        names = {name for layer in self.layers.values() for name in (layer.sums, layer.values)}
        parts: dict[tuple[str, str], list[Array]] = {}
        for part in sample_batches(self.ann, self.samples):
            values = evaluate_nodes(self.ann, part, names)
            for layer in self.layers.values():
                for name in {layer.sums, layer.values}:
                    flat = values[name].reshape(len(part), -1)
                    parts.setdefault((layer.name, name), []).append(flat[:, layer.elements])
        return {key: np.concatenate(part) for key, part in parts.items()}

    def calibrated(self, graph: Graph, name: str) -> Graph:
        """The graph with a population calibrated, whose spikes are kept then."""
        layer = self.layers.get(name)
        if layer is not None:
            if self.step.weights:
                graph = self._with_weights(graph, layer)
            if isinstance(graph[name].operator, IF):
                graph = self._with_rates(graph, layer)
        self.trains.fire(graph, name)
        return graph

    def _with_weights(self, graph: Graph, layer: _Layer) -> Graph:
        """The graph with the weights of a layer fitted by least squares to the rates that arrive."""
        positions = layer.positions
        maps = [] if positions is None else _weighted_maps(graph, graph[layer.name])
        if positions is None or not maps:
            return graph
        edit = graph.edit()
        sums = self._mean(graph, graph[layer.name].inputs[0])
        ann_values = self.ann_values[layer.name, layer.sums]
        have = sums.reshape(len(sums), -1)[:, layer.elements]
        for node in maps:
            missing = np.where(
                (ann_values < 0) & (have < 0) & self._rectifies(graph, layer), 0, ann_values - have
            )
            assert isinstance(node.operator, LinearMap)
            inputs = sampled_inputs(node.operator, self._mean(graph, node.inputs[0]), positions)
            operator, added = corrected(node.operator, inputs, missing.transpose(0, 2, 1))
            have = have + added.transpose(0, 2, 1)
            edit.set(node.name, operator=operator)
        return edit.done()

    def _rectifies(self, graph: Graph, layer: _Layer) -> bool:
        return isinstance(graph[layer.name].operator, IF)

    def _mean(self, graph: Graph, name: str) -> Array:
        """(samples, *shape), the mean over the ticks of a map's value."""
        size = 32
        starts = range(0, len(self.samples), size)
        return np.concatenate(
            [self.trains.mean_values(graph, (name,), slice(start, start + size))[0] for start in starts]
        )

    def _with_rates(self, graph: Graph, layer: _Layer) -> Graph:
        """The graph with threshold, start and bias of each channel chosen by the least error of the rates."""
        neuron = graph[layer.name].operator
        assert isinstance(neuron, IF)
        channels = layer.channels
        before = np.broadcast_to(neuron.threshold, channels.shape)
        threshold = before.ravel()[layer.elements[:, 0]].astype(np.float32)
        alike = np.size(neuron.threshold) == 1
        ann_values = self.ann_values[layer.name, layer.values].transpose(1, 0, 2).reshape(len(threshold), -1)
        fit = fit_rates(self._currents(graph, layer), ann_values, threshold, alike=alike)
        factor = fit.factor[:1].reshape(()) if alike else channels.spread(fit.factor)
        return _with_fit(
            graph, layer.name, neuron, factor, channels.spread(fit.start), channels.spread(fit.bias)
        )

    def _currents(self, graph: Graph, layer: _Layer) -> Array:
        """(ticks, channels, samples times positions) float32, at the layer's elements."""
        parts = []
        for rows in self.trains.batches(graph, layer.name):
            current = self.trains.currents(graph, layer.name, rows)
            flat = current.reshape(*current.shape[:2], -1)[:, :, layer.elements]
            parts.append(np.broadcast_to(flat, (len(flat), self.step.ticks, *flat.shape[2:])))
        all_samples = np.concatenate(parts).transpose(1, 2, 0, 3)
        return np.ascontiguousarray(all_samples).reshape(*all_samples.shape[:2], -1)


def _with_fit(graph: Graph, name: str, neuron: IF, factor: Array, start: Array, bias: Array) -> Graph:
    """The graph with a population's threshold, initial potential and bias, and what its spikes stand for."""
    edit = graph.edit()
    threshold = np.asarray(neuron.threshold * factor, np.float32)
    calibrated = replace(neuron, threshold=threshold, initial_voltage=threshold * start)
    edit.set(name, operator=calibrated, role=None)
    for reader in edit.readers(name):
        operator = edit[reader].operator
        if isinstance(operator, Scale):
            edit.set(reader, operator=Scale(np.asarray(operator.factor * factor, np.float32)))
        elif isinstance(operator, Output):
            edit.set(reader, operator=replace(operator, scale=np.asarray(operator.scale * factor)))
    if bias.any():
        _add_bias(edit, name, bias)
    return edit.done()


def _add_bias(edit: Edit, name: str, bias: Array) -> None:
    node = edit[name]
    (source,) = node.inputs
    shifted = edit.add(f"{name}.calibrated", Bias(bias), source, sources=node.sources)
    edit.set(name, inputs=(shifted,))


def _layers(graph: Graph, ann: Graph) -> list[_Layer]:
    """The populations to be fitted, in dataflow order."""
    layers = []
    count = 0
    for node in graph.populations:
        operator = node.operator
        if len(node.inputs) != 1:
            continue
        if _stands_for_rectifier(graph, ann, node):
            sums, values = ann[node.name].inputs[0], node.name
        elif isinstance(operator, Integrator) and node.inputs[0] in ann:
            sums = values = node.inputs[0]
        else:
            continue
        channels = ann.sharing[sums].by_channel()
        if channels.shape != graph.shapes[node.name]:
            continue
        layers.append(_Layer(node.name, sums, values, channels, _elements(channels, count)))
        count += 1
    return layers


def _stands_for_rectifier(graph: Graph, ann: Graph, node: Node) -> bool:
    neuron = node.operator
    if not isinstance(neuron, IF) or neuron.reset is not Reset.SUBTRACT or node.name not in ann:
        return False
    readers = (graph[name].operator for name in graph.consumers[node.name])
    return isinstance(ann[node.name].operator, Rectifier) and all(
        isinstance(reader, Scale | Output) for reader in readers
    )


def _elements(channels: Sharing, number: int) -> Array:
    """Flat indices of some neurons of each channel, at random the same positions of all where that is possible."""
    random = np.random.default_rng(number)
    flat = np.arange(int(np.prod(channels.shape)), dtype=np.int64)
    if channels.axis is not None:
        rows = channels.rows(flat.reshape(channels.shape))
        size = min(_MOST_POSITIONS, rows.shape[1])
        return np.asarray(rows[:, np.sort(random.choice(rows.shape[1], size, replace=False))])
    labels = channels.written_out().ravel()
    groups = [np.flatnonzero(labels == label) for label in range(channels.count)]
    size = min(_MOST_POSITIONS, max(map(len, groups)))
    return np.stack([random.choice(group, size) for group in groups])


def _weighted_maps(graph: Graph, population: Node) -> list[Node]:
    """The maps whose outputs add up to a population's input, those fed by the host alone left out."""
    hosted = host_nodes(graph)
    waiting, linear_nodes = list(population.inputs), []
    while waiting:
        node = graph[waiting.pop()]
        if node.name in hosted or graph.consumers[node.name] == ():
            continue
        operator = node.operator
        if isinstance(operator, Add | Bias):
            waiting += node.inputs
        elif isinstance(operator, Conv) or (
            isinstance(operator, Linear) and len(graph.shapes[node.name]) == 1
        ):
            linear_nodes.append(node)
    return [node for node in linear_nodes if len(graph.consumers[node.name]) == 1]


def _affordable(graph: Graph, ticks: int) -> int:
    """How many samples the number of products that fitting may take allows."""
    products = 1
    for node in graph:
        operator = node.operator
        if isinstance(operator, LinearMap):
            weights = getattr(operator, "weight", None)
            fan_in = 1 if weights is None else weights[0].size
            products += fan_in * int(np.prod(graph.shapes[node.name]))
    return max(_LEAST_SAMPLES, _PRODUCTS // (products * ticks))
