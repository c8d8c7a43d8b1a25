"""Cut every layer into blocks that fit a core: as few as possible, then those that need least memory and axons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from snnc.errors import MappingError
from snnc.graph.operators.base import Array
from snnc.targets.tiling import Axis, ranges, reach, step_sizes

from .blocks import (
    NEEDS,
    POP16_ALIGNMENT,
    Block,
    ChannelLists,
    Cut,
    Need,
    channel_lists,
    dense_patterns,
    entry_index_bits,
    entry_lists,
    index_bits,
    patterns,
    share_numbers,
    slot_groups,
    slot_width,
    window_bits,
)
from .formats import ListForms, ListRanges, list_forms, narrowest, range_of
from .limits import UNIT, LoihiLimits
from .network import EntrySynapses, Layer, Layout, Network, Synapses, WindowSynapses
from .synapses import INDEX_BITS, SynapseFormat, index_bits_for

_COMPARED = 24
"""Cuts with the same number of blocks that are compared with each other."""

_FAILED = 8
"""Cuts that did not fit, in a row from the largest, before it is seen whether a single neuron does."""

_ROUNDS = 6
"""Times that recurrent layers are cut again because of the axons that they send to each other."""


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
    def none(layer: Layer) -> Fanout:
        """No readers."""
        layout = layer.layout
        space = (layout.rows, layout.columns)
        return Fanout(
            np.zeros((layout.groups // (space[0] * space[1]), *space), np.int64),
            np.zeros((layout.channels, *space), np.int64),
        )

    def largest(self, cut: Cut) -> int:
        """The most entries that a block of a cut needs."""
        atoms = cut.layout.atoms
        starts, stops = np.array(cut.channel_ranges).T
        groups, single = (_of_blocks(sums, cut) for sums in self._sums)
        shared = groups[(stops - 1) // atoms + 1] - groups[starts // atoms]
        return int((shared + single[stops] - single[starts]).max())

    @cached_property
    def total(self) -> int:
        """All entries; those that are shared stand once in some block at least."""
        return int(self.groups.sum() + self.single.sum())

    @cached_property
    def _sums(self) -> tuple[Array, Array]:
        """The sums of ``groups`` and ``single`` over all that lies before each place, along every axis."""
        groups, single = (np.pad(entries, ((1, 0), (1, 0), (1, 0))) for entries in (self.groups, self.single))
        return tuple(part.cumsum(0).cumsum(1).cumsum(2) for part in (groups, single))  # type: ignore[return-value]


def _of_blocks(sums: Array, cut: Cut) -> Array:
    """Sums over all before each place (channels, rows, columns), along rows and columns those of each block."""
    rows = [*(start for start, _ in cut.row_ranges), cut.layout.rows]
    columns = [*(start for start, _ in cut.column_ranges), cut.layout.columns]
    return np.diff(np.diff(sums[:, rows][:, :, columns], axis=1), axis=2)


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """A layer with what is the same for all of its blocks.

    Attributes:
        layer: what is cut.
        sources: the layer that each of its synapses comes from.
        slots: ``slot_groups`` of each of its synapses, None for entries.
        forms: formats of the lists of each of its synapses, delays included, indices not.
        dense: for each of its synapses whether a core also has their formats without indices.
        index_bits: width of all indices, to save formats that differ in nothing else; None where there is room.
        reset_form: format of the inhibition of reset by subtraction, or None.
        formats: entries of a core's format table, at most.
    """

    layer: Layer
    sources: tuple[Layer, ...]
    slots: tuple[Array | None, ...]
    forms: tuple[ListForms, ...]
    dense: tuple[bool, ...]
    index_bits: int | None
    reset_form: SynapseFormat | None
    formats: int
    _lists: dict[tuple[int, int, int], ChannelLists] = field(default_factory=dict, repr=False)
    _shares: dict[int, Array] = field(default_factory=dict, repr=False)

    def channel_lists(self, number: int, start: int, stop: int) -> ChannelLists:
        """The lists of window synapses ``number`` that lead to channels ``start`` to ``stop`` (exclusive)."""
        key = (number, start, stop)
        if key not in self._lists:
            synapses = self.layer.synapses[number]
            assert isinstance(synapses, WindowSynapses)
            if number not in self._shares:
                self._shares[number] = share_numbers(synapses, self.sources[number].layout)
            self._lists[key] = channel_lists(synapses, self._shares[number], self.forms[number], start, stop)
        return self._lists[key]


@dataclass(frozen=True, eq=False)
class CutLayer:
    """A layer and how it is cut.

    Attributes:
        plan: the layer's plan.
        cut: the blocks.
        widths: output axon entries of the population axons of each of its synapses, 1 or 2.
        need: the largest need of each kind of any block.
    """

    plan: LayerPlan
    cut: Cut
    widths: tuple[int, ...]
    need: Need


FormsOf = Callable[[Network, Layer, int], tuple[ListForms, ...]]
"""From a layer and the number of formats that its synapses may have to the formats of their lists."""


def partition(
    network: Network, limits: LoihiLimits, forms_of: FormsOf | None = None
) -> tuple[CutLayer | None, ...]:
    """A cut for every layer on the chip, None for spikes of the host.

    Layers are cut from the last to the first, because a block sends a spike to every block that reads it and its
    core has room for a number of such axons only.

    Args:
        network: what is cut.
        limits: of the chip.
        forms_of: chooses formats; None for the narrowest that hold the weights.

    Raises:
        MappingError: T107 weights that no synapse format holds; T109 a reset charge that none holds; T110 a single
            neuron exceeds a limit; T112 a layer needs too many formats.
    """
    plans = [plan_layer(network, layer, limits, forms_of or exact_forms) for layer in network.layers]
    order = [member for component in reversed(network.components) for member in reversed(component)]
    recurrent = any(s.source >= t for t, layer in enumerate(network.layers) for s in layer.synapses)
    cuts: dict[int, CutLayer] = {}
    for _ in range(_ROUNDS if recurrent else 1):
        before = dict(cuts)
        for number in order:
            plan = plans[number]
            if plan is not None:
                fanout = _fanout(network, number, cuts)
                kept = before.get(number)
                if kept is None or fanout.largest(kept.cut) + _own_axons(kept) > limits.output_axons:
                    cuts[number] = cut_layer(plan, fanout, limits)
        if all(before.get(number) is cut for number, cut in cuts.items()):
            break
    settled = {number: _settled(cut, _fanout(network, number, cuts), limits) for number, cut in cuts.items()}
    return tuple(settled.get(number) for number in range(len(network.layers)))


def _own_axons(cut: CutLayer) -> int:
    block = cut.cut
    return block.rows * block.columns * block.channels if cut.plan.layer.subtract else 0


def _settled(cut: CutLayer, fanout: Fanout, limits: LoihiLimits) -> CutLayer:
    """The cut with the output axons that the final cuts of its readers ask for; raises MappingError T110."""
    need = replace(cut.need, output_axons=fanout.largest(cut.cut) + _own_axons(cut))
    if need.exceeded(limits):
        raise too_large(cut.plan.layer, need, limits)
    return replace(cut, need=need)


def plan_layer(network: Network, layer: Layer, limits: LoihiLimits, forms_of: FormsOf) -> LayerPlan | None:
    """The formats of a layer; None for spikes of the host."""
    if layer.neuron is None:
        return None
    reset_form = _reset_form(layer)
    room = limits.synapse_formats - (reset_form is not None)
    forms = forms_of(network, layer, room)
    without_index = [_is_dense(synapses, layer.layout) for synapses in layer.synapses]
    both = [
        isinstance(s, WindowSynapses) and not plain
        for s, plain in zip(layer.synapses, without_index, strict=True)
    ]
    count = sum(len(f.forms) * (1 + twice) for f, twice in zip(forms, both, strict=True))
    if count <= room:
        dense, index_bits = [True] * len(forms), None
    else:
        dense, count = _shared_formats(layer, forms, without_index, room)
        index_bits = index_bits_for(limits.compartments - 1)
    sources = tuple(network.layers[synapses.source] for synapses in layer.synapses)
    slots = tuple(
        slot_groups(synapses, source.layout) if isinstance(synapses, WindowSynapses) else None
        for synapses, source in zip(layer.synapses, sources, strict=True)
    )
    count += reset_form is not None
    return LayerPlan(layer, sources, slots, forms, tuple(dense), index_bits, reset_form, count)


def _is_dense(synapses: Synapses, layout: Layout) -> bool:
    """Whether a projection is one matrix over the whole layer, so that no list needs indices."""
    if not isinstance(synapses, WindowSynapses):
        return False
    one_position = synapses.positions == 1 and layout.rows * layout.columns == 1
    whole = synapses.groups == 1 and synapses.channel_offset == 0 and synapses.outputs == layout.channels
    return one_position and whole


def exact_forms(network: Network, layer: Layer, room: int) -> tuple[ListForms, ...]:
    """The narrowest formats that hold the weights of a layer's lists; raises MappingError T107 where there are none."""
    delays = [network.delay(layer, synapses) for synapses in layer.synapses]
    ranges = [_list_ranges(synapses) for synapses in layer.synapses]
    forms = list_forms(ranges, delays, room)
    if forms is None:
        raise MappingError(
            "T107",
            "no synapse format holds all weights that leave one source channel or neuron",
            node=layer.node.name,
            source=layer.node.source,
            remedy="quantise to fewer weight bits",
        )
    return forms


