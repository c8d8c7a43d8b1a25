"""Which neurons share a core: those whose lines fit its axons, each as often as axons elsewhere listen to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snnc.errors import MappingError
from snnc.graph.operators.base import Array, Shape
from snnc.targets.layers import Synapses

from .axon_types import KINDS, SubsetSums, set_kinds, subset_sums
from .kernels.fill import fill_cores
from .layers import Layer, Layers
from .limits import AXON_TYPES, TrueNorthLimits

_BLOCKS = (1, 2, 3, 4, 6, 8)
_ROUNDS = 32


@dataclass(frozen=True, eq=False)
class LayerAxons:
    """The axons of a layer's cores.

    Attributes:
        core: (axons,) int64, counted within the layer, ascending.
        index: (axons,) int64 on the core.
        line: (axons,) int64 into the layer's lines.
        kind: (axons,) int64, see ``SubsetSums``.
    """

    core: Array
    index: Array
    line: Array
    kind: Array

    @property
    def type(self) -> Array:
        """(axons,) int64."""
        return np.asarray(self.kind % AXON_TYPES)


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """A layer on cores of its own.

    Attributes:
        layer: the population.
        synapses: its synapses.
        sums: its neurons' values.
        line: (synapses,) int64, index of the synapse's line.
        line_source, line_delay: (lines,) int64.
        copies: (neurons,) int64, how many neurons of the core stand for each.
        core: (neurons,) int64, counted within the layer.
        slot: (neurons,) int64, first of the neuron's copies on its core.
        cores: number of cores.
        axons: of the cores.
    """

    layer: Layer
    synapses: Synapses
    sums: SubsetSums
    line: Array
    line_source: Array
    line_delay: Array
    copies: Array
    core: Array
    slot: Array
    cores: int
    axons: LayerAxons


def pack_layers(layers: Layers, limits: TrueNorthLimits) -> tuple[PackedLayer, ...]:
    """All populations of the chip on cores, in dataflow order.

    A neuron sends to one axon, so it is there once for every axon that listens to it. Layers are packed from the
    last to the first, because what they send to must be known; those of a cycle until none asks for more copies.

    Raises:
        MappingError: T422 weights that four values cannot sum up to; T423 a neuron needs more axons, or copies,
            than a core has; T424 a cycle whose copies do not fit.
    """
    asked = np.zeros(layers.count + 1, np.int64)
    packed: list[PackedLayer] = []
    for members in from_the_last(layers):
        component = settled_group(members, asked, limits)
        for each in component:
            asked += asked_axons(each, layers.count)
        packed = [*component, *packed]
    return tuple(packed)


def from_the_last(layers: Layers) -> Iterator[list[Wired]]:
    """The populations of the chip by strongly connected component, from the last to the first."""
    groups: dict[int, list[Layer]] = {}
    for layer in layers.layers:
        if layer.neuron is not None:
            groups.setdefault(layers.schedule.components[layer.node.name], []).append(layer)
    for number in sorted(groups, reverse=True):
        yield [Wired.of(layers, layer) for layer in groups[number]]


@dataclass(frozen=True, eq=False)
class Wired:
    """A layer with its synapses by line."""

    layer: Layer
    synapses: Synapses
    sums: SubsetSums
    line: Array
    line_source: Array
    line_delay: Array

    @staticmethod
    def of(layers: Layers, layer: Layer) -> Wired:
        """Synapses of one source are merged, unless the sum of their weights is impossible: then each has axons."""
        single = layers.synapses(layer)
        synapses = single.merged()
        sums = subset_sums(synapses.target, synapses.weight, layer.size)
        if not sums.once.all():
            apart = subset_sums(single.target, single.weight, layer.size)
            if apart.once.all():
                synapses, sums = single, apart
        if not sums.possible.all():
            raise _impossible(layer, synapses, int(np.flatnonzero(~sums.possible)[0]))
        times = int(synapses.occurrence.max(initial=0)) + 1
        keys = synapses.source * (int(synapses.delay.max(initial=0)) + 1) + synapses.delay
        keys = keys * times + synapses.occurrence
        _, first, line = np.unique(keys, return_index=True, return_inverse=True)
        return Wired(layer, synapses, sums, line.reshape(-1), synapses.source[first], synapses.delay[first])


def _impossible(layer: Layer, synapses: Synapses, neuron: int) -> MappingError:
    weights = synapses.weight[synapses.target == neuron]
    return MappingError(
        "T422",
        f"the weights of neuron {neuron}, {int(weights.min())} to {int(weights.max())}, are not sums of {AXON_TYPES}"
        f" values of 9 bits, each taken up to {KINDS // AXON_TYPES} times",
        node=layer.node.name,
        source=layer.node.source,
        remedy="make weights, threshold and leak of this population smaller by one factor, or quantise them to 4 bits"
        " (truenorth-quantise)",
    )


def settled_group(members: list[Wired], asked: Array, limits: TrueNorthLimits) -> list[PackedLayer]:
    """The layers of one strongly connected component, packed with as many copies as they ask of each other.

    Args:
        members: the layers.
        asked: (neurons of the network + 1,) int64, copies that layers of later components ask for.
        limits: of a core.

    Raises:
        MappingError: T423, T424.
    """
    copies = np.maximum(asked, 1)
    for _ in range(_ROUNDS):
        layers = [_packed(wired, copies, limits) for wired in members]
        needed = asked + sum(asked_axons(each, len(asked) - 1) for each in layers)
        inside = np.zeros(len(asked), bool)
        for wired in members:
            inside[wired.layer.first : wired.layer.first + wired.layer.size] = True
        if (needed <= copies)[inside].all():
            return layers
        copies = np.where(inside, np.maximum(copies, needed), copies)
    raise MappingError(
        "T424",
        "the populations of a cycle need ever more copies of each other's neurons",
        node=members[0].layer.node.name,
        source=members[0].layer.node.source,
        remedy="make the recurrent layer smaller, or take fewer weight bits",
    )


def asked_axons(packed: PackedLayer, count: int) -> Array:
    """How many axons of a layer listen to each neuron of the network."""
    return np.bincount(packed.line_source[packed.axons.line], minlength=count + 1)


def _packed(wired: Wired, copies: Array, limits: TrueNorthLimits) -> PackedLayer:
    """The layer in the order of its neurons that takes the fewest cores, and of those the fewest axons."""
    layer = wired.layer
    own = copies[layer.first : layer.first + layer.size]
    _check_neurons(wired, own, limits)
    best: tuple[tuple[int, int], Array, Array] | None = None
    first = np.searchsorted(wired.synapses.target, np.arange(layer.size + 1))
    lines = len(wired.line_source)
    for order in _orders(layer.shape, first, wired.line):
        core, count = fill_cores(
            order, first, wired.line, wired.sums.types, own, lines, limits.axons, limits.neurons
        )
        cost = (int(core.max(initial=0)), count)
        if best is None or cost < best[0]:
            best = (cost, order, core)
    assert best is not None
    _, order, core = best
    before = np.cumsum(own[order]) - own[order]
    opening = np.ones(len(order), bool)
    opening[1:] = np.diff(core[order]) != 0
    slot = np.zeros(layer.size, np.int64)
    slot[order] = before - before[opening][core[order]]
    axons = _axons(wired, core)
    return PackedLayer(
        layer, wired.synapses, wired.sums, wired.line, wired.line_source, wired.line_delay,
        own, core, slot, int(core.max(initial=0)) + 1, axons,
    )  # fmt: skip


def _check_neurons(wired: Wired, copies: Array, limits: TrueNorthLimits) -> None:
    needed = np.bincount(wired.synapses.target, np.bitwise_count(wired.sums.types), wired.layer.size)
    for what, used, available, remedy in (
        ("axons", needed, limits.axons, "take fewer weight bits, grouped convolutions or smaller layers"),
        (
            "copies, one for each axon that listens to it,",
            copies,
            limits.neurons,
            "make the layers behind it smaller",
        ),
    ):
        if used.max(initial=0) > available:
            raise MappingError(
                "T423",
                f"neuron {int(used.argmax())} needs {int(used.max())} {what} but a core has {available}",
                node=wired.layer.node.name,
                source=wired.layer.node.source,
                remedy=remedy,
            )


def _orders(shape: Shape, first: Array, line: Array) -> Iterator[Array]:
    """Orders in which neurons that share lines come together: as they are, by first line, by blocks in space."""
    size = int(np.prod(shape))
    yield np.arange(size)
    if len(line):
        leading = np.append(line, len(line))[first[:-1]]
        yield np.argsort(leading, kind="stable")
    if len(shape) > 1:
        channel, *space = np.unravel_index(np.arange(size), shape)
        for side in _BLOCKS:
            if side == 1 or side <= max(shape[1:]):
                yield np.lexsort((*reversed(space), channel, *(axis // side for axis in reversed(space))))


def _axons(wired: Wired, core: Array) -> LayerAxons:
    """An axon for every line and type that a core's neurons need."""
    lines = max(len(wired.line_source), 1)
    key = core[wired.synapses.target] * lines + wired.line
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    types = np.bitwise_or.reduceat(wired.sums.types[order], first) if len(first) else wired.sums.types
    at, kind = set_kinds(types)
    on, line = np.divmod(key[order][first][at], lines)
    opening = np.searchsorted(on, np.arange(int(core.max(initial=0)) + 1))
    return LayerAxons(on, np.arange(len(on)) - opening[on], line, kind)
