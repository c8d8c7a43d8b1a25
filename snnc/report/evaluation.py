"""How accurate a compiled network is on data, next to its ANN, and what a sample costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snnc.errors import DataError, UsageError
from snnc.graph.evaluate import evaluate as evaluate_ann
from snnc.graph.operators.base import Array
from snnc.graph.samples import Data, Samples
from snnc.validation import without_decision

from .value_errors import ErrorSums, ValueErrors

if TYPE_CHECKING:
    from snnc.compiled import Compiled
    from snnc.simulate.costs import RunCosts
    from snnc.simulate.trace import Trace

SAMPLES_AT_ONCE = 125

_FIGURES = (
    *("energy_joules_per_sample", "latency_seconds_per_sample", "cost_set", "dynamic_joules_per_sample"),
    *("static_joules_per_sample", "energy_delay_joule_seconds", "throughput_samples_per_second"),
    *(
        "pipelined_samples_per_second",
        "pipelined_joules_per_sample",
        "static_joules_of_used_cores_per_sample",
    ),
    *("cycle_ns", "latency_cycles_per_sample"),
)
_GROUPS = ("energy_by_layer", "energy_by_core", "energy_by_event", "critical_elements")


@dataclass(frozen=True)
class Evaluation:
    """Figures over a data set.

    A decision is the index of the largest output; a network of one output makes none, and then nothing is
    said about accuracy and agreement, but about the errors of its values.

    Attributes:
        samples, ticks: how many samples, and for how many ticks each was presented.
        accuracy: share of the samples whose decision is the label; None without labels.
        ann_accuracy: the same of the ANN; None without labels or ANN.
        agreement: share of the samples whose decision equals the ANN's; None without ANN.
        accuracy_note: why there is no accuracy; None where there is one.
        errors: of the answers, from labels that are values; None without such labels.
        ann_errors: the same of the ANN; None without such labels or ANN.
        errors_to_ann: of the answers, from the ANN's; None without ANN.
        spikes_per_sample: spikes of all populations.
        synaptic_operations_per_sample: synapses that spikes went through; None where they are not counted.
        energy_joules_per_sample, latency_seconds_per_sample: when samples are presented one by one; these and all
            below down to the last two are None or empty where the target has no cost model.
        cost_set: name of the costs' set.
        dynamic_joules_per_sample, static_joules_per_sample: of events, and of chips that do nothing.
        energy_delay_joule_seconds: mean energy of a sample times its mean latency.
        throughput_samples_per_second: one by one.
        pipelined_samples_per_second: where each layer takes the next sample as soon as it is free, an estimate.
        pipelined_joules_per_sample: as ``energy_joules_per_sample``, with static power for that shorter time only.
        static_joules_of_used_cores_per_sample: the part of the static energy that falls to the cores in use, where all
            cores of a chip have the same; the other figures count whole chips.
        cycle_ns, latency_cycles_per_sample: a clock cycle, and the latency in cycles; None without a clock.
        energy_by_layer, energy_by_core, energy_by_event: dynamic joules a sample.
        critical_elements: share of the ticks that waited for an element, the ten largest.
        latency_ticks: ticks from the first presented tick to the answer, pipeline depth included.
        accuracy_by_tick: accuracy of the decision after 1, 2, ... presented ticks; empty without labels.
    """

    samples: int
    ticks: int
    accuracy: float | None
    ann_accuracy: float | None
    agreement: float | None
    accuracy_note: str | None
    errors: ValueErrors | None
    ann_errors: ValueErrors | None
    errors_to_ann: ValueErrors | None
    spikes_per_sample: float
    synaptic_operations_per_sample: float | None
    energy_joules_per_sample: float | None
    latency_seconds_per_sample: float | None
    cost_set: str | None
    dynamic_joules_per_sample: float | None
    static_joules_per_sample: float | None
    energy_delay_joule_seconds: float | None
    throughput_samples_per_second: float | None
    pipelined_samples_per_second: float | None
    pipelined_joules_per_sample: float | None
    static_joules_of_used_cores_per_sample: float | None
    cycle_ns: float | None
    latency_cycles_per_sample: float | None
    energy_by_layer: Mapping[str, float]
    energy_by_core: Mapping[str, float]
    energy_by_event: Mapping[str, float]
    critical_elements: Mapping[str, float]
    latency_ticks: int
    accuracy_by_tick: tuple[float, ...]


def evaluate(
    compiled: Compiled,
    x: Array,
    y: Array | None = None,
    ticks: int | None = None,
    threads: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    costs: str | Path | None = None,
    detailed: bool = False,
    stream: bool = False,
) -> Evaluation:
    """Run a data set on the simulated chip and compare with labels and the ANN.

    Args:
        compiled: the compiled network.
        x: (samples, *input shape), at least one sample.
        y: (samples,) class numbers, (samples, *output shape) values that the network should answer, or None.
        ticks: how long a sample is presented; what was compiled for if None.
        threads: of the simulator; all processors if None.
        progress: called with (stage, done, total).
        costs: name of a cost set or a TOML file; the target's default if None.
        detailed: time every tick by simulating its queues.
        stream: present a new sample every tick; all figures are those of the pipelined network, and ``ticks`` is 1.

    Raises:
        DataError: D101 or D102, the samples do not fit; D103, the labels do not.
        UsageError: U201 for fewer ticks than 1; U211, the network takes no stream; U212, a stream and several ticks;
            U401 to U409, the costs.
    """
    samples = x if isinstance(x, Samples) else np.atleast_1d(np.asarray(x))
    labels = _labels(compiled, y, len(samples))
    if stream:
        _require_one_tick(ticks)
        return _evaluate_stream(compiled, samples, labels, threads, progress, costs, detailed)
    wanted = compiled.options.ticks if ticks is None else ticks
    decisions, parts, run_costs = [], [], []
    compared = _Compared(compiled, labels)
    costed = compiled.has_costs or costs is not None or detailed
    for start in range(0, len(samples), SAMPLES_AT_ONCE):
        batch = samples[start : start + SAMPLES_AT_ONCE]
        if costed:
            found = compiled.run_with_costs(
                batch, wanted, costs, ("output",), threads, first_sample=start, detailed=detailed
            )
            trace = found.trace
            run_costs.append(found.costs)
        else:
            trace = compiled.run(batch, wanted, ("output",), threads, first_sample=start)
        decisions.append(_decisions_by_tick(trace))
        parts.append(_Costs.of(trace))
        compared.add(batch, trace.output, start)
        if progress is not None:
            progress("evaluate", start + len(batch), len(samples))
    events = _Costs.total(parts)
    figures = _cost_figures(run_costs, len(samples))
    return _figures(_joined(decisions), compared, events, wanted, len(samples), figures)


def _require_one_tick(ticks: int | None) -> None:
    if ticks not in (None, 1):
        raise UsageError(
            "U212",
            f"a stream has a new sample every tick, but {ticks} ticks a sample were asked for",
            remedy="leave one of the two out",
        )


def _evaluate_stream(
    compiled: Compiled,
    samples: Array,
    labels: Array | None,
    threads: int | None,
    progress: Callable[[str, int, int], None] | None,
    costs: str | Path | None,
    detailed: bool,
) -> Evaluation:
    """``evaluate`` with a new sample every tick; costs come from a second run, of ``sequences``."""
    found = compiled.stream(samples, threads, progress=progress)
    outputs = found.output.reshape(len(samples), -1)
    decisions = None if outputs.shape[1] < 2 else outputs.argmax(axis=1)[:, None]
    compared = _Compared(compiled, labels)
    for start in range(0, len(samples), SAMPLES_AT_ONCE):
        part = slice(start, start + SAMPLES_AT_ONCE)
        compared.add(samples[part], outputs[part], start)
    costed = compiled.has_costs or costs is not None or detailed
    run_costs = None
    if costed:
        x = sequences(samples, SAMPLES_AT_ONCE)
        run_costs = compiled.run_with_costs(x, x.shape[1], costs, threads=threads, detailed=detailed).costs
    operations = int(found.counts.synaptic_operations.sum())
    events = _Costs(sum(found.spike_counts.values()), operations, found.latency_ticks)
    figures = _stream_figures(run_costs, found.latency_ticks)
    return _figures(decisions, compared, events, 1, len(samples), figures)


def sequences(samples: Array, length: int) -> Array:
    """The samples as (sequences, ticks, *sample shape), up to ``length`` ticks each; a few may be left over."""
    count = -(-len(samples) // length)
    ticks = len(samples) // count
    return samples[: count * ticks].reshape(count, ticks, *samples.shape[1:])


def ann_answers(compiled: Compiled, x: Data) -> Array | None:
    """(samples, outputs) of the ANN, before its softmax or arg-max.

    None where there is no ANN, or where the samples have a tick axis.
    """
    if compiled.ann is None:
        return None
    samples = Samples.of(compiled.ann, x)
    if samples.moving(compiled.ann):
        return None
    return evaluate_ann(without_decision(compiled.ann), samples.astype(np.float32)).reshape(len(x), -1)


class _Compared:
    """Answers batch by batch beside the ANN's and the labels.

    Attributes:
        labels: class numbers (samples,), values (samples, outputs), or None.
        decisions: the ANN's, a batch each; None where it makes none.
        errors, ann_errors, errors_to_ann: see ``Evaluation``.
    """

    def __init__(self, compiled: Compiled, labels: Array | None) -> None:
        self._compiled = compiled
        self.labels = labels
        self.decisions: list[Array | None] = []
        self.errors, self.ann_errors, self.errors_to_ann = ErrorSums(), ErrorSums(), ErrorSums()

    @property
    def classes(self) -> Array | None:
        """Labels that are class numbers."""
        return self.labels if self.labels is not None and self.labels.ndim == 1 else None

    def add(self, batch: Array, answers: Array, start: int) -> None:
        """Take a batch of samples whose first has the number ``start``, and the chip's answers."""
        answers = answers.reshape(len(batch), -1)
        ann = ann_answers(self._compiled, batch)
        decides = ann is not None and ann.shape[1] > 1
        self.decisions.append(ann.argmax(axis=1) if ann is not None and decides else None)
        if ann is not None:
            self.errors_to_ann.add(answers, ann)
        if self.labels is None or self.classes is not None:
            return
        wanted = self.labels[start : start + len(batch)]
        self.errors.add(answers, wanted)
        if ann is not None:
            self.ann_errors.add(ann, wanted)

    def without_accuracy(self) -> str | None:
        """Why no accuracy can be given."""
        if self._compiled.classes < 2:
            return "no accuracy: the network answers one number and decides nothing; its errors are given instead"
        if self.labels is None:
            return "no accuracy: the data have no labels"
        return (
            None
            if self.classes is not None
            else "no accuracy: the labels are values; errors are given instead"
        )