def _list_ranges(synapses: Synapses) -> ListRanges:
    if isinstance(synapses, WindowSynapses):
        return ListRanges.of_rows(synapses.by_input)
    assert isinstance(synapses, EntrySynapses)
    return ListRanges.of_groups(synapses.values, synapses.columns, int(synapses.columns.max(initial=-1)) + 1)


def _shared_formats(
    layer: Layer, forms: Sequence[ListForms], without_index: Sequence[bool], room: int
) -> tuple[list[bool], int]:
    """Which projections have their formats without indices too, and the number of formats in all.

    Lists that share a population axon all have indices or none has, so a projection gets all of its formats
    without indices or none, projections with most weights first.
    """
    indexed = {form for f, plain in zip(forms, without_index, strict=True) if not plain for form in f.forms}
    plain = {form for f, plain in zip(forms, without_index, strict=True) if plain for form in f.forms}
    count = len(indexed) + len(plain)
    if count > room:
        raise MappingError(
            "T112",
            f"its synapses need {count} formats, but a core has room for {room}",
            node=layer.node.name,
            source=layer.node.source,
            remedy="let fewer populations drive it, or quantise to fewer weight bits",
        )
    allowed = list(without_index)
    for number in sorted(range(len(forms)), key=lambda number: -_size(layer.synapses[number])):
        more = set(forms[number].forms) - plain
        if isinstance(layer.synapses[number], WindowSynapses) and count + len(more) <= room:
            allowed[number], plain, count = True, plain | more, count + len(more)
    return allowed, count


