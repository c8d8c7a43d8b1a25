"""Present a new sample to a TrueNorth program every tick."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snnc.errors import UsageError
from snnc.graph.evaluate import check_samples
from snnc.graph.operators.base import Array
from snnc.simulate.trace import Stream
from snnc.targets.run_options import DEFAULT, RunOptions
from snnc.targets.simulator import LARGEST_BATCH

from .program import TrueNorthProgram
from .simulate import SIMULATOR

_STREAM = 100
"""Samples of one of several streams, at least, so that filling the pipeline costs little."""


def present_stream(
    program: TrueNorthProgram,
    samples: Array,
    *,
    streams: int | None = None,
    options: RunOptions = DEFAULT,
) -> Stream:
    """Present a new sample every tick and read an answer every tick, as a pipelined network does.

    Args:
        program: a network whose neurons forget every tick.
        samples: (samples, *input shape).
        streams: how many chips share the samples, each a row of consecutive ones, so that they run faster here; the
            answers are the same. If None, as many as suit the number of samples.
        options: the first sample is the number of the first stream, for random numbers; threads run streams.

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
    side_by_side = min(streams or -(-len(samples) // _STREAM), LARGEST_BATCH, max(len(samples), 1))
    length = max(len(samples) // max(side_by_side, 1), 1)
    whole = len(samples) // length * length
    stream = _streamed(program, samples[:whole].reshape(-1, length, *samples.shape[1:]), options)
    if whole < len(samples):
        stream = stream.followed_by(_streamed(program, samples[None, whole:], options))
    return stream


def _streamed(program: TrueNorthProgram, x: Array, options: RunOptions) -> Stream:
    """The answers to sequences x (streams, ticks, *input shape)."""
    streams, ticks = x.shape[:2]
    answer, spiking = program.answer, replace(options, record=("spikes",), batch=None)
    trace = SIMULATOR.run(program, x, ticks, spiking, populations=program.read)
    shape = program.shape_of(answer)
    total = np.zeros((streams, ticks, *shape))
    for part in answer.readings:
        spikes = trace.spikes[program.populations[part.population].name]
        total += part.weighted(spikes.astype(np.int64))
    answers = total.reshape(streams * ticks, *shape) * answer.scale + answer.offset
    spikes_of = {name: int(counts.sum()) for name, counts in trace.spike_counts.items()}
    assert trace.counts is not None
    return Stream(answers, spikes_of, trace.counts.over_ticks(), program.depth + 1)
