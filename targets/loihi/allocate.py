"""Fill the cores: axons, hardware axon numbers, synapse lists and registers of every block."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from snnc.errors import MappingError
from snnc.graph.operators.base import Array
from snnc.targets.tiling import reach

from .blocks import (
    Block,
    ChannelLists,
    EntryLists,
    Patterns,
    dense_patterns,
    entry_index_bits,
    entry_lists,
    index_bits,
    patterns,
)
from .core_assignment import Spot
from .formats import ListForms, mantissas
from .limits import UNIT, LoihiLimits
from .network import Network
from .plan import CutLayer
from .program import SynapticMemory, Tile
from .synapses import SynapseFormat, index_bits_for
from .windows import EntrySynapses, WindowSynapses

_Key = Hashable


@dataclass(frozen=True, eq=False)
class _Lists:
    """Synapse lists of one kind in a block, before they are put into a memory.

    Attributes:
        pool: (entries,) int16 mantissas.
        counts: (lists,) int64, runs of each list.
        first, weight, length: (runs,) as in ``SynapticMemory``.
        form: (lists,) int64, index into ``forms``.
        block: (lists,) int64, numbered from 0.
        forms: formats.
    """

    pool: Array
    counts: Array
    first: Array
    weight: Array
    length: Array
    form: Array
    block: Array
    forms: tuple[SynapseFormat, ...]


@dataclass(frozen=True, eq=False)
class _Axons:
    """Axons of one kind in a block: columns of ``Tile``, with slots and lists numbered from 0."""

    population: int
    delay: int
    neuron: Array
    list: Array
    base: Array
    slot: Array
    slot_width: Array
    resets: bool = False


@dataclass(frozen=True, eq=False)
class _Part:
    """Everything of one kind in a block.

    Attributes:
        axons: its axons.
        lists: number of lists that they choose from.
        key: equal for two parts of a layer exactly if their lists are.
        build: makes the lists.
    """

    axons: _Axons
    lists: int
    key: _Key
    build: Callable[[], _Lists]


@dataclass
class Memories:
    """The synaptic memories so far; equal ones are shared, and so are equal pools of weights.

    Attributes:
        memories: what programs name by index.
    """

    memories: list[SynapticMemory] = field(default_factory=list)
    _known: dict[_Key, int] = field(default_factory=dict)
    _pools: dict[bytes, Array] = field(default_factory=dict)

    def index(self, key: _Key, parts: Sequence[_Part]) -> int:
        """The index of the memory made of ``parts``; equal keys stand for equal lists."""
        if key not in self._known:
            self._known[key] = len(self.memories)
            self.memories.append(self._joined([part.build() for part in parts]))
        return self._known[key]

    def _joined(self, parts: Sequence[_Lists]) -> SynapticMemory:
        used = [part.forms[at] for part in parts for at in np.unique(part.form)]
        forms = tuple(dict.fromkeys(used))
        number = {form: at for at, form in enumerate(forms)}
        pools = np.cumsum([0, *(len(part.pool) for part in parts)])
        blocks = np.cumsum([0, *(int(part.block.max(initial=-1)) + 1 for part in parts)])
        formats = [
            np.array([number.get(form, 0) for form in part.forms], np.int32)[part.form] for part in parts
        ]
        return SynapticMemory(
            weights=self._pool([part.pool for part in parts]),
            list_runs=np.cumsum(_column([np.zeros(1, np.int64), *(p.counts for p in parts)], np.int64)),
            run_first=_column([part.first for part in parts]),
            run_weight=_column([part.weight + pools[at] for at, part in enumerate(parts)]),
            run_length=_column([part.length for part in parts]),
            list_format=_column(formats),
            list_block=_column([part.block + blocks[at] for at, part in enumerate(parts)]),
            formats=forms,
        )

    def _pool(self, pools: Sequence[Array]) -> Array:
        joined = _column(pools, np.int16)
        return self._pools.setdefault(joined.tobytes(), joined)


def _column(parts: Sequence[Array], dtype: type[np.generic] = np.int32) -> Array:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype)


def allocate(
    network: Network,
    cuts: Sequence[CutLayer | None],
    spots: Sequence[Sequence[Spot]],
    limits: LoihiLimits,
) -> tuple[tuple[Tile, ...], tuple[SynapticMemory, ...]]:
    """The tiles of all layers, in order, and the memories that they name.

    Raises:
        MappingError: T108 a bias that no register holds.
    """
    memories = Memories()
    tiles: list[Tile] = []
    for number, (cut, places) in enumerate(zip(cuts, spots, strict=True)):
        if cut is not None:
            filler = _Filler(network, number, cut, limits, memories)
            tiles += [filler.tile(at, block, places[at]) for at, block in enumerate(cut.cut.blocks())]
    return tuple(tiles), tuple(memories.memories)


class _Filler:
    """Makes the tiles of one layer."""

    def __init__(
        self, network: Network, number: int, cut: CutLayer, limits: LoihiLimits, memories: Memories
    ) -> None:
        self.number, self.cut, self.limits, self.memories = number, cut, limits, memories
        self.plan, self.layer = cut.plan, cut.plan.layer
        self.delays = [network.delay(self.layer, synapses) for synapses in self.layer.synapses]
        self.entries = {
            at: entry_lists(synapses, self.plan.forms[at], cut.cut, limits.compartment_bases)
            for at, synapses in enumerate(self.layer.synapses)
            if isinstance(synapses, EntrySynapses)
        }
        self.pools: dict[tuple[int, int, int], WindowPool] = {}

    def tile(self, at: int, block: Block, spot: Spot) -> Tile:
        """The tile of block number ``at``."""
        neurons = self.layer.layout.neurons(block.layout_indices(self.layer.layout))
        parts = [
            part
            for number, synapses in enumerate(self.layer.synapses)
            if isinstance(synapses, WindowSynapses)
            and (part := self._windows(number, synapses, block, spot)) is not None
        ]
        parts += [self._entry_part(number, at, spot) for number in self.entries]
        if self.layer.subtract:
            parts.append(self._resets(neurons, spot))
        key = (self.number, spot.compartment, tuple(part.key for part in parts))
        neuron = self.layer.neuron
        assert neuron is not None and neuron.bias is not None and neuron.initial_voltage is not None
        mantissa, exponent = self._bias(self.layer.values(neuron.bias, neurons))
        columns = _Columns(parts, spot)
        return Tile(
            core=spot.core,
            population=self.number,
            neurons=neurons,
            threshold=(self.layer.values(neuron.threshold, neurons) // UNIT).astype(np.int32),
            bias_mantissa=mantissa,
            bias_exponent=exponent,
            initial_voltage=self.layer.values(neuron.initial_voltage, neurons),
            current_decay=self.layer.values(neuron.current_decay, neurons).astype(np.int16),
            voltage_decay=self.layer.values(neuron.voltage_decay, neurons).astype(np.int16),
            refractory=self.layer.values(neuron.refractory, neurons).astype(np.int8),
            memory=self.memories.index(key, parts),
            axon_population=columns.constant("population", np.int32),
            axon_neuron=columns.joined("neuron"),
            axon_delay=columns.constant("delay", np.int16),
            axon_list=columns.joined("list", columns.lists),
            axon_base=columns.joined("base"),
            axon_slot=columns.joined("slot", columns.slots),
            axon_resets=columns.constant("resets", np.bool_),
            slot_width=_column([np.zeros(spot.slot), *(part.axons.slot_width for part in parts)], np.int8),
        )

    def _bias(self, bias: Array) -> tuple[Array, Array]:
        """Mantissas and exponents that hold the biases exactly."""
        mantissa, exponent = bias.astype(np.int64), np.zeros(len(bias), np.int8)
        for _ in range(self.limits.bias_exponent):
            wide = np.abs(mantissa) > self.limits.bias_mantissa
            even = wide & (mantissa % 2 == 0)
            mantissa[even] //= 2
            exponent[even] += 1
        wrong = np.abs(mantissa) > self.limits.bias_mantissa
        if wrong.any():
            raise MappingError(
                "T108",
                f"a bias of {int(bias[wrong][0])} is no mantissa of at most {self.limits.bias_mantissa} times a"
                f" power of two up to 2^{self.limits.bias_exponent}",
                node=self.layer.node.name,
                source=self.layer.node.source,
                remedy="quantise the biases for Loihi, or scale the layer's weights and thresholds down",
            )
        return mantissa.astype(np.int32), exponent

    def _windows(self, number: int, synapses: WindowSynapses, block: Block, spot: Spot) -> _Part | None:
        """The part of window synapses that reaches a block; None where none does."""
        y, x = reach(synapses.y, block.top, block.bottom), reach(synapses.x, block.left, block.right)
        pool = self._pool(number, synapses, block)
        lists, shared = pool.lists, self.plan.slots[number]
        if not (len(lists.channels) and len(y.inputs) and len(x.inputs)):
            return None
        shapes = patterns(y, x, block.columns, block.channels, self.limits.compartment_bases)
        where = (y.inputs[:, None] * synapses.x.inputs + x.inputs).ravel()
        neurons = synapses.neurons(lists.channels, where[:, None])
        present = neurons >= 0
        numbers = np.arange(len(lists.channels))
        shape = neurons.shape
        if shared is None:
            slot = np.arange(neurons.size).reshape(shape)
        else:
            slot = np.arange(len(where))[:, None] * len(lists.shares) + lists.share
        used, slot, members = np.unique(slot[present], return_inverse=True, return_counts=True)
        width = np.where(members > 1, self.cut.widths[number], 1)
        axons = _Axons(
            population=synapses.source,
            delay=self.delays[number],
            neuron=neurons[present],
            list=(shapes.code.reshape(-1, 1) * len(numbers) + numbers)[present],
            base=np.broadcast_to(shapes.base.reshape(-1, 1), shape)[present],
            slot=slot,
            slot_width=width[: len(used)],
        )
        key = (number, block.first_channel, block.last_channel, block.columns, y.key, x.key)

        def build() -> _Lists:
            bases, offset = self.limits.compartment_bases, spot.compartment
            dense = dense_patterns(shapes, lists, self.plan.dense[number], bases, offset)
            width = self.plan.index_bits or index_bits(shapes, lists, dense, block.channels, offset)
            return pool.built(shapes, block, dense, width)

        return _Part(axons, len(shapes.taps) * len(numbers), key, build)

    def _pool(self, number: int, synapses: WindowSynapses, block: Block) -> WindowPool:
        key = (number, block.first_channel, block.last_channel)
        if key not in self.pools:
            lists = self.plan.channel_lists(*key)
            self.pools[key] = WindowPool(synapses, lists, self.plan.forms[number])
        return self.pools[key]

    def _entry_part(self, number: int, at: int, spot: Spot) -> _Part:
        """The part of entry synapses that reaches block number ``at``."""
        lists, forms = self.entries[number], self.plan.forms[number]
        low, high = np.searchsorted(lists.block, [at, at + 1])
        pairs = np.arange(low, high)
        kept, which = np.unique(lists.same[pairs], return_inverse=True)
        axons = _Axons(
            population=self.layer.synapses[number].source,
            delay=self.delays[number],
            neuron=lists.neuron[pairs],
            list=which.reshape(-1),
            base=lists.base[pairs],
            slot=np.arange(len(pairs)),
            slot_width=np.ones(len(pairs), np.int8),
        )
        return _Part(
            axons,
            len(kept),
            (number, at),
            lambda: entries_built(lists, kept, forms, self.plan.index_bits, spot.compartment),
        )

    def _resets(self, neurons: Array, spot: Spot) -> _Part:
        """The part that brings every neuron's spike back to it."""
        neuron, form = self.layer.neuron, self.plan.reset_form
        assert neuron is not None and neuron.reset_charge is not None and form is not None
        charges = self.layer.values(neuron.reset_charge, neurons) // UNIT
        bases = self.limits.compartment_bases
        version = np.arange(len(neurons)) // bases
        versions = int(version[-1]) + 1
        used, which = np.unique(charges * versions + version, return_inverse=True)
        axons = _Axons(
            population=self.number,
            delay=0,
            neuron=neurons,
            list=which.reshape(-1),
            base=np.arange(len(neurons)) % bases,
            slot=np.arange(len(neurons)),
            slot_width=np.ones(len(neurons), np.int8),
            resets=True,
        )
        wide = replace(form, index_bits=index_bits_for((versions - 1) * bases + spot.compartment))

        def build() -> _Lists:
            count = np.arange(len(used))
            return _Lists(
                pool=mantissas(-(used // versions), wide),
                counts=np.ones(len(used), np.int64),
                first=used % versions * bases,
                weight=count,
                length=np.ones(len(used), np.int64),
                form=np.zeros(len(used), np.int64),
                block=count,
                forms=(wide,),
            )

        return _Part(axons, len(used), used.tobytes(), build)


class _Columns:
    """The axons of several parts as columns of a tile."""

    def __init__(self, parts: Sequence[_Part], spot: Spot) -> None:
        self.axons = [part.axons for part in parts]
        self.lists = np.cumsum([0, *(part.lists for part in parts)])
        self.slots = spot.slot + np.cumsum([0, *(len(part.axons.slot_width) for part in parts)])

    def joined(self, name: str, offsets: Array | None = None) -> Array:
        """A column of the parts, each with its offset added; int32."""
        columns = [getattr(axons, name) for axons in self.axons]
        if offsets is not None:
            columns = [column + offsets[at] for at, column in enumerate(columns)]
        return _column(columns)

    def constant(self, name: str, dtype: type[np.generic]) -> Array:
        """A column that has one value a part."""
        return _column([np.full(len(axons.neuron), getattr(axons, name)) for axons in self.axons], dtype)


class WindowPool:
    """The weights that lead to a range of channels, in the order in which runs read them.

    Attributes:
        lists: the lists of one position.
        forms: the projection's formats.
        pool: (entries,) int16 mantissas: for each list, for each tap, the channels it reaches.
        start: (lists,) int64, where each list's weights start.
    """

    def __init__(self, synapses: WindowSynapses, lists: ChannelLists, forms: ListForms) -> None:
        self.lists, self.forms = lists, forms
        per_group = synapses.inputs // synapses.groups
        self.start = np.zeros(len(lists.channels), np.int64)
        pieces, total = [np.zeros(0, np.int16)], 0
        for width, number in np.unique(np.stack([lists.width, lists.form]), axis=1).T:
            own = np.flatnonzero((lists.width == width) & (lists.form == number))
            rows = lists.weight_row[own, None] + np.arange(width)
            steps = synapses.weight[rows, (lists.channels[own] % per_group)[:, None]]
            piece = mantissas(np.moveaxis(steps, 1, -1), forms.forms[number]).ravel()
            self.start[own] = total + np.arange(len(own)) * (piece.size // len(own))
            pieces.append(piece)
            total += piece.size
        self.pool = np.concatenate(pieces)

    def built(self, patterns_of_block: Patterns, block: Block, dense: Array, index_bits: int) -> _Lists:
        """The lists of all patterns of a block; ``dense`` as of ``dense_patterns``."""
        lists = self.lists
        first, weight, length = [], [], []
        for at in range(len(patterns_of_block.taps)):
            places, taps = patterns_of_block.places(at, block.columns)
            first.append(patterns_of_block.shift[at] + places * block.channels + lists.first[:, None])
            weight.append(self.start[:, None] + taps * lists.width[:, None])
            length.append(np.broadcast_to(lists.width[:, None], (len(lists.channels), len(places))))
        return _Lists(
            pool=self.pool,
            counts=np.repeat(patterns_of_block.taps, len(lists.channels)),
            first=_column([part.ravel() for part in first]),
            weight=_column([part.ravel() for part in weight]),
            length=_column([part.ravel() for part in length]),
            form=(2 * lists.form + ~dense[:, None]).ravel(),
            block=(
                np.arange(len(patterns_of_block.taps))[:, None] * len(lists.part_form) + lists.part
            ).ravel(),
            forms=tuple(
                replace(form, index_bits=width) for form in self.forms.forms for width in (0, index_bits)
            ),
        )


def entries_built(
    lists: EntryLists, kept: Array, forms: ListForms, index_bits: int | None, offset: int
) -> _Lists:
    """The lists of the pairs ``kept`` as runs of consecutive compartments."""
    starts, counts = lists.start[kept], np.diff(lists.start)[kept]
    where = np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    owner = np.repeat(np.arange(len(kept)), counts)
    compartment = lists.relative[where] + np.repeat(lists.shift[kept], counts)
    breaks = (np.diff(compartment) != 1) | (np.diff(owner) != 0)
    heads = np.concatenate([[0], np.flatnonzero(breaks) + 1]) if len(where) else np.zeros(0, np.int64)
    width = index_bits or entry_index_bits(lists, offset)
    pool = np.zeros(len(where), np.int16)
    for number, form in enumerate(forms.forms):
        own = lists.form[kept][owner] == number
        pool[own] = mantissas(lists.values[where][own], form)
    return _Lists(
        pool=pool,
        counts=np.bincount(owner[heads], minlength=len(kept)),
        first=compartment[heads],
        weight=heads,
        length=np.diff(np.append(heads, len(where))),
        form=lists.form[kept],
        block=np.arange(len(kept)),
        forms=tuple(replace(form, index_bits=width) for form in forms.forms),
    )
