"""How accurate a compiled network is on data, next to its ANN, and what a sample costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snnc.errors import DataError, UsageError
from snnc.graph.evaluate import evaluate_outputs
from snnc.graph.operators.base import Array
from snnc.graph.samples import Data, Samples
from snnc.validation import without_decision

from .output_figures import OutputComparison, OutputFigures
from .value_errors import ValueErrors

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
    said about accuracy and agreement, but about the errors of its values. Of a network with several outputs these
    figures stand in ``outputs``.

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
        outputs: the figures of each output by its name, where there are several; else empty.
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
    outputs: Mapping[str, OutputFigures]


def evaluate(
    compiled: Compiled,
    x: Data,
    y: Array | Mapping[str, Array] | None = None,
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
        x: (samples, *input shape), at least one sample; by input where there are several.
        y: (samples,) class numbers, (samples, *output shape) values that the network should answer, or None; by
            output where there are several, of which some may be left out.
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
    samples: Any = Samples(x) if isinstance(x, Mapping) else x
    samples = samples if isinstance(samples, Samples) else np.atleast_1d(np.asarray(samples))
    labels = _labels(compiled, y, len(samples))
    if stream:
        _require_one_tick(ticks)
        return _evaluate_stream(compiled, samples, labels, threads, progress, costs, detailed)
    run_ticks = compiled.options.ticks if ticks is None else ticks
    parts, run_costs = [], []
    compared = _Compared(compiled, labels)
    costed = compiled.has_costs or costs is not None or detailed
    for start in range(0, len(samples), SAMPLES_AT_ONCE):
        batch = samples[start : start + SAMPLES_AT_ONCE]
        if costed:
            run_and_costs = compiled.run_with_costs(
                batch, run_ticks, costs, ("output",), threads, first_sample=start, detailed=detailed
            )
            trace = run_and_costs.trace
            run_costs.append(run_and_costs.costs)
        else:
            trace = compiled.run(batch, run_ticks, ("output",), threads, first_sample=start)
        parts.append(_Costs.of(trace))
        compared.add(batch, trace.outputs_by_tick, start)
        if progress is not None:
            progress("evaluate", start + len(batch), len(samples))
    events = _Costs.total(parts)
    figures = _cost_figures(run_costs, len(samples))
    return _figures(compared, events, run_ticks, len(samples), figures)


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
    labels: Mapping[str, Array],
    threads: int | None,
    progress: Callable[[str, int, int], None] | None,
    costs: str | Path | None,
    detailed: bool,
) -> Evaluation:
    """``evaluate`` with a new sample every tick; costs come from a second run, of ``sequences``."""
    stream = compiled.stream(samples, threads, progress=progress)
    compared = _Compared(compiled, labels)
    (name,) = compared.outputs
    for start in range(0, len(samples), SAMPLES_AT_ONCE):
        part = slice(start, start + SAMPLES_AT_ONCE)
        compared.add(samples[part], {name: stream.output[part][:, None]}, start)
    costed = compiled.has_costs or costs is not None or detailed
    run_costs = None
    if costed:
        x = sequences(samples, SAMPLES_AT_ONCE)
        run_costs = compiled.run_with_costs(x, x.shape[1], costs, threads=threads, detailed=detailed).costs
    operations = int(stream.counts.synaptic_operations.sum())
    events = _Costs(sum(stream.spike_counts.values()), operations, stream.latency_ticks)
    figures = _stream_figures(run_costs, stream.latency_ticks)
    return _figures(compared, events, 1, len(samples), figures)


def sequences(samples: Array, length: int) -> Array:
    """The samples as (sequences, ticks, *sample shape), up to ``length`` ticks each; a few may be left over."""
    count = -(-len(samples) // length)
    ticks = len(samples) // count
    return samples[: count * ticks].reshape(count, ticks, *samples.shape[1:])


def ann_answers(compiled: Compiled, x: Data) -> Mapping[str, Array]:
    """(samples, outputs) of the ANN by output, before its softmax or arg-max.

    Empty where there is no ANN, or where the samples have a tick axis.
    """
    if compiled.ann is None:
        return {}
    samples = Samples.of(compiled.ann, x)
    if samples.moving(compiled.ann):
        return {}
    answers = evaluate_outputs(without_decision(compiled.ann), samples.astype(np.float32))
    return {name: array.reshape(len(array), -1) for name, array in answers.items()}


class _Compared:
    """Answers batch by batch beside the ANN's and the labels.

    Attributes:
        outputs: the comparison of each output by its name.
    """

    def __init__(self, compiled: Compiled, labels: Mapping[str, Array]) -> None:
        self._compiled = compiled
        names = [node.name for node in compiled.graph.outputs]
        self.outputs = {name: OutputComparison(labels.get(name)) for name in names}

    def add(self, batch: Data, by_tick: Mapping[str, Array], start: int) -> None:
        """Take a batch of samples whose first has the number ``start``, and the chip's answers after every tick."""
        ann = ann_answers(self._compiled, batch)
        for name, output in self.outputs.items():
            output.add(by_tick[name], ann.get(name), start)


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


