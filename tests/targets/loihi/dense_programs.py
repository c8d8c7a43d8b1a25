"""Loihi programs written by hand from lists of synapses, without the lowering, and the same for the plain model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from plain_loihi import PlainGroup, PlainSynapse

from snnc.graph import Graph, Input, Output, Readout, SpikeSource
from snnc.graph.operators.base import Array
from snnc.graph.operators.encode import QuantiseCurrent
from snnc.targets.frame import Answer
from snnc.targets.loihi.program import LoihiPopulation, LoihiProgram, SynapticMemory, Tile
from snnc.targets.loihi.synapses import Sign, SynapseFormat


@dataclass(frozen=True, eq=False)
class Layer:
    """A population; arrays are (neurons,). ``on_host``: its spikes are the samples."""

    population: LoihiPopulation
    threshold: Array
    bias_mantissa: Array
    bias_exponent: Array
    initial: Array
    current_decay: Array
    voltage_decay: Array
    refractory: Array
    reset_mantissa: Array | None = None
    reset_exponent: int = 0
    tiles: int = 1

    @property
    def size(self) -> int:
        return int(np.prod(self.population.shape))


def layer(
    name: str,
    size: int,
    *,
    threshold: int | Array = 1,
    bias: int | Array = 0,
    bias_exponent: int | Array = 0,
    initial: int | Array = 0,
    reset: int | Array | None = None,
    reset_exponent: int = 0,
    tiles: int = 1,
    current_decay: int | Array = 4096,
    voltage_decay: int | Array = 0,
    refractory: int | Array = 1,
    **registers: object,
) -> Layer:
    """A layer; with ``reset`` (positive mantissas) it is reset by subtraction."""
    population = LoihiPopulation(name, (size,), start=0, subtract=reset is not None)
    population = replace(population, **registers)  # type: ignore[arg-type]

    def full(value: object) -> Array:
        return np.broadcast_to(np.asarray(value, np.int64), (size,)).copy()

    mantissas = None if reset is None else -full(reset)
    profile = (full(current_decay), full(voltage_decay), full(refractory))
    registers_of = (full(threshold), full(bias), full(bias_exponent), full(initial), *profile)
    return Layer(population, *registers_of, mantissas, reset_exponent, tiles)


@dataclass(frozen=True, eq=False)
class Connection:
    """A dense block of synapses; mantissas (sources, targets); zeros are synapses too."""

    source: int
    target: int
    mantissas: Array
    form: SynapseFormat = field(default_factory=SynapseFormat)
    delay: int = 0


def program(
    layers: list[Layer], connections: list[Connection], *, readout: Readout = Readout.COUNT
) -> LoihiProgram:
    """The program; a recurrent component is one where layers reach each other."""
    tiles, memories = [], []
    for number, chosen in enumerate(layers):
        if chosen.population.source is not None:
            continue
        for neurons in np.array_split(np.arange(chosen.size), min(chosen.tiles, chosen.size)):
            tile, memory = _tile(number, chosen, neurons, connections, layers, len(tiles))
            tiles.append(tile)
            memories.append(memory)
    populations = tuple(chosen.population for chosen in layers)
    return LoihiProgram(
        name="hand made",
        populations=populations,
        components=_components(len(layers), connections),
        tiles=tuple(tiles),
        memories=tuple(memories),
        host=_host(layers),
        answers=(Answer.of_output("out", Output(readout), len(layers) - 1),),
    )


def _components(count: int, connections: list[Connection]) -> tuple[tuple[int, ...], ...]:
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from((connection.source, connection.target) for connection in connections)
    condensed = nx.condensation(graph)
    order = nx.topological_sort(condensed)
    return tuple(tuple(sorted(condensed.nodes[key]["members"])) for key in order)


def _host(layers: list[Layer]) -> Graph:
    (driven,) = (chosen for chosen in layers if chosen.population.source or chosen.population.drive)
    graph = Graph("host").add("x", Input(driven.population.shape))
    if driven.population.source:
        graph = graph.add("fire", SpikeSource(), "x")
        return graph.add(driven.population.source, Output(Readout.COUNT), "fire")
    graph = graph.add("current", QuantiseCurrent(scale=1.0, limit=4095 * 128), "x")
    return graph.add(driven.population.drive, Output(), "current")


def _tile(
    number: int,
    chosen: Layer,
    neurons: Array,
    connections: list[Connection],
    layers: list[Layer],
    core: int,
) -> tuple[Tile, SynapticMemory]:
    weights: list[Array] = []
    formats: list[SynapseFormat] = []
    rows: list[tuple[int, int, int, int, bool]] = []  # population, neuron, delay, base, resets
    lengths: list[int] = []
    form_of: list[int] = []
    for connection in connections:
        if connection.target == number:
            formats.append(connection.form)
            for neuron in range(layers[connection.source].size):
                rows.append((connection.source, neuron, connection.delay, 0, False))
                weights.append(connection.mantissas[neuron, neurons])
                lengths.append(len(neurons))
                form_of.append(len(formats) - 1)
    if chosen.reset_mantissa is not None:
        formats.append(SynapseFormat(8, chosen.reset_exponent, Sign.INHIBITORY))
        for place, neuron in enumerate(neurons):
            rows.append((number, int(neuron), 0, place, True))
            weights.append(chosen.reset_mantissa[[neuron]])
            lengths.append(1)
            form_of.append(len(formats) - 1)
    count = len(rows)
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    pool = np.concatenate([*weights, np.zeros(0, np.int64)]).astype(np.int16)
    memory = SynapticMemory(
        weights=pool,
        list_runs=np.arange(count + 1),
        run_first=np.zeros(count, np.int32),
        run_weight=np.concatenate([[0], np.cumsum(lengths)])[:count].astype(np.int32),
        run_length=np.array(lengths, np.int32),
        list_format=np.array(form_of, np.int32),
        list_block=np.arange(count, dtype=np.int32),
        formats=tuple(formats),
    )
    tile = Tile(
        core=core,
        population=number,
        neurons=neurons,
        threshold=chosen.threshold[neurons].astype(np.int32),
        bias_mantissa=chosen.bias_mantissa[neurons].astype(np.int32),
        bias_exponent=chosen.bias_exponent[neurons].astype(np.int8),
        initial_voltage=chosen.initial[neurons],
        current_decay=chosen.current_decay[neurons].astype(np.int16),
        voltage_decay=chosen.voltage_decay[neurons].astype(np.int16),
        refractory=chosen.refractory[neurons].astype(np.int8),
        memory=core,
        axon_population=np.array(columns[0], np.int32),
        axon_neuron=np.array(columns[1], np.int32),
        axon_delay=np.array(columns[2], np.int16),
        axon_list=np.arange(count, dtype=np.int32),
        axon_base=np.array(columns[3], np.int32),
        axon_slot=np.arange(count, dtype=np.int32),
        axon_resets=np.array(columns[4], np.bool_),
        slot_width=np.ones(count, np.int8),
    )
    return tile, memory


def plain(
    layers: list[Layer], connections: list[Connection], x: Array
) -> tuple[list[PlainGroup], list[PlainSynapse]]:
    """The same network for the plain model and one sample x (ticks, inputs)."""
    groups = []
    for chosen in layers:
        population = chosen.population
        charge = []
        if chosen.reset_mantissa is not None:
            scale = 2.0**chosen.reset_exponent
            charge = [-64 * int(np.floor(int(mantissa) * scale)) for mantissa in chosen.reset_mantissa]
        groups.append(
            PlainGroup(
                size=chosen.size,
                threshold=chosen.threshold.tolist(),
                bias=[
                    int(m) * 2 ** int(e)
                    for m, e in zip(chosen.bias_mantissa, chosen.bias_exponent, strict=True)
                ],
                initial=chosen.initial.tolist(),
                start=population.start,
                current_decay=chosen.current_decay.tolist(),
                voltage_decay=chosen.voltage_decay.tolist(),
                refractory=chosen.refractory.tolist(),
                v_min=population.v_min,
                v_max=population.v_max,
                subtract=population.subtract,
                reset_charge=charge,
                spikes=(x > 0).astype(int).tolist() if population.source else None,
                drive=x.astype(int).tolist() if population.drive else None,
            )
        )
    synapses = [
        PlainSynapse((c.source, i), (c.target, j), int(c.mantissas[i, j]), c.form.exponent, c.delay)
        for c in connections
        for i in range(c.mantissas.shape[0])
        for j in range(c.mantissas.shape[1])
    ]
    return groups, synapses


def read_otherwise(made: LoihiProgram, **changes: Any) -> LoihiProgram:
    """The program whose answer is read in another way."""
    return replace(made, answers=(replace(made.answer, **changes),))
