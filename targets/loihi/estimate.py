"""Does it fit? What a network will take of the chips, before calibration and quantisation, and what would help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from snnc.choices import PoolMethod
from snnc.errors import MappingError, SnncError
from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron, Reset
from snnc.graph.neurons.integrate_and_fire import Integrator
from snnc.graph.node import Node
from snnc.graph.operators.base import Array, Level
from snnc.graph.operators.conv import Conv
from snnc.graph.operators.elementwise import Bias
from snnc.graph.operators.merge import Add
from snnc.graph.operators.pool import MaxPool
from snnc.graph.projections import Drive, Projection, drives, without_bias
from snnc.pipeline import Context
from snnc.targets.target import CompileOptions, InputMode, LayerUse, LimitUse, Remedy, Usage
from snnc.targets.tiling import reach

from .blocks import NEEDS, Need, channel_lists, share_numbers
from .compartment import LoihiCompartment
from .core_assignment import Spot, moved_need, place
from .formats import DELAY_BITS, ListForms
from .known_cuts import KnownCuts
from .limits import LOIHI, UNIT, LoihiLimits
from .network import LoihiLayer, Network, network
from .partition import partition
from .pipeline import loihi_pipeline
from .plan import CutLayer, FormsOf
from .synapses import SynapseFormat
from .windows import EntrySynapses, LoihiSynapses, WindowSynapses

_FEW_BITS = 4


@dataclass(frozen=True, eq=False)
class _Mapped:
    """A network that was cut and placed without its weights."""

    network: Network
    cuts: tuple[CutLayer | None, ...]
    spots: tuple[tuple[Spot, ...], ...]

    @property
    def cores(self) -> int:
        """Number of cores."""
        return 1 + max((spot.core for layer in self.spots for spot in layer), default=-1)


def estimate(graph: Graph, options: CompileOptions, limits: LoihiLimits = LOIHI) -> Usage:
    """What a network takes, layer by layer, and how many cores it would take after other choices.

    The passes that settle the structure run as they do when compiling; weights, thresholds and biases stand for
    themselves by their number and width alone. So it needs no data, and it agrees with what a program takes except
    where the real weights can do with fewer bits or need more exponents.

    Args:
        graph: level ANN, SNN or INTEGER.
        options: what was chosen.
        limits: of a chip.

    Raises:
        MappingError T1xx: a layer does not fit however it is cut.
    """
    search = _Estimator(graph, options, limits)
    try:
        cores, layers = search.cores_and_layers()
    except MappingError as error:
        error.details += tuple(
            f"{other.change}: fits on {other.cores} cores ({other.note})" for other in search.remedies()
        )
        raise
    chips = -(-cores // limits.cores)
    remedies = [*search.remedies()]
    if options.max_chips is not None and chips > options.max_chips:
        remedies.append(Remedy(f"--max-chips {chips}", cores, "as many chips as it needs"))
    return Usage(
        target="loihi",
        cores=cores,
        chips=chips,
        neurons=sum(layer.neurons for layer in layers),
        synapses=sum(layer.synapses for layer in layers),
        layers=layers,
        remedies=tuple(remedies),
    )


class _Estimator:
    """Cuts and places a network, and again after other choices; layers that are alike are cut once."""

    def __init__(self, graph: Graph, options: CompileOptions, limits: LoihiLimits) -> None:
        self.graph, self.options, self.limits = graph, options, limits
        self.width = options.weight_bits or 8
        self.known = KnownCuts()

    def cores_and_layers(self) -> tuple[int, tuple[LayerUse, ...]]:
        """The cores of the network as it was chosen, and what its layers take of them."""
        mapped = self._mapped(self._network, None if self.graph.level is Level.INTEGER else self.width)
        return mapped.cores, tuple(_layer_uses(mapped, self.limits))

    @cached_property
    def _network(self) -> Network:
        """The weights of an INTEGER graph are known, those of others are not yet."""
        if self.graph.level is Level.INTEGER:
            return network(self.graph, self.limits)
        return network(_structure(self.graph, self.options), self.limits, _ones)

    def _mapped(self, laid_out: Network, weight_bits: int | None) -> _Mapped:
        """Cut and place; without ``weight_bits`` in the formats of the weights that there are."""
        forms_of = None if weight_bits is None else _forms_of(weight_bits)
        cuts = partition(laid_out, self.limits, forms_of, self.known)
        return _Mapped(laid_out, cuts, place(cuts, self.limits))

    def remedies(self) -> Iterator[Remedy]:
        """What other choices would change, as far as the network fits with them; the network goes with them."""
        if self.width > _FEW_BITS:
            note = "weights are rounded more coarsely"
            yield from _remedy(
                f"--weight-bits {_FEW_BITS}", note, lambda: self._mapped(self._fewer_bits(), _FEW_BITS)
            )
        self.__dict__.pop("_network", None)
        if self.graph.level is Level.ANN:
            for change, note, other, choice in _other_networks(self.graph, self.options):
                yield from _remedy(change, note, partial(self._mapped_anew, other, choice))

    def _fewer_bits(self) -> Network:
        """The network with weights of any value."""
        if self.graph.level is Level.INTEGER:
            return network(self.graph, self.limits, _ones)
        return self._network

    def _mapped_anew(self, graph: Graph, options: CompileOptions) -> _Mapped:
        laid_out = network(_structure(graph, options), self.limits, _ones)
        return self._mapped(laid_out, options.weight_bits or 8)


def _remedy(change: str, note: str, mapped: Callable[[], _Mapped]) -> Iterator[Remedy]:
    """The remedy if the network can be compiled with it, whatever stands in the way; nothing if not."""
    with suppress(SnncError):
        yield Remedy(change, mapped().cores, note)


def _structure(graph: Graph, options: CompileOptions) -> Graph:
    """The graph of compartments and merged maps that compiling would lead to, with weights of any value."""
    if graph.level is Level.INTEGER:
        return graph
    context = Context()
    for step in loihi_pipeline(graph, options):
        graph = step.outline(graph, context)
    return _of_compartments(graph)


def _of_compartments(graph: Graph) -> Graph:
    """The graph with its neurons as compartments."""
    driven_by = drives(graph)
    edit = graph.edit()
    for node in graph.populations:
        if getattr(node.operator, "takes_samples", False):
            continue
        drive = driven_by[node.name]
        for projection in drive.projections:
            operator = edit[projection.nodes[-1]].operator
            edit.set(projection.nodes[-1], operator=without_bias(operator))
        inputs = [_behind_bias(graph, name) for name in node.inputs if name not in drive.host]
        if drive.host:
            name = edit.add(f"{node.name}.host", Add(), *drive.host) if len(drive.host) > 1 else drive.host[0]
            inputs.append(name)
        edit.set(node.name, operator=_compartment(node, drive), inputs=tuple(inputs))
    return edit.done()


def _behind_bias(graph: Graph, name: str) -> str:
    return graph[name].inputs[0] if isinstance(graph[name].operator, Bias) else name


def _compartment(node: Node, drive: Drive) -> LoihiCompartment:
    operator = node.operator
    assert isinstance(operator, Neuron)
    subtract = isinstance(operator, Integrator) or getattr(operator, "reset", None) is Reset.SUBTRACT
    unit = np.array(UNIT)
    return LoihiCompartment(
        threshold=unit,
        reset=Reset.SUBTRACT if subtract else Reset.ZERO,
        reset_charge=unit,
        driven=bool(drive.host),
    )


def _ones(node: Node, projection: Projection, weights: Array) -> Array:
    return np.broadcast_to(np.int8(1), np.shape(weights))


def _forms_of(width: int) -> FormsOf:
    """One format of that width for every projection."""

    def forms(laid_out: Network, layer: LoihiLayer, room: int) -> tuple[ListForms, ...]:
        delays = [laid_out.delay(layer, synapses) for synapses in layer.synapses]
        forms = [SynapseFormat(width, delay_bits=DELAY_BITS if delay else 0) for delay in delays]
        if len(set(forms)) > room:
            forms = [SynapseFormat(width, delay_bits=DELAY_BITS)] * len(forms)
        return tuple(
            ListForms((form,), np.zeros(_lists(synapses), np.int64))
            for form, synapses in zip(forms, layer.synapses, strict=True)
        )

    return forms


def _lists(synapses: LoihiSynapses) -> int:
    if isinstance(synapses, WindowSynapses):
        return len(synapses.live)
    assert isinstance(synapses, EntrySynapses)
    return int(synapses.columns.max(initial=-1)) + 1


def _layer_uses(mapped: _Mapped, limits: LoihiLimits) -> Iterator[LayerUse]:
    needs = _core_needs(mapped, limits)
    for number, (layer, cut) in enumerate(zip(mapped.network.layers, mapped.cuts, strict=True)):
        if cut is None:
            continue
        need = needs.get(mapped.spots[number][0].core, cut.need)
        yield LayerUse(
            layer.node.name,
            layer.layout.size,
            sum(_count(mapped.network, layer, synapses) for synapses in layer.synapses),
            len(mapped.spots[number]),
            tuple(LimitUse(text, getattr(need, name), getattr(limits, name)) for name, text in NEEDS.items()),
        )


def _core_needs(mapped: _Mapped, limits: LoihiLimits) -> dict[int, Need]:
    """What the cores need that hold whole layers."""
    needs: dict[int, Need] = {}
    for cut, spots in zip(mapped.cuts, mapped.spots, strict=True):
        if cut is not None and len(spots) == 1:
            core = spots[0].core
            need = moved_need(cut, needs[core], limits) if core in needs else cut.need
            assert need is not None
            needs[core] = need
    return needs


def _count(laid_out: Network, layer: LoihiLayer, synapses: LoihiSynapses) -> int:
    """Number of synapses, unrolled."""
    if isinstance(synapses, EntrySynapses):
        return len(synapses.values)
    assert isinstance(synapses, WindowSynapses)
    layout, source = layer.layout, laid_out.layers[synapses.source].layout
    y, x = reach(synapses.y, 0, layout.rows), reach(synapses.x, 0, layout.columns)
    forms = ListForms((SynapseFormat(),), np.zeros(len(synapses.live), np.int64))
    lists = channel_lists(synapses, share_numbers(synapses, source), forms, 0, layout.channels)
    if synapses.sources is None:
        taps = [sum(len(axis.taps[kind]) for kind in axis.pattern) for axis in (y, x)]
        return taps[0] * taps[1] * int(lists.width.sum())
    taps_at = np.outer(
        np.array([len(y.taps[kind]) for kind in y.pattern]),
        np.array([len(x.taps[kind]) for kind in x.pattern]),
    ).ravel()
    where = (y.inputs[:, None] * synapses.x.inputs + x.inputs).ravel()
    total = 0
    for channel, width in zip(lists.channels, lists.width, strict=True):
        total += int(width) * int(taps_at[synapses.neurons(channel, where) >= 0].sum())
    return total


def _other_networks(
    graph: Graph, options: CompileOptions
) -> Iterator[tuple[str, str, Graph, CompileOptions]]:
    if options.reset is Reset.SUBTRACT:
        note = "a spike loses what lies above the threshold"
        yield "--reset zero", note, graph, replace(options, reset=Reset.ZERO)
    if options.input is InputMode.NEURONS:
        note = "the first linear map is computed by the host"
        yield "--input host", note, graph, replace(options, input=InputMode.HOST)
    if options.max_pool is PoolMethod.EXACT and graph.of_type(MaxPool):
        note = "the network computes another function; train it with average-pooling"
        yield "--max-pool average", note, graph, replace(options, max_pool=PoolMethod.AVERAGE)
    grouped = _grouped(graph)
    if grouped is not None:
        yield "groups=2 in its convolutions", "another network, to be trained again", grouped, options


def _grouped(graph: Graph) -> Graph | None:
    """The network with every convolution of many channels in two groups, or None where there is none."""
    edit = graph.edit()
    changed = False
    for node in graph.of_type(Conv):
        outputs, inputs = node.operator.weight.shape[:2]  # type: ignore[attr-defined]
        if not (outputs % 2 or inputs % 2 or inputs < 4):
            changed = True
            edit.set(node.name, operator=_halved(node.operator))  # type: ignore[arg-type]
    return edit.done() if changed else None


def _halved(conv: Conv) -> Conv:
    return replace(conv, weight=conv.weight[:, : conv.weight.shape[1] // 2], groups=2 * conv.groups)
