"""Everything about a run that is known before it: order, constants, arithmetic, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from snnc.errors import GraphError
from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron
from snnc.graph.node import Node
from snnc.graph.operators.base import Array, Level, LinearMap
from snnc.graph.operators.interface import Input, Output, Readout
from snnc.graph.verify import integer_nodes

from .exact import check_charges, extents
from .maps import MapEvaluator, map_evaluators
from .order import cycle_order, dataflow

_BLOCK_BYTES = 2**22
_BATCH_BYTES = 2**24
_SHORTEST_BLOCK = 8
_LARGEST_BATCH = 256


@dataclass(frozen=True, eq=False)
class PlanStep:
    """One strongly connected component on its turn.

    Attributes:
        nodes: in the order of ``cycle_order``; one node if there is no cycle.
        recurrent: whether it is run tick by tick.
        outer: its other nodes that lead out of it or have memory, in order.
        dead: nodes whose values nobody reads after this step.
    """

    nodes: tuple[Node, ...]
    recurrent: bool
    outer: tuple[Node, ...]
    dead: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """How a graph is run.

    Attributes:
        graph: level SNN or INTEGER.
        ticks: of the run.
        constant: nodes whose value is the same at all ticks, in order.
        steps: what is done for every block of ticks.
        maps: evaluator of each map.
        rest: value (1, *shape) of each node that a node with memory reads, but for populations, while nothing has
            been fired or presented.
        block: ticks that are computed at a time.
        sample_bytes: memory that one sample of a batch takes, about.
        integer: whether potentials are int64 (else float64).
        real_to_whole: nodes of real numbers that are read by nodes of integers.
        outputs: the Outputs that are decoded.
        decoded_potentials: the populations whose potentials are decoded.
    """

    graph: Graph
    ticks: int
    constant: tuple[Node, ...]
    steps: tuple[PlanStep, ...]
    maps: Mapping[str, MapEvaluator]
    rest: Mapping[str, Array]
    block: int
    sample_bytes: int
    integer: bool = False
    real_to_whole: frozenset[str] = frozenset()
    outputs: tuple[Node, ...] = ()
    decoded_potentials: frozenset[str] = frozenset()

    @property
    def dtype(self) -> np.dtype:
        """Of potentials and currents."""
        return np.dtype(np.int64 if self.integer else np.float64)

    def batch_size(self, samples: int, threads: int) -> int:
        """Samples at once: all threads busy, memory bounded."""
        fitting = min(max(_BATCH_BYTES // self.sample_bytes, 1), _LARGEST_BATCH)
        return max(1, min(fitting, -(-samples // threads)))


def make_plan(
    graph: Graph, ticks: int, *, moving: frozenset[str], largest_input: float, presented: int = 0
) -> Plan:
    """The plan of a run.

    Args:
        graph: level SNN or INTEGER, verified.
        ticks: length of the run.
        moving: inputs whose samples have a tick axis.
        largest_input: largest absolute value in the samples.
        presented: ticks of earlier runs that it continues.

    Raises:
        GraphError: the graph is no spiking graph (G204), has an output that cannot be decoded (G106, G205),
            or has sums that could leave the exact range (G201, G202).
    """
    _check_level(graph)
    potentials = [_decoded_potential(graph, output) for output in graph.outputs]
    integer = graph.level is Level.INTEGER
    whole = integer_nodes(graph) if integer else frozenset[str]()
    extents_by_node = extents(graph, largest_input) if integer else {}
    if integer:
        check_charges(graph, extents_by_node, presented + ticks)
    plan = _plan(graph, ticks, moving, map_evaluators(graph, whole, extents_by_node))
    return replace(
        plan,
        integer=integer,
        real_to_whole=_real_to_whole(graph, whole) if integer else frozenset(),
        outputs=graph.outputs,
        decoded_potentials=frozenset(name for name in potentials if name is not None),
    )


def make_host_plan(graph: Graph, ticks: int, *, moving: frozenset[str]) -> Plan:
    """The plan of what a host computes: in real numbers, all ticks at once, the outputs as they are.

    Args:
        graph: what the host computes, level SNN or INTEGER.
        ticks: length of the run.
        moving: inputs whose samples have a tick axis.
    """
    return replace(_plan(graph, ticks, moving, map_evaluators(graph, frozenset(), {})), block=ticks)


def _plan(graph: Graph, ticks: int, moving: frozenset[str], maps: Mapping[str, MapEvaluator]) -> Plan:
    """A plan in real numbers, in which nothing is decoded."""
    constant = _constants(graph, moving)
    steps = _steps(graph, frozenset(node.name for node in constant))
    tick_bytes, state_bytes = _tick_bytes(graph, steps), _state_bytes(graph)
    block = min(ticks, max(_SHORTEST_BLOCK, _BLOCK_BYTES // tick_bytes))
    return Plan(
        graph=graph,
        ticks=ticks,
        constant=constant,
        steps=steps,
        maps=maps,
        rest=_rest(graph, maps),
        block=block,
        sample_bytes=block * tick_bytes + state_bytes,
    )


def _check_level(graph: Graph) -> None:
    for node in graph:
        if Level.SNN not in node.operator.levels and Level.INTEGER not in node.operator.levels:
            raise GraphError(
                "G204",
                f"{type(node.operator).__name__} does not spike: an ANN is evaluated, not simulated",
                node=node.name,
                source=node.source,
                remedy="convert the graph with ConvertToSpiking first",
            )


def _decoded_potential(graph: Graph, output: Node) -> str | None:
    assert isinstance(output.operator, Output)
    (source,) = output.inputs
    population, readout = graph[source].operator, output.operator.readout
    if not isinstance(population, Neuron):
        if readout is Readout.VALUE:
            return None
        raise GraphError(
            "G205",
            f"it reads the {readout.value} of {source!r}, which is no population",
            node=output.name,
            source=output.source,
            remedy="put a population in front of the output, or read by value",
        )
    if readout is not Readout.POTENTIAL:
        return None
    if type(population).charge is Neuron.charge:
        raise GraphError(
            "G106",
            f"{type(population).__name__} cannot be read by its potential",
            node=source,
            source=graph[source].source,
            remedy="read spike counts, or end the network in an Integrator",
        )
    return source


def _constants(graph: Graph, moving: frozenset[str]) -> tuple[Node, ...]:
    """The nodes that depend on nothing but samples without a tick axis."""
    constants: dict[str, Node] = {}
    for node in dataflow(graph):
        settled = not node.operator.has_memory and not isinstance(node.operator, Output)
        if settled and node.name not in moving and all(source in constants for source in node.inputs):
            constants[node.name] = node
    return tuple(constants.values())


def _steps(graph: Graph, constant: frozenset[str]) -> tuple[PlanStep, ...]:
    components = [component for component in graph.components if component[0] not in constant]
    last_reader = {
        source: number
        for number, component in enumerate(components)
        for name in component
        for source in graph[name].inputs
        if source not in constant
    }
    dead: dict[int, list[str]] = {}
    for source, number in last_reader.items():
        dead.setdefault(number, []).append(source)
    steps = []
    for number, component in enumerate(components):
        recurrent = graph.is_recurrent(component)
        nodes = cycle_order(graph, component)
        outer = _leading_out(graph, nodes) if recurrent else ()
        steps.append(PlanStep(nodes, recurrent, outer, tuple(dead.get(number, ()))))
    return tuple(steps)


def _leading_out(graph: Graph, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes of a cycle, but populations, that nodes outside of it read, directly or through others of it.

    Those with memory are among them, so that what they keep can be recorded as seen from outside.
    """
    inside = {node.name for node in nodes}
    leading: set[str] = set()
    for node in reversed(nodes):
        read = set(graph.consumers[node.name])
        if not isinstance(node.operator, Neuron) and (
            node.operator.has_memory or read - inside or read & leading
        ):
            leading.add(node.name)
    return tuple(node for node in nodes if node.name in leading)


