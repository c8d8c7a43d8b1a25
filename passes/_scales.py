"""The choice of every activation's scale, which weight and threshold balancing share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from snnc.choices import BalancingMethod
from snnc.errors import Diagnostic, Severity
from snnc.fields import option
from snnc.graph.evaluate import evaluate_nodes
from snnc.graph.graph import Graph
from snnc.graph.node import Node
from snnc.graph.operators import Activation, Input, LinearMap
from snnc.graph.operators.activation import Rectifier
from snnc.graph.operators.base import Array
from snnc.graph.operators.sharing import Sharing
from snnc.graph.order_free import STEADY_PRODUCT
from snnc.graph.samples import Samples
from snnc.pipeline import Context, Pass

from ._bounds import propagate_bounds
from ._checks import require_ann, require_normal_clips
from ._histogram import Histogram
from ._synthetic import dead_leaves

_BATCH_BYTES = 64 * 2**20
_SYNTHETIC_SAMPLES = 96
_LEAST_SHARE, _LEAST_SYNTHETIC_SHARE = 1 / 32, 0.5


@dataclass(frozen=True)
class Balancing(Pass):
    """Options and choice of scales; its subclasses apply them.

    The scale of an activation is the value that a neuron firing at every tick stands for.

    1. ``model`` (Diehl 2015, model-based): the largest sum of positive weights times what the neurons before
       can stand for, positive bias included, over the neurons of the layer; by interval arithmetic, so that
       sums, concatenations and pooling work alike. Needs no data; the input's range is that of the
       calibration samples, else 0 to 1.
    2. ``data`` (Diehl 2015, data-based): the larger of the layer's largest weight and its largest activation.
    3. ``percentile`` (Rueckauer 2017): the percentile of the activations that are not zero, biases included.
    4. ``ticks``: the scale that loses least when a rate is clipped and rounded to a whole number of spikes in
       ``ticks`` ticks, argmin over s of E[(a - (s/T) clip(floor(a T/s + 1/2), 0, T))^2] (the activation of Bu
       2022, fitted to the distribution of each channel instead of trained).
    5. ``synthetic``: no data; as ``percentile``, on images of opaque shapes with values from 0 to 1. With
       ``per_channel`` a scale is at least half the layer's largest, since such images may miss what drives a channel.
    6. ``auto``: ``ticks`` where there are calibration samples, else ``synthetic``. Without samples, the methods
       that need them fall back to that with warning W102.
    7. The scale of a Clip is at most its upper bound, so a clipped activation saturates as in the ANN.
    8. A channel is what shares weights: the first axis behind a convolution, the last behind a Linear over several
       axes, wherever reshapes and transposes have put them. With ``per_channel`` a scale is at least 1/32 of the
       layer's largest: a channel that hardly ever fires would ask for weights of many thresholds.
    9. A channel that never fires gets the scale of its layer, a layer that never fires the scale 1, with note
       N101.

    Attributes:
        method: see above.
        percentile: of the non-zero activations, above 0 to 100.
        per_channel: one scale a channel (a neuron, in a fully connected layer) instead of one a layer.
        ticks: run length that ``ticks`` fits to; longer runs stay as good, shorter ones round more.
    """

    method: BalancingMethod = BalancingMethod.AUTO
    percentile: float = option(99.9, "Of the activations that are not zero.", above=0, most=100)
    per_channel: bool = False
    ticks: int = option(64, "Length of the runs that the method ticks fits to.", least=1)

    def outline(self, graph: Graph, context: Context) -> Graph:
        """The graph as it is: scales are values."""
        return graph

    def scales(self, graph: Graph, context: Context) -> Mapping[str, Array]:
        """For every Relu and Clip its scale, () or (channels, 1, ...) float32, positive."""
        require_ann(self, graph)
        require_normal_clips(self, graph)
        method = self._settled(context)
        if method is BalancingMethod.MODEL:
            return self._of_model(graph, context)
        if method is BalancingMethod.SYNTHETIC:
            images = {
                node.name: dead_leaves(graph.shapes[node.name], _SYNTHETIC_SAMPLES, context.seed)
                for node in graph.inputs
            }
            return self._of_data(graph, Samples(images), method, context)
        samples = context.samples(graph)
        assert samples is not None
        return self._of_data(graph, samples, method, context)

    def _settled(self, context: Context) -> BalancingMethod:
        """The method that ``auto`` stands for, and what methods fall back to without samples (case 6)."""
        if context.calibration is not None and len(context.calibration):
            return BalancingMethod.TICKS if self.method is BalancingMethod.AUTO else self.method
        if self.method in (BalancingMethod.DATA, BalancingMethod.PERCENTILE, BalancingMethod.TICKS):
            _report_fallback(self, context)
        elif self.method is BalancingMethod.AUTO:
            context.report(
                Diagnostic(
                    "N104",
                    Severity.NOTE,
                    "scales were chosen on synthetic images with values from 0 to 1",
                    remedy="some hundred calibration samples would give more accurate rates in few ticks",
                )
            )
        return BalancingMethod.MODEL if self.method is BalancingMethod.MODEL else BalancingMethod.SYNTHETIC

    def _of_model(self, graph: Graph, context: Context) -> Mapping[str, Array]:
        """Scales from the weights alone, by bounds of what each layer can reach (case 1)."""
        scales: dict[str, Array] = {}

        def firing(node: Node, highest: Array) -> Array:
            channels = _channels(graph, node)
            largest = channels.rows(highest).max(axis=1)
            scales[node.name] = self._shaped(node, channels, np.maximum(largest, 0), context)
            return scales[node.name]

        propagate_bounds(graph, *input_range(graph, context), firing)
        return scales

    def _of_data(
        self, graph: Graph, samples: Samples, method: BalancingMethod, context: Context
    ) -> Mapping[str, Array]:
        """Scales from the activations that samples or images cause (cases 2 to 5)."""
        result = {}
        for name, histogram in observe(graph, samples, context, self.per_channel).items():
            node = graph[name]
            if method is BalancingMethod.DATA:
                channels = np.maximum(histogram.largest, _largest_weight(graph, node))
            elif method is BalancingMethod.TICKS:
                channels = histogram.best_for_ticks(self.ticks)
            else:
                channels = histogram.percentile(self.percentile)
            share = _LEAST_SYNTHETIC_SHARE if method is BalancingMethod.SYNTHETIC else _LEAST_SHARE
            channels = np.where(channels > 0, np.maximum(channels, share * channels.max()), channels)
            result[name] = self._shaped(node, _channels(graph, node), channels, context)
        return result

    def _shaped(self, node: Node, sharing: Sharing, channels: Array, context: Context) -> Array:
        """Scales in a shape that broadcasts, at most a Clip's bound; silent channels have their layer's (7, 9)."""
        layer = float(channels.max()) or 1.0
        silent = int((channels <= 0).sum())
        if silent:
            of = f"{silent} of {len(channels)} channels" if len(channels) > 1 else "the layer"
            context.report(
                Diagnostic(
                    "N101",
                    Severity.NOTE,
                    f"{of} never fired while scales were chosen: scale {layer:.4g} was taken",
                    node=node.name,
                )
            )
        scale = np.where(channels > 0, channels, layer)
        scale = sharing.spread(scale) if self.per_channel else np.array(layer)
        assert isinstance(node.operator, Rectifier)
        return np.asarray(np.minimum(scale, node.operator.high), np.float32)


def observe(graph: Graph, samples: Samples, context: Context, per_channel: bool) -> Mapping[str, Histogram]:
    """The distribution of every Relu and Clip over the samples, one row a channel (see ``Sharing``) or one in all."""
    nodes = graph.of_type(Rectifier)
    channels = {node.name: _channels(graph, node) for node in nodes}
    histograms = {name: Histogram(own.count if per_channel else 1) for name, own in channels.items()}
    done = 0
    for part in sample_batches(graph, samples):
        for name, values in evaluate_nodes(graph, part, list(histograms), STEADY_PRODUCT).items():
            histograms[name].add(channels[name].rows(values) if per_channel else values.reshape(1, -1))
        done += len(part)
        context.progress("observing activations", done, len(samples))
    return histograms


def _channels(graph: Graph, node: Node) -> Sharing:
    """The elements of an activation that have one scale: those whose weights in front of it are shared."""
    return graph.sharing[node.inputs[0]].by_channel()


def sample_batches(graph: Graph, samples: Samples) -> Iterator[Samples]:
    """The samples as float32, in batches whose values fit into a fixed amount of memory."""
    values = sum(int(np.prod(shape)) for shape in graph.shapes.values())
    size = int(np.clip(_BATCH_BYTES // (4 * values), 1, 64))
    for start in range(0, len(samples), size):
        yield samples[start : start + size].astype(np.float32)


def input_range(graph: Graph, context: Context) -> tuple[float, float]:
    """(smallest, largest) value of the calibration samples over all inputs, 0 to 1 without any."""
    samples = context.samples(graph)
    if samples is None:
        return 0.0, 1.0
    arrays = samples.arrays.values()
    return min(float(array.min()) for array in arrays), max(float(array.max()) for array in arrays)


def _report_fallback(step: Balancing, context: Context) -> None:
    context.report(
        Diagnostic(
            "W102",
            Severity.WARNING,
            f"{step.name}: method {step.method.value} needs calibration samples; scales were chosen on synthetic"
            " images with values from 0 to 1",
            remedy="give calibration samples",
        )
    )


def _largest_weight(graph: Graph, node: Node) -> float:
    """Largest weight of the maps between an activation and those before it."""
    pending, seen, largest = list(node.inputs), set[str](), 0.0
    while pending:
        name = pending.pop()
        operator = graph[name].operator
        if name in seen or isinstance(operator, Activation | Input):
            continue
        seen.add(name)
        pending += graph[name].inputs
        if isinstance(operator, LinearMap) and operator.has_weights:
            largest = max(
                largest,
                *(float(np.max(getattr(operator, name), initial=0.0)) for name in operator.multipliers),
            )
    return largest
