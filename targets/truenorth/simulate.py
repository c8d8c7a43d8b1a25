"""Run a TrueNorth program: the chip's integers exactly, many samples at once, on several threads."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from snnc.errors import UsageError
from snnc.graph.evaluate import check_samples
from snnc.graph.operators.base import Array
from snnc.simulate.functional import check_call, processors
from snnc.simulate.trace import EventCounts, Stream, Trace

from .batch import Observer, Run, run_batch
from .loading import load
from .program import TrueNorthProgram
from .validity import check_arrays

_BATCH_BYTES = 2**28
_LARGEST_BATCH = 64
_STREAM = 100
"""Samples of one of several streams, at least, so that filling the pipeline costs little."""


def simulate_program(
    program: TrueNorthProgram,
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

    All cores run ``depth + ticks`` ticks from their initial potentials. In a tick a core takes what its scheduler
    holds: one bit an axon, so two spikes for one axon and tick are one. A spike of tick t with delay d is taken in
    tick t + d. Samples with a tick axis are presented tick by tick, so a network that takes a new image every tick is
    run by giving images as ticks (``present_stream`` does it). The bits of the result depend on neither ``batch``
    nor ``threads``.

    Args:
        program: what to run.
        x: (samples, *input shape), constant over the ticks, or (samples, ticks, *input shape).
        ticks: how long the samples are presented, at least 1.
        record: any of ``RECORDABLE``; neurons have no synaptic current, so none is recorded.
        first_sample: index of the first sample in the data set, for random numbers.
        batch: samples that a thread runs at once; chosen by memory when None.
        threads: batches that run side by side; all processors when None.
        observe: told what all cores did, block of ticks by block of every batch, from any of the threads.

    Returns:
        The trace in the names of the program's populations, each in its own window; potentials int32, on the host
        float64. Counts are
        summed over samples: axon events after merging, a synapse for every connected neuron of an active axon, all
        256 neurons of every core as updated, a message for every spike with a target.

    Raises:
        UsageError U201 to U204: the call is wrong, see the functional simulator.
        DataError D101: x does not fit the input.
        ArtifactError A121: the program's arrays contradict each other.
    """
    wanted = frozenset(record)
    recorded = frozenset(range(len(program.populations)))
    return _simulated(program, x, ticks, wanted, recorded, first_sample, batch, threads, observe)


def present_stream(
    program: TrueNorthProgram,
    samples: Array,
    *,
    streams: int | None = None,
    first_sample: int = 0,
    threads: int | None = None,
) -> Stream:
    """Present a new sample every tick and read an answer every tick, as a pipelined network does.

    Args:
        program: a network whose neurons forget every tick.
        samples: (samples, *input shape).
        streams: how many chips share the samples, each a row of consecutive ones, so that they run faster here; the
            answers are the same. If None, as many as suit the number of samples.
        first_sample: number of the first stream, for random numbers.
        threads: streams' batches that run side by side; all processors when None.

    Raises:
        UsageError: U204, streams below 1; U211, the answers are no business of single ticks.
        DataError D101: samples do not fit the input.
    """
    if not program.forgets:
        raise UsageError(
            "U211",
            "a new sample every tick needs neurons that forget every tick, but this network keeps potentials",
            remedy="present its samples one by one, or train a network of step activations",
        )
    if streams is not None and streams < 1:
        raise UsageError("U204", f"streams are at least 1, not {streams}")
    check_samples(program.host, samples[:0])
    side_by_side = min(streams or -(-len(samples) // _STREAM), _LARGEST_BATCH, max(len(samples), 1))
    length = max(len(samples) // max(side_by_side, 1), 1)
    whole = len(samples) // length * length
    found = _streamed(program, samples[:whole].reshape(-1, length, *samples.shape[1:]), first_sample, threads)
    if whole < len(samples):
        found = found.followed_by(_streamed(program, samples[None, whole:], first_sample, threads))
    return found


def _streamed(program: TrueNorthProgram, x: Array, first_sample: int, threads: int | None) -> Stream:
    """The answers to sequences x (streams, ticks, *input shape)."""
    streams, ticks = x.shape[:2]
    read = frozenset(part.population for part in program.readings)
    trace = _simulated(program, x, ticks, frozenset({"spikes"}), read, first_sample, None, threads)
    total = np.zeros((streams, ticks, *program.output_shape))
    for part in program.readings:
        spikes = trace.spikes[program.populations[part.population].name]
        total += part.weighted(spikes.astype(np.int64))
    answers = total.reshape(streams * ticks, *program.output_shape) * program.scale + program.offset
    spikes_of = {name: int(counts.sum()) for name, counts in trace.spike_counts.items()}
    assert trace.counts is not None
    return Stream(answers, spikes_of, trace.counts.over_ticks(), program.depth + 1)


def _simulated(
    program: TrueNorthProgram,
    x: Array,
    ticks: int,
    wanted: frozenset[str],
    recorded: frozenset[int],
    first_sample: int,
    batch: int | None,
    threads: int | None,
    observe: Observer | None = None,
) -> Trace:
    check_samples(program.host, x)
    check_call(program.host, x, ticks, wanted, batch, threads)
    check_arrays(program)
    trace = _empty_trace(program, len(x), ticks, wanted, recorded)
    run = Run(program, load(program), x, ticks, first_sample, trace, observe)
    threads = threads or processors()
    size = batch or _batch_size(program, len(x), ticks, threads)
    pieces = [slice(start, min(start + size, len(x))) for start in range(0, len(x), size)]
    nothing = np.zeros((5, len(program.cores), program.depth + ticks), np.int64)
    with ThreadPoolExecutor(threads) as pool:
        tallies = sum(pool.map(lambda rows: run_batch(run, rows), pieces), nothing)
    return replace(trace, counts=EventCounts(*tallies))


def _batch_size(program: TrueNorthProgram, samples: int, ticks: int, threads: int) -> int:
    """Samples at once: all threads busy, memory of potentials, schedulers and the host's spikes bounded."""
    given = sum(int(np.prod(p.shape)) for p in program.populations if p.source is not None)
    each = len(program.cores) * 1536 + ticks * given
    fitting = min(max(_BATCH_BYTES // max(each, 1), 1), _LARGEST_BATCH)
    return max(1, min(fitting, -(-samples // threads)))


def _empty_trace(
    program: TrueNorthProgram, samples: int, ticks: int, wanted: frozenset[str], recorded: frozenset[int]
) -> Trace:
    """A trace with room for every sample, that batches write into."""
    shape = program.output_shape

    def room(variable: str, dtype: type, host: type) -> dict[str, Array]:
        return {
            population.name: np.zeros(
                (samples, ticks, *population.shape), dtype if population.source is None else host
            )
            for number, population in enumerate(program.populations)
            if variable in wanted and number in recorded
        }

    return Trace(
        output=np.zeros((samples, *shape)),
        output_by_tick=np.zeros((samples, ticks, *shape)) if "output" in wanted else None,
        recordings={
            "spikes": room("spikes", np.bool_, np.bool_),
            "voltage": room("voltage", np.int32, np.float64),
        },
        spike_counts={population.name: np.zeros(samples, np.int64) for population in program.populations},
        latency_ticks=program.depth + ticks,
    )
