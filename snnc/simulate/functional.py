"""The functional simulator: what a spiking graph computes, the specification of every mapped run.

Time is counted in each population's own window. Between populations of different strongly connected
components a spike takes no tick of window time (chips align branches by delays and later windows); between
populations of one component, a spike of tick t arrives at t + 1. ``Delay`` nodes add to either; linear maps
take no time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from snnc.errors import DataError, UsageError
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.graph.samples import Data, Samples
from snnc.graph.verify import verify

from .batch import BatchState, run_batch
from .plan import Plan, make_plan
from .state import RunState, join_states
from .trace import RECORDABLE, Trace


def simulate(
    graph: Graph,
    x: Data,
    ticks: int,
    *,
    record: Iterable[str] = (),
    batch: int | None = None,
    first_sample: int = 0,
    threads: int | None = None,
    state: RunState | None = None,
    keep_state: bool = False,
) -> Trace:
    """Run a spiking graph.

    The bits of the result depend on neither ``batch`` nor ``threads``. A long run can be made in pieces, each
    from the state that the one before it kept, and gives the same bits: answers are means from the first tick of
    the first piece on.

    Args:
        graph: level SNN (computed in float64) or INTEGER (computed exactly).
        x: (samples, *input shape), constant over the ticks, or (samples, ticks, *input shape); an array by each
            input's name where there are several.
        ticks: how long the samples are presented, at least 1.
        record: ``spikes``, ``output``, and state variables by their names (``recordable``).
        batch: samples at once; chosen by memory when None.
        first_sample: index of the first sample in the data set, for seeded neurons.
        threads: batches that run side by side; all processors when None.
        state: the ``Trace.state`` of a run of the same graph and samples to go on from; ``first_sample`` is its.
        keep_state: whether the trace holds the state after the last tick.

    Returns:
        The trace; potentials and currents are int64 for an INTEGER graph, but for sources of spikes, else float64.

    Raises:
        UsageError U201: ticks below 1; U202: unknown recording; U203: x has another number of ticks; U204:
            batch or threads below 1; U205: a state of another network or of as many samples.
        DataError D101: x does not fit the input; D102: x holds what is no finite real number.
        GraphError: the graph breaks a rule or cannot be run (``make_plan``); G203: reals meet integers.
    """
    recorded = frozenset(record)
    verify(graph)
    samples = Samples.of(graph, x if isinstance(x, Samples | Mapping) else np.asarray(x))
    check_call(graph, samples, ticks, recorded, batch, threads, recordable(graph))
    count = len(samples)
    if state is not None:
        state.check(graph, count)
    before = 0 if state is None else state.ticks
    largest = max(_largest(array) for array in samples.arrays.values())
    plan = make_plan(graph, ticks, moving=samples.moving(graph), largest_input=largest, presented=before)
    trace = _empty_trace(plan, count, recorded)
    threads = threads or processors()
    size = batch or plan.batch_size(count, threads)
    pieces = [slice(start, min(start + size, count)) for start in range(0, count, size)]

    def run(rows: slice) -> RunState:
        part = trace.rows(rows)
        work = BatchState(plan, samples[rows], _by_node(part), part)
        numbers = np.arange(rows.start, rows.stop) + first_sample
        run_batch(work, numbers, None if state is None else state.rows(rows))
        return work.state()

    states = _run_all(run, pieces, threads)
    if not keep_state:
        return trace
    return replace(trace, state=join_states(states) if states else RunState(graph.name, 0, before + ticks))


def _run_all(run: Callable[[slice], RunState], pieces: list[slice], threads: int) -> list[RunState]:
    if threads == 1 or len(pieces) < 2:
        return [run(rows) for rows in pieces]
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(run, rows) for rows in pieces]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()


def recordable(graph: Graph) -> tuple[str, ...]:
    """What a run of a graph can record: what every run can, and the state variables of its nodes."""
    variables = (name for node in graph for name in node.operator.variables)
    return tuple(dict.fromkeys((*RECORDABLE, *variables)))


def check_call(
    graph: Graph,
    x: Data,
    ticks: int,
    recorded: frozenset[str],
    batch: int | None,
    threads: int | None,
    recordable: Sequence[str] = RECORDABLE,
) -> None:
    """Raise UsageError U201 to U204 for a wrong call of a simulator; ``graph`` tells the input's shape."""
    if ticks < 1:
        raise UsageError("U201", f"a run needs at least 1 tick, not {ticks}", remedy="give 1 or more")
    if recorded - set(recordable):
        unknown = ", ".join(sorted(recorded - set(recordable)))
        raise UsageError("U202", f"cannot record {unknown}", remedy=f"choose from {', '.join(recordable)}")
    samples = Samples.of(graph, x)
    for name in samples.moving(graph):
        presented = samples.arrays[name].shape[1]
        if presented != ticks:
            raise UsageError("U203", f"the data has {presented} ticks a sample, but {ticks} were asked for")
    for number in (batch, threads):
        if number is not None and number < 1:
            raise UsageError("U204", f"batch and threads are at least 1, not {number}")


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _largest(x: Array) -> float:
    """The largest absolute value; raises DataError D102 unless all values are finite real numbers."""
    real = x.dtype.kind in "biuf"
    largest = max(float(x.max(initial=0)), -float(x.min(initial=0))) if real else np.nan
    if not np.isfinite(largest):
        what = "values that are NaN or infinite" if real else f"values of type {x.dtype}, not real numbers"
        raise DataError("D102", f"samples have {what}", remedy="remove or convert these samples")
    return largest


def _empty_trace(plan: Plan, samples: int, recorded: frozenset[str]) -> Trace:
    """A trace with room for every sample, that batches write into."""
    graph, ticks = plan.graph, plan.ticks
    shapes = {node.name: graph.shapes[node.name] for node in plan.outputs}

    recordings: dict[str, dict[str, Array]] = {
        name: {} for name in recordable(graph) if name in recorded - {"output"}
    }
    for node in graph:
        state = node.operator.start(graph.shapes[node.name], np.zeros(0, np.int64), plan.dtype) or {}
        for variable in recorded & set(node.operator.variables):
            like = state[variable]
            recordings[variable][node.name] = np.zeros((samples, ticks, *like.shape[1:]), like.dtype)
    if "spikes" in recorded:
        recordings["spikes"] = {
            node.name: np.zeros((samples, ticks, *graph.shapes[node.name]), bool)
            for node in graph.populations
        }
    return Trace(
        outputs={name: np.zeros((samples, *shape)) for name, shape in shapes.items()},
        outputs_by_tick={
            name: np.zeros((samples, ticks, *shape)) for name, shape in shapes.items() if "output" in recorded
        },
        recordings=recordings,
        spike_counts={node.name: np.zeros(samples, np.int64) for node in graph.populations},
        latency_ticks=ticks,
    )


def _by_node(trace: Trace) -> Mapping[str, Mapping[str, Array]]:
    """The recordings of state variables by node."""
    by_node: dict[str, dict[str, Array]] = {}
    for variable, arrays in trace.recordings.items():
        for name, array in arrays.items():
            if variable != "spikes":
                by_node.setdefault(name, {})[variable] = array
    return by_node
