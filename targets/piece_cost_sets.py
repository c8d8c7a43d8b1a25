"""What the cost sets of chips of dense cores on a bus hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .costs.cost_set import CostSet
from .costs.schema import TIME_UNITS, CostFileContents, CostTable, Schema


@dataclass(frozen=True)
class PieceEvents:
    """One number for every kind of event.

    Attributes:
        neuron_access: of every neuron in every tick of its window.
        spike: further, of one that fires.
        message_out, message_in: of every message, one for each core that listens to the neuron, and where it arrives.
        synapse: of every weight that is read, one for each neuron of the core for each of the spike's axons.
    """

    neuron_access: float
    spike: float
    message_out: float
    message_in: float
    synapse: float


@dataclass(frozen=True)
class PieceCosts(CostSet[PieceEvents]):
    """Costs of all events, from one source.

    Attributes:
        barrier: nanoseconds at the end of every tick.
    """

    barrier: float


def piece_schema(target: str) -> Schema:
    """What the cost sets of such a chip hold."""
    return Schema(target, PieceEvents, (CostTable("barrier", TIME_UNITS, ("time",)),), _mistakes, _make)


def _make(shared: Mapping[str, Any], contents: CostFileContents) -> PieceCosts:
    return PieceCosts(**shared, barrier=contents.number("barrier", "time"))


def _mistakes(data: Mapping[str, Any]) -> list[str]:
    timed = data["barrier"]["time"] or any(value for key, value in data["time"].items() if key != "unit")
    return [] if timed else ["barrier.time and all of [time] are 0: a tick takes no time"]
