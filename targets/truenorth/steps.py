"""Networks of steps in their many spellings, brought to one: nothing but steps between linear maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import pairwise

import numpy as np

from snnc.graph.graph import Edit, Graph
from snnc.graph.node import Node
from snnc.graph.operators import (
    Add,
    Bias,
    MaxPool,
    Scale,
    Step,
)
from snnc.graph.operators.activation import Rectifier
from snnc.graph.operators.base import Array, Operator
from snnc.graph.operators.step import next_above
from snnc.graph.rewrite import prune

from .extrema import slopes, without_extrema

_FAR = np.float32(2.0**100)
"""A threshold that no signal reaches, or that every signal does where it is negative."""


def simplified(graph: Graph) -> Graph:
    """An ANN that gives the same, with as few other activations than steps as can be.

    1. Sums of multiples of nodes and numbers are computed on paper: what cancels is gone, as is x in
       ``x + (sign(x) - x)``, which training with a straight-through estimator leaves in a network.
    2. Equal steps of one signal are one; a step of minus a signal that others read too is 1 minus a step of it.
    3. An activation behind a sum of steps of one signal, as in ``relu(sign(x))``, is another such sum.
    4. A step behind a Relu or Clip, as in ``sign(hardtanh(x))``, is a step of what these read.
    5. A maximum over a sum of steps of one signal is that sum of maxima over, or minima, of the steps.
    6. Maxima of other signals are moved behind what keeps or reverses the order of a channel's elements until a step
       is in front of them.
    7. A maximum over steps is a step at 1 behind their sum; a minimum is one at the size of the window.

    Rounding may decide otherwise at a threshold that is met to the last bit, where what cancels was rounded.
    """
    return without_extrema(_on_paper(graph))


@dataclass(frozen=True)
class _Sum:
    """A value of the old graph as a sum over nodes of the new one.

    Attributes:
        terms: factor of each node.
        constant: what is added.
        merged: whether terms of one node were summed.
    """

    terms: Mapping[str, float]
    constant: float = 0.0
    merged: bool = False

    def scaled(self, factor: float) -> _Sum:
        """All of it times a number."""
        terms = {name: own * factor for name, own in self.terms.items()}
        return _Sum(terms, self.constant * factor, self.merged)

    def plus(self, other: _Sum) -> _Sum:
        """The sum; terms that cancel are left out."""
        terms = dict(self.terms)
        for name, factor in other.terms.items():
            terms[name] = terms.get(name, 0.0) + factor
        merged = self.merged or other.merged or len(terms) < len(self.terms) + len(other.terms)
        return _Sum({name: own for name, own in terms.items() if own}, self.constant + other.constant, merged)

    @property
    def single(self) -> str | None:
        """The one node that it is."""
        name = next(iter(self.terms), None)
        return name if self.terms == {name: 1.0} and not self.constant else None


@dataclass(eq=False)
class _StepsDraft:
    """The new graph while it grows.

    Attributes:
        old: the graph that is simplified.
        edit: of the new graph.
        values: what each of the old graph's nodes is, in nodes of the new graph.
        written: nodes of the new graph with the value of an old node.
        known: the new graph's steps and maxima by what they read and how.
    """

    old: Graph
    edit: Edit
    values: dict[str, _Sum] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def whole(self, name: str) -> str:
        """A node of the new graph with the value of an old node."""
        if name not in self.written:
            node, value = self.old[name], self.values[name]
            if value.single is None and not value.merged and isinstance(node.operator, Add | Scale | Bias):
                self.written[name] = self.copy(node)
            else:
                self.written[name] = value.single or self._sum(node)
        return self.written[name]

    def copy(self, node: Node) -> str:
        """The old node, in the new graph."""
        inputs = tuple(self.whole(name) for name in node.inputs)
        return self.edit.add(
            node.name, node.operator, *inputs, sources=node.sources, role=node.role, group=node.group
        )

    def _sum(self, node: Node) -> str:
        """Write a sum down; the last of its nodes has the old node's name."""
        value, sources = self.values[node.name], node.sources
        terms = value.terms or {self.whole(node.inputs[0]): 0.0}
        parts = [(name, factor) for name, factor in terms.items() if factor != 1.0]
        scaled = {
            name: self.edit.add(f"{node.name}.times", Scale(_number(factor)), name, sources=sources)
            for name, factor in parts
        }
        names = [scaled.get(name, name) for name in terms]
        last = names[0]
        if len(names) > 1:
            last = self.edit.add(
                f"{node.name}.sum" if value.constant else node.name, Add(), *names, sources=sources
            )
        if not value.constant:
            return last
        return self.edit.add(node.name, Bias(_number(value.constant)), last, sources=sources)

    def once(self, node: Node, operator: Operator, source: str) -> str:
        """A node with this operator that reads ``source``: one that is there already, or a new one."""
        key = source, str(operator) if isinstance(operator, MaxPool) else _digits(operator)
        if key not in self.known:
            self.known[key] = self.edit.add(
                node.name, operator, source, sources=node.sources, group=node.group
            )
        return self.known[key]


