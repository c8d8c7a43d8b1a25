"""The graph: named nodes, each an operator and the names of its inputs; a value that is never edited."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from heapq import heappop, heappush
from itertools import count
from typing import Any

import networkx as nx

from snnc.errors import GraphError

from .neurons.base import Neuron
from .node import Node, Role
from .operators.base import Activation, Decision, Level, Operator, Shape
from .operators.interface import Input, Output
from .operators.sharing import Sharing
from .shapes import infer_shapes
from .text import graph_text


class _Growing:
    """Nodes in the order in which they were added, shared by a graph and those that were made by adding to it.

    A graph sees the first few of them alone. Only one graph can take the next place; another that is made from
    the same one gets a copy, so sharing is never seen from outside.
    """

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self.nodes: dict[int, Node] = {}
        self.places: dict[str, int] = {}
        for node in nodes:
            self.claim(len(self.nodes), node)

    def claim(self, place: int, node: Node) -> bool:
        """Put a node at a place; False if another graph has taken that place.

        Raises:
            GraphError: G001 if a node at a place before has the name.
        """
        if self.places.get(node.name, place) < place:
            raise GraphError("G001", f"two nodes have the name {node.name!r}", node=node.name)
        if self.nodes.setdefault(place, node) is not node:
            return False
        self.places[node.name] = place
        return True


class Graph:
    """A network at one level: ANN, SNN or INTEGER.

    Nodes keep the order in which they were added. An input may name a node that is added later, so recurrent
    networks can be written; ``verify`` finds names that never come.
    """

    def __init__(self, name: str, nodes: Iterable[Node] = ()) -> None:
        self.name = name
        self._growing = _Growing(nodes)
        self._length = len(self._growing.nodes)

    def add(self, name: str, operator: Operator, *inputs: str, sources: tuple[str, ...] = ()) -> Graph:
        """A new graph with one more node; the time it takes does not grow with the graph."""
        node = Node(name, operator, inputs, sources)
        if not self._growing.claim(self._length, node):
            return Graph(self.name, (*self, node))
        grown = Graph(self.name)
        grown._growing, grown._length = self._growing, self._length + 1
        return grown

    def __reduce__(self) -> tuple[type[Graph], tuple[str, tuple[Node, ...]]]:
        return Graph, (self.name, tuple(self))

    def edit(self) -> Edit:
        """A draft of a changed graph; this graph stays as it is."""
        return Edit(self)

    def __iter__(self) -> Iterator[Node]:
        return map(self._growing.nodes.__getitem__, range(self._length))

    def __len__(self) -> int:
        return self._length

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._growing.places.get(name, self._length) < self._length

    def __getitem__(self, name: str) -> Node:
        place = self._growing.places.get(name, self._length)
        if place >= self._length:
            raise GraphError("G002", f"graph {self.name!r} has no node {name!r}")
        return self._growing.nodes[place]

    def __str__(self) -> str:
        return graph_text(self.name, self.level, self.ordered, self.shapes)

    @cached_property
    def digraph(self) -> nx.DiGraph:
        """The nodes' names and the edges between them."""
        digraph = nx.DiGraph()
        digraph.add_nodes_from(node.name for node in self)
        digraph.add_edges_from((source, node.name) for node in self for source in node.inputs)
        return digraph

    @cached_property
    def consumers(self) -> Mapping[str, tuple[str, ...]]:
        """For each node the nodes that read it, in the order of the graph."""
        readers: dict[str, list[str]] = {node.name: [] for node in self}
        for node in self:
            for source in dict.fromkeys(node.inputs):
                if source in readers:
                    readers[source].append(node.name)
        return {name: tuple(names) for name, names in readers.items()}

    @cached_property
    def components(self) -> tuple[tuple[str, ...], ...]:
        """Strongly connected components in dataflow order, each in the order of the graph.

        The order is unique for a graph: ties are broken by the nodes' positions.
        """
        order = self._acyclic_order()
        if len(order) == len(self):
            return tuple((name,) for name in order)
        position = {node.name: index for index, node in enumerate(self)}
        condensed = nx.condensation(self.digraph)
        members = {
            key: tuple(sorted(data["members"], key=position.__getitem__))
            for key, data in condensed.nodes(data=True)
        }
        keys = nx.lexicographical_topological_sort(condensed, key=lambda key: position[members[key][0]])
        return tuple(members[key] for key in keys)

    def _acyclic_order(self) -> list[str]:
        """Of the nodes that can be ready, always the first; cycles and what follows them are left out."""
        names = [node.name for node in self]
        position = {name: index for index, name in enumerate(names)}
        waiting = [len(set(node.inputs)) for node in self]
        ready = [index for index, count in enumerate(waiting) if not count]
        order = []
        while ready:
            name = names[heappop(ready)]
            order.append(name)
            for reader in self.consumers[name]:
                waiting[position[reader]] -= 1
                if not waiting[position[reader]]:
                    heappush(ready, position[reader])
        return order

    @cached_property
    def ordered(self) -> tuple[Node, ...]:
        """The nodes in dataflow order."""
        return tuple(self[name] for component in self.components for name in component)

    def is_recurrent(self, component: tuple[str, ...]) -> bool:
        """Whether a component of ``components`` holds a cycle."""
        return len(component) > 1 or component[0] in self[component[0]].inputs

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """Shape of every node's value without batch and tick axes; raises GraphError naming the node."""
        return infer_shapes({node.name: node for node in self}, self.components)

    @cached_property
    def sharing(self) -> Mapping[str, Sharing]:
        """For every node of an ANN which elements of its value share weights."""
        sharing: dict[str, Sharing] = {}
        for node in self.ordered:
            shape = self.shapes[node.name]
            sharing[node.name] = node.operator.sharing(shape, *(sharing[source] for source in node.inputs))
        return sharing

    @property
    def level(self) -> Level:
        """INTEGER if any operator is of integers alone, SNN if there are neurons, else ANN."""
        legal = frozenset(Level)
        for node in self:
            legal &= node.operator.levels
        has_neuron = any(isinstance(node.operator, Neuron) for node in self)
        order = (Level.SNN, Level.INTEGER) if has_neuron else (Level.ANN, Level.SNN, Level.INTEGER)
        for level in order:
            if level in legal:
                return level
        raise GraphError(
            "G003",
            f"graph {self.name!r} mixes activations of an ANN with spiking neurons",
            remedy="convert the whole graph with ConvertToSpiking",
        )

    @property
    def is_ann(self) -> bool:
        """Whether it has values and activations and no spikes: a graph with neurons is never of level ANN."""
        return self.level is Level.ANN

    def of_type(self, *kinds: type[Any]) -> tuple[Node, ...]:
        """The nodes whose operator is an instance of one of ``kinds``, in dataflow order."""
        return tuple(node for node in self.ordered if isinstance(node.operator, kinds))

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The Input nodes."""
        return self.of_type(Input)

    @property
    def outputs(self) -> tuple[Node, ...]:
        """The Output nodes."""
        return self.of_type(Output)

    @property
    def groups(self) -> Mapping[str, str]:
        """The group of each node that is in one."""
        return {node.name: node.group for node in self if node.group is not None}

    @property
    def populations(self) -> tuple[Node, ...]:
        """The neuron populations, in dataflow order."""
        return self.of_type(Neuron)

    @property
    def activations(self) -> tuple[Node, ...]:
        """The activations of an ANN, in dataflow order."""
        return self.of_type(Activation)

    @property
    def decisions(self) -> tuple[Node, ...]:
        """Softmax, arg-max and their like, in dataflow order."""
        return self.of_type(Decision)


class Edit:
    """A draft: the nodes of a graph that a pass adds, replaces and removes before it makes the new graph."""

    def __init__(self, graph: Graph) -> None:
        self._name = graph.name
        self._nodes: dict[str, Node] = {}
        self._places: dict[str, int] = {}
        self._readers: dict[str, set[str]] = defaultdict(set)
        self._numbers: dict[str, int] = {}
        self._count = count()
        for node in graph:
            self._place(node)

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    @property
    def names(self) -> tuple[str, ...]:
        """All nodes, in the order in which they were added."""
        return tuple(self._nodes)

    def readers(self, name: str) -> tuple[str, ...]:
        """The nodes of the draft that read ``name``."""
        return tuple(sorted(self._readers.get(name, ()), key=self._places.__getitem__))

    def unused_name(self, stem: str) -> str:
        """``stem``, with a number behind it if the draft has such a node already."""
        number = self._numbers.get(stem, 1)
        while (name := f"{stem}.{number}" if number > 1 else stem) in self._nodes:
            number += 1
        self._numbers[stem] = number
        return name

    def add(
        self,
        name: str,
        operator: Operator,
        *inputs: str,
        sources: tuple[str, ...] = (),
        role: Role | None = None,
        group: str | None = None,
    ) -> str:
        """Add a node under ``name`` or the next unused name; returns the name it got."""
        name = self.unused_name(name)
        self._place(Node(name, operator, inputs, sources, role, group))
        return name

    def set(self, name: str, **changes: Any) -> None:
        """Give a node another ``operator``, ``inputs``, ``sources``, ``role`` or ``group``."""
        self._place(replace(self._nodes[name], **changes))

    def reroute(self, old: str, new: str, *, but: Iterable[str] = ()) -> None:
        """Let every reader of ``old``, except the nodes in ``but``, read ``new``."""
        kept = set(but) | {new}
        for reader in self.readers(old):
            if reader not in kept:
                inputs = self._nodes[reader].inputs
                self.set(reader, inputs=tuple(new if source == old else source for source in inputs))

    def bypass(self, name: str) -> None:
        """Remove a node of one input; its readers read that input."""
        (source,) = self._nodes[name].inputs
        self.remove(name)
        self.reroute(name, source)

    def remove(self, name: str) -> None:
        """Remove a node that nobody reads any more."""
        for source in self._nodes.pop(name).inputs:
            self._readers[source].discard(name)
        del self._places[name]
        for stem in (name, name.rpartition(".")[0]):
            self._numbers.pop(stem, None)

    def done(self) -> Graph:
        """The new graph, with its nodes in dataflow order."""
        draft = Graph(self._name, self._nodes.values())
        graph = Graph(self._name, draft.ordered)
        graph.components = draft.components  # the dataflow order of what stands in it already
        return graph

    def _place(self, node: Node) -> None:
        """Put a node into the draft: in place of the one of its name, or last."""
        old = self._nodes.get(node.name)
        for source in old.inputs if old else ():
            self._readers[source].discard(node.name)
        for source in node.inputs:
            self._readers[source].add(node.name)
        self._places.setdefault(node.name, next(self._count))
        self._nodes[node.name] = node