def _rest(graph: Graph, maps: Mapping[str, MapEvaluator]) -> Mapping[str, Array]:
    read = {source for node in graph if keeps_values(node) for source in node.inputs}
    if not read:
        return {}
    values: dict[str, Array] = {}
    for node in dataflow(graph):
        if node.name in maps:
            (value,) = maps[node.name](*(values[source][:, None] for source in node.inputs))
        elif isinstance(node.operator, Neuron):
            value = np.zeros((1, *graph.shapes[node.name]), bool)
        elif isinstance(node.operator, Input):
            value = np.zeros((1, *graph.shapes[node.name]))
        elif isinstance(node.operator, Output):
            continue
        else:
            value = node.operator.at_rest(*(values[source] for source in node.inputs))
        values[node.name] = value
    return {name: values[name] for name in read}


def keeps_values(node: Node) -> bool:
    """Whether a node has memory and is no population: it does not interrupt a cycle."""
    return node.operator.has_memory and not isinstance(node.operator, Neuron)


def _real_to_whole(graph: Graph, whole: frozenset[str]) -> frozenset[str]:
    integer_readers = [
        node
        for node in graph
        if (isinstance(node.operator, LinearMap) and node.name in whole)
        or (isinstance(node.operator, Neuron) and not node.operator.takes_samples)
    ]
    return frozenset(source for node in integer_readers for source in node.inputs if source not in whole)


def _tick_bytes(graph: Graph, steps: tuple[PlanStep, ...]) -> int:
    """Largest memory of the values that one sample has at the same time, in a tick."""
    alive = most = 0
    firing = {node.name for node in graph.populations}
    size = {node.name: _elements(graph, node) * (1 if node.name in firing else 8) for node in graph}
    for step in steps:
        alive += sum(size[node.name] for node in step.nodes)
        most = max(most, alive)
        alive -= sum(size[name] for name in step.dead)
    return max(most, 1)


def _state_bytes(graph: Graph) -> int:
    """Memory of the state variables of one sample, and of as many temporary arrays."""
    remembering = [node for node in graph if node.operator.has_memory]
    return sum(16 * _elements(graph, node) * (2 + len(node.operator.variables)) for node in remembering)


def _elements(graph: Graph, node: Node) -> int:
    return int(np.prod(graph.shapes[node.name]))
