"""Brings the input into the range from -1 to 1 that spike rates can stand for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np

from snnc.fields import option
from snnc.graph.graph import Graph
from snnc.graph.operators import Scale
from snnc.pipeline import Context, Guarantee, Pass

from ._checks import require_ann
from ._folding import fold_elementwise
from ._histogram import Histogram


class InputRange(Enum):
    """What counts as the largest input."""

    MAX = "max"
    PERCENTILE = "percentile"


@dataclass(frozen=True)
class ScaleInput(Pass):
    """Divide the input by its largest magnitude over the calibration samples.

    1. Behind each Input comes a Scale by 1 / largest, and behind that a Scale by largest, so that the outputs
       stay; the latter is folded into the Conv and Linear nodes that read it where possible.
    2. Without calibration samples, or if the largest is 1 already, the graph stays as it is.

    Attributes:
        method: ``max`` of the magnitudes, or a ``percentile`` of those that are not zero.
        percentile: for that method, above 0 to 100.
    """

    method: InputRange = InputRange.MAX
    percentile: float = option(99.9, "Of the magnitudes that are not zero.", above=0, most=100)

    name: ClassVar[str] = "scale-input"
    guarantee: ClassVar[Guarantee] = Guarantee.EXACT

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph with a unit input."""
        require_ann(self, graph)
        largest = self._largest(context)
        if largest == 1:
            return graph
        edit = graph.edit()
        restored = []
        for node in graph.inputs:
            unit = edit.add(unit_name(node.name), Scale(np.array(1 / largest, np.float32)), node.name)
            full = edit.add(f"{node.name}.range", Scale(np.array(largest, np.float32)), unit)
            edit.reroute(node.name, full, but=[unit])
            restored.append(full)
        return fold_elementwise(edit.done(), restored)

    def _largest(self, context: Context) -> float:
        samples = context.calibration
        if samples is None or not samples.size:
            return 1.0
        if self.method is InputRange.MAX:
            return float(np.abs(samples).max()) or 1.0
        histogram = Histogram(1)
        for sample in samples:
            histogram.add(np.abs(sample).reshape(1, -1))
        return float(histogram.percentile(self.percentile)[0]) or 1.0


def unit_name(name: str) -> str:
    """Name of the node that brings the input ``name`` to unit range."""
    return f"{name}.unit"
