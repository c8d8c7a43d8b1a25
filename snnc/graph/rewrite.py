"""Rewriting of graphs by rules: what a rule changes is looked at again until no rule applies."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Any

from .graph import Edit, Graph
from .neurons.base import Neuron
from .node import Node
from .operators.base import Operator, Shape
from .operators.interface import Input, Output


@dataclass(frozen=True)
class Rule:
    """A rewrite of nodes that hold one of some types.

    Attributes:
        types: classes of operators.
        function: called with the draft and a node of such a type; changes the draft and returns True, or returns
            False and leaves the draft as it is.
    """

    types: tuple[type[Operator], ...]
    function: Callable[[Draft, Node], bool]


class Draft(Edit):
    """A graph while rules change it: it knows shapes and readers, and which ONNX nodes have become part of which.

    Attributes:
        shapes: of every node's value.
        equals: for the nodes of the given graph that are still there, the one of the given graph that had the value.
    """

    def __init__(self, graph: Graph) -> None:
        self.shapes: dict[str, Shape] = dict(graph.shapes)
        self.equals: dict[str, str] = {node.name: node.name for node in graph}
        self._joined: dict[str, deque[str]] = {}
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._ordered = tuple(node.name for node in graph.ordered)
        super().__init__(graph)
        self._waiting.clear()

    def absorb(self, name: str, gone: str, *, in_front: bool = False) -> None:
        """Let ``name`` stand for the ONNX nodes of ``gone`` too, before or behind its own; ``gone`` stands for none."""
        own, other = self._sources_of(name), self._sources_of(gone)
        first, second = (other, own) if in_front else (own, other)
        if len(first) < len(second):
            second.extendleft(reversed(first))
            first = second
        else:
            first.extend(second)
        self._joined[name] = first
        self._joined[gone] = deque()

    def join(self, first: Node, second: Node, operator: Operator, *, named_second: bool) -> None:
        """Put one node with ``operator`` in place of two, of which the second alone reads the first."""
        if named_second:
            self.absorb(second.name, first.name, in_front=True)
            self.set(second.name, operator=operator, inputs=first.inputs)
            self.remove(first.name)
            return
        self.absorb(first.name, second.name)
        self.equals[first.name] = self.equals[second.name]
        self.reroute(second.name, first.name)
        self.remove(second.name)
        self.set(first.name, operator=operator)

    def done(self) -> Graph:
        """The new graph, with its nodes in dataflow order."""
        for name, sources in self._joined.items():
            if name in self:
                super().set(name, sources=tuple(dict.fromkeys(sources)))
        return super().done()

    def apply(
        self,
        rules: Iterable[Rule],
        names: Iterable[str] | None = None,
        *,
        only: Container[str] | None = None,
    ) -> bool:
        """Apply rules to nodes, in dataflow order if none are named, and to what they change, until none applies.

        Of several rules for one node the first that applies does. Where ``only`` is given, no rule is tried at others.
        Returns whether any applied.
        """
        known, applied = tuple(rules), False
        self._waiting = OrderedDict.fromkeys(self._ordered if names is None else names)
        while self._waiting:
            name, _ = self._waiting.popitem(last=False)
            if name in self and (only is None or name in only):
                applied |= self._visit(self[name], known)
        return applied

    def _visit(self, node: Node, rules: tuple[Rule, ...]) -> bool:
        return any(isinstance(node.operator, rule.types) and rule.function(self, node) for rule in rules)

    def _sources_of(self, name: str) -> deque[str]:
        if name not in self._joined:
            self._joined[name] = deque(self[name].sources)
        return self._joined[name]

    def _place(self, node: Node) -> None:
        super()._place(node)
        if all(source in self.shapes for source in node.inputs):
            shapes = (self.shapes[source] for source in node.inputs)
            self.shapes[node.name] = node.operator.infer_shape(*shapes)
        self._waiting.update(dict.fromkeys((node.name, *self.readers(node.name))))


def pair(
    first: tuple[type[Operator], ...],
    second: tuple[type[Operator], ...],
    function: Callable[[Any, Any, Shape], Operator | None],
    *,
    named_second: bool,
) -> Rule:
    """A rule that makes one node of two, of which the first is read by the second alone.

    Args:
        first: types of the operator in front.
        second: types of the one behind.
        function: called with both operators and the shape between them; the operator of the one node, or None.
        named_second: whether it goes on under the name of the second, else under that of the first.
    """

    def merge(draft: Draft, node: Node) -> bool:
        before = draft[node.inputs[0]]
        if not isinstance(before.operator, first) or len(draft.readers(before.name)) != 1:
            return False
        operator = function(before.operator, node.operator, draft.shapes[before.name])
        if operator is None:
            return False
        draft.join(before, node, operator, named_second=named_second)
        return True

    return Rule(second, merge)


def prune(edit: Edit, names: Iterable[str]) -> None:
    """Remove the nodes ``names`` that nobody reads any more, and what only they read; ends and populations stay."""
    waiting = list(dict.fromkeys(names))
    while waiting:
        name = waiting.pop()
        if (
            name in edit
            and not edit.readers(name)
            and not isinstance(edit[name].operator, Input | Output | Neuron)
        ):
            waiting += edit[name].inputs
            edit.remove(name)
