"""What the linear maps of a graph mean, asked of each operator's own ``evaluate`` by numbers in place of spikes.

Proofs take the network's side from here: it shares nothing with ``projections`` and ``composition``, by which passes
and lowering read weights and indices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .graph import Graph
from .neurons.base import Neuron
from .node import Node
from .operators.base import Array, LinearMap
from .operators.delay import Delay
from .operators.interface import Output

Values = Callable[[str, int], Array]
"""From a population and an age in ticks to numbers for its spikes, (rows, neurons) float64."""

Evaluation = Callable[[LinearMap, Sequence[Array]], Array]


@dataclass(frozen=True)
class Moment:
    """The value of a node as one of its readers sees it.

    Attributes:
        node: its name.
        age: ticks between it and the reader's sum, by ``Delay`` nodes.
        cycle: number of the reader's strongly connected component if that is a cycle, whose own spikes take a tick.
    """

    node: str
    age: int
    cycle: int | None


@dataclass(frozen=True, eq=False)
class ReaderSums:
    """What arrives at a reader for given numbers.

    Attributes:
        reader: a population or an Output.
        linear: (rows, elements) float64, what spikes of these numbers would add up to.
        constant: (elements,) float64, what arrives without any spikes.
    """

    reader: Node
    linear: Array
    constant: Array


class LinearParts:
    """The linear maps of a graph between its populations, and those in front of its outputs."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._component = {name: at for at, members in enumerate(graph.components) for name in members}
        self._cycles = {at for at, members in enumerate(graph.components) if graph.is_recurrent(members)}
        self._hosted: set[str] = set()
        for node in graph.ordered:
            if not isinstance(node.operator, Neuron | Output) and self._hosted.issuperset(node.inputs):
                self._hosted.add(node.name)

    def sources(self, reader: str) -> frozenset[tuple[str, int]]:
        """The populations that a reader hears, each with the ticks of window time that its spikes take."""
        order = self._order([reader])[0]
        return frozenset((m.node, self._age(m)) for m in order if isinstance(self._operator(m), Neuron))

    def host(self, reader: str) -> tuple[str, ...]:
        """The nodes without a population in front of them whose values a reader hears."""
        direct = [source for source in self.graph[reader].inputs if source in self._hosted]
        behind_maps = [moment.node for moment in self._order([reader])[0] if moment.node in self._hosted]
        return tuple(dict.fromkeys((*direct, *behind_maps)))

    def sums(self, readers: Iterable[str], values: Values) -> Iterator[ReaderSums]:
        """What arrives at some populations or outputs when spikes are these numbers, one reader after another.

        Values of the host are taken as 0. Every linear map is evaluated once, for all sources and readers together.
        """
        yield from self._run(readers, values, lambda operator, inputs: operator.evaluate(*inputs))

    def largest_sum(self, readers: Iterable[str]) -> float:
        """A bound of all sums on the way to readers when spikes are at most 1 in size."""

        def ones(source: str, age: int) -> Array:
            return np.ones((1, int(np.prod(self.graph.shapes[source]))))

        largest = 0.0
        for sums in self._run(readers, ones, lambda operator, inputs: operator.magnitude(*inputs)):
            largest = max(largest, float(sums.linear.max(initial=0)) + float(sums.constant.max(initial=0)))
        return largest

    def _run(self, readers: Iterable[str], values: Values, evaluate: Evaluation) -> Iterator[ReaderSums]:
        names = list(readers)
        order, uses = self._order(names)
        pending = iter(order)
        known: dict[Moment, Array] = {}
        for name in names:
            read = self._read_by(name)
            while not known.keys() >= set(read):
                moment = next(pending)
                known[moment] = self._value(moment, known, values, evaluate)
                self._release(self._inputs(moment), known, uses)
            yield self._sum(name, [known[moment] for moment in read], values)
            self._release(read, known, uses)

    def _sum(self, name: str, parts: Sequence[Array], values: Values) -> ReaderSums:
        size = int(np.prod(self.graph.shapes[name]))
        total: Array = np.zeros((1, size))
        for part in parts:
            total = total + part.reshape(len(part), size)
        total = np.broadcast_to(total, (max(len(total), 2), size))
        return ReaderSums(self.graph[name], total[:-1] - total[-1], total[-1])

    def _value(
        self, moment: Moment, known: Mapping[Moment, Array], values: Values, evaluate: Evaluation
    ) -> Array:
        """(rows + 1, *shape): for the given numbers, and in the last row for none."""
        operator, shape = self._operator(moment), self.graph.shapes[moment.node]
        if isinstance(operator, Neuron):
            numbers = values(moment.node, self._age(moment))
            return np.concatenate([numbers, np.zeros((1, numbers.shape[1]))]).reshape(-1, *shape)
        if moment.node in self._hosted:
            return np.zeros((1, *shape))
        inputs = [known[source] for source in self._inputs(moment)]
        if isinstance(operator, Delay):
            return inputs[0]
        assert isinstance(operator, LinearMap)
        rows = max(map(len, inputs))
        return evaluate(operator, [np.broadcast_to(part, (rows, *part.shape[1:])) for part in inputs])

    def _operator(self, moment: Moment) -> object:
        return self.graph[moment.node].operator

    def _age(self, moment: Moment) -> int:
        return moment.age + (self._component[moment.node] == moment.cycle)

    def _read_by(self, reader: str) -> list[Moment]:
        number = self._component[reader]
        cycle = number if number in self._cycles else None
        return [
            Moment(source, 0, cycle) for source in self.graph[reader].inputs if source not in self._hosted
        ]

    def _inputs(self, moment: Moment) -> list[Moment]:
        operator = self._operator(moment)
        if isinstance(operator, Neuron) or moment.node in self._hosted:
            return []
        age = moment.age + (operator.ticks if isinstance(operator, Delay) else 0)
        return [Moment(source, age, moment.cycle) for source in self.graph[moment.node].inputs]

    def _order(self, readers: Iterable[str]) -> tuple[list[Moment], Counter[Moment]]:
        """All moments that readers see, inputs before what is made of them, and how often each is read."""
        order: list[Moment] = []
        uses: Counter[Moment] = Counter()
        seen: set[Moment] = set()
        for reader in readers:
            read = self._read_by(reader)
            uses.update(read)
            stack = [(moment, False) for moment in reversed(read)]
            while stack:
                moment, ready = stack.pop()
                if ready:
                    order.append(moment)
                elif moment not in seen:
                    seen.add(moment)
                    inputs = self._inputs(moment)
                    uses.update(inputs)
                    stack.append((moment, True))
                    stack += [(source, False) for source in reversed(inputs)]
        return order, uses

    @staticmethod
    def _release(read: Iterable[Moment], known: dict[Moment, Array], uses: Counter[Moment]) -> None:
        for moment in read:
            uses[moment] -= 1
            if not uses[moment]:
                del known[moment]
