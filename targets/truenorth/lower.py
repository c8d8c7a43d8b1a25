"""From an INTEGER graph to the program of one or more TrueNorth chips."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.node import Node
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Output, Readout
from snnc.graph.operators.linear import SparseLinear
from snnc.graph.projections import drives
from snnc.graph.synapses import entries
from snnc.pipeline import Context
from snnc.targets.frame import Answer, ReadoutTerm
from snnc.targets.host import host_graph
from snnc.targets.target import CompileOptions

from .axon_types import KINDS, set_kinds
from .core_packing import PackedLayer, pack_layers
from .layers import Layer, Layers, layers_of
from .limits import AXONS, NEURONS, TRUENORTH, TrueNorthLimits
from .neuron import NegativeMode, TrueNorthNeuron
from .opening import arrives, start_potential
from .program import (
    ALWAYS_ON,
    Cores,
    InputLines,
    TrueNorthPopulation,
    TrueNorthProgram,
    inert_cores,
    pack_crossbar,
)
from .sites import places

_CORES_AT_ONCE = 128


def lower(
    graph: Graph,
    options: CompileOptions | None = None,
    context: Context | None = None,
    *,
    limits: TrueNorthLimits = TRUENORTH,
) -> TrueNorthProgram:
    """The program of an INTEGER graph: neurons on cores, copies for every axon they send to, cores placed.

    Args:
        graph: populations of ``TrueNorthNeuron`` and spike sources, linear maps of integer weights.
        options: not looked at.
        context: its seed is that of the random numbers.
        limits: of a chip; axons and neurons of a core may be fewer than the chip's.

    Raises:
        MappingError T42x: what does not fit, in which layer, by how much, and what would help.
    """
    layers = layers_of(graph)
    answers = tuple(_answer(graph, output, layers) for output in graph.outputs)
    packed = pack_layers(layers, limits)
    base = np.cumsum([0, *(each.cores for each in packed)])
    cores = inert_cores(max(int(base[-1]), 1))
    cores.x[:], cores.y[:] = places(len(cores), limits)
    homes = _Homes(layers, packed, base)
    held = _held_potentials(layers)
    wires = [_fill(cores, each, int(first), held) for each, first in zip(packed, base[:-1], strict=True)]
    core, axon, source, delay = (
        np.concatenate([np.zeros(0, np.int64), *parts]) for parts in zip(*wires, strict=True)
    )
    lines = _connect(cores, homes, core, axon, source, delay)
    made_on_host = [layer.node.name for layer in layers.layers if layer.neuron is None]
    host, readers = host_graph(graph, {name: name for name in made_on_host})
    return TrueNorthProgram(
        name=graph.name,
        cores=cores,
        lines=lines,
        populations=tuple(homes.population(layer, readers) for layer in layers.layers),
        host=host,
        answers=answers,
        seed=context.seed if context else 0,
    )


class _Homes:
    """Where neurons are: by number in the network, core and first slot, -1 on the host."""

    def __init__(self, layers: Layers, packed: tuple[PackedLayer, ...], base: Array) -> None:
        self.layers = layers
        self.core = np.full(layers.count + 1, -1, np.int64)
        self.slot = np.full(layers.count + 1, -1, np.int64)
        for each, first in zip(packed, base[:-1], strict=True):
            own = slice(each.layer.first, each.layer.first + each.layer.size)
            self.core[own], self.slot[own] = each.core + first, each.slot

    def population(self, layer: Layer, readers: Mapping[str, str]) -> TrueNorthPopulation:
        """The population of a layer."""
        name = layer.node.name
        if layer.neuron is None:
            nowhere = np.zeros(0, np.int32)
            return TrueNorthPopulation(name, layer.shape, 0, nowhere, nowhere, source=readers[name])
        own = slice(layer.first, layer.first + layer.size)
        core, slot = self.core[own].astype(np.int32), self.slot[own].astype(np.int32)
        return TrueNorthPopulation(name, layer.shape, layer.start, core, slot)


def _fill(
    cores: Cores, packed: PackedLayer, first: int, held: Mapping[str, Array]
) -> tuple[Array, Array, Array, Array]:
    """Write a layer's neurons and crossbars; returns core, axon, source and delay of its axons."""
    axons, layer = packed.axons, packed.layer
    cores.axon_type[axons.core + first, axons.index] = axons.type
    neuron = np.repeat(np.arange(layer.size), packed.copies)
    slot = packed.slot[neuron] + _ranks(packed.copies)
    _write_registers(cores, layer, held[layer.node.name], neuron, packed.core[neuron] + first, slot)
    cores.weight[packed.core[neuron] + first, slot] = packed.sums.values[neuron]
    _write_crossbars(cores, packed, first)
    return axons.core + first, axons.index, packed.line_source[axons.line], packed.line_delay[axons.line]


