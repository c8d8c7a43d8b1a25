"""What a block of a layer's neurons needs of a core: the lists, axons and memory of the synapses that reach it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import count

import numpy as np

from snnc.graph.operators.base import Array
from snnc.targets.tiling import Reach, ranges

from .formats import ListForms
from .layout import ATOMS, Layout
from .limits import LoihiLimits
from .synapses import SynapseFormat, index_bits_for
from .windows import EntrySynapses, WindowSynapses

POP16_ID_BITS, POP16_FREE_ATOM_BITS, POP16_ALIGNMENT = 10, 5, 4
"""A pop16 message numbers its axon with 10 bits, less one for every bit of the atom beyond the fifth, and the
axon's compartment base is divisible by 4 (nengo-loihi)."""


@dataclass(frozen=True)
class Cut:
    """A layout cut into blocks of equal size (the last of each row, column and channel range may be smaller).

    Neurons of a block are numbered channel-last. Blocks are ordered by row, column and channel.

    Attributes:
        layout: what is cut.
        rows, columns, channels: size of a block.
    """

    layout: Layout
    rows: int
    columns: int
    channels: int

    @cached_property
    def row_ranges(self) -> tuple[tuple[int, int], ...]:
        """(start, stop) of the blocks along the rows."""
        return ranges(self.layout.rows, self.rows)

    @cached_property
    def column_ranges(self) -> tuple[tuple[int, int], ...]:
        """(start, stop) of the blocks along the columns."""
        return ranges(self.layout.columns, self.columns)

    @cached_property
    def channel_ranges(self) -> tuple[tuple[int, int], ...]:
        """(start, stop) of the blocks along the channels."""
        return ranges(self.layout.channels, self.channels)

    @property
    def count(self) -> int:
        """Number of blocks."""
        return len(self.row_ranges) * len(self.column_ranges) * len(self.channel_ranges)

    def blocks(self) -> list[Block]:
        """All blocks in order."""
        return [
            Block(*row, *column, *channel)
            for row in self.row_ranges
            for column in self.column_ranges
            for channel in self.channel_ranges
        ]

    def located(self, layout_indices: Array) -> tuple[Array, Array]:
        """The block of each layout index and its number within the block."""
        sizes = (self.layout.channels, self.layout.rows, self.layout.columns)
        channel, row, column = np.unravel_index(layout_indices, sizes)
        bc, br, bx = channel // self.channels, row // self.rows, column // self.columns
        width = np.minimum(self.columns, self.layout.columns - bx * self.columns)
        depth = np.minimum(self.channels, self.layout.channels - bc * self.channels)
        local = (row - br * self.rows) * width + (column - bx * self.columns)
        local = local * depth + channel - bc * self.channels
        block = (br * len(self.column_ranges) + bx) * len(self.channel_ranges) + bc
        return np.asarray(block), np.asarray(local)


@dataclass(frozen=True)
class Block:
    """Ranges of rows, columns and channels of a layout."""

    top: int
    bottom: int
    left: int
    right: int
    first_channel: int
    last_channel: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.last_channel - self.first_channel

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return self.rows * self.columns * self.channels

    def layout_indices(self, layout: Layout) -> Array:
        """Layout index of each neuron, in the block's order."""
        row = np.arange(self.top, self.bottom)[:, None, None]
        column = np.arange(self.left, self.right)[:, None]
        channel = np.arange(self.first_channel, self.last_channel)
        return np.asarray((channel * layout.rows + row) * layout.columns + column).ravel()


@dataclass(frozen=True, eq=False)
class ChannelLists:
    """The lists of one position of a window map's input, for a range of the layer's channels.

    Attributes:
        channels: (lists,) int64, input channels that reach the range.
        first: (lists,) int64, first channel of the range that each reaches, counted from the range's start.
        width: (lists,) int64, number of channels that each reaches.
        weight_row: (lists,) int64, out channel of the weight that ``first`` is.
        form: (lists,) int64, format of each, an index into those of the projection.
        share: (lists,) int64, lists with the same may share a population axon.
        shares: number of each share among those of all lists, see ``share_numbers``.
        part: (lists,) int64, lists of one part have one format and share, and lie together in memory.
        part_form: (parts,) int64, format of each part.
        part_synapses: (parts,) int64, synapses a tap of each part.
        whole: whether every list covers the whole range.
    """

    channels: Array
    first: Array
    width: Array
    weight_row: Array
    form: Array
    share: Array
    shares: Array
    part: Array
    part_form: Array
    part_synapses: Array
    whole: bool


