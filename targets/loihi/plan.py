"""What is the same for all blocks of a layer: the formats of its lists, and which neurons share axons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from snnc.errors import MappingError
from snnc.graph.operators.base import Array

from .blocks import ChannelLists, Cut, Need, channel_lists, share_numbers, slot_groups
from .formats import ListForms, ListRanges, list_forms, narrowest, range_of
from .layout import Layout
from .limits import UNIT, LoihiLimits
from .network import LoihiLayer, Network
from .synapses import SynapseFormat, index_bits_for
from .windows import EntrySynapses, LoihiSynapses, WindowSynapses


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

    layer: LoihiLayer
    sources: tuple[LoihiLayer, ...]
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
            self._lists[key] = channel_lists(synapses, self.shares(number), self.forms[number], start, stop)
        return self._lists[key]

    def shares(self, number: int) -> Array:
        """``share_numbers`` of window synapses ``number``."""
        if number not in self._shares:
            synapses = self.layer.synapses[number]
            assert isinstance(synapses, WindowSynapses)
            self._shares[number] = share_numbers(synapses, self.sources[number].layout)
        return self._shares[number]


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


FormsOf = Callable[[Network, LoihiLayer, int], tuple[ListForms, ...]]
"""From a layer and the number of formats that its synapses may have to the formats of their lists."""


def plan_layer(
    network: Network, layer: LoihiLayer, limits: LoihiLimits, forms_of: FormsOf
) -> LayerPlan | None:
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


def _is_dense(synapses: LoihiSynapses, layout: Layout) -> bool:
    """Whether a projection is one matrix over the whole layer, so that no list needs indices."""
    if not isinstance(synapses, WindowSynapses):
        return False
    one_position = synapses.positions == 1 and layout.rows * layout.columns == 1
    whole = synapses.groups == 1 and synapses.channel_offset == 0 and synapses.outputs == layout.channels
    return one_position and whole


def exact_forms(network: Network, layer: LoihiLayer, room: int) -> tuple[ListForms, ...]:
    """The narrowest formats that hold the weights of a layer's lists; raises MappingError T107 where there are none."""
    delays = [network.delay(layer, synapses) for synapses in layer.synapses]
    ranges = [_list_ranges(synapses) for synapses in layer.synapses]
    forms = list_forms(ranges, delays, room)
    if forms is None:
        raise MappingError(
            "T107",
            "a weight is beyond what coarse and fine synapses hold together, 255 * 2^7 steps of 64",
            node=layer.node.name,
            source=layer.node.source,
            remedy="scale the layer's weights and its threshold down",
        )
    return forms


def _list_ranges(synapses: LoihiSynapses) -> ListRanges:
    if isinstance(synapses, WindowSynapses):
        return ListRanges.of_rows(synapses.by_input)
    assert isinstance(synapses, EntrySynapses)
    return ListRanges.of_groups(synapses.values, synapses.columns, int(synapses.columns.max(initial=-1)) + 1)


def _shared_formats(
    layer: LoihiLayer, forms: Sequence[ListForms], without_index: Sequence[bool], room: int
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


def _size(synapses: LoihiSynapses) -> int:
    assert isinstance(synapses, WindowSynapses | EntrySynapses)
    return synapses.weight.size if isinstance(synapses, WindowSynapses) else synapses.values.size


def _reset_form(layer: LoihiLayer) -> SynapseFormat | None:
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