def _number(value: float) -> Array:
    return np.array(value, np.float32)


def _digits(operator: Operator) -> str:
    """A step's thresholds to the last bit."""
    assert isinstance(operator, Step)
    threshold = np.asarray(operator.threshold, np.float32) + np.float32(0)  # -0 is 0
    return f"{threshold.shape} {threshold.tobytes().hex()}"


def _on_paper(graph: Graph) -> Graph:
    """The graph with sums computed on paper and activations as steps, as far as they go (cases 1 to 5)."""
    draft = _StepsDraft(graph, Graph(graph.name).edit())
    for node in graph.ordered:
        draft.values[node.name] = _value(draft, node)
    edit = draft.edit
    prune(edit, edit.names)
    return edit.done()


def _value(draft: _StepsDraft, node: Node) -> _Sum:
    """What the first rule that applies makes of a node, else a copy of it."""
    terms = [draft.values[name] for name in node.inputs]
    for types, rule in RULES:
        if isinstance(node.operator, types):
            value = rule(draft, node, terms)
            if value is not None:
                return value
    return _Sum({draft.copy(node): 1.0})


def _added(draft: _StepsDraft, node: Node, terms: Sequence[_Sum]) -> _Sum:
    """A sum of nodes is the sum of what they are."""
    return reduce(_Sum.plus, terms)


def _scaled(draft: _StepsDraft, node: Node, terms: Sequence[_Sum]) -> _Sum | None:
    """A multiple of a node by one number."""
    factor = _parameter(node)
    return terms[0].scaled(float(factor.item())) if factor.size == 1 else None


def _shifted(draft: _StepsDraft, node: Node, terms: Sequence[_Sum]) -> _Sum | None:
    """A node and one number more."""
    value = _parameter(node)
    return terms[0].plus(_Sum({}, float(value.item()))) if value.size == 1 else None


def _parameter(node: Node) -> Array:
    operator = node.operator
    assert isinstance(operator, Scale | Bias)
    return np.asarray(next(iter(operator.coefficients().values())))


def _ladder(draft: _StepsDraft, value: _Sum) -> tuple[tuple[str, ...], str] | None:
    """The steps that a value is a sum of, by ascending thresholds, and their one signal; None for other values."""
    names, edit = list(value.terms), draft.edit
    if not names or not all(isinstance(edit[name].operator, Step) for name in names):
        return None
    if len({edit[name].inputs for name in names}) > 1:
        return None
    names.sort(key=lambda name: float(np.mean(_threshold(edit, name))))
    thresholds = [_threshold(edit, name) for name in names]
    ascending = all((low <= high).all() for low, high in pairwise(thresholds))
    return (tuple(names), edit[names[0]].inputs[0]) if ascending else None


def _threshold(edit: Edit, name: str) -> Array:
    operator = edit[name].operator
    assert isinstance(operator, Step)
    return np.asarray(operator.threshold, np.float32)


