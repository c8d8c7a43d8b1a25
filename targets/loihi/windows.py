"""The synapses of a projection: windows over the layer's layout where they are some, else entries one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from snnc.errors import MappingError
from snnc.graph.composition import sparse_form
from snnc.graph.node import Node
from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.conv import Conv
from snnc.graph.operators.elementwise import Scale
from snnc.graph.operators.index_map import AxisMap
from snnc.graph.operators.linear import Linear, SparseLinear
from snnc.graph.projections import Projection, chained
from snnc.targets.tiling import Axis

from .layout import Layout, canonical_output
from .limits import UNIT


@dataclass(frozen=True, eq=False)
class LoihiSynapses:
    """Synapses from one population to a layer.

    Attributes:
        source: index of the population.
        ticks: of window time that a spike takes: delays, and one inside a strongly connected component.
    """

    source: int
    ticks: int


@dataclass(frozen=True, eq=False)
class WindowSynapses(LoihiSynapses):
    """Synapses of a convolution, a dense map (one position) or a scaling of channels (one tap, a group each).

    Attributes:
        weight: (out channels, in channels / groups, rows, columns) int64, in steps of 64.
        groups: channel groups.
        inputs: channels of the input.
        y, x: the spatial axes.
        channel_offset: channel of the layer's layout at which out channel 0 lies; negative where cropped.
        sources: (inputs * rows * columns,) int64, the neuron of the source at each place of the input, -1 for
            none; None where they are equal.
    """

    weight: Array
    groups: int
    inputs: int
    y: Axis
    x: Axis
    channel_offset: int
    sources: Array | None

    @property
    def outputs(self) -> int:
        """Out channels."""
        return int(self.weight.shape[0])

    @property
    def by_input(self) -> Array:
        """The weights as a matrix, a row a live input channel."""
        split = self.weight.reshape(self.groups, self.outputs // self.groups, *self.weight.shape[1:])
        return np.asarray(np.moveaxis(split, 2, 1).reshape(self.inputs, -1)[self.live])

    @property
    def positions(self) -> int:
        """Spatial positions of the input."""
        return self.y.inputs * self.x.inputs

    @cached_property
    def live(self) -> Array:
        """Input channels that have a source anywhere, ascending."""
        if self.sources is None:
            return np.arange(self.inputs)
        return np.flatnonzero((self.sources.reshape(self.inputs, -1) >= 0).any(axis=1))

    def neurons(self, channels: Array, positions: Array) -> Array:
        """Source neurons (-1: none) at channels and flat positions that broadcast."""
        places = channels * self.positions + positions
        return np.asarray(places if self.sources is None else self.sources[places])


@dataclass(frozen=True, eq=False)
class EntrySynapses(LoihiSynapses):
    """Synapses one by one.

    Attributes:
        columns: (entries,) int64, input of the map that each comes from; those of one input share a list.
        neurons: (entries,) int64, source neurons.
        targets: (entries,) int64, layout indices of the layer.
        values: (entries,) int64, weights in steps of 64, none of them 0.
    """

    columns: Array
    neurons: Array
    targets: Array
    values: Array


Steps = Callable[[Node, Projection, Array], Array]
"""From the weights of a projection into a node to weights in steps of 64."""


def exact_steps(node: Node, projection: Projection, weights: Array) -> Array:
    """Effective weights in steps of 64, int64; raises MappingError T103 for others."""
    exact = np.asarray(weights)
    steps = np.floor_divide(exact, UNIT).astype(np.int64, copy=False)
    if not (steps * UNIT == exact).all():
        names = ", ".join(projection.nodes)
        raise MappingError(
            "T103",
            f"weights of {names} are no multiples of {UNIT}",
            node=node.name,
            source=", ".join(projection.sources) or None,
            remedy="quantise the network for Loihi first",
        )
    return np.asarray(steps)


def synapses_of(
    node: Node, projection: Projection, layout: Layout, source: int, ticks: int, steps: Steps
) -> LoihiSynapses:
    """The synapses of a projection from population number ``source`` into a node; raises MappingError T103.

    Args:
        node: the population that they lead to.
        projection: its operator has weights in units of the potential.
        layout: of the population.
        source: index of the population that they come from.
        ticks: of window time that a spike takes.
        steps: what stands for the weights.
    """
    if projection.operator is None:
        raise MappingError(
            "T103",
            f"spikes of {projection.source} arrive without a weight",
            node=node.name,
            source=node.source,
            remedy="put a Scale between the populations and quantise the network for Loihi",
        )
    projection = _scaled_in_place(projection)
    as_windows = _windows(node, projection, layout, source, ticks, steps)
    return as_windows if as_windows is not None else _entries(node, projection, layout, source, ticks, steps)


def _scaled_in_place(projection: Projection) -> Projection:
    """A Scale that is placed afterwards as one behind both index maps; others as they are."""
    operator, place = projection.operator, projection.place
    if not isinstance(operator, Scale) or place is None:
        return projection
    factors = np.broadcast_to(operator.factor, projection.mid_shape).ravel()
    shape = projection.out_shape
    return replace(
        projection,
        gather=chained(projection.gather, place),
        in_shape=shape,
        operator=Scale(np.append(factors, 0)[place.indices].reshape(shape)),
        mid_shape=shape,
        place=None,
    )


@dataclass(frozen=True, eq=False)
class _Window:
    """An operator as a convolution over two axes.

    Attributes:
        weight: (out channels, in channels / groups, rows, columns).
        groups, inputs: channel groups, input channels.
        space: rows and columns of the input.
        stride, before, dilation: one entry an axis.
        sources: as in ``WindowSynapses``.
    """

    weight: Array
    groups: int
    inputs: int
    space: tuple[int, int]
    sources: Array | None
    stride: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)


def _windows(
    node: Node, projection: Projection, layout: Layout, source: int, ticks: int, steps: Steps
) -> WindowSynapses | None:
    """The projection as windows over the layer's layout, or None where it is none."""
    canonical, mid_order = canonical_output(projection)
    offset = _offset(projection, layout, canonical, mid_order)
    window = None if offset is None else _window(projection, canonical)
    if offset is None or window is None:
        return None
    y, x = (
        Axis(
            inputs=window.space[axis],
            outputs=canonical[1 + axis],
            kernel=window.weight.shape[2 + axis],
            stride=window.stride[axis],
            before=window.before[axis],
            dilation=window.dilation[axis],
            offset=offset[1 + axis],
        )
        for axis in range(2)
    )
    weight = steps(node, projection, window.weight)
    return WindowSynapses(
        source, ticks, weight, window.groups, window.inputs, y, x, offset[0], window.sources
    )