@dataclass(frozen=True)
class _Costs:
    """What a batch took.

    Attributes:
        spikes: of all populations and samples.
        operations: synaptic operations, or None.
        latency_ticks: of one sample.
    """

    spikes: int
    operations: int | None
    latency_ticks: int

    @staticmethod
    def of(trace: Trace) -> _Costs:
        """The costs of a trace."""
        spikes = sum(int(counts.sum()) for counts in trace.spike_counts.values())
        operations = None if trace.counts is None else int(trace.counts.synaptic_operations.sum())
        return _Costs(spikes, operations, trace.latency_ticks)

    @staticmethod
    def total(parts: list[_Costs]) -> _Costs:
        """The sum over batches."""
        counted = [part.operations for part in parts if part.operations is not None]
        operations = sum(counted) if len(counted) == len(parts) else None
        return _Costs(sum(part.spikes for part in parts), operations, parts[0].latency_ticks)


def _decisions_by_tick(trace: Trace) -> Array | None:
    """(samples, ticks) index of the largest output after every tick, None for a network of one output."""
    assert trace.output_by_tick is not None
    outputs = trace.output_by_tick.reshape(*trace.output_by_tick.shape[:2], -1)
    return None if outputs.shape[2] < 2 else outputs.argmax(axis=2)


def _joined(parts: list[Array | None]) -> Array | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None


