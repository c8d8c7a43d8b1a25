"""Places the cores of a Loihi program on the meshes of its chips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.pipeline import Context
from snnc.targets.placement import Messages, SampleRun, Sites, curve, placed, sample_run
from snnc.targets.spike_costs import SpikeActivity
from snnc.targets.target import CompileOptions, Placement

from .kernel_form import row_of
from .program import LoihiProgram
from .simulate import simulate_program
from .traffic import MESH
from .usage import synapses_of_tiles

_CROSSING = 4.0
"""Hops that a border between chips counts as; what it takes is not published."""


def place_cores(
    program: LoihiProgram, graph: Graph, options: CompileOptions, context: Context
) -> tuple[LoihiProgram, Placement]:
    """The program with its cores placed, and what that is worth beside their present places.

    Args:
        program: its cores are numbered 0, 1, ... in dataflow order, which places them row by row.
        graph: the INTEGER graph that it was made from.
        options: ``placement`` and ``ticks`` are looked at.
        context: its calibration samples are run to see the messages; its seed is that of the search.
    """
    neurons = sum(len(tile.neurons) for tile in program.tiles)
    synapses = int(synapses_of_tiles(program).sum())
    run = sample_run(graph, options, context, neurons, synapses)
    cores = 1 + max((tile.core for tile in program.tiles), default=0)

    def messages_of(recorded_run: SampleRun | None) -> Messages:
        return messages(program, spike_counts(program, recorded_run))

    site, worth = placed(options.placement, run, sites(cores), cores, messages_of, context.seed)
    tiles = tuple(replace(tile, core=int(site[tile.core])) for tile in program.tiles)
    return replace(program, tiles=tiles), worth


def sites(cores: int) -> Sites:
    """The sites of as many chips as some cores need."""
    chips = -(-cores // MESH.chip_cores)
    number = np.arange(chips * MESH.chip_cores)
    x, y = MESH.columns(number), MESH.rows(number)
    first = np.full((chips * MESH.width, MESH.height), 0)
    first[x[:: MESH.cores], y[:: MESH.cores]] = number[:: MESH.cores]
    way = curve(chips * MESH.width, MESH.height)
    return Sites(
        x=x,
        y=y,
        curve=(first[way[:, 0], way[:, 1]][:, None] + np.arange(MESH.cores)).ravel(),
        capacity=MESH.cores,
        chip_width=MESH.width,
        chip_height=MESH.height,
        crossing=_CROSSING,
    )


def spike_counts(program: LoihiProgram, run: SampleRun | None) -> Array:
    """(neurons,) int64 spikes of all samples, as neurons stand in a row of spikes; 1 each without a run."""
    total = np.zeros(len(row_of(program).place), np.int64)
    if run is None:
        return total + 1
    blocks: list[Array] = []

    def observe(activity: SpikeActivity) -> None:
        blocks.append(np.bitwise_count(activity.spikes).sum(axis=0, dtype=np.int64))

    simulate_program(program, run.samples.plain(), run.ticks, observe=observe)
    return np.asarray(sum(blocks, total))


def messages(program: LoihiProgram, spikes: Array) -> Messages:
    """Messages between cores when neurons, as they stand in a row, fire so often.

    A spike sends one to each hardware axon of each core; an axon of a tile is one neuron's in one of them.
    """
    row = row_of(program)
    cores = 1 + max((tile.core for tile in program.tiles), default=0)
    core_at = np.full(len(row.place), cores)
    for tile, first in zip(program.tiles, row.tile_places, strict=False):
        core_at[first : first + len(tile.neurons)] = tile.core
    count, routes = np.zeros((2, cores + 1, cores), np.int64)
    for tile in program.tiles:
        place = row.of(tile, np.arange(len(tile.axon_list)))
        source = core_at[place]
        count[:, tile.core] += np.bincount(source, spikes[place], cores + 1).astype(np.int64)
        routes[:, tile.core] += np.bincount(source, minlength=cores + 1)
    source, target = np.nonzero(routes)
    return Messages(cores, source, target, count[source, target], routes[source, target])
