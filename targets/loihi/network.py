"""The integer network as the mapping sees it: layers with a layout, and the synapses between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron, Reset
from snnc.graph.node import Node
from snnc.graph.operators.base import Array, Shape
from snnc.graph.projections import Drive, drives
from snnc.targets.schedule import Schedule

from .coarse_and_fine import in_formats
from .compartment import LoihiCompartment
from .layout import Layout, layout_of
from .limits import LoihiLimits
from .windows import LoihiSynapses, Steps, exact_steps, synapses_of


@dataclass(frozen=True, eq=False)
class LoihiLayer:
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
    synapses: tuple[LoihiSynapses, ...]
    drive: str | None

    @property
    def subtract(self) -> bool:
        """Whether a neuron takes two compartments."""
        return self.neuron is not None and self.neuron.reset is Reset.SUBTRACT

    def values(self, parameter: int | Array, neurons: Array) -> Array:
        """A parameter of the population at some of its neurons (flat indices)."""
        if np.size(parameter) == 1:
            return np.full(neurons.shape, np.reshape(parameter, -1)[0])
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
    layers: tuple[LoihiLayer, ...]
    components: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[Node, int], ...]

    def delay(self, layer: LoihiLayer, synapses: LoihiSynapses) -> int:
        """Synaptic delay in ticks: a spike of chip tick c arrives at c + 1 + delay."""
        return layer.start - self.layers[synapses.source].start - 1 + synapses.ticks


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
    driven_by = drives(graph)
    nodes = graph.populations
    index = {node.name: number for number, node in enumerate(nodes)}
    components = _components(graph, index)
    schedule = Schedule.of(graph, driven_by)
    layers = []
    for node in nodes:
        drive = driven_by[node.name]
        _check_population(node, drive)
        layout = layout_of(graph.shapes[node.name], drive.projections)
        synapses = [
            part
            for p in drive.projections
            for part in in_formats(
                synapses_of(node, p, layout, index[p.source], schedule.window_ticks(p, node.name), steps)
            )
        ]
        layers.append(
            LoihiLayer(
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


def _check_delays(laid_out: Network, limits: LoihiLimits) -> None:
    for layer in laid_out.layers:
        for synapses in layer.synapses:
            delay = laid_out.delay(layer, synapses)
            if delay > limits.maximum_delay:
                source = laid_out.layers[synapses.source].node
                raise MappingError(
                    "T106",
                    f"spikes of {source.name} need a synaptic delay of {delay} ticks, but Loihi has at most"
                    f" {limits.maximum_delay}",
                    node=layer.node.name,
                    source=layer.node.source,
                    remedy="shorten the skip connection or the Delay, or relay the spikes by a population",
                )