def _labels(compiled: Compiled, y: Array | None, samples: int) -> Array | None:
    """Class numbers (samples,), values (samples, outputs), or None."""
    if not samples:
        raise DataError("D102", "there are no samples to evaluate", remedy="give at least one sample")
    if y is None:
        return None
    labels, outputs = np.asarray(y), compiled.classes
    if labels.shape == (samples,) and outputs > 1:
        return labels
    if labels.shape[:1] == (samples,) and labels.size == samples * outputs:
        return labels.reshape(samples, outputs).astype(np.float64)
    raise DataError(
        "D103",
        f"labels of shape {labels.shape} do not fit {samples} samples",
        remedy="give one class number a sample, or the values that the network should answer",
    )


def _figures(
    by_tick: Array | None,
    compared: _Compared,
    costs: _Costs,
    ticks: int,
    samples: int,
    figures: Mapping[str, Any],
) -> Evaluation:
    curve: Sequence[float] = ()
    labels, ann = compared.classes, _joined(compared.decisions)
    if by_tick is not None and labels is not None:
        curve = (by_tick == labels[:, None]).mean(axis=0).tolist()
    return Evaluation(
        samples=samples,
        ticks=ticks,
        accuracy=curve[-1] if curve else None,
        ann_accuracy=float((ann == labels).mean()) if ann is not None and labels is not None else None,
        agreement=float((by_tick[:, -1] == ann).mean()) if by_tick is not None and ann is not None else None,
        accuracy_note=compared.without_accuracy(),
        errors=compared.errors.errors(),
        ann_errors=compared.ann_errors.errors(),
        errors_to_ann=compared.errors_to_ann.errors(),
        spikes_per_sample=costs.spikes / samples,
        synaptic_operations_per_sample=None if costs.operations is None else costs.operations / samples,
        **figures,
        latency_ticks=costs.latency_ticks,
        accuracy_by_tick=tuple(curve),
    )


