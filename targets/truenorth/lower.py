"""From an INTEGER graph to the program of one or more TrueNorth chips."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.node import Node
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Output
from snnc.pipeline import Context
from snnc.targets.target import CompileOptions

from .layers import Layer, Layers
from .limits import AXON_TYPES, AXONS, NEURONS, TRUENORTH, TrueNorthLimits
from .neuron import NegativeMode, TrueNorthNeuron
from .pack import Packed, pack_layers
from .place import places
from .program import (
    ALWAYS_ON,
    Cores,
    InputLines,
    Reading,
    TrueNorthPopulation,
    TrueNorthProgram,
    inert_cores,
    pack_crossbar,
)

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
    layers = Layers.of(graph)
    packed = pack_layers(layers, limits)
    base = np.cumsum([0, *(each.cores for each in packed)])
    cores = inert_cores(max(int(base[-1]), 1))
    cores.x[:], cores.y[:] = places(len(cores), limits)
    homes = _Homes(layers, packed, base)
    wires = [_fill(cores, each, int(first)) for each, first in zip(packed, base[:-1], strict=True)]
    core, axon, source, delay = (
        np.concatenate([np.zeros(0, np.int64), *parts]) for parts in zip(*wires, strict=True)
    )
    lines = _connect(cores, homes, core, axon, source, delay)
    host, readers = host_graph(graph, layers)
    output = graph.outputs[0].operator
    assert isinstance(output, Output)
    return TrueNorthProgram(
        name=graph.name,
        cores=cores,
        lines=lines,
        populations=tuple(homes.population(layer, readers) for layer in layers.layers),
        host=host,
        readings=(Reading(_read(graph, layers)),),
        readout=output.readout,
        scale=np.asarray(output.scale, np.float64),
        offset=np.asarray(output.offset, np.float64),
        seed=context.seed if context else 0,
    )


class _Homes:
    """Where neurons are: by number in the network, core and first slot, -1 on the host."""

    def __init__(self, layers: Layers, packed: tuple[Packed, ...], base: Array) -> None:
        self.layers = layers
        self.core = np.full(layers.count + 1, -1, np.int64)
        self.slot = np.full(layers.count + 1, -1, np.int64)
        for each, first in zip(packed, base[:-1], strict=True):
            own = slice(each.layer.first, each.layer.first + each.layer.size)
            self.core[own], self.slot[own] = each.core + first, each.slot

    def population(self, layer: Layer, readers: dict[str, str]) -> TrueNorthPopulation:
        """The population of a layer."""
        name = layer.node.name
        if layer.neuron is None:
            nowhere = np.zeros(0, np.int32)
            return TrueNorthPopulation(name, layer.shape, 0, nowhere, nowhere, readers[name])
        own = slice(layer.first, layer.first + layer.size)
        core, slot = self.core[own].astype(np.int32), self.slot[own].astype(np.int32)
        return TrueNorthPopulation(name, layer.shape, layer.start, core, slot)


def _fill(cores: Cores, packed: Packed, first: int) -> tuple[Array, Array, Array, Array]:
    """Write a layer's neurons and crossbars; returns core, axon, source and delay of its axons."""
    axons, layer = packed.axons, packed.layer
    cores.axon_type[axons.core + first, axons.index] = axons.kind
    neuron = np.repeat(np.arange(layer.size), packed.copies)
    slot = packed.slot[neuron] + _ranks(packed.copies)
    _write_registers(cores, layer, neuron, packed.core[neuron] + first, slot)
    cores.weight[packed.core[neuron] + first, slot] = packed.sums.values[neuron]
    _write_crossbars(cores, packed, first)
    return axons.core + first, axons.index, packed.line_source[axons.line], packed.line_delay[axons.line]


def _ranks(counts: Array) -> Array:
    """0, 1, ... n - 1 for every n in ``counts``, one after another."""
    return np.asarray(np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts))