def _ranks(counts: Array) -> Array:
    """0, 1, ... n - 1 for every n in ``counts``, one after another."""
    return np.asarray(np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts))


def _write_registers(
    cores: Cores, layer: Layer, held: Array, neuron: Array, core: Array, slot: Array
) -> None:
    operator = layer.neuron
    assert operator is not None
    registers = {
        "leak": operator.leak,
        "leak_reversal": operator.leak_reversal,
        "stochastic_leak": operator.stochastic_leak,
        "threshold": operator.threshold,
        "mask_bits": operator.mask_bits,
        "negative_threshold": operator.negative_threshold,
        "saturates": operator.negative is NegativeMode.SATURATE,
        "reset_mode": operator.reset.value,
        "reset_potential": operator.reset_potential,
        "initial_potential": held,
    }
    for name, value in registers.items():
        getattr(cores, name)[core, slot] = np.broadcast_to(np.asarray(value), layer.shape).ravel()[neuron]
    if operator.is_stochastic:
        cores.stream[core, slot] = operator.stream + neuron


def _held_potentials(layers: Layers) -> Mapping[str, Array]:
    """The potentials at tick 0 with which neurons have their initial ones when their windows open, by population.

    Neurons run from tick 0 on. Those that fire before their window opens do no harm where they, and all that hear
    them then, forget every tick.

    Raises:
        MappingError T425: neurons would have another potential, or hear spikes of too early a tick.
    """
    held: dict[str, Array] = {}
    early: set[str] = set()
    for layer in layers.layers:
        if layer.neuron is not None:
            held[layer.node.name], fires = _held_potential(layer, layer.neuron)
            if fires or any(projection.source in early for projection in layer.drive.projections):
                early.add(layer.node.name)
    by_name = {layer.node.name: layer for layer in layers.layers}
    for layer in layers.layers:
        for projection in layer.drive.projections:
            source = by_name[projection.source]
            in_time = layers.delay(layer, projection) == layer.start - source.start
            if projection.source in early and not (layer.neuron and layer.neuron.forgets and in_time):
                raise _early(layer, source)
    return held


def _held_potential(layer: Layer, operator: TrueNorthNeuron) -> tuple[Array, bool]:
    """A population's potential at tick 0, and whether some neuron fires before its window opens without any input."""
    held, after = start_potential(operator, layer.shape, layer.start)
    initial = np.broadcast_to(np.asarray(operator.initial_potential), layer.shape)
    if not arrives(operator, initial, after).all():
        raise _adrift(layer, certain=bool(after.certain.all()))
    return held, bool(after.fired.any())


def _adrift(layer: Layer, certain: bool) -> MappingError:
    why = "" if certain else ", because what is drawn at random moves them, each sample's otherwise"
    return MappingError(
        "T425",
        f"its neurons cannot keep their initial potential for the {layer.start} ticks before its window opens{why}",
        node=layer.node.name,
        source=layer.node.source,
        remedy="start them lower, or with a smaller leak (split-fan-in does so)"
        if certain
        else "start them where the random leak cannot move them (at minus the negative threshold with a saturating"
        " one and a leak below 0), or take a leak that is not random",
    )


def _early(layer: Layer, source: Layer) -> MappingError:
    return MappingError(
        "T425",
        f"{source.node.name!r} fires without input, and what it fires before its window opens would reach neurons that"
        " keep it",
        node=layer.node.name,
        source=layer.node.source,
        remedy="give the first a negative leak, or let these neurons forget every tick and take out delays",
    )