def _window(projection: Projection, canonical: tuple[int, int, int]) -> _Window | None:
    operator = projection.operator
    gather = None if projection.gather is None else projection.gather.indices
    if isinstance(operator, Conv):
        return _conv_window(operator, projection.in_shape, gather)
    if isinstance(operator, Linear):
        lead, inputs = int(np.prod(projection.in_shape[:-1])), projection.in_shape[-1]
        if lead > 1:
            gather = projection.gather_indices().reshape(lead, inputs).T.ravel()
        return _Window(operator.weight[:, :, None, None], 1, inputs, (1, lead), gather)
    if isinstance(operator, Scale):
        factors = np.broadcast_to(operator.factor, projection.in_shape).reshape(canonical[0], -1)
        channel = _one_a_row(factors, None if gather is None else gather.reshape(factors.shape) >= 0)
        if channel is None:
            return None
        return _Window(
            channel[:, None, None, None], canonical[0], canonical[0], (canonical[1], canonical[2]), gather
        )
    return None


def _conv_window(conv: Conv, in_shape: Shape, gather: Array | None) -> _Window:
    before = tuple(pads[0] for pads in conv.pads)
    if conv.weight.ndim == 3:
        stride, dilation = (1, conv.stride[0]), (1, conv.dilation[0])
        return _Window(
            conv.weight[:, :, None],
            conv.groups,
            in_shape[0],
            (1, in_shape[1]),
            gather,
            stride,
            (0, before[0]),
            dilation,
        )
    stride, dilation = (conv.stride[0], conv.stride[1]), (conv.dilation[0], conv.dilation[1])
    return _Window(
        conv.weight,
        conv.groups,
        in_shape[0],
        (in_shape[1], in_shape[2]),
        gather,
        stride,
        (before[0], before[1]),
        dilation,
    )


