"""Replaces max-pooling by what spiking hardware has: differences, rectifiers and sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from snnc.choices import PoolMethod
from snnc.errors import Diagnostic, PassError, Severity
from snnc.graph.graph import Edit, Graph
from snnc.graph.node import Node
from snnc.graph.operators import Add, AvgPool, MaxPool, Relu, Scale, Select
from snnc.graph.operators.activation import Rectifier
from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.index_map import AxisMap
from snnc.graph.operators.windows import window_counts
from snnc.pipeline import Context, Guarantee, Pass
from snnc.stages import POOLS_REPLACED, Need

from ._checks import require_ann


@dataclass(frozen=True)
class ReplaceMaxPool(Pass):
    """Replace every MaxPool.

    1. A Relu or Clip that is all that reads a pool is first moved in front of it: max and a monotone function
       commute, and the neurons that rectify are then those whose spikes the pool compares. Behind a Relu, a
       second one is left out.
    2. ``exact``: the window is reduced axis by axis, each axis by a balanced tree of
       max(a, b) = a + relu(b - a). The taps of a window are Select nodes; a tap in the padding is replaced by
       the nearest tap of the same window inside the input, so padding never wins. An axis with k taps costs
       k - 1 rectifiers for each of its outputs; two axes together cost no more than a two-dimensional tree,
       and less where windows overlap.
    3. ``average``: the mean instead of the maximum, with warning W101. The outputs change (guarantee
       ``nothing``).
    4. ``gate``: the MaxPool stays for ConvertToSpiking, which makes it a population that passes on the spikes
       of the most active input of each window. Functional simulator only.

    Attributes:
        method: ``exact``, ``average`` or ``gate``.
    """

    method: PoolMethod = PoolMethod.EXACT

    name: ClassVar[str] = "replace-max-pool"
    gives: ClassVar[tuple[Need, ...]] = (POOLS_REPLACED,)

    guarantee: ClassVar[Guarantee] = Guarantee.EXACT

    @property
    def promise(self) -> Guarantee:
        """``exact`` but for ``average``, which is another function."""
        return Guarantee.NOTHING if self.method is PoolMethod.AVERAGE else Guarantee.EXACT

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph without MaxPool (``gate``: with its MaxPool nodes behind the rectifiers)."""
        if not graph.of_type(MaxPool):
            return graph
        require_ann(self, graph)
        graph = _rectified_first(graph)
        if self.method is PoolMethod.GATE:
            return graph
        edit = graph.edit()
        for node in graph.of_type(MaxPool):
            if self.method is PoolMethod.AVERAGE:
                _average(edit, node, context)
            else:
                _Tree(graph, edit, node).build()
        return edit.done()


def _rectified_first(graph: Graph) -> Graph:
    """The graph with its rectifiers in front of the pools that they alone read (case 1)."""
    edit = graph.edit()
    for pool in graph.of_type(MaxPool):
        readers = edit.readers(pool.name)
        if len(readers) != 1 or not isinstance(edit[readers[0]].operator, Rectifier):
            continue
        first, inputs = edit[readers[0]], edit[pool.name].inputs
        if isinstance(first.operator, Relu) and isinstance(edit[inputs[0]].operator, Relu):
            edit.bypass(first.name)
            continue
        edit.set(first.name, inputs=inputs)
        edit.set(pool.name, inputs=(first.name,))
        edit.reroute(first.name, pool.name, but=[pool.name])
    return edit.done()


def _average(edit: Edit, node: Node, context: Context) -> None:
    """Put the mean in place of the maximum (case 3)."""
    pool: Any = node.operator
    edit.set(node.name, operator=AvgPool(pool.kernel, pool.stride, pool.pads, pool.dilation))
    context.report(
        Diagnostic(
            "W101",
            Severity.WARNING,
            "max-pooling was replaced by average-pooling, which is another function",
            node=node.name,
            remedy="use replace-max-pool{method=exact}, or train the network with average-pooling",
        )
    )


class _Tree:
    """The balanced trees of max(a, b) = a + relu(b - a) that stand for one pool (case 2)."""

    def __init__(self, graph: Graph, edit: Edit, node: Node) -> None:
        assert isinstance(node.operator, MaxPool)
        self.edit, self.node, self.pool = edit, node, node.operator
        self.shape = graph.shapes[node.inputs[0]]
        producer = graph[node.inputs[0]].operator
        scale = producer.scale if isinstance(producer, Rectifier) else None
        self.relu = Relu(scale)

    def build(self) -> None:
        """Reduce axis by axis; the last node takes the pool's name."""
        source, shape = self.node.inputs[0], self.shape
        for axis in range(len(self.pool.kernel)):
            taps = [
                self._add(f"tap{number}", Select(AxisMap.along(shape, axis + 1, rows).axes, shape), source)
                for number, rows in enumerate(self._taps(axis, shape))
            ]
            source = self._largest(taps)
            shape = self._reduced(axis, shape)
        last = self.edit[source]
        self.edit.set(self.node.name, operator=last.operator, inputs=last.inputs, sources=self.node.sources)
        self.edit.remove(source)

    def _largest(self, terms: list[str]) -> str:
        while len(terms) > 1:
            pairs = [self._maximum(*terms[i : i + 2]) for i in range(0, len(terms) - 1, 2)]
            terms = pairs + terms[len(terms) - len(terms) % 2 :]
        return terms[0]

    def _maximum(self, first: str, second: str) -> str:
        minus = self._add("minus", Scale(np.array(-1, np.float32)), first)
        difference = self._add("difference", Add(), second, minus)
        excess = self._add("excess", self.relu, difference)
        return self._add("larger", Add(), first, excess)

    def _add(self, part: str, operator: Any, *inputs: str) -> str:
        return self.edit.add(f"{self.node.name}.{part}", operator, *inputs, sources=self.node.sources)

    def _reduced(self, axis: int, shape: Shape) -> Shape:
        count = _counts(self.pool, axis, shape[axis + 1])
        return (*shape[: axis + 1], count, *shape[axis + 2 :])

    def _taps(self, axis: int, shape: Shape) -> Iterator[Array]:
        """Every distinct tap along an axis: (windows,) int64, the place that each window sees there."""
        seen: list[bytes] = []
        for rows in self._rows(axis, shape[axis + 1]):
            if rows.tobytes() not in seen:
                seen.append(rows.tobytes())
                yield rows

    def _rows(self, axis: int, size: int) -> Array:
        """(taps, windows) coordinates along an axis, taps in the padding moved to the nearest tap inside."""
        pool = self.pool
        step, dilation, before = pool.stride[axis], pool.dilation[axis], pool.pads[axis][0]
        starts = np.arange(_counts(pool, axis, size)) * step - before
        first = np.maximum(0, -(starts // dilation))
        last = np.minimum(pool.kernel[axis] - 1, (size - 1 - starts) // dilation)
        if (first > last).any():
            raise PassError(
                "P104",
                "a window of this max-pool lies wholly in the padding, where there is no largest value",
                node=self.node.name,
                source=self.node.source,
                remedy="export the model with less padding",
            )
        taps = np.clip(np.arange(pool.kernel[axis])[:, None], first, last)
        return np.asarray(starts + taps * dilation)


def _counts(pool: MaxPool, axis: int, size: int) -> int:
    at = slice(axis, axis + 1)
    return window_counts((size,), pool.kernel[at], pool.stride[at], pool.pads[at], pool.dilation[at])[0]
