"""Run a TrueNorth program: the chip's integers exactly, many samples at once, on several threads."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from snnc.errors import UsageError
from snnc.graph.evaluate import check_samples
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Readout
from snnc.simulate.functional import check_call, processors
from snnc.simulate.trace import EventCounts, Trace

from .batch import Observer, Run, run_batch
from .loading import load
from .program import TrueNorthProgram
from .validity import check_arrays

_BATCH_BYTES = 2**28
_LARGEST_BATCH = 64


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
        The trace in the names of the program's populations, each in its own window; potentials int32. Counts are
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


@dataclass(frozen=True, eq=False)
class Stream:
    """Answers to images that were presented one a tick.

    Attributes:
        output: (images, *output shape) float64, the decoded spikes of the tick that belongs to the image.
        latency_ticks: from an image's tick to the tick of its answer, that tick included.
        counts: events on the cores.
    """

    output: Array
    latency_ticks: int
    counts: EventCounts


def present_stream(
    program: TrueNorthProgram,
    images: Array,
    *,
    streams: int = 1,
    first_sample: int = 0,
    threads: int | None = None,
) -> Stream:
    """Present a new image every tick and read an answer every tick, as a pipelined network does.

    Args:
        program: a network that is read by spike counts.
        images: (images, *input shape).
        streams: how many chips share the images, each a row of consecutive ones; more run faster here. The answers
            are the same where neurons keep no potential from tick to tick.
        first_sample: number of the first stream, for random numbers.
        threads: streams' batches that run side by side; all processors when None.

    Raises:
        UsageError: U204, streams below 1; U211, the program is read by potentials.
    """
    if program.readout is Readout.POTENTIAL:
        raise UsageError(
            "U211", "a stream of images is read by spikes, but this program is read by potentials",
            remedy="compile it with --readout count",
        )  # fmt: skip
    if streams < 1:
        raise UsageError("U204", f"streams are at least 1, not {streams}")
    streams = min(streams, max(len(images), 1))
    ticks = max(-(-len(images) // streams), 1)
    x = np.zeros((streams * ticks, *images.shape[1:]), images.dtype)
    x[: len(images)] = images
    read = frozenset(part.population for part in program.readings)
    trace = _simulated(
        program, x.reshape(streams, ticks, *images.shape[1:]), ticks, frozenset({"spikes"}), read,
        first_sample, None, threads,
    )  # fmt: skip
    total = np.zeros(())
    for part in program.readings:
        total = total + part.weighted(
            trace.spikes[program.populations[part.population].name].astype(np.int64)
        )
    answers = total.reshape(streams * ticks, *total.shape[2:])[: len(images)]
    assert trace.counts is not None
    return Stream(answers * program.scale + program.offset, program.depth + 1, trace.counts)


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

    def room(variable: str, dtype: type) -> dict[str, Array]:
        return {
            population.name: np.zeros((samples, ticks, *population.shape), dtype)
            for number, population in enumerate(program.populations)
            if variable in wanted and number in recorded
        }

    return Trace(
        output=np.zeros((samples, *shape)),
        output_by_tick=np.zeros((samples, ticks, *shape)) if "output" in wanted else None,
        spikes=room("spikes", np.bool_),
        voltage=room("voltage", np.int32),
        spike_counts={population.name: np.zeros(samples, np.int64) for population in program.populations},
        latency_ticks=program.depth + ticks,
    )