def reached_channels(synapses: WindowSynapses, start: Array, stop: Array) -> tuple[Array, Array, Array]:
    """Which channels of each range ``start`` to ``stop`` (exclusive) of the layer's layout a window map reaches.

    The place of the first one in its group of channels, that in the range, and how many there are; 0 where none is.
    """
    low = np.maximum(start - synapses.channel_offset, 0)
    count = np.maximum(np.minimum(stop - synapses.channel_offset, synapses.outputs) - low, 0)
    share = synapses.outputs // synapses.groups if synapses.groups > 1 else 1
    some = count > 0
    return low % share * some, (low + synapses.channel_offset - start) * some, count


def channel_lists(
    synapses: WindowSynapses, shares: Array, forms: ListForms, start: int, stop: int
) -> ChannelLists:
    """The lists that lead to channels ``start`` to ``stop`` (exclusive) of the layer's layout.

    ``shares`` (see ``share_numbers``) and ``forms`` are those of the live input channels.
    """
    low = max(start - synapses.channel_offset, 0)
    high = min(stop - synapses.channel_offset, synapses.outputs)
    share_size, per_group = synapses.outputs // synapses.groups, synapses.inputs // synapses.groups
    live = synapses.live
    group_low = live // per_group * share_size
    first, last = np.maximum(group_low, low), np.minimum(group_low + share_size, high)
    kept = first < last
    first, width, form = first[kept], (last - first)[kept], forms.which[kept]
    shares, share = np.unique(shares[kept], return_inverse=True)
    parts, part = np.unique(share * len(forms.forms) + form, return_inverse=True)
    return ChannelLists(
        channels=live[kept],
        first=first + synapses.channel_offset - start,
        width=width,
        weight_row=first,
        form=form,
        share=share,
        shares=shares,
        part=part,
        part_form=parts % max(len(forms.forms), 1),
        part_synapses=np.bincount(part, width, len(parts)).astype(np.int64),
        whole=bool(len(form)) and bool((width == stop - start).all()),
    )


