"""Translation validation: what a pass did to the outputs for a few samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .errors import PassError
from .graph.evaluate import evaluate_nodes
from .graph.graph import Graph
from .graph.linear_parts import LinearParts
from .graph.operators.base import Array
from .graph.samples import Data, Samples

_VALUES = 400_000
"""Neurons times samples that a validation runs, about."""

_DOUBT, _MOST_DOUBT = 8, 1e-2
"""How many times the networks' own error in float32 a pass may change them, and the largest such error."""

_SUMS_TOLERANCE = 1e-4
"""Relative error of sums of synapses that rounding to float32 may leave."""


@dataclass(frozen=True)
class Validation:
    """How passes are validated.

    Attributes:
        samples: number of samples.
        ticks: length of a spiking run.
    """

    samples: int = 8
    ticks: int = 64

    @staticmethod
    def suited_to(graph: Graph, ticks: int) -> Validation:
        """As many samples, 2 to 8, as keep validation to seconds for a graph of this size."""
        values = sum(
            int(np.prod(graph.shapes[node.name])) for node in (*graph.activations, *graph.populations)
        )
        return Validation(int(np.clip(_VALUES // max(values, 1), 2, 8)), ticks)

    def samples_from(self, graph: Graph, calibration: Data | None, seed: int) -> Samples:
        """The first calibration samples, or seeded uniform ones in [0, 1) where there are none; float32."""
        if calibration is not None:
            return Samples.of(graph, calibration)[: self.samples].astype(np.float32)
        random = np.random.default_rng(seed)
        shapes = {node.name: graph.shapes[node.name] for node in graph.inputs}
        return Samples(
            {name: random.random((self.samples, *shape), np.float32) for name, shape in shapes.items()}
        )


def outputs_of(graph: Graph, samples: Data, ticks: int) -> Mapping[str, Array]:
    """Decoded outputs (samples, *output shape) float64 of a graph of any level, by the Output's name."""
    if graph.is_ann:
        names = [node.name for node in graph.outputs]
        values = evaluate_nodes(graph, samples, names)
        return {name: np.asarray(values[name], np.float64) for name in names}
    from .simulate import simulate

    return simulate(graph, samples, ticks).outputs


class Comparison:
    """Compares the graphs of a pipeline on some samples, each with the one before it; every graph is run once.

    Where one side ends in a decision (softmax, arg-max) that the other no longer has, both are compared before it.
    """

    def __init__(self, samples: Samples, ticks: int) -> None:
        self.samples, self.ticks = samples, ticks
        self._last: tuple[Graph, Mapping[str, Array]] | None = None

    def __call__(self, before: Graph, after: Graph) -> tuple[float, float]:
        """(relative error, arg-max agreement) of the outputs, see ``difference``; of the worst of several."""
        reference, result = self._outputs(before), self._outputs(after)
        self._last = (after, result)
        return worst_difference(reference, result)

    def _outputs(self, graph: Graph) -> Mapping[str, Array]:
        if self._last is not None and self._last[0] is graph:
            return self._last[1]
        return outputs_of(without_decision(graph), self.samples, self.ticks)


def worst_difference(reference: Mapping[str, Array], result: Mapping[str, Array]) -> tuple[float, float]:
    """The largest relative error and the least agreement of outputs by name, see ``difference``.

    Raises:
        PassError P003: the outputs have not the same names.
    """
    if set(reference) != set(result):
        raise PassError(
            "P003",
            f"a pass changed the outputs: {', '.join(reference)} became {', '.join(result)}",
            remedy="this is a defect of the pass: report it with the model, or leave the pass out by --passes",
        )
    pairs = [difference(values, result[name]) for name, values in reference.items()]
    return max(error for error, _ in pairs), min(agreement for _, agreement in pairs)


def difference(reference: Array, result: Array) -> tuple[float, float]:
    """(relative error, arg-max agreement) of outputs (samples, ...).

    The relative error is the largest absolute difference divided by the largest absolute reference.
    """
    samples = len(reference)
    largest = float(np.abs(reference).max()) or 1.0
    flat, other = reference.reshape(samples, -1), result.reshape(samples, -1)
    agreement = float(np.mean(flat.argmax(axis=1) == other.argmax(axis=1)))
    return float(np.abs(flat - other).max()) / largest, agreement


def are_values(answers: Array) -> bool:
    """Whether answers (samples, ...) say something by their values, not by which of them is the largest.

    They are one number a sample, or the largest is the same one in every sample.
    """
    flat = answers.reshape(len(answers), -1)
    return flat.shape[1] < 2 or len(np.unique(flat.argmax(axis=1))) < 2


def share_of_range(reference: Array, result: Array) -> float:
    """The largest difference of outputs (samples, ...), each output's relative to the range of its reference.

    An output without range counts by the largest of the others'; inf where none has one but something differs.
    """
    flat, other = (values.reshape(len(values), -1) for values in (reference, result))
    ranges = np.ptp(flat, axis=0)
    ranges = np.where(ranges > 0, ranges, ranges.max(initial=0.0))
    apart = np.abs(flat - other).max(axis=0, initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(apart > 0, apart / ranges, 0.0).max(initial=0.0))


def without_decision(graph: Graph) -> Graph:
    """The graph whose outputs are the logits: softmax, log-softmax and arg-max at the end taken out."""
    edit = graph.edit()
    for node in graph.decisions:
        edit.bypass(node.name)
    return edit.done() if graph.decisions else graph


def is_rounding(before: Graph, after: Graph, samples: Samples, error: float, tolerance: float) -> bool:
    """Whether an error between two ANN is one of float32: gone in float64, or as large as one of them has by itself.

    Samples around 1,000 that vary by 1, say, leave few digits to a layer into which their normalisation is folded.
    """
    if not (before.is_ann and after.is_ann):
        return False
    graphs = [without_decision(graph) for graph in (before, after)]
    old, new = (outputs_of(graph, samples.astype(np.float64), 1) for graph in graphs)
    if {name: values.shape for name, values in old.items()} != {
        name: values.shape for name, values in new.items()
    }:
        return False
    own = max(
        worst_difference(wide, outputs_of(graph, samples, 1))[0]
        for wide, graph in zip((old, new), graphs, strict=True)
    )
    return worst_difference(old, new)[0] <= tolerance or (own <= _MOST_DOUBT and error <= _DOUBT * own)


def first_difference(before: Graph, after: Graph, samples: Data, tolerance: float) -> str | None:
    """The first node, in dataflow order, that both ANN graphs have and that differs beyond the tolerance."""
    if not (before.is_ann and after.is_ann):
        return None
    common = [node.name for node in after.ordered if node.name in before]
    old, new = evaluate_nodes(before, samples, common), evaluate_nodes(after, samples, common)
    for name in common:
        if old[name].shape != new[name].shape:
            return name
        largest = float(np.abs(old[name]).max()) or 1.0
        if float(np.abs(old[name] - new[name]).max()) > tolerance * largest:
            return name
    return None


def differing_sum(before: Graph, after: Graph, seed: int) -> str | None:
    """The first population, in dataflow order, at which the same spikes add up to something else in two graphs.

    Spikes are seeded random numbers, and each operator says itself what it makes of them. Populations that hear one
    which only one of the graphs has are passed.
    """
    old, new = LinearParts(before), LinearParts(after)
    names = [
        node.name
        for node in after.populations
        if node.name in before and old.sources(node.name) == new.sources(node.name)
    ]

    def numbers(source: str, age: int) -> Array:
        size = int(np.prod(after.shapes[source]))
        return np.random.default_rng([seed, age, *source.encode()]).normal(size=(1, size))

    for was, now in zip(old.sums(names, numbers), new.sums(names, numbers), strict=True):
        for one, other in ((was.linear, now.linear), (was.constant, now.constant)):
            apart = float(np.abs(one - other).max(initial=0))
            unlike = apart > _SUMS_TOLERANCE * float(np.abs(one).max(initial=0))
            # Terms that nearly cancel leave a sum much smaller than what was rounded.
            if unlike and apart > _SUMS_TOLERANCE * old.largest_sum([now.reader.name]):
                return now.reader.name
    return None