def _write_crossbars(cores: Cores, packed: PackedLayer, first: int) -> None:
    """Connect every synapse's axons with all copies of its neuron, some cores at a time."""
    synapses, axons = packed.synapses, packed.axons
    lines = max(len(packed.line_source), 1)
    keys = (axons.core * lines + axons.line) * KINDS + axons.kind
    core = packed.core[synapses.target]
    order = np.argsort(core, kind="stable")
    for low in range(0, packed.cores, _CORES_AT_ONCE):
        high = min(low + _CORES_AT_ONCE, packed.cores)
        part = order[np.searchsorted(core[order], low) : np.searchsorted(core[order], high)]
        at, kind = set_kinds(packed.sums.types[part])
        synapse = part[at]
        key = (core[synapse] * lines + packed.line[synapse]) * KINDS + kind
        axon = axons.index[np.searchsorted(keys, key)]
        target = synapses.target[synapse]
        copies = packed.copies[target]
        slot = np.repeat(packed.slot[target], copies) + _ranks(copies)
        connected = np.zeros((high - low, AXONS, NEURONS), bool)
        connected[np.repeat(core[synapse] - low, copies), np.repeat(axon, copies), slot] = True
        cores.crossbar[first + low : first + high] = pack_crossbar(connected)


def _connect(
    cores: Cores, homes: _Homes, core: Array, axon: Array, source: Array, delay: Array
) -> InputLines:
    """Give every axon a neuron of its own that sends to it, or a line from the host; returns these lines."""
    _check_delays(homes, source, delay)
    sent = np.flatnonzero(homes.core[source] >= 0)
    order = sent[np.argsort(source[sent], kind="stable")]
    sources = source[order]
    opening = np.flatnonzero(np.diff(sources, prepend=-1))
    counts = np.diff(np.append(opening, len(sources)))
    place = (homes.core[sources], homes.slot[sources] + _ranks(counts))
    cores.target_core[place], cores.target_axon[place] = core[order], axon[order]
    cores.target_delay[place] = delay[order]
    from_host = np.flatnonzero(homes.core[source] < 0)
    firsts = np.array([layer.first for layer in homes.layers.layers])
    population = np.searchsorted(firsts, source[from_host], side="right") - 1
    always = source[from_host] == homes.layers.count
    neuron = np.where(always, 0, source[from_host] - firsts[population])
    return InputLines(
        population=np.where(always, ALWAYS_ON, population).astype(np.int32),
        neuron=neuron.astype(np.int32),
        core=core[from_host].astype(np.int32),
        axon=axon[from_host].astype(np.uint8),
        delay=delay[from_host].astype(np.int32),
    )


def _check_delays(homes: _Homes, source: Array, delay: Array) -> None:
    """Raise MappingError T426 for a delay that a neuron's spikes cannot have."""
    longest = TRUENORTH.delay[1]
    wrong = (homes.core[source] >= 0) & (delay > longest)
    if wrong.any():
        number = int(source[wrong][0])
        layer = next(each for each in reversed(homes.layers.layers) if each.first <= number)
        raise MappingError(
            "T426",
            f"a spike is to arrive {int(delay[wrong].max())} ticks later, at most {longest} are possible",
            node=layer.node.name,
            source=layer.node.source,
            remedy="use shorter delays, or let a population in between repeat the spikes",
        )


def _answer(graph: Graph, node: Node, layers: Layers) -> Answer:
    """The populations that an output is read from with the maps off the chip behind them, and what is added.

    Raises:
        MappingError T427: something else than populations of the chip is read, or they are not read at once.
    """
    index = {each.node.name: at for at, each in enumerate(layers.layers)}
    output, drive = node.operator, drives(graph)[node.name]
    assert isinstance(output, Output)
    sources = tuple(part.source for part in drive.projections)
    chip = not drive.host and all(layers.layers[index[source]].neuron is not None for source in sources)
    direct, at_once = node.inputs == sources, not any(part.delay for part in drive.projections)
    if not chip or not at_once or not (direct or (sources and output.readout is Readout.VALUE)):
        raise MappingError(
            "T427",
            "an output must read a population of the chip, or by value linear maps without delay behind some",
            node=node.name,
            source=node.source,
            remedy="let it read the population, and scale the reading by its scale",
        )
    if direct:
        return Answer.of_output(node.name, output, index[sources[0]])
    weights = (
        SparseLinear(*entries(part), part.source_shape, graph.shapes[node.name]) for part in drive.projections
    )
    readings = tuple(ReadoutTerm(index[source], own) for source, own in zip(sources, weights, strict=True))
    scale, offset = np.asarray(output.scale, np.float64), np.asarray(output.offset, np.float64)
    offset = offset if drive.bias is None else offset + np.asarray(output.scale) * drive.bias
    return Answer(node.name, readings, output.readout, scale, offset)
