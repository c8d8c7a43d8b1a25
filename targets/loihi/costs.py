"""What the cost sets of Loihi hold: kinds of events, and the barrier at the end of a tick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnc.kernels.messages import SENDER_KINDS
from snnc.targets.costs.cost_set import CostSet
from snnc.targets.costs.schema import LARGEST, TIME_UNITS, CostFileContents, CostTable, Schema, is_cost

_BETWEEN = ("line", "steps")

KINDS = (*SENDER_KINDS, "message_in", "synapse_dense", "synapse_sparse", "synapse_conv", "axon_event")
"""Kinds of events that are counted: what belongs to the sender first, then what belongs to the receiver."""


@dataclass(frozen=True)
class LoihiEvents:
    """One number for every kind of event that costs something, by the names of ``KINDS``.

    Attributes:
        neuron_access: of every compartment in every tick.
        neuron_active: further, of one that has something to integrate.
        spike: further, of one that fires.
        message_out: of every message, one for each hardware axon that a spike goes to.
        message_in: the same where it arrives.
        synapse_dense, synapse_sparse, synapse_conv: of every synapse that is read, by the format of its list: without
            stored indices, with them, or shared by several places.
        hop_east_west, hop_north_south: of a message from tile to tile.
        chip_crossing: of a message from chip to chip, beside the hop.
    """

    neuron_access: float
    neuron_active: float
    spike: float
    message_out: float
    message_in: float
    synapse_dense: float
    synapse_sparse: float
    synapse_conv: float
    hop_east_west: float
    hop_north_south: float
    chip_crossing: float


@dataclass(frozen=True)
class Barrier:
    """How long the chips take to agree that a tick is over.

    Attributes:
        tiles: numbers of tiles, ascending.
        time: nanoseconds for each.
        line: whether times between are on a line; else that of the next lower number holds.
        chips, chips_time: the same for several chips; a line leads there from one chip with all its tiles.
    """

    tiles: tuple[int, ...]
    time: tuple[float, ...]
    line: bool
    chips: tuple[int, ...] = ()
    chips_time: tuple[float, ...] = ()

    def nanoseconds(self, tiles: int, chips: int) -> float:
        """Time of one barrier over ``tiles`` tiles, or over ``chips`` chips where these are several."""
        if chips > 1:
            return float(np.interp(chips, (1, *self.chips), (self.time[-1], *self.chips_time)))
        if self.line:
            return float(np.interp(tiles, self.tiles, self.time))
        return self.time[max(int(np.searchsorted(self.tiles, tiles, side="right")) - 1, 0)]


@dataclass(frozen=True)
class LoihiCosts(CostSet[LoihiEvents]):
    """Costs of all events of Loihi, from one source.

    Attributes:
        barrier: at the end of a tick.
    """

    barrier: Barrier


def _make(shared: Mapping[str, Any], contents: CostFileContents) -> LoihiCosts:
    barrier = contents.data["barrier"]
    return LoihiCosts(
        **shared,
        barrier=Barrier(
            tuple(barrier["tiles"]),
            contents.numbers("barrier", "time"),
            barrier["between"] == "line",
            tuple(barrier.get("chips", ())),
            contents.numbers("barrier", "chips_time"),
        ),
    )


def _mistakes(data: Mapping[str, Any]) -> list[str]:
    """What is wrong with the barrier."""
    barrier = data["barrier"]
    mistakes = _list_mistakes(barrier, "tiles", "time")
    if "chips" in barrier or "chips_time" in barrier:
        mistakes += _list_mistakes(barrier, "chips", "chips_time")
    if barrier["between"] not in _BETWEEN:
        mistakes.append(f"barrier.between = {barrier['between']!r}; known are {', '.join(_BETWEEN)}")
    return mistakes


def _list_mistakes(barrier: Mapping[str, Any], numbers: str, times: str) -> list[str]:
    """What is wrong with two lists of the barrier."""
    at, cost = barrier.get(numbers), barrier.get(times)
    if not isinstance(at, list) or not isinstance(cost, list) or len(at) != len(cost) or not at:
        return [f"barrier.{numbers} and barrier.{times} are no lists of one length"]
    whole = all(isinstance(value, int) and not isinstance(value, bool) and value > 0 for value in at)
    mistakes = []
    if not whole or sorted(set(at)) != at:
        mistakes.append(f"barrier.{numbers} = {at}: not whole, positive and ascending")
    if not all(is_cost(value) for value in cost):
        mistakes.append(f"barrier.{times} = {cost}: not all are numbers from 0 to {LARGEST:g}")
    return mistakes


LOIHI_COSTS = Schema(
    target="loihi",
    events=LoihiEvents,
    own=(CostTable("barrier", TIME_UNITS, (), ("tiles", "time", "between"), ("chips", "chips_time")),),
    mistakes=_mistakes,
    make=_make,
)
