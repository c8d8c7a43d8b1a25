"""What every spike of a TrueNorth program sends where: one message, x first and then y, across borders of chips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.timing import Ways
from snnc.kernels.truenorth_costs import write_routes
from snnc.targets.costs.mesh import Mesh

from .costs import TrueNorthEvents
from .limits import NEURONS, TRUENORTH
from .program import TrueNorthProgram


@dataclass(frozen=True, eq=False)
class Traffic:
    """Where spikes go; the host is one more core behind the others, beside core (0, 0) of the first chip.

    Attributes:
        cores: number of cores.
        populations: (cores,) names of the populations that have neurons on a core.
        pair: (cores, 256) int64, pair of cores that a neuron's spikes go between, -1 without a target.
        line_pair: (lines,) int64, the same of the host's lines.
        line_hold: (lines,) int64, ticks for which the host holds a spike back, since a packet's delay has 4 bits.
        source, target: (pairs,) int64 cores.
        start, end: (pairs, 2) int64, their x and y.
        mesh: all chips as one mesh of tiles of one core.
        chips: chips in use.
    """

    cores: int
    populations: tuple[str, ...]
    pair: Array
    line_pair: Array
    line_hold: Array
    source: Array
    target: Array
    start: Array
    end: Array
    mesh: Mesh
    chips: int

    @property
    def hops(self) -> Array:
        """(pairs, 3) int64, east-west, north-south, borders of chips."""
        crossings = np.abs(self.start // TRUENORTH.mesh - self.end // TRUENORTH.mesh).sum(axis=1)
        return np.concatenate([np.abs(self.start - self.end), crossings[:, None]], axis=1)


def traffic(program: TrueNorthProgram) -> Traffic:
    """What the spikes of a program send."""
    cores, lines = program.cores, program.lines
    count, sends = len(cores), cores.target_core >= 0
    sender = np.repeat(np.arange(count), NEURONS).reshape(count, NEURONS)
    keys = np.concatenate([(sender * count + cores.target_core)[sends], count * count + lines.core])
    keys, which = np.unique(keys.astype(np.int64), return_inverse=True)
    which = which.reshape(-1)
    pair = np.full(sends.shape, -1, np.int64)
    sending = int(sends.sum())
    pair[sends] = which[:sending]
    source, target = np.divmod(keys, max(count, 1))
    places = np.stack([np.append(cores.x, 0), np.append(cores.y, 0)], axis=1).astype(np.int64)
    width, height = (int(places[:, axis].max()) // TRUENORTH.mesh + 1 for axis in (0, 1))
    return Traffic(
        cores=count,
        populations=_populations(program),
        pair=pair,
        line_pair=which[sending:].astype(np.int64),
        line_hold=np.maximum(lines.delay.astype(np.int64) - TRUENORTH.delay[1], 0),
        source=source,
        target=target,
        start=places[source],
        end=places[target],
        mesh=Mesh(width * TRUENORTH.mesh, height * TRUENORTH.mesh, 1),
        chips=program.chips,
    )


def _populations(program: TrueNorthProgram) -> tuple[str, ...]:
    """What each core holds; neurons of a core that are in no population are copies of others, or unused."""
    names: list[list[str]] = [[] for _ in range(len(program.cores))]
    for population in program.populations:
        for core in np.unique(population.core).tolist():
            names[core].append(population.name)
    return tuple(" + ".join(found) or "no population" for found in names)


def ways(found: Traffic, time: TrueNorthEvents, with_links: bool) -> Ways:
    """The ways with the times of their hops; each one's links only where they are asked for."""
    hops = found.hops
    first_link, link, link_hop = _links(found, time) if with_links else _no_links(len(hops))
    return Ways(
        target=found.target,
        first_link=first_link,
        link=link,
        hops=hops,
        nanoseconds=hops @ np.array([time.hop_east_west, time.hop_north_south, time.chip_crossing]),
        link_hop=link_hop,
    )


def _no_links(pairs: int) -> tuple[Array, Array, Array]:
    return np.zeros(pairs + 1, np.int64), np.zeros(0, np.int64), np.zeros(0)


def _links(found: Traffic, time: TrueNorthEvents) -> tuple[Array, Array, Array]:
    """Where the links of each pair begin, the links, and their times with the borders that they cross."""
    number = np.abs(found.end - found.start).sum(axis=1)
    first = np.cumsum(np.append(0, number)).astype(np.int64)
    link, hop = np.zeros(first[-1], np.int64), np.zeros(first[-1])
    times = np.array([time.hop_east_west, time.hop_north_south, time.chip_crossing])
    write_routes(found.start, found.end, found.mesh.height, TRUENORTH.mesh, times, first, link, hop)
    return first, link, hop
