"""The integer network as the mapping sees it: layers with a layout, and synapses as windows or as entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron, Reset
from snnc.graph.node import Node
from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.conv import Conv
from snnc.graph.operators.elementwise import Scale
from snnc.graph.operators.linear import Linear, SparseLinear
from snnc.graph.projections import Drive, Projection, chained, drives
from snnc.targets.schedule import Schedule
from snnc.targets.tiling import Axis

from .compartment import LoihiCompartment
from .limits import UNIT, LoihiLimits

ATOMS = 512
"""Most neurons that may share a population axon: an atom has at most 9 bits (nengo-loihi)."""

DENSE_ATOMS = 32
"""Neurons that share a population axon where a layer has no space: 5 bits cost no bit of the axon's number."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The order of a population's neurons for cutting: channels, rows and columns.

    Attributes:
        channels, rows, columns: sizes; layout index = (channel * rows + row) * columns + column.
        order: (neurons,) int64, flat index in the population of each layout index; None where they are equal.
    """

    channels: int
    rows: int = 1
    columns: int = 1
    order: Array | None = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.channels * self.rows * self.columns

    def neurons(self, layout_indices: Array) -> Array:
        """Flat indices in the population."""
        return layout_indices if self.order is None else self.order[layout_indices]

    @cached_property
    def places(self) -> Array:
        """(neurons,) int64, the layout index of each neuron of the population."""
        if self.order is None:
            return np.arange(self.size)
        places = np.empty(self.size, np.int64)
        places[self.order] = np.arange(self.size)
        return places

    @property
    def atoms(self) -> int:
        """How many channels of one position share a population axon."""
        return min(self.channels, DENSE_ATOMS if self.rows * self.columns == 1 else ATOMS)

    @property
    def groups(self) -> int:
        """Number of sets of neurons that share population axons."""
        return -(-self.channels // self.atoms) * self.rows * self.columns

    @property
    def atom_bits(self) -> int:
        """Bits that number the atoms."""
        return (self.atoms - 1).bit_length()

    def group_of(self, neurons: Array) -> Array:
        """The set of each neuron (flat indices in the population)."""
        index = neurons if self.order is None else self.places[neurons]
        space = self.rows * self.columns
        return np.asarray(index // space // self.atoms * space + index % space)


@dataclass(frozen=True, eq=False)
class Synapses:
    """Synapses from one population to a layer.

    Attributes:
        source: index of the population.
        ticks: of window time that a spike takes: delays, and one inside a strongly connected component.
    """

    source: int
    ticks: int


@dataclass(frozen=True, eq=False)
class WindowSynapses(Synapses):
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
class EntrySynapses(Synapses):
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


@dataclass(frozen=True, eq=False)
class Layer:
    """A population and what arrives at it.

    Attributes:
        node: of the graph.
        shape: of the population.
        layout: order for cutting.
        start: chip tick at which its window opens.
        neuron: its parameters, None for spikes that the host makes.
        synapses: from other populations and itself.
        drive: node of the host graph that gives a bias current, or None.
    """

    node: Node
    shape: Shape
    layout: Layout
    start: int
    neuron: LoihiCompartment | None
    synapses: tuple[Synapses, ...]
    drive: str | None

    @property
    def subtract(self) -> bool:
        """Whether a neuron takes two compartments."""
        return self.neuron is not None and self.neuron.reset is Reset.SUBTRACT

    def values(self, parameter: Array, neurons: Array) -> Array:
        """A parameter of the population at some of its neurons (flat indices)."""
        if parameter.size == 1:
            return np.full(neurons.shape, parameter.reshape(-1)[0])
        spread = np.broadcast_to(parameter, self.shape)
        return np.asarray(spread[np.unravel_index(neurons, self.shape)])


@dataclass(frozen=True, eq=False)
class Network:
    """All layers.

    Attributes:
        name: of the graph.
        layers: in dataflow order, spike sources of the host included.
        components: indices of layers by strongly connected component, in dataflow order.
        output: the Output node.
        read: index of the layer that it reads.
    """

    name: str
    layers: tuple[Layer, ...]
    components: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[Node, int], ...]

    def delay(self, layer: Layer, synapses: Synapses) -> int:
        """Synaptic delay in ticks: a spike of chip tick c arrives at c + 1 + delay."""
        return layer.start - self.layers[synapses.source].start - 1 + synapses.ticks


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


def network(graph: Graph, limits: LoihiLimits, steps: Steps = exact_steps) -> Network:
    """The network of an INTEGER graph.

    Args:
        graph: populations of ``LoihiCompartment`` and spike sources, merged linear maps.
        limits: of the chip.
        steps: what stands for the weights.

    Raises:
        MappingError: T101 a node that is no compartment; T102 host and spikes meet; T103 synapses without weights
            or weights that are no multiple of 64; T104 a constant current outside of a compartment; T105 an
            output reads no population; T106 a delay is too long.
    """
    found = drives(graph)
    nodes = graph.populations
    index = {node.name: number for number, node in enumerate(nodes)}
    components = _components(graph, index)
    schedule = Schedule.of(graph, found)
    layers = []
    for node in nodes:
        drive = found[node.name]
        _check_population(node, drive)
        layout = _layout(graph.shapes[node.name], drive.projections)
        synapses = [
            _synapses(node, p, layout, index[p.source], schedule.window_ticks(p, node.name), steps)
            for p in drive.projections
        ]
        layers.append(
            Layer(
                node,
                graph.shapes[node.name],
                layout,
                schedule.starts[node.name],
                node.operator if isinstance(node.operator, LoihiCompartment) else None,
                tuple(synapses) if isinstance(node.operator, LoihiCompartment) else (),
                drive.host[0] if drive.host else None,
            )
        )
    outputs = tuple((output, _read_by(graph, output, index)) for output in graph.outputs)
    result = Network(graph.name, tuple(layers), components, outputs)
    _check_delays(result, limits)
    return result


def _components(graph: Graph, index: Mapping[str, int]) -> tuple[tuple[int, ...], ...]:
    members = [[index[name] for name in component if name in index] for component in graph.components]
    return tuple(tuple(component) for component in members if component)


def _read_by(graph: Graph, output: Node, index: Mapping[str, int]) -> int:
    """The population that an output reads."""
    source = output.inputs[0]
    if source not in index:
        raise MappingError(
            "T105",
            f"the output reads {source!r}, which is no population",
            node=output.name,
            source=output.source,
            remedy="let the output read a population of neurons",
        )
    return index[source]


def _check_population(node: Node, drive: Drive) -> None:
    operator = node.operator
    assert isinstance(operator, Neuron)
    if getattr(operator, "takes_samples", False):
        wrong = "spikes of the host are made from values of the host alone" if drive.projections else None
    elif not isinstance(operator, LoihiCompartment):
        raise MappingError(
            "T101",
            f"a population of {type(operator).__name__} neurons has no place on Loihi",
            node=node.name,
            source=node.source,
            remedy="quantise the network for Loihi first",
        )
    else:
        wrong = _mixed_inputs(node, operator, drive)
    if wrong is not None:
        raise MappingError(
            "T102",
            wrong,
            node=node.name,
            source=node.source,
            remedy="let the population's last input, and no other, be a current of the host, and set driven",
        )
    if drive.bias is not None:
        raise MappingError(
            "T104",
            "a constant current arrives through a linear map, but Loihi has it in its compartments only",
            node=node.name,
            source=node.source,
            remedy="move it into the bias of the compartments (quantise-for-loihi does)",
        )


def _mixed_inputs(node: Node, operator: LoihiCompartment, drive: Drive) -> str | None:
    if not operator.driven:
        return "it reads values of the host but is not driven" if drive.host else None
    if drive.host != node.inputs[-1:]:
        return "a driven population's last input is a current of the host, and its others are synapses"
    return None


def _check_delays(found: Network, limits: LoihiLimits) -> None:
    for layer in found.layers:
        for synapses in layer.synapses:
            delay = found.delay(layer, synapses)
            if delay > limits.maximum_delay:
                source = found.layers[synapses.source].node
                raise MappingError(
                    "T106",
                    f"spikes of {source.name} need a synaptic delay of {delay} ticks, but Loihi has at most"
                    f" {limits.maximum_delay}",
                    node=layer.node.name,
                    source=layer.node.source,
                    remedy="shorten the skip connection or the Delay, or relay the spikes by a population",
                )


def _layout(shape: Shape, projections: Sequence[Projection]) -> Layout:
    """The layout of a population: that of the largest window map into it where that fills it, else its own."""
    spatial = len(shape) in (2, 3)
    natural = Layout(shape[0], *_space(shape[1:])) if spatial else Layout(int(np.prod(shape)))
    windows = [p for p in projections if _has_space(p)]
    if not windows:
        return natural
    largest = max(windows, key=lambda p: int(np.prod(p.mid_shape)))
    canonical, mid_order = _canonical_output(largest)
    if int(np.prod(canonical)) != natural.size:
        return natural
    order = np.arange(natural.size) if mid_order is None else mid_order
    if largest.place is not None:
        if len(np.unique(largest.place)) != natural.size or largest.place.min() < 0:
            return natural
        order = np.argsort(largest.place)[order]
    same = (order == np.arange(natural.size)).all()
    return Layout(*canonical, order=None if same else order)


def _has_space(projection: Projection) -> bool:
    return isinstance(projection.operator, Conv) or (
        isinstance(projection.operator, Linear) and len(projection.in_shape) > 1
    )


def _space(shape: Shape) -> tuple[int, int]:
    """Rows and columns of one or two spatial axes; one axis is taken as columns."""
    return (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])


def _canonical_output(projection: Projection) -> tuple[tuple[int, int, int], Array | None]:
    """(channels, rows, columns) of the operator's output, and the flat index of each element, None if equal."""
    shape = projection.mid_shape
    if isinstance(projection.operator, Linear):
        lead = int(np.prod(shape[:-1]))
        order = None if lead == 1 else np.arange(lead * shape[-1]).reshape(lead, shape[-1]).T.ravel()
        return (shape[-1], 1, lead), order
    if len(shape) in (2, 3):
        return (shape[0], *_space(shape[1:])), None
    return (int(np.prod(shape)), 1, 1), None


def _synapses(
    node: Node, projection: Projection, layout: Layout, source: int, ticks: int, steps: Steps
) -> Synapses:
    if projection.operator is None:
        raise MappingError(
            "T103",
            f"spikes of {projection.source} arrive without a weight",
            node=node.name,
            source=node.source,
            remedy="put a Scale between the populations and quantise the network for Loihi",
        )
    projection = _scaled_in_place(projection)
    found = _windows(node, projection, layout, source, ticks, steps)
    return found if found is not None else _entries(node, projection, layout, source, ticks, steps)


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
        operator=Scale(np.append(factors, 0)[place].reshape(shape)),
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
    canonical, mid_order = _canonical_output(projection)
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
    operator, gather = projection.operator, projection.gather
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
    from snnc.graph.composition import sparse_form

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
