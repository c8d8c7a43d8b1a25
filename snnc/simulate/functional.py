"""The functional simulator: what a spiking graph computes, the specification of every mapped run.

Time is counted in each population's own window. Between populations of different strongly connected
components a spike takes no tick of window time (chips align branches by delays and later windows); between
populations of one component, a spike of tick t arrives at t + 1. ``Delay`` nodes add to either; linear maps
take no time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from snnc.errors import DataError, UsageError
from snnc.graph.evaluate import check_samples
from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron
from snnc.graph.node import Node
from snnc.graph.operators.base import Array
from snnc.graph.verify import verify

from .batch import run_batch
from .plan import Plan, make_plan
from .trace import RECORDABLE, Trace


def simulate(
    graph: Graph,
    x: Array,
    ticks: int,
    *,
    record: Iterable[str] = (),
    batch: int | None = None,
    first_sample: int = 0,
    threads: int | None = None,
) -> Trace:
    """Run a spiking graph.

    The bits of the result depend on neither ``batch`` nor ``threads``.

    Args:
        graph: level SNN (computed in float64) or INTEGER (computed exactly).
        x: (samples, *input shape), constant over the ticks, or (samples, ticks, *input shape).
        ticks: how long the samples are presented, at least 1.
        record: any of ``RECORDABLE``.
        batch: samples at once; chosen by memory when None.
        first_sample: index of the first sample in the data set, for seeded neurons.
        threads: batches that run side by side; all processors when None.

    Returns:
        The trace; potentials and currents are int64 for an INTEGER graph, but for sources of spikes, else float64.
        The answer is that of
        the graph's first output.

    Raises:
        UsageError U201: ticks below 1; U202: unknown recording; U203: x has another number of ticks; U204:
            batch or threads below 1.
        DataError D101: x does not fit the input; D102: x holds what is no finite real number.
        GraphError: the graph breaks a rule or cannot be run (``make_plan``); G203: reals meet integers.
    """
    wanted = frozenset(record)
    x = np.asarray(x)
    verify(graph)
    check_samples(graph, x)
    check_call(graph, x, ticks, wanted, batch, threads)
    plan = make_plan(graph, ticks, sequence=is_sequence(graph, x), largest_input=_largest(x))
    trace = _empty_trace(plan, len(x), wanted)
    threads = threads or processors()
    size = batch or plan.batch_size(len(x), threads)
    pieces = [slice(start, min(start + size, len(x))) for start in range(0, len(x), size)]
    _run_all(plan, x, pieces, first_sample, trace, threads)
    return trace


def _run_all(
    plan: Plan, x: Array, pieces: list[slice], first_sample: int, trace: Trace, threads: int
) -> None:
    if threads == 1 or len(pieces) < 2:
        for rows in pieces:
            run_batch(plan, x, rows, first_sample, trace)
        return
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(run_batch, plan, x, rows, first_sample, trace) for rows in pieces]
        try:
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()


def check_call(
    graph: Graph, x: Array, ticks: int, wanted: frozenset[str], batch: int | None, threads: int | None
) -> None:
    """Raise UsageError U201 to U204 for a wrong call of a simulator; ``graph`` tells the input's shape."""
    if ticks < 1:
        raise UsageError("U201", f"a run needs at least 1 tick, not {ticks}", remedy="give 1 or more")
    if wanted - set(RECORDABLE):
        unknown = ", ".join(sorted(wanted - set(RECORDABLE)))
        raise UsageError("U202", f"cannot record {unknown}", remedy=f"choose from {', '.join(RECORDABLE)}")
    if is_sequence(graph, x) and x.shape[1] != ticks:
        raise UsageError("U203", f"the data has {x.shape[1]} ticks a sample, but {ticks} were asked for")
    for number in (batch, threads):
        if number is not None and number < 1:
            raise UsageError("U204", f"batch and threads are at least 1, not {number}")


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_sequence(graph: Graph, x: Array) -> bool:
    """Whether ``x`` has a tick axis behind its samples axis."""
    return x.ndim == len(graph.shapes[graph.inputs[0].name]) + 2


def _largest(x: Array) -> float:
    """The largest absolute value; raises DataError D102 unless all values are finite real numbers."""
    real = x.dtype.kind in "biuf"
    largest = max(float(x.max(initial=0)), -float(x.min(initial=0))) if real else np.nan
    if not np.isfinite(largest):
        what = "values that are NaN or infinite" if real else f"values of type {x.dtype}, not real numbers"
        raise DataError("D102", f"samples have {what}", remedy="remove or convert these samples")
    return largest


def _empty_trace(plan: Plan, samples: int, wanted: frozenset[str]) -> Trace:
    """A trace with room for every sample, that batches write into."""
    graph, ticks = plan.graph, plan.ticks
    shape = graph.shapes[plan.output.name]

    def room(variable: str, dtype: np.dtype) -> dict[str, Array]:
        return {
            node.name: np.zeros((samples, ticks, *graph.shapes[node.name]), _kept_in(node, dtype))
            for node in graph.populations
            if variable in wanted and _has(node.operator, variable)
        }

    return Trace(
        output=np.zeros((samples, *shape)),
        output_by_tick=np.zeros((samples, ticks, *shape)) if "output" in wanted else None,
        spikes=room("spikes", np.dtype(bool)),
        voltage=room("voltage", plan.dtype),
        current=room("current", plan.dtype),
        spike_counts={node.name: np.zeros(samples, np.int64) for node in graph.populations},
        latency_ticks=ticks,
    )


def _kept_in(node: Node, dtype: np.dtype) -> np.dtype:
    """The dtype of a recording: a potential of what takes the samples is real in a graph of integers too."""
    takes_samples = isinstance(node.operator, Neuron) and node.operator.takes_samples
    return np.dtype(np.float64) if takes_samples and dtype.kind == "i" else dtype


def _has(neuron: object, variable: str) -> bool:
    return isinstance(neuron, Neuron) and (variable == "spikes" or variable in neuron.variables)
