"""Output axon entries that the readers of a layer ask of the cores that hold it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from snnc.graph.operators.base import Array
from snnc.targets.tiling import Axis, reach

from .blocks import ChannelLists, Cut
from .network import LoihiLayer, Network
from .plan import CutLayer
from .windows import EntrySynapses, LoihiSynapses, WindowSynapses


@dataclass(frozen=True, eq=False)
class Fanout:
    """Output axon entries that a layer's readers ask of the cores that hold it.

    Attributes:
        groups: (channel sets, rows, columns) int64, entries for each set of neurons that share axons.
        single: (channels, rows, columns) int64, entries for single neurons.
    """

    groups: Array
    single: Array

    @staticmethod
    def none(layer: LoihiLayer) -> Fanout:
        """No readers."""
        layout = layer.layout
        space = (layout.rows, layout.columns)
        return Fanout(
            np.zeros((layout.groups // (space[0] * space[1]), *space), np.int64),
            np.zeros((layout.channels, *space), np.int64),
        )

    def largest(self, cut: Cut) -> int:
        """The most entries that a block of a cut needs."""
        layout = cut.layout
        starts, stops = np.array(cut.channel_ranges).T
        groups, single = self._sums
        rows = [*(start for start, _ in cut.row_ranges), layout.rows]
        columns = [*(start for start, _ in cut.column_ranges), layout.columns]
        shared = groups[np.ix_((stops - 1) // layout.atoms + 1, rows, columns)]
        shared -= groups[np.ix_(starts // layout.atoms, rows, columns)]
        shared += np.diff(single[np.ix_([*starts, layout.channels], rows, columns)], axis=0)
        return int(np.diff(np.diff(shared, axis=1), axis=2).max())

    @cached_property
    def total(self) -> int:
        """All entries; those that are shared stand once in some block at least."""
        return int(self.groups.sum() + self.single.sum())

    @cached_property
    def _sums(self) -> tuple[Array, Array]:
        """The sums of ``groups`` and ``single`` over all that lies before each place, along every axis."""
        groups, single = (np.pad(entries, ((1, 0), (1, 0), (1, 0))) for entries in (self.groups, self.single))
        return tuple(part.cumsum(0).cumsum(1).cumsum(2) for part in (groups, single))  # type: ignore[return-value]


def fanout_of(network: Network, number: int, cuts: dict[int, CutLayer]) -> Fanout:
    """What the readers that have been cut so far ask of a layer."""
    layer = network.layers[number]
    result = Fanout.none(layer)
    for cut in cuts.values():
        for which, synapses in enumerate(cut.plan.layer.synapses):
            if synapses.source == number and isinstance(synapses, WindowSynapses):
                _add_windows(result, layer, synapses, cut, which)
            elif synapses.source == number:
                _add_entries(result, layer, synapses, cut)
    return result


def _add_entries(result: Fanout, layer: LoihiLayer, synapses: LoihiSynapses, reader: CutLayer) -> None:
    assert isinstance(synapses, EntrySynapses)
    block, _ = reader.cut.located(synapses.targets)
    width = int(synapses.columns.max(initial=0)) + 1
    _, first = np.unique(block * width + synapses.columns, return_index=True)
    np.add.at(result.single.reshape(-1), layer.layout.places[synapses.neurons[first]], 1)


def _add_windows(
    result: Fanout, layer: LoihiLayer, synapses: WindowSynapses, reader: CutLayer, number: int
) -> None:
    """Add the entries that synapses number ``number`` of ``reader`` ask for."""
    shared, width = reader.plan.slots[number], reader.widths[number]
    down = _readers(synapses.y, reader.cut.row_ranges)
    across = _readers(synapses.x, reader.cut.column_ranges)
    blocks = np.outer(down, across).ravel() * width
    positions = np.flatnonzero(blocks)
    for lists, often in _distinct_lists(synapses, reader, number):
        if shared is None:
            neurons = synapses.neurons(lists.channels[:, None], positions)
            into, places = result.single, np.where(neurons < 0, -1, layer.layout.places[neurons])
        else:
            into, places = result.groups, shared[lists.shares][:, positions]
        amounts = np.broadcast_to(often * blocks[positions], places.shape)
        np.add.at(into.reshape(-1), places[places >= 0], amounts[places >= 0])


def _distinct_lists(
    synapses: WindowSynapses, reader: CutLayer, number: int
) -> Iterator[tuple[ChannelLists, int]]:
    """The lists of all channel ranges of a cut, and how many ranges have the same channels."""
    low, high = synapses.channel_offset, synapses.channel_offset + synapses.outputs
    reached = [part for part in reader.cut.channel_ranges if part[0] < high and part[1] > low]
    if synapses.groups > 1:
        for part in reached:
            yield reader.plan.channel_lists(number, *part), 1
    elif reached:
        yield reader.plan.channel_lists(number, *reached[0]), len(reached)


def _readers(axis: Axis, parts: Sequence[tuple[int, int]]) -> Array:
    """For each input position along an axis the number of parts that it reaches."""
    counts = np.zeros(axis.inputs, np.int64)
    for start, stop in parts:
        counts[reach(axis, start, stop).inputs] += 1
    return counts
