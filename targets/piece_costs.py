"""What a run costs on chips whose cores have a weight for every pair of an axon and a neuron, joined by a bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.messages import SENDER_KINDS, Units, Ways

from .costs.mesh import Mesh, Routes
from .piece_cost_sets import PieceCosts, PieceEvents
from .piece_program import PieceProgram
from .spike_costs import SpikeModel
from .spike_traffic import SpikeTraffic, traffic_of

KINDS = (*SENDER_KINDS, "message_in", "synapse", "axon_event")
"""Kinds of events that are counted; a bus has no hops."""


@dataclass(frozen=True, eq=False)
class PieceModel(SpikeModel):
    """A program's traffic with the costs of one set.

    Attributes:
        traffic: what each spike sends where.
        costs: the set.
        ways: of messages; a bus takes no time beside what sending and taking them does.
        chip_size: cores of a chip.
        barrier: nanoseconds.
    """

    traffic: SpikeTraffic
    costs: PieceCosts
    ways: Ways
    chip_size: int
    barrier: float = 0.0

    kinds = KINDS
    idle = "barrier"

    @staticmethod
    def of(program: PieceProgram[Any], costs: PieceCosts, chip_cores: int) -> PieceModel:
        """The model of a program."""
        traffic = piece_traffic(program, chip_cores)
        routes, pairs = traffic.routes, len(traffic.routes.target)
        ways = Ways(
            target=routes.target.astype(np.int64),
            first_link=routes.first_link,
            link=routes.link,
            hops=np.zeros((pairs, 3), np.int64),
            nanoseconds=np.zeros(pairs),
            link_hop=np.zeros(0),
        )
        return PieceModel(traffic, costs, ways, chip_cores, costs.barrier)

    @property
    def set(self) -> PieceCosts:
        """The costs."""
        return self.costs

    @property
    def energy(self) -> Array:
        """Picojoules of an event."""
        return _by_kind(self.costs.energy)

    @property
    def time(self) -> Array:
        """Nanoseconds of an event."""
        return _by_kind(self.costs.time)

    @property
    def mesh(self) -> Mesh:
        """A bus is a mesh of one place."""
        return Mesh(1, 1, self.chip_size)

    @property
    def links(self) -> int:
        """None."""
        return 0

    @property
    def chip_cores(self) -> int:
        """Cores of a chip."""
        return self.chip_size


def piece_traffic(program: PieceProgram[Any], chip_cores: int) -> SpikeTraffic:
    """The events that the spikes of a program cause."""
    units, names = _units(program)
    cores = len(program.pieces)
    row = program.row()
    parts = [_entries(number, program, row) for number in range(cores)]
    places = np.concatenate([np.zeros(0, np.int64), *(place for place, _ in parts)])
    columns = np.concatenate([np.zeros((0, 5), np.int64), *(part for _, part in parts)])
    order = np.argsort(places, kind="stable")
    return traffic_of(units, names, cores, (places[order], columns[order]), _bus, -(-cores // chip_cores))


def _units(program: PieceProgram[Any]) -> tuple[Units, tuple[str, ...]]:
    on_host = [p for p in program.populations if p.source is not None]
    on_chip = [program.populations[piece.population] for piece in program.pieces]
    sizes = [len(piece.neurons) for piece in program.pieces] + [population.size for population in on_host]
    units = Units(
        first=np.cumsum([0, *sizes]).astype(np.int64),
        core=np.array([*range(len(on_chip)), *[len(on_chip)] * len(on_host)], np.int64),
        start=np.array([population.start for population in (*on_chip, *on_host)], np.int64),
        compartments=np.array([1] * len(on_chip) + [0] * len(on_host), np.int64),
    )
    return units, tuple(population.name for population in (*on_chip, *on_host))


def _entries(number: int, program: PieceProgram[Any], row: Array) -> tuple[Array, Array]:
    """Places, ascending, and columns (see ``traffic_of``): one for each source neuron and delay of a core's axons."""
    piece = program.pieces[number]
    keys, axons = np.unique(np.stack([row[piece.source], piece.delay], axis=1), axis=0, return_counts=True)
    place, delay = keys.reshape(-1, 2).T
    columns = np.zeros((len(place), 5), np.int64)
    columns[:, 0], columns[:, 1] = number, delay
    columns[:, 2] = np.diff(place, prepend=-1) != 0
    columns[:, 3], columns[:, 4] = axons * len(piece.neurons), axons
    return place, columns


def _bus(source: Array, target: Array) -> Routes:
    none = np.zeros(len(source), np.int64)
    return Routes(
        source, target, np.zeros(len(source) + 1, np.int64), np.zeros(0, np.int64), none, none, none
    )


def _by_kind(costs: PieceEvents) -> Array:
    return np.array([getattr(costs, kind, 0.0) for kind in KINDS])