def _labels(compiled: Compiled, y: Array | Mapping[str, Array] | None, samples: int) -> dict[str, Array]:
    """Class numbers (samples,) or values (samples, outputs) by output, as far as there are any."""
    if not samples:
        raise DataError("D102", "there are no samples to evaluate", remedy="give at least one sample")
    if y is None:
        return {}
    graph = compiled.graph
    names = [node.name for node in graph.outputs]
    if set(y) - set(names) if isinstance(y, Mapping) else len(names) > 1:
        raise DataError(
            "D103",
            f"labels are given by output, and the outputs are {', '.join(names)}",
            remedy=f"give {{{', '.join(f'{name!r}: ...' for name in names)}}}, or some of them",
        )
    by_output = y if isinstance(y, Mapping) else {names[0]: y}
    return {
        name: _labels_of(np.asarray(labels), math.prod(graph.shapes[name]), samples)
        for name, labels in by_output.items()
    }


def _labels_of(labels: Array, outputs: int, samples: int) -> Array:
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
    compared: _Compared, costs: _Costs, ticks: int, samples: int, figures: Mapping[str, Any]
) -> Evaluation:
    outputs = {name: output.figures() for name, output in compared.outputs.items()}
    several = len(outputs) > 1
    note = f"there are {len(outputs)} outputs, whose figures stand one by one"
    answer = OutputFigures(accuracy_note=note) if several else next(iter(outputs.values()))
    return Evaluation(
        samples=samples,
        ticks=ticks,
        spikes_per_sample=costs.spikes / samples,
        synaptic_operations_per_sample=None if costs.operations is None else costs.operations / samples,
        **figures,
        latency_ticks=costs.latency_ticks,
        outputs=outputs if several else {},
        **{item.name: getattr(answer, item.name) for item in fields(answer)},
    )


def _rate(samples: int, seconds: Array) -> float | None:
    """Samples a second; None where a set gives no time to anything."""
    return float(samples / seconds.sum()) if seconds.sum() else None


def _cost_figures(parts: Sequence[RunCosts], samples: int) -> dict[str, Any]:
    """The fields of an evaluation that come from a cost model."""
    if not parts:
        return {name: {} if name in _GROUPS else None for name in (*_FIGURES, *_GROUPS)}
    from snnc.simulate.costs import join_costs

    run = join_costs(parts)
    dynamic, static, latency = run.dynamic_joules, run.static_joules, run.latency_seconds

    def each(joules: Mapping[str, float]) -> dict[str, float]:
        return {name: value / samples for name, value in joules.items()}

    ticks = sum(run.critical.values())
    largest = sorted(run.critical.items(), key=lambda item: (-item[1], item[0]))[:10]
    return {
        "energy_joules_per_sample": float((dynamic + static).mean()),
        "latency_seconds_per_sample": float(latency.mean()),
        "cost_set": run.cost_set,
        "dynamic_joules_per_sample": float(dynamic.mean()),
        "static_joules_per_sample": float(static.mean()),
        "energy_delay_joule_seconds": float((dynamic + static).mean() * latency.mean()),
        "throughput_samples_per_second": _rate(samples, latency),
        "pipelined_samples_per_second": _rate(samples, run.period_seconds),
        "pipelined_joules_per_sample": float((dynamic + run.static_watts * run.period_seconds).mean()),
        "static_joules_of_used_cores_per_sample": float(static.mean() * run.used_share),
        "cycle_ns": run.cycle_ns,
        "latency_cycles_per_sample": None if run.cycles is None else float(run.cycles.sum(axis=1).mean()),
        "energy_by_layer": each(run.joules_by_population()),
        "energy_by_core": each(run.joules_by_core()),
        "energy_by_event": each(run.joules_by_kind()),
        "critical_elements": {name: number / ticks for name, number in largest},
    }


def _stream_figures(run: RunCosts | None, latency_ticks: int) -> dict[str, Any]:
    """The same where each tick has a new sample, so that static power is paid for a tick a sample."""
    if run is None:
        return _cost_figures((), 0)
    samples = len(run.nanoseconds) * run.ticks
    seconds = float(run.period_seconds.sum()) / samples
    dynamic, static = float(run.dynamic_joules.sum()) / samples, run.static_watts * seconds
    latency = latency_ticks * seconds
    return {
        **_cost_figures((run,), samples),
        "energy_joules_per_sample": dynamic + static,
        "latency_seconds_per_sample": latency,
        "dynamic_joules_per_sample": dynamic,
        "static_joules_per_sample": static,
        "energy_delay_joule_seconds": (dynamic + static) * latency,
        "throughput_samples_per_second": None,
        "pipelined_samples_per_second": 1 / seconds if seconds else None,
        "pipelined_joules_per_sample": dynamic + static,
        "static_joules_of_used_cores_per_sample": static * run.used_share,
        "latency_cycles_per_sample": None if run.cycle_ns is None else latency * 1e9 / run.cycle_ns,
    }
