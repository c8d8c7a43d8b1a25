"""What every spike of a TrueNorth program sends where: one message, x first and then y, across borders of chips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.mesh import write_hops, write_routes
from snnc.kernels.messages import Ways
from snnc.targets.costs.mesh import Mesh

from .costs import TrueNorthEvents
from .kernels.pairs import number_all_pairs
from .limits import TRUENORTH
from .program import TrueNorthProgram


@dataclass(frozen=True, eq=False)
class TrueNorthTraffic:
    """Where spikes go; the host is one more core behind the others, beside core (0, 0) of the first chip.

    Attributes:
        cores: number of cores.
        populations: (cores,) names of the populations that have neurons on a core.
        pair: (cores, 256) int64, pair of cores that a neuron's spikes go between, -1 without a target.
        line_pair: (lines,) int64, the same of the host's lines.
        line_hold: (lines,) int64, ticks for which the host holds a spike back, since a packet's delay has 4 bits.
        first: (cores + 2,) int64, the first pair of each core, and that behind the last one; in the order of targets.
        target: (pairs,) int64 cores.
        places: (cores + 1, 2) int64, x and y of each core.
        mesh: all chips as one mesh of tiles of one core.
        chips: chips in use.
    """

    cores: int
    populations: tuple[str, ...]
    pair: Array
    line_pair: Array
    line_hold: Array
    first: Array
    target: Array
    places: Array
    mesh: Mesh
    chips: int

    @property
    def source(self) -> Array:
        """(pairs,) int64 cores."""
        return np.repeat(np.arange(self.cores + 1), np.diff(self.first))

    @property
    def ends(self) -> Array:
        """(pairs, 4) int64, x and y of the core that sends and of the one that takes."""
        return np.concatenate([self.places[self.source], self.places[self.target]], axis=1)

    @property
    def hops(self) -> Array:
        """(pairs, 3) int32, east-west, north-south, borders of chips."""
        hops = np.empty((len(self.target), 3), np.int32)
        write_hops(self.places, self.first, self.target, TRUENORTH.mesh, hops)
        return hops


def traffic(program: TrueNorthProgram) -> TrueNorthTraffic:
    """What the spikes of a program send."""
    cores, lines = program.cores, program.lines
    pair, line_pair = np.empty(cores.target_core.shape, np.int64), np.empty(len(lines.core), np.int64)
    target = np.empty(pair.size + line_pair.size, np.int64)
    targets, entered = (np.asarray(of, np.int32) for of in (cores.target_core, lines.core))
    first = number_all_pairs(targets, entered, pair, line_pair, target)
    places = np.stack([np.append(cores.x, 0), np.append(cores.y, 0)], axis=1).astype(np.int64)
    width, height = (int(places[:, axis].max()) // TRUENORTH.mesh + 1 for axis in (0, 1))
    return TrueNorthTraffic(
        cores=len(cores),
        populations=_populations(program),
        pair=pair,
        line_pair=line_pair,
        line_hold=np.maximum(lines.delay.astype(np.int64) - TRUENORTH.delay[1], 0),
        first=first,
        target=target[: first[-1]],
        places=places,
        mesh=Mesh(width * TRUENORTH.mesh, height * TRUENORTH.mesh, 1),
        chips=program.chips,
    )


def _populations(program: TrueNorthProgram) -> tuple[str, ...]:
    """What each core holds; neurons of a core that are in no population are copies of others, or unused."""
    names: list[list[str]] = [[] for _ in range(len(program.cores))]
    for population in program.populations:
        for core in np.unique(population.core).tolist():
            names[core].append(population.name)
    return tuple(" + ".join(own) or "no population" for own in names)


def ways(spike_traffic: TrueNorthTraffic, time: TrueNorthEvents, with_links: bool) -> Ways:
    """The ways with the times of their hops; each one's links only where they are asked for."""
    hops, times = spike_traffic.hops, np.array([time.hop_east_west, time.hop_north_south, time.chip_crossing])
    first_link, link, link_hop = _links(spike_traffic, time) if with_links else _no_links(len(hops))
    return Ways(
        target=spike_traffic.target,
        first_link=first_link,
        link=link,
        hops=hops,
        nanoseconds=hops @ times if times.any() else np.zeros(len(hops)),
        link_hop=link_hop,
    )


def _no_links(pairs: int) -> tuple[Array, Array, Array]:
    return np.zeros(pairs + 1, np.int64), np.zeros(0, np.int64), np.zeros(0)


def _links(spike_traffic: TrueNorthTraffic, time: TrueNorthEvents) -> tuple[Array, Array, Array]:
    """Where the links of each pair begin, the links, and their times with the borders that they cross."""
    start, end = spike_traffic.places[spike_traffic.source], spike_traffic.places[spike_traffic.target]
    number = np.abs(end - start).sum(axis=1)
    first = np.cumsum(np.append(0, number)).astype(np.int64)
    link, hop = np.zeros(first[-1], np.int64), np.zeros(first[-1])
    times = np.array([time.hop_east_west, time.hop_north_south, time.chip_crossing])
    write_routes(start, end, spike_traffic.mesh.height, TRUENORTH.mesh, times, first, link, hop)
    return first, link, hop
