"""Run a Loihi program: the chip's integers exactly, many samples at once, on several threads."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from snnc.graph.evaluate import check_samples
from snnc.graph.operators.base import Array
from snnc.kernels.bits import SAMPLES
from snnc.simulate.functional import check_call, processors
from snnc.simulate.trace import EventCounts, Trace

from .batch import Observer, run_batch
from .loading import load
from .program import LoihiProgram
from .validity import check_arrays


def simulate_program(
    program: LoihiProgram,
    x: Array,
    ticks: int,
    *,
    record: Iterable[str] = (),
    first_sample: int = 0,
    batch: int | None = None,
    threads: int | None = None,
    observe: Observer | None = None,
) -> Trace:
    """Run a program.

    A spike of chip tick c arrives at tick c + 1 + delay. A population runs the chip ticks start .. start +
    ticks - 1; what arrives outside of these is lost, as its window is closed. The bits of the result depend on
    neither ``batch`` nor ``threads``.

    Args:
        program: what to run.
        x: (samples, *input shape), constant over the ticks, or (samples, ticks, *input shape).
        ticks: how long the samples are presented, at least 1.
        record: any of ``RECORDABLE``.
        first_sample: index of the first sample in the data set, for seeded spike sources.
        batch: samples that a thread runs at once, at most 64; as many as keep all threads busy when None.
        threads: batches that run side by side; all processors when None.
        observe: called with what every neuron of a batch did, once a batch, from any of the threads.

    Returns:
        The trace in the names of the graph; potentials and currents int32 in units of the chip's potential.
        With reset by subtraction they are those of the integrating compartment, the pending inhibition taken
        away from the potential. Counts are summed over samples, over all chip ticks.

    Raises:
        UsageError U201 to U204: the call is wrong, see the functional simulator.
        DataError D101: x does not fit the input.
        ArtifactError A121: the program's arrays contradict each other.
        MappingError T451: the host gives a current that the bias register cannot hold.
        GraphError G203: the host gives a current that is no whole number.
    """
    wanted = frozenset(record)
    check_samples(program.host, x)
    check_call(program.host, x, ticks, wanted, batch, threads)
    check_arrays(program)
    loaded = load(program)
    trace = _empty_trace(program, len(x), ticks, wanted)
    threads = threads or processors()
    size = max(1, min(batch or SAMPLES, SAMPLES, -(-len(x) // threads)))
    pieces = [slice(start, min(start + size, len(x))) for start in range(0, len(x), size)]

    def run(rows: slice) -> Array:
        return run_batch(program, loaded, x, rows, first_sample, trace, ticks, observe)

    with ThreadPoolExecutor(threads) as pool:
        tallies = sum(pool.map(run, pieces), np.zeros((5, loaded.cores, program.depth + ticks), np.int64))
    return replace(trace, counts=EventCounts(*tallies))


def _empty_trace(program: LoihiProgram, samples: int, ticks: int, wanted: frozenset[str]) -> Trace:
    """A trace with room for every sample, that batches write into."""
    shape = program.populations[program.output].shape

    def room(variable: str, dtype: type) -> dict[str, Array]:
        return {
            population.name: np.zeros((samples, ticks, *population.shape), dtype)
            for population in program.populations
            if variable in wanted and (variable != "current" or population.source is None)
        }

    return Trace(
        output=np.zeros((samples, *shape)),
        output_by_tick=np.zeros((samples, ticks, *shape)) if "output" in wanted else None,
        recordings={
            "spikes": room("spikes", np.bool_),
            "voltage": room("voltage", np.int32),
            "current": room("current", np.int32),
        },
        spike_counts={population.name: np.zeros(samples, np.int64) for population in program.populations},
        latency_ticks=program.depth + ticks,
    )
