"""Translation validation: what a pass did to the outputs for a few samples, and for more where a doubt remains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .errors import PassError
from .graph.evaluate import evaluate_nodes
from .graph.graph import Graph
from .graph.linear_parts import LinearParts
from .graph.operators.base import Array
from .graph.samples import Data, Samples

if TYPE_CHECKING:
    from .simulate.state import RunState

_VALUES = 400_000
"""Neurons times samples that a validation runs, about."""

FIRST_SAMPLES, FIRST_TICKS = 2, 16
"""What a pass is validated on first."""

_WORK = 50_000_000
"""Neurons times samples times ticks beyond which a changed decision alone lengthens no validation."""

_DOUBT, _MOST_DOUBT = 8, 1e-2
"""How many times the networks' own error in float32 a pass may change them, and the largest such error."""

_SUMS_TOLERANCE = 1e-4
"""Relative error of sums of synapses that rounding to float32 may leave."""


@dataclass(frozen=True)
class Validation:
    """How passes are validated.

    A pass is looked at on the first ``FIRST_SAMPLES`` samples and ``FIRST_TICKS`` ticks. As long as a doubt remains,
    because its error is beyond its tolerance or a decision has changed, it is looked at on all samples, and then on
    twice as many ticks, until all are run.

    Attributes:
        samples: number of samples, at most.
        ticks: length of a spiking run, at most.
    """

    samples: int = 8
    ticks: int = 64

    @staticmethod
    def suited_to(graph: Graph, ticks: int) -> Validation:
        """As many samples, 2 to 8, as keep validation to seconds for a graph of this size."""
        return Validation(int(np.clip(_VALUES // max(_values(graph), 1), FIRST_SAMPLES, 8)), ticks)

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


@dataclass(frozen=True)
class Compared:
    """What a pass did to the outputs, as far as was looked.

    Attributes:
        error, agreement: see ``difference``; of the worst of several outputs.
        samples: that it was looked at on.
        ticks: the same; None where neither graph spikes.
    """

    error: float
    agreement: float
    samples: int
    ticks: int | None


class Comparison:
    """Compares the graphs of a pipeline on some samples, each with the one before it, see ``Validation``.

    Every graph is run once, and only as far as it is looked at. Where one side ends in a decision (softmax, arg-max)
    that the other no longer has, both are compared before it.
    """

    def __init__(self, samples: Samples, ticks: int) -> None:
        self.samples, self.ticks = samples, ticks
        self._last: tuple[Graph, _Answers] | None = None

    def __call__(self, before: Graph, after: Graph, tolerance: float) -> Compared:
        """The outputs' relative error and arg-max agreement; ``tolerance`` is the error that leaves no doubt."""
        reference, result = self._answers(before), self._answers(after)
        self._last = (after, result)
        spiking = not (before.is_ann and after.is_ann)
        neurons = max(_values(before), _values(after))
        for samples, ticks in self._looks(spiking):
            error, agreement = worst_difference(reference.after(samples, ticks), result.after(samples, ticks))
            small = neurons * samples * ticks <= _WORK
            if error <= tolerance and (agreement == 1.0 or not small):
                break
        return Compared(error, agreement, samples, ticks if spiking else None)

    def _looks(self, spiking: bool) -> Iterator[tuple[int, int]]:
        """Numbers of samples and ticks, the first looks first."""
        samples, ticks = len(self.samples), min(FIRST_TICKS, self.ticks)
        if samples > FIRST_SAMPLES:
            yield FIRST_SAMPLES, ticks
        yield samples, ticks
        while spiking and ticks < self.ticks:
            ticks = min(2 * ticks, self.ticks)
            yield samples, ticks

    def _answers(self, graph: Graph) -> _Answers:
        if self._last is not None and self._last[0] is graph:
            return self._last[1]
        return _Answers(without_decision(graph), self.samples)


class _Answers:
    """What a graph answers, run no further than it was asked for: a spiking run goes on where it stood."""

    def __init__(self, graph: Graph, samples: Samples) -> None:
        groups = (samples[:FIRST_SAMPLES], samples[FIRST_SAMPLES:])
        self._groups = [
            _Group(graph, group, at) for group, at in zip(groups, (0, FIRST_SAMPLES), strict=True)
        ]

    def after(self, samples: int, ticks: int) -> Mapping[str, Array]:
        """Decoded outputs of the first ``FIRST_SAMPLES`` or of all samples, by the Output's name."""
        used = self._groups[: 1 if samples <= FIRST_SAMPLES else 2]
        parts = [group.after(ticks) for group in used]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class _Group:
    """The answers of a graph to some of the samples."""

    def __init__(self, graph: Graph, samples: Samples, first_sample: int) -> None:
        self.graph, self.samples, self.first_sample = graph, samples, first_sample
        self._known: dict[int, Mapping[str, Array]] = {}
        self._state: RunState | None = None

    def after(self, ticks: int) -> Mapping[str, Array]:
        """Decoded outputs after so many ticks."""
        shown = 0 if self.graph.is_ann else ticks
        if shown not in self._known:
            self._known[shown] = self._run(shown) if shown else outputs_of(self.graph, self.samples, 1)
        return self._known[shown]

    def _run(self, ticks: int) -> Mapping[str, Array]:
        from .simulate import simulate

        begun = 0 if self._state is None else self._state.ticks
        shown = self.samples.between(self.graph, begun, ticks)
        trace = simulate(
            self.graph,
            shown,
            ticks - begun,
            first_sample=self.first_sample,
            state=self._state,
            keep_state=True,
        )
        self._state = trace.state
        return trace.outputs


def _values(graph: Graph) -> int:
    """Neurons of a graph, or numbers that its activations make."""
    return sum(int(np.prod(graph.shapes[node.name])) for node in (*graph.activations, *graph.populations))


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
        for earlier, later in ((was.linear, now.linear), (was.constant, now.constant)):
            apart = float(np.abs(earlier - later).max(initial=0))
            unlike = apart > _SUMS_TOLERANCE * float(np.abs(earlier).max(initial=0))
            # Terms that nearly cancel leave a sum much smaller than what was rounded.
            if unlike and apart > _SUMS_TOLERANCE * old.largest_sum([now.reader.name]):
                return now.reader.name
    return None
