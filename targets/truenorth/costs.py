"""What the cost sets of TrueNorth hold: kinds of events, and the shortest tick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snnc.targets.costs.cost_set import CostSet
from snnc.targets.costs.schema import TIME_UNITS, CostFileContents, CostTable, Schema


@dataclass(frozen=True)
class TrueNorthEvents:
    """One number for every kind of event, in the order of the kernels' ``KINDS``.

    Attributes:
        axon_event: of every axon that has a spike in a tick.
        synaptic_event: of every connected neuron of such an axon.
        neuron_update: of every neuron in every tick, all 256 of a core.
        spike: further, of one that fires.
        message_out: of every spike that is sent, each to one axon of one core.
        hop_east_west, hop_north_south: of a spike from core to core.
        chip_crossing: of a spike from chip to chip, beside the hop.
        message_in: of every spike that a core's scheduler takes.
    """

    axon_event: float
    synaptic_event: float
    neuron_update: float
    spike: float
    message_out: float
    hop_east_west: float
    hop_north_south: float
    chip_crossing: float
    message_in: float


@dataclass(frozen=True)
class TrueNorthCosts(CostSet[TrueNorthEvents]):
    """Costs of all events of TrueNorth, from one source.

    Attributes:
        shortest_tick: nanoseconds; a tick takes longer where a core or a link needs more.
    """

    shortest_tick: float


def _make(shared: Mapping[str, Any], contents: CostFileContents) -> TrueNorthCosts:
    return TrueNorthCosts(**shared, shortest_tick=contents.number("tick", "shortest"))


def _mistakes(data: Mapping[str, Any]) -> list[str]:
    """Whether no event takes time, nor the shortest tick."""
    timed = any(value for key, value in data["time"].items() if key != "unit")
    return (
        []
        if timed or data["tick"]["shortest"]
        else ["tick.shortest and all of [time] are 0: a tick takes no time"]
    )


TRUENORTH_COSTS = Schema(
    target="truenorth",
    events=TrueNorthEvents,
    own=(CostTable("tick", TIME_UNITS, ("shortest",)),),
    mistakes=_mistakes,
    make=_make,
)
