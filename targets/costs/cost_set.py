"""A cost set: what every kind of event takes in energy and time, from one source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class EventCosts:
    """One number for every kind of event that costs something, by the names of the kernels' ``KINDS``.

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
class CostSet:
    """Costs of all events of a chip, from one source, and nothing of another.

    Attributes:
        name: of the set.
        source: where the numbers are from.
        energy: picojoules.
        time: nanoseconds.
        link: nanoseconds for which a message keeps the next one from the same link.
        barrier: at the end of a tick.
        static_watts: of a chip that does nothing.
    """

    name: str
    source: str
    energy: EventCosts
    time: EventCosts
    link: float
    barrier: Barrier
    static_watts: float