def _size(synapses: Synapses) -> int:
    assert isinstance(synapses, WindowSynapses | EntrySynapses)
    return synapses.weight.size if isinstance(synapses, WindowSynapses) else synapses.values.size


def _reset_form(layer: Layer) -> SynapseFormat | None:
    if not layer.subtract:
        return None
    assert layer.neuron is not None and layer.neuron.reset_charge is not None
    form = narrowest(range_of(-layer.neuron.reset_charge // UNIT))
    if form is None:
        raise MappingError(
            "T109",
            "no synapse format holds the charges that reset by subtraction takes away",
            node=layer.node.name,
            source=layer.node.source,
            remedy="quantise thresholds to 8 bits times a power of two, or reset to zero",
        )
    return form


def too_large(layer: Layer, need: Need, limits: LoihiLimits) -> MappingError:
    """The error for a layer that does not fit however it is cut."""
    limit = need.exceeded(limits)
    assert limit is not None
    used, available = getattr(need, limit), getattr(limits, limit)
    remedies = {
        "compartments": "reset to zero instead of by subtraction",
        "input_axons": "give each neuron fewer inputs: a smaller layer in front of it, or groups",
        "output_axons": "split the layer that reads it, or put a smaller layer between them",
        "synapse_bits": "fewer weight bits (--weight-bits 4), fewer inputs, or groups",
        "synapse_formats": "fewer projections into one layer",
        "threshold_tables": "one threshold a layer instead of one a channel",
    }
    return MappingError(
        "T110",
        f"however it is cut, it would take {used} for a core's {NEEDS[limit]}, {used / available:.2f} times the"
        f" {available} there are",
        node=layer.node.name,
        source=layer.node.source,
        remedy=remedies[limit],
    )


def cut_layer(plan: LayerPlan, fanout: Fanout, limits: LoihiLimits) -> CutLayer:
    """The cut of a layer into fewest blocks; among those, the one that needs least memory and axons."""
    search = _Search(plan, fanout, limits)
    best: CutLayer | None = None
    compared, failed, enough = 0, 0, 0.0
    for cut, hopeless in search.candidates():
        if best is not None and (cut.count > best.cut.count or compared == _COMPARED):
            break
        if cut.count < enough:
            continue
        found = search.tried(cut) if best is not None or not hopeless else None
        compared += best is not None
        if found is None or found.need.exceeded(limits):
            failed += 1
            if failed == _FAILED:
                search.check_smallest()
            if found is not None and plan.layer.synapses and not search.windows:
                # Entries are costly to look at, and what they need shrinks with the blocks.
                enough = cut.count * min(found.need.share(limits) ** 0.5, 2.0)
        elif best is None or _weight(found.need) < _weight(best.need):
            best = found
    if best is None:
        search.check_smallest()
        best = search.smallest
    return best


def _weight(need: Need) -> int:
    return need.synapse_bits + 64 * (need.input_axons + need.output_axons)


class _Search:
    """The cuts of one layer and what their blocks need."""

    def __init__(self, plan: LayerPlan, fanout: Fanout, limits: LoihiLimits) -> None:
        self.plan, self.fanout, self.limits = plan, fanout, limits
        self.layer = plan.layer
        self.windows = [
            (synapses, forms, slots is not None)
            for synapses, forms, slots in zip(self.layer.synapses, plan.forms, plan.slots, strict=True)
            if isinstance(synapses, WindowSynapses)
        ]

    @cached_property
    def smallest(self) -> CutLayer:
        """A neuron a block."""
        return self.tried(Cut(self.layer.layout, 1, 1, 1))

    def check_smallest(self) -> None:
        """Raise MappingError T110 if even a single neuron exceeds a limit."""
        if self.smallest.need.exceeded(self.limits):
            raise too_large(self.layer, self.smallest.need, self.limits)

    def candidates(self) -> Iterator[tuple[Cut, bool]]:
        """Cuts that may fit, those with fewest blocks first, and whether a mean over their blocks says they do not."""
        layout, limits = self.layer.layout, self.limits
        each = 2 if self.layer.subtract else 1
        rows, columns = np.array(step_sizes(layout.rows)), np.array(step_sizes(layout.columns))
        channels = np.array(step_sizes(layout.channels, POP16_ALIGNMENT))
        h, w, c = (part.ravel() for part in np.meshgrid(rows, columns, channels, indexing="ij"))
        own = h * w * c
        fits = own * each <= limits.compartments
        if self.layer.subtract:
            fits &= own <= min(limits.input_axons, limits.output_axons)
        bits, axons, mean_bits = (np.zeros(len(h), np.int64) for _ in range(3))
        ranges_of_channels = -(-layout.channels // c)
        for synapses, forms, regular in self.windows:
            extents = (self._extent(synapses, 0), self._extent(synapses, 1))
            width = max((form.weight_bits for form in forms.forms), default=0)
            a_channel, more_axons = _least(synapses, width, regular, extents, (h, w, c))
            mean_bits += a_channel * synapses.outputs
            if synapses.outputs == layout.channels:
                bits, axons = bits + a_channel * c, axons + more_axons
        fits &= (bits <= limits.synapse_bits) & (axons + own * self.layer.subtract <= limits.input_axons)
        count = -(-layout.rows // h) * -(-layout.columns // w) * ranges_of_channels
        hopeless = mean_bits > limits.synapse_bits * ranges_of_channels
        room = limits.output_axons - own * self.layer.subtract
        hopeless |= self.fanout.total > room * count
        kept = np.flatnonzero(fits)
        for at in kept[np.lexsort((bits[kept], count[kept]))]:
            yield Cut(layout, int(h[at]), int(w[at]), int(c[at])), bool(hopeless[at])

    def _extent(self, synapses: WindowSynapses, which: int) -> dict[int, tuple[int, int, int]]:
        """For every size of a block along an axis what some block has: patterns, taps of them all, input positions."""
        axis, size = (
            (synapses.y, self.layer.layout.rows) if which == 0 else (synapses.x, self.layer.layout.columns)
        )
        found = {}
        for step in step_sizes(size):
            reached = [reach(axis, *part) for part in _distinct((axis,), size, step)]
            largest = max(reached, key=lambda one: sum(len(steps) for steps in one.steps))
            found[step] = (
                len(largest.steps),
                sum(len(steps) for steps in largest.steps),
                max(len(one.inputs) for one in reached),
            )
        return found

    def tried(self, cut: Cut) -> CutLayer:
        """What the blocks of a cut need."""
        neurons = cut.rows * cut.columns * cut.channels
        own = neurons if self.layer.subtract else 0
        need = Need(
            compartments=neurons * (2 if self.layer.subtract else 1),
            input_axons=own,
            output_axons=own + self.fanout.largest(cut),
            synapse_bits=reset_bits(self.plan, neurons, self.limits),
            synapse_formats=self.plan.formats,
            threshold_tables=self._thresholds(cut),
        )
        fixed = [1] * len(self.layer.synapses)
        if need.exceeded(self.limits):
            return CutLayer(self.plan, cut, tuple(fixed), need)
        axons = replace(need, input_axons=need.input_axons + entry_axons(self.plan, cut))
        if axons.exceeded(self.limits):
            return CutLayer(self.plan, cut, tuple(fixed), axons)
        need += entry_need(self.plan, cut, self.limits)
        largest = Need()
        for block in self._distinct_blocks(cut):
            inner, widths = windows_need(self.plan, block, self.limits)
            largest |= inner
            fixed = [max(pair) for pair in zip(fixed, widths, strict=True)]
            if (need + largest).exceeded(self.limits):
                break
        return CutLayer(self.plan, cut, tuple(fixed), need + largest)

    def _distinct_blocks(self, cut: Cut) -> Iterator[Block]:
        """A block of every kind that windows distinguish."""
        layout = cut.layout
        rows = _distinct(tuple(s.y for s, _, _ in self.windows), layout.rows, cut.rows)
        columns = _distinct(tuple(s.x for s, _, _ in self.windows), layout.columns, cut.columns)
        for channel in self._distinct_channels(cut):
            for row in rows:
                for column in columns:
                    yield Block(*row, *column, *channel)

    def _distinct_channels(self, cut: Cut) -> list[tuple[int, int]]:
        kinds: dict[object, tuple[int, int]] = {}
        for start, stop in cut.channel_ranges:
            kind = tuple(_reached_channels(synapses, start, stop) for synapses, _, _ in self.windows)
            kinds.setdefault((stop - start, kind), (start, stop))
        return list(kinds.values())

    @cached_property
    def _threshold(self) -> Array | None:
        """Thresholds in the shape of the layout, None where there is one for all."""
        assert self.layer.neuron is not None
        if self.layer.neuron.threshold.size == 1:
            return None
        layout = self.layer.layout
        values = self.layer.values(self.layer.neuron.threshold, layout.neurons(np.arange(layout.size)))
        _, numbers = np.unique(values, return_inverse=True)
        return numbers.reshape(layout.channels, layout.rows, layout.columns)

    def _thresholds(self, cut: Cut) -> int:
        """The most distinct thresholds of any block."""
        values = self._threshold
        if values is None:
            return 1
        block, _ = cut.located(np.arange(values.size))
        pairs = np.unique(block * (int(values.max()) + 1) + values.ravel())
        return int(np.bincount(pairs // (int(values.max()) + 1)).max())


def _reached_channels(synapses: WindowSynapses, start: int, stop: int) -> tuple[int, int, int] | None:
    """Which channels of a range a window map reaches: place in its group, first one and number; None for none."""
    low, high = max(start - synapses.channel_offset, 0), min(stop - synapses.channel_offset, synapses.outputs)
    if low >= high:
        return None
    share = synapses.outputs // synapses.groups
    return low % share if synapses.groups > 1 else 0, low + synapses.channel_offset - start, high - low


def _least(
    synapses: WindowSynapses,
    weight_bits: int,
    regular: bool,
    extents: tuple[dict[int, tuple[int, int, int]], dict[int, tuple[int, int, int]]],
    sizes: tuple[Array, Array, Array],
) -> tuple[Array, Array]:
    """Bits a reached channel and input axons that blocks of ``sizes`` (rows, columns, channels) need at least."""
    h, w, c = sizes
    down, taps_down, inputs_down = (np.array([extents[0][int(n)][k] for n in h]) for k in range(3))
    _, taps_across, inputs_across = (np.array([extents[1][int(n)][k] for n in w]) for k in range(3))
    per_group = len(synapses.live) // synapses.groups
    indexed = (taps_down - down) * np.where(w > synapses.x.kernel, INDEX_BITS[0], 0)
    bits = (taps_down * weight_bits + indexed) * taps_across * per_group
    groups = -(-c // (synapses.outputs // synapses.groups))
    axons = inputs_down * inputs_across * (1 if regular else groups * per_group)
    return bits, axons


def _distinct(axes: tuple[Axis, ...], size: int, step: int) -> list[tuple[int, int]]:
    """A (start, stop) of every kind of part along an axis."""
    kinds: dict[object, tuple[int, int]] = {}
    for start, stop in ranges(size, step):
        keys = tuple((reach(axis, start, stop).key, len(reach(axis, start, stop).inputs)) for axis in axes)
        kinds.setdefault((stop - start, keys), (start, stop))
    return sorted(kinds.values(), key=lambda part: (part[0] - part[1], part[0] == 0))


def reset_bits(plan: LayerPlan, neurons: int, limits: LoihiLimits, offset: int = 0) -> int:
    """Synaptic memory of the inhibition of ``neurons`` neurons: a list a charge and 256 compartments."""
    if plan.reset_form is None:
        return 0
    assert plan.layer.neuron is not None and plan.layer.neuron.reset_charge is not None
    versions = -(-neurons // limits.compartment_bases)
    bits = index_bits_for((versions - 1) * limits.compartment_bases + offset)
    each = replace(plan.reset_form, index_bits=bits).list_bits(1)
    return min(len(np.unique(plan.layer.neuron.reset_charge)) * versions, neurons) * each


def entry_axons(plan: LayerPlan, cut: Cut) -> int:
    """Input axons of a layer's entry synapses, the largest number of any block."""
    total = 0
    for synapses in plan.layer.synapses:
        if isinstance(synapses, EntrySynapses) and len(synapses.values):
            block, _ = cut.located(synapses.targets)
            width = int(synapses.columns.max()) + 1
            pairs = np.sort(block * width + synapses.columns)
            first = np.append(True, np.diff(pairs) != 0)
            total += int(np.bincount(pairs[first] // width).max())
    return total


def entry_need(plan: LayerPlan, cut: Cut, limits: LoihiLimits, offset: int = 0) -> Need:
    """Input axons and memory of the entry synapses, the largest of any block; ``offset`` as in ``windows_need``."""
    need = Need()
    for synapses, forms in zip(plan.layer.synapses, plan.forms, strict=True):
        if not isinstance(synapses, EntrySynapses) or not len(synapses.values):
            continue
        found = entry_lists(synapses, forms, cut, limits.compartment_bases)
        width = plan.index_bits or entry_index_bits(found, offset)
        kept = found.same == np.arange(len(found.same))
        bits = np.zeros(len(kept), np.int64)
        for number, form in enumerate(forms.forms):
            sizes, where = np.unique(np.diff(found.start), return_inverse=True)
            wide = replace(form, index_bits=width)
            each = np.array([wide.list_bits(int(size)) for size in sizes])[where.reshape(-1)]
            bits = np.where(found.form == number, each, bits)
        memory = np.bincount(found.block[kept], bits[kept])
        need += Need(input_axons=int(np.bincount(found.block).max()), synapse_bits=int(memory.max()))
    return need


def windows_need(
    plan: LayerPlan, block: Block, limits: LoihiLimits, offset: int = 0, first_slot: int = 0
) -> tuple[Need, tuple[int, ...]]:
    """Input axons and memory of a block's window synapses, and the width of each synapses' population axons.

    ``offset`` and ``first_slot`` are the first compartment and hardware axon of the block on its core.
    """
    need, widths = Need(), []
    for number, synapses in enumerate(plan.layer.synapses):
        more, slot = Need(), 1
        if isinstance(synapses, WindowSynapses):
            more, slot = _window_need(
                plan, number, synapses, block, limits, offset, first_slot + need.input_axons
            )
        need += more
        widths.append(slot)
    return need, tuple(widths)


def _window_need(
    plan: LayerPlan,
    number: int,
    synapses: WindowSynapses,
    block: Block,
    limits: LoihiLimits,
    offset: int,
    first_slot: int,
) -> tuple[Need, int]:
    source, forms, shared = plan.sources[number].layout, plan.forms[number], plan.slots[number]
    y, x = reach(synapses.y, block.top, block.bottom), reach(synapses.x, block.left, block.right)
    lists = plan.channel_lists(number, block.first_channel, block.last_channel)
    if not (len(lists.channels) and len(y.inputs) and len(x.inputs)):
        return Need(), 1
    found = patterns(y, x, block.columns, block.channels, limits.compartment_bases)
    dense = dense_patterns(found, lists, plan.dense[number], limits.compartment_bases, offset)
    width = plan.index_bits or index_bits(found, lists, dense, block.channels, offset)
    bits = window_bits(found, lists, forms, dense, width)
    slots = found.base.size * len(lists.channels if shared is None else lists.shares)
    slot = 1
    if shared is not None and np.bincount(lists.share).max() > 1:
        aligned = not (found.base % POP16_ALIGNMENT).any()
        slot = slot_width(first_slot, slots, source.atom_bits, aligned)
    return Need(input_axons=slots, synapse_bits=bits), slot


def _fanout(network: Network, number: int, cuts: dict[int, CutLayer]) -> Fanout:
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


def _add_entries(result: Fanout, layer: Layer, synapses: Synapses, reader: CutLayer) -> None:
    assert isinstance(synapses, EntrySynapses)
    block, _ = reader.cut.located(synapses.targets)
    width = int(synapses.columns.max(initial=0)) + 1
    _, first = np.unique(block * width + synapses.columns, return_index=True)
    np.add.at(result.single.reshape(-1), layer.layout.places[synapses.neurons[first]], 1)


def _add_windows(
    result: Fanout, layer: Layer, synapses: WindowSynapses, reader: CutLayer, number: int
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