def _write_registers(cores: Cores, layer: Layer, neuron: Array, core: Array, slot: Array) -> None:
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
        "initial_potential": _held_potential(layer, operator),
    }
    for name, value in registers.items():
        getattr(cores, name)[core, slot] = np.broadcast_to(np.asarray(value), layer.shape).ravel()[neuron]
    if operator.is_stochastic:
        cores.stream[core, slot] = operator.stream + neuron


def _held_potential(layer: Layer, operator: TrueNorthNeuron) -> Array:
    """The potential at tick 0 with which a neuron has its initial potential when its window opens.

    Raises MappingError T425 where it would fire before, or leave its registers' range.
    """
    moves = not (operator.leak_reversal or operator.stochastic_leak)
    wanted = np.broadcast_to(np.asarray(operator.initial_potential), layer.shape)
    held = wanted - layer.start * np.asarray(operator.leak) if moves else wanted
    low, high = TRUENORTH.potential
    fits = ((held >= low) & (held <= high)).all()
    if fits:
        neuron = replace(operator, initial_potential=held, phase=0)
        state = neuron.start(layer.shape, np.zeros(1, np.int64), np.dtype(np.int64))
        for _ in range(layer.start):
            state, spikes = neuron.step(state, np.zeros((1, *layer.shape), np.int64))
            fits = fits and not spikes.any()
        fits = fits and (state["voltage"][0] == wanted).all()
    if not fits:
        raise MappingError(
            "T425",
            f"its neurons cannot keep their initial potential for the {layer.start} ticks before its window opens",
            node=layer.node.name,
            source=layer.node.source,
            remedy="start them lower, or with a smaller leak (split-fan-in does so)",
        )
    return held


def _write_crossbars(cores: Cores, packed: Packed, first: int) -> None:
    """Connect every synapse's axons with all copies of its neuron, some cores at a time."""
    synapses, axons = packed.synapses, packed.axons
    lines = max(len(packed.line_source), 1)
    keys = (axons.core * lines + axons.line) * AXON_TYPES + axons.kind
    core = packed.core[synapses.target]
    order = np.argsort(core, kind="stable")
    for low in range(0, packed.cores, _CORES_AT_ONCE):
        high = min(low + _CORES_AT_ONCE, packed.cores)
        part = order[np.searchsorted(core[order], low) : np.searchsorted(core[order], high)]
        at, kind = np.nonzero(packed.sums.types[part][:, None] >> np.arange(AXON_TYPES) & 1)
        synapse = part[at]
        key = (core[synapse] * lines + packed.line[synapse]) * AXON_TYPES + kind
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
    given = np.flatnonzero(homes.core[source] < 0)
    firsts = np.array([layer.first for layer in homes.layers.layers])
    population = np.searchsorted(firsts, source[given], side="right") - 1
    always = source[given] == homes.layers.count
    neuron = np.where(always, 0, source[given] - firsts[population])
    return InputLines(
        population=np.where(always, ALWAYS_ON, population).astype(np.int32),
        neuron=neuron.astype(np.int32),
        core=core[given].astype(np.int32),
        axon=axon[given].astype(np.uint8),
        delay=delay[given].astype(np.int32),
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


def _read(graph: Graph, layers: Layers) -> int:
    """Index of the population that the answer is read from; raises MappingError T427 where it is none of the chip."""
    output = graph.outputs[0]
    for index, layer in enumerate(layers.layers):
        if output.inputs == (layer.node.name,) and layer.neuron is not None:
            return index
    raise MappingError(
        "T427",
        "an output must read a population of the chip directly",
        node=output.name,
        source=output.source,
        remedy="let it read the population, and scale the reading by its scale",
    )


def host_graph(graph: Graph, layers: Layers) -> tuple[Graph, dict[str, str]]:
    """What the host computes, and its Output for every population whose spikes it makes, by name."""
    made = [layer.node.name for layer in layers.layers if layer.neuron is None]
    kept = set(made).union(*(nx.ancestors(graph.digraph, name) for name in made))
    kept |= {node.name for node in graph.inputs}
    nodes: list[Node] = [node for node in graph if node.name in kept]
    edit = Graph(graph.name, nodes).edit()
    readers = {name: edit.add(f"{name}.host", Output(), name) for name in made}
    return edit.done(), readers