def _one_a_row(values: Array, used: Array | None) -> Array | None:
    """The one value of each row of a matrix where only ``used`` entries count, or None where a row has several."""
    shown = np.ones(values.shape, bool) if used is None else used
    value = values[np.arange(len(values)), shown.argmax(axis=1)]
    return None if ((values != value[:, None]) & shown).any() else value


def _offset(
    projection: Projection, layout: Layout, canonical: tuple[int, int, int], mid_order: Array | None
) -> tuple[int, int, int] | None:
    """Where the operator's output lies as a box in the layout, None where it does not."""
    sizes = (layout.channels, layout.rows, layout.columns)
    if projection.place is None and layout.order is None and mid_order is None and canonical == sizes:
        return (0, 0, 0)
    place = projection.place
    if (
        isinstance(place, AxisMap)
        and layout.order is None
        and mid_order is None
        and (place.in_shape, place.shape) == (canonical, sizes)
    ):
        return place.offset  # type: ignore[return-value]
    placed = projection.place_indices()[layout.neurons(np.arange(layout.size))]
    if mid_order is not None:
        inverse = np.empty(len(mid_order), np.int64)
        inverse[mid_order] = np.arange(len(mid_order))
        placed = np.where(placed >= 0, inverse[placed], -1)
    taken = np.flatnonzero(placed >= 0)
    if not len(taken):
        return None
    inner = np.unravel_index(placed[taken[0]], canonical)
    outer = np.unravel_index(taken[0], sizes)
    offset = tuple(int(o - i) for o, i in zip(outer, inner, strict=True))
    grid = np.indices(sizes).reshape(3, -1) - np.array(offset)[:, None]
    inside = ((grid >= 0) & (grid < np.array(canonical)[:, None])).all(axis=0)
    expected = np.full(layout.size, -1)
    expected[inside] = np.ravel_multi_index(tuple(grid[:, inside]), canonical)
    return offset if (expected == placed).all() else None  # type: ignore[return-value]


def _entries(
    node: Node, projection: Projection, layout: Layout, source: int, ticks: int, steps: Steps
) -> EntrySynapses:
    """The projection unrolled: what is neither dense nor a window over the layer's layout."""
    assert projection.operator is not None
    form: SparseLinear = sparse_form(projection.operator, projection.in_shape)
    order = np.argsort(form.rows, kind="stable")
    rows, columns, values = form.rows[order], form.columns[order], form.values[order]
    starts = np.searchsorted(rows, np.arange(int(np.prod(projection.mid_shape)) + 1))
    placed = projection.place_indices()
    targets = np.flatnonzero(placed >= 0)
    counts = np.diff(starts)[placed[targets]]
    repeated = np.repeat(targets, counts)
    picked = np.arange(counts.sum()) + np.repeat(starts[placed[targets]] - np.cumsum(counts) + counts, counts)
    inputs = columns[picked]
    neurons = projection.gather_indices()[inputs]
    in_steps = steps(node, projection, values[picked])
    kept = (neurons >= 0) & (in_steps != 0)
    return EntrySynapses(
        source, ticks, inputs[kept], neurons[kept], layout.places[repeated[kept]], in_steps[kept]
    )
