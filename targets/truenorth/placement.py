"""Places the cores of a TrueNorth program on the meshes of its chips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.pipeline import Context
from snnc.targets import RunOptions
from snnc.targets.placement import Messages, SampleRun, Sites, curve, placed, sample_run
from snnc.targets.target import CompileOptions, Placement

from .batch import TrueNorthActivity
from .limits import NEURONS, TRUENORTH, TrueNorthLimits
from .program import NO_TARGET, TrueNorthProgram
from .simulate import simulate_program
from .sites import places

_CROSSING = 16.0
"""Hops that a border between chips counts as; a spike takes far more energy there (Merolla et al. 2014, S5)."""


def place_cores(
    program: TrueNorthProgram,
    graph: Graph,
    options: CompileOptions,
    context: Context,
    limits: TrueNorthLimits = TRUENORTH,
) -> tuple[TrueNorthProgram, Placement]:
    """The program with its cores placed, and what that is worth beside cores in dataflow order row by row.

    Args:
        program: its cores are in dataflow order.
        graph: the INTEGER graph that it was made from.
        options: ``placement`` and ``ticks`` are looked at.
        context: its calibration samples are run to see the messages; its seed is that of the search.
        limits: of a chip.
    """
    count = len(program.cores)
    run = sample_run(graph, options, context, count * NEURONS)

    def messages_of(recorded_run: SampleRun | None) -> Messages:
        return messages(program, *spike_counts(program, recorded_run))

    found_sites = sites(count, limits)
    site, worth = placed(options.placement, run, found_sites, count, messages_of, context.seed)
    x, y = found_sites.x[site].astype(np.int32), found_sites.y[site].astype(np.int32)
    return replace(program, cores=replace(program.cores, x=x, y=y)), worth


def sites(cores: int, limits: TrueNorthLimits = TRUENORTH) -> Sites:
    """The sites of as many chips as some cores need."""
    chips = -(-cores // limits.cores)
    x, y = places(chips * limits.cores, limits)
    way = curve(limits.mesh, limits.mesh)
    on_chip = way[:, 1] * limits.mesh + way[:, 0]
    return Sites(
        x=x.astype(np.int64),
        y=y.astype(np.int64),
        curve=(np.arange(chips)[:, None] * limits.cores + on_chip).ravel(),
        capacity=1,
        chip_width=limits.mesh,
        chip_height=limits.mesh,
        crossing=_CROSSING,
        reach=limits.distance,
    )


def spike_counts(program: TrueNorthProgram, run: SampleRun | None) -> tuple[Array, Array]:
    """Spikes of all samples: (cores, 256) int64 of neurons, and (lines,) int64 of lines; 1 each without a run."""
    fired = np.zeros((len(program.cores), NEURONS), np.int64)
    sent = np.zeros(len(program.lines), np.int64)
    if run is None:
        return fired + 1, sent + 1

    def observe(activity: TrueNorthActivity) -> None:
        for tick in activity.fired:
            fired[:] += np.unpackbits(tick.view(np.uint8), axis=-1, bitorder="little").sum(
                axis=1, dtype=np.int64
            )
        if activity.first == 0:
            spikes = activity.lines.spikes
            always = np.full(1, spikes.shape[0] * spikes.shape[1])
            sent[:] += np.append(spikes.sum(axis=(0, 1)), always)[activity.lines.source]

    simulate_program(program, run.samples.plain(), run.ticks, RunOptions(threads=1), observe=observe)
    return fired, sent


def messages(program: TrueNorthProgram, fired: Array, sent: Array) -> Messages:
    """Messages between cores when neurons, (cores, 256), and lines fire so often."""
    cores, lines = program.cores, program.lines
    count = len(cores)
    core, neuron = np.nonzero(cores.target_core != NO_TARGET)
    source = np.concatenate([core, np.full(len(lines), count)])
    target = np.concatenate([cores.target_core[core, neuron], lines.core]).astype(np.int64)
    spikes = np.concatenate([fired[core, neuron], sent])
    keys, which, routes = np.unique(source * count + target, return_inverse=True, return_counts=True)
    total = np.bincount(which.reshape(-1), spikes, len(keys)).astype(np.int64)
    return Messages(count, keys // count, keys % count, total, routes)