def share_numbers(synapses: WindowSynapses, source: Layout) -> Array:
    """Which live channels may share an axon: with one position those of one axon of the source, else 512 at a time."""
    channels = synapses.live
    if synapses.positions == 1:
        groups = source.group_of(synapses.neurons(channels, np.zeros_like(channels)))
        return np.asarray(np.unique(groups, return_inverse=True)[1])
    return np.asarray(np.unique(channels // ATOMS, return_inverse=True)[1])


def slot_groups(synapses: WindowSynapses, source: Layout) -> Array | None:
    """The set of source neurons that the lists of each share belong to at each position, -1 for none.

    (shares, positions) int64; None where neurons of several sets, or one neuron twice, fall together, so that every
    neuron has to have an axon of its own.
    """
    share = share_numbers(synapses, source)
    count, positions = int(share.max(initial=-1)) + 1, synapses.positions
    if synapses.sources is None and positions > 1:
        same = source.order is None and positions == source.rows * source.columns
        return np.arange(count * positions).reshape(count, positions) if same else None
    neurons = synapses.neurons(synapses.live[:, None], np.arange(positions))
    result = np.full((count, positions), -1)
    for number in range(count):
        own = neurons[share == number]
        groups = np.where(own < 0, -1, source.group_of(np.maximum(own, 0)))
        result[number] = groups.max(axis=0)
        ordered = np.sort(own, axis=0)
        repeated = (ordered[1:] == ordered[:-1]) & (ordered[1:] >= 0)
        if repeated.any() or ((groups != result[number]) & (groups >= 0)).any():
            return None
    return result


@dataclass(frozen=True, eq=False)
class Patterns:
    """How the positions of a window map's input reach a block.

    A position's lists are those of its pattern: the taps that do not fall outside of the block, and where they
    lead counted from the axon's base. An axon names a base below 256, so a list exists once for every 256
    compartments in which it is used.

    Attributes:
        base: (rows, columns) int64, base of the axons of each position.
        code: (rows, columns) int64, index into the following.
        down, across: (patterns,) int64, pattern of each along the rows and the columns.
        y, x: what reaches the block along the rows and the columns.
        shift: (patterns,) int64, what is added to every compartment, a multiple of 256.
        taps: (patterns,) int64, taps of a list.
        last: (patterns,) int64, position of the last tap, counted from the first.
    """

    base: Array
    code: Array
    down: Array
    across: Array
    y: Reach
    x: Reach
    shift: Array
    taps: Array
    last: Array

    def places(self, pattern: int, columns: int) -> tuple[Array, Array]:
        """The positions that a pattern's list reaches, counted from the first, and the tap of each, both ascending.

        ``columns`` is the width of the block.
        """
        down, across = self.down[pattern], self.across[pattern]
        positions = self.y.steps[down][:, None] * columns + self.x.steps[across]
        taps = self.y.taps[down][:, None] * self.x.kernel + self.x.taps[across]
        return positions.ravel(), taps.ravel()


@lru_cache(maxsize=1024)
def patterns(y: Reach, x: Reach, columns: int, channels: int, bases: int) -> Patterns:
    """The patterns of a block of ``columns`` columns and ``channels`` channels that is reached by ``y`` and ``x``."""
    start = (y.first[:, None] * columns + x.first) * channels
    version = start // bases
    versions = int(version.max(initial=0)) + 1
    numbers = (y.pattern[:, None] * len(x.steps) + x.pattern) * versions + version
    used, code = np.unique(numbers, return_inverse=True)
    down, across = used // versions // max(len(x.steps), 1), used // versions % max(len(x.steps), 1)
    height = np.array([len(steps) for steps in y.steps], np.int64)
    width = np.array([len(steps) for steps in x.steps], np.int64)
    lowest = np.array([steps[-1] for steps in y.steps], np.int64)
    rightmost = np.array([steps[-1] for steps in x.steps], np.int64)
    return Patterns(
        base=start - version * bases,
        code=code.reshape(start.shape),
        down=down,
        across=across,
        y=y,
        x=x,
        shift=used % versions * bases,
        taps=height[down] * width[across],
        last=lowest[down] * columns + rightmost[across],
    )


def dense_patterns(
    block_patterns: Patterns, lists: ChannelLists, allowed: bool, bases: int, offset: int
) -> Array:
    """The patterns whose lists need no indices: they cover consecutive compartments from the axon's base on.

    Args:
        block_patterns: the patterns of a block.
        lists: the lists of its channels.
        allowed: whether the core has formats without indices for them.
        bases: first compartments that an axon may name.
        offset: the core's compartment at which the block begins; a base beyond 255 has to be in the indices.
    """
    if (
        not allowed
        or not lists.whole
        or not block_patterns.base.size
        or offset + int(block_patterns.base.max()) >= bases
    ):
        return np.zeros(len(block_patterns.taps), bool)
    return np.asarray((block_patterns.shift == 0) & (block_patterns.taps == block_patterns.last + 1))


def index_bits(
    block_patterns: Patterns, lists: ChannelLists, dense: Array, channels: int, offset: int
) -> int:
    """Width of the indices in the lists of patterns that are not ``dense``, for a block of ``channels`` channels."""
    end = int((lists.first + lists.width).max(initial=1)) - 1
    largest = (block_patterns.shift + block_patterns.last * channels)[~dense].max(initial=0)
    return index_bits_for(int(largest) + end + offset)


def window_bits(
    block_patterns: Patterns, lists: ChannelLists, forms: ListForms, dense: Array, index_bits: int
) -> int:
    """Synaptic memory of a window map's lists in one block, in bits; ``dense`` as of ``dense_patterns``."""
    total = 0
    for number, form in enumerate(forms.forms):
        sizes = lists.part_synapses[lists.part_form == number]
        for chosen, bits in ((dense, 0), (~dense, index_bits)):
            counts = np.multiply.outer(block_patterns.taps[chosen], sizes)
            if not counts.size:
                continue
            total += bits_of_lists(replace(form, index_bits=bits), counts.ravel())
    return total


def bits_of_lists(form: SynapseFormat, synapses: Array) -> int:
    """Synaptic memory of lists of so many synapses each, in bits."""
    return sum(times * form.list_bits(size) for size, times in Counter(synapses.tolist()).items())


def slot_width(first: int, slots: int, atom_bits: int, aligned: bool) -> int:
    """Output axon entries that a population axon takes of a sender: 1 as pop16 where that can number it, else 2.

    Args:
        first: number of the first hardware axon.
        slots: how many there are.
        atom_bits: bits of the atoms.
        aligned: whether all bases are divisible by 4.
    """
    numbers = 1 << (POP16_ID_BITS - max(atom_bits - POP16_FREE_ATOM_BITS, 0))
    return 1 if aligned and first + slots <= numbers else 2


@dataclass(frozen=True, eq=False)
class EntryLists:
    """Entry synapses sorted into lists, a list for each input and block.

    Attributes:
        block, neuron: (pairs,) int64.
        form: (pairs,) int64, format of each list, an index into those of the projection.
        start: (pairs + 1,) int64, where a pair's entries begin.
        base, shift: (pairs,) int64, the axon's base, and the multiple of 256 beyond it.
        relative: (entries,) int64, compartments counted from base + shift.
        values: (entries,) int64, in steps of 64.
        same: (pairs,) int64, the first pair of the block that has the same list.
    """

    block: Array
    neuron: Array
    form: Array
    start: Array
    base: Array
    shift: Array
    relative: Array
    values: Array
    same: Array


def entry_lists(synapses: EntrySynapses, forms: ListForms, cut: Cut, bases: int) -> EntryLists:
    """The lists of entry synapses in all blocks of a cut; ``forms`` has a format an input of the map."""
    block, local = cut.located(synapses.targets)
    order = np.lexsort((synapses.values, local, synapses.columns, block))
    block, local = block[order], local[order]
    column, values = synapses.columns[order], synapses.values[order]
    changes = np.flatnonzero((np.diff(block) != 0) | (np.diff(column) != 0)) + 1
    start = np.concatenate([[0], changes, [len(block)]]) if len(block) else np.zeros(1, np.int64)
    heads = start[:-1]
    first, form = local[heads], forms.which[column[heads]]
    relative = local - np.repeat(first, np.diff(start))
    shift = first // bases * bases
    keys = np.stack([block[heads], shift, form], axis=1)
    same = _first_equal(keys, start, relative, values)
    neuron = synapses.neurons[order][heads]
    return EntryLists(block[heads], neuron, form, start, first - shift, shift, relative, values, same)


def entry_index_bits(lists: EntryLists, offset: int) -> int:
    """Width of the indices of entry synapses; ``offset`` as in ``dense_patterns``."""
    last = lists.relative[lists.start[1:] - 1] + lists.shift
    return index_bits_for(int(last.max(initial=0)) + offset)


def _first_equal(keys: Array, start: Array, relative: Array, values: Array) -> Array:
    """For each list the first one with an equal row of ``keys`` and equal entries."""
    sizes = np.diff(start)
    entries = np.stack([relative, values], axis=1)
    seeds = count()
    while True:
        seed = next(seeds)
        first = _first_of_equal_sums(_mixed(keys, seed), _mixed(entries, seed + 1), start)
        if (keys[first] == keys).all() and (sizes[first] == sizes).all():
            others = np.arange(len(entries)) - np.repeat(start[:-1] - start[first], sizes)
            if (entries[others] == entries).all():
                return first


def _first_of_equal_sums(of_keys: Array, of_entries: Array, start: Array) -> Array:
    """For each list the first one with the same sum of numbers that stand for its key and its entries."""
    sums = of_keys + np.add.reduceat(of_entries, start[:-1]) if len(of_keys) else of_keys
    _, first, which = np.unique(sums, return_index=True, return_inverse=True)
    return np.asarray(first[which], np.int64)


def _mixed(rows: Array, seed: int) -> Array:
    """A number for each row, (rows,) uint64, by Steele et al. 2014 (SplitMix64), column by column."""
    result = np.full(len(rows), seed + 1, np.uint64)
    for column in rows.T.astype(np.int64).view(np.uint64):
        result = (result + column) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            result = (result ^ (result >> np.uint64(shift))) * np.uint64(factor)
        result ^= result >> np.uint64(31)
    return result


@dataclass(frozen=True)
class Need:
    """What something needs of a core, in the units of the limits."""

    compartments: int = 0
    input_axons: int = 0
    output_axons: int = 0
    synapse_bits: int = 0
    synapse_formats: int = 0
    threshold_tables: int = 0
    compartment_profiles: int = 0

    def __add__(self, other: Need) -> Need:
        return Need(*(a + b for a, b in zip(self.amounts(), other.amounts(), strict=True)))

    def __or__(self, other: Need) -> Need:
        """The larger need of each kind."""
        return Need(*(max(a, b) for a, b in zip(self.amounts(), other.amounts(), strict=True)))

    def amounts(self) -> tuple[int, ...]:
        """The amounts in the order of the fields."""
        return tuple(getattr(self, name) for name in NEEDS)

    def share(self, limits: LoihiLimits) -> float:
        """The largest share of any limit that is needed."""
        return float(max(getattr(self, name) / getattr(limits, name) for name in NEEDS))

    def exceeded(self, limits: LoihiLimits) -> str | None:
        """Name of the limit that is exceeded most, or None."""
        worst = max(NEEDS, key=lambda name: getattr(self, name) / getattr(limits, name))
        return worst if getattr(self, worst) > getattr(limits, worst) else None


NEEDS = {
    "compartments": "compartments",
    "input_axons": "input axons",
    "output_axons": "output axons",
    "synapse_bits": "synaptic memory (bit)",
    "synapse_formats": "synapse formats",
    "threshold_tables": "thresholds",
    "compartment_profiles": "compartment profiles",
}
"""The fields of ``Need``, which are those of ``LoihiLimits``, and what they are called."""