def _piecewise(draft: _StepsDraft, node: Node, terms: Sequence[_Sum]) -> _Sum | None:
    """An activation with one parameter for all elements, of a sum of steps of one signal (case 3)."""
    operator, (value,) = node.operator, terms
    ladder = _ladder(draft, value)
    if ladder is None or (isinstance(operator, Step) and np.size(operator.threshold) > 1):
        return None
    names, _ = ladder
    rungs = value.constant + np.cumsum([0.0, *(value.terms[name] for name in names)])
    reached = operator.evaluate(rungs.astype(np.float32).reshape(-1, 1)).ravel().astype(np.float64)
    rises = np.diff(reached).tolist()
    return _Sum({name: rise for name, rise in zip(names, rises, strict=True) if rise}, float(reached[0]))


def _stepped(draft: _StepsDraft, node: Node, terms: Sequence[_Sum]) -> _Sum:
    """A step of a signal without a sign, and of what a Relu or Clip reads (cases 2 and 4)."""
    operator = node.operator
    assert isinstance(operator, Step)
    edit, threshold = draft.edit, np.asarray(operator.threshold, np.float32)
    turned = terms[0].scaled(-1.0).single
    if turned is not None and len(draft.old.consumers[draft.old[node.inputs[0]].inputs[0]]) > 1:
        reached = Step(next_above(-threshold) + np.float32(0))
        return _Sum(
            {
                draft.once(
                    replace(node, name=f"{node.name}.not", group=node.group_of("not")), reached, turned
                ): -1.0
            },
            1.0,
        )
    source = draft.whole(node.inputs[0])
    while isinstance(bounded := edit[source].operator, Rectifier):
        always, never = threshold <= np.float32(bounded.low), threshold > np.float32(bounded.high)
        if always.all() or never.all():
            return _Sum({}, float(always.all()))
        threshold = np.where(always, -_FAR, np.where(never, _FAR, threshold)).astype(np.float32)
        (source,) = edit[source].inputs
    return _Sum({draft.once(node, Step(threshold), source): 1.0})


def _pooled(draft: _StepsDraft, node: Node, terms: Sequence[_Sum]) -> _Sum | None:
    """Steps and bounds that read the maximum, or the minimum, of the signal (case 5)."""
    pool, (value,) = node.operator, terms
    assert isinstance(pool, MaxPool)
    edit, ladder = draft.edit, _ladder(draft, value)
    if value.single and isinstance(bounded := edit[value.single].operator, Rectifier):
        maximum = draft.once(replace(node, name=f"{node.name}.maximum"), pool, *edit[value.single].inputs)
        return _Sum({edit.add(node.name, bounded, maximum, sources=node.sources): 1.0})
    if ladder is None or value.single:
        return None
    (names, signal), factors = ladder, np.array(list(value.terms.values()))
    uniform = all(slopes(edit[name].operator, draft.old.shapes[node.name]) is not None for name in names)
    if not uniform or not ((factors > 0).all() or (factors < 0).all()):
        return None
    extreme = _extreme(draft, node, pool, signal, bool((factors < 0).all()))
    maxima = {
        draft.once(replace(node, name=f"{name}.{node.name}"), edit[name].operator, extreme): value.terms[name]
        for name in names
    }
    return _Sum(maxima, value.constant)


def _extreme(draft: _StepsDraft, node: Node, pool: MaxPool, signal: str, lowest: bool) -> str:
    """The maximum of a signal, or its minimum: minus the maximum of minus the signal."""
    if not lowest:
        return draft.once(replace(node, name=f"{node.name}.maximum"), pool, signal)
    minus = Scale(_number(-1))
    turned = draft.edit.add(f"{node.name}.minus", minus, signal, sources=node.sources)
    maximum = draft.edit.add(f"{node.name}.maximum", pool, turned, sources=node.sources)
    return draft.edit.add(f"{node.name}.minimum", minus, maximum, sources=node.sources)


Rule = tuple[tuple[type[Operator], ...], Callable[[_StepsDraft, Node, Sequence[_Sum]], _Sum | None]]
"""Types of operators, and what gives the sum that such a node is, of the sums that it reads; None if it does not."""

RULES: tuple[Rule, ...] = (
    ((Add,), _added),
    ((Scale,), _scaled),
    ((Bias,), _shifted),
    ((Step, Rectifier), _piecewise),
    ((Step,), _stepped),
    ((MaxPool,), _pooled),
)
"""In the order in which they are tried."""