def _rate(samples: int, seconds: Array) -> float | None:
    """Samples a second; None where a set gives no time to anything."""
    return float(samples / seconds.sum()) if seconds.sum() else None


def _cost_figures(parts: Sequence[RunCosts], samples: int) -> dict[str, Any]:
    """The fields of an evaluation that come from a cost model."""
    if not parts:
        return {name: {} if name in _GROUPS else None for name in (*_FIGURES, *_GROUPS)}
    from snnc.simulate.costs import join_costs

    found = join_costs(parts)
    dynamic, static, latency = found.dynamic_joules, found.static_joules, found.latency_seconds

    def each(joules: Mapping[str, float]) -> dict[str, float]:
        return {name: value / samples for name, value in joules.items()}

    ticks = sum(found.critical.values())
    largest = sorted(found.critical.items(), key=lambda item: (-item[1], item[0]))[:10]
    return {
        "energy_joules_per_sample": float((dynamic + static).mean()),
        "latency_seconds_per_sample": float(latency.mean()),
        "cost_set": found.cost_set,
        "dynamic_joules_per_sample": float(dynamic.mean()),
        "static_joules_per_sample": float(static.mean()),
        "energy_delay_joule_seconds": float((dynamic + static).mean() * latency.mean()),
        "throughput_samples_per_second": _rate(samples, latency),
        "pipelined_samples_per_second": _rate(samples, found.period_seconds),
        "pipelined_joules_per_sample": float((dynamic + found.static_watts * found.period_seconds).mean()),
        "static_joules_of_used_cores_per_sample": float(static.mean() * found.used_share),
        "cycle_ns": found.cycle_ns,
        "latency_cycles_per_sample": None if found.cycles is None else float(found.cycles.sum(axis=1).mean()),
        "energy_by_layer": each(found.joules_by_population()),
        "energy_by_core": each(found.joules_by_core()),
        "energy_by_event": each(found.joules_by_kind()),
        "critical_elements": {name: number / ticks for name, number in largest},
    }


def _stream_figures(found: RunCosts | None, latency_ticks: int) -> dict[str, Any]:
    """The same where each tick has a new sample, so that static power is paid for a tick a sample."""
    if found is None:
        return _cost_figures((), 0)
    samples = len(found.nanoseconds) * found.ticks
    seconds = float(found.period_seconds.sum()) / samples
    dynamic, static = float(found.dynamic_joules.sum()) / samples, found.static_watts * seconds
    latency = latency_ticks * seconds
    return {
        **_cost_figures((found,), samples),
        "energy_joules_per_sample": dynamic + static,
        "latency_seconds_per_sample": latency,
        "dynamic_joules_per_sample": dynamic,
        "static_joules_per_sample": static,
        "energy_delay_joule_seconds": (dynamic + static) * latency,
        "throughput_samples_per_second": None,
        "pipelined_samples_per_second": 1 / seconds if seconds else None,
        "pipelined_joules_per_sample": dynamic + static,
        "static_joules_of_used_cores_per_sample": static * found.used_share,
        "latency_cycles_per_sample": None if found.cycle_ns is None else latency * 1e9 / found.cycle_ns,
    }
