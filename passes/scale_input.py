"""Brings the input into the range from -1 to 1 that spike rates can stand for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np

from snnc.errors import Diagnostic, Severity
from snnc.fields import option
from snnc.graph.graph import Edit, Graph
from snnc.graph.node import Node, Role
from snnc.graph.operators import Bias, Scale
from snnc.graph.operators.base import Array, Level
from snnc.pipeline import Context, Guarantee, Pass
from snnc.stages import Need

from ._checks import require_ann
from ._folding import fold_elementwise
from ._histogram import Histogram
from ._input_ranges import Ranges, unlike_ranges


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
    3. Where ranges of features (of channels, with spatial axes) are so unlike that the outputs for samples rounded to
       64 steps of one range have an error of 2 % of their range and four times that for steps of their own ranges,
       each gets its own scale, and an offset (a Bias in front) if its values lie far from 0 (note N108).

    Attributes:
        method: ``max`` of the magnitudes, or a ``percentile`` of those that are not zero.
        percentile: for that method, above 0 to 100.
    """

    method: InputRange = InputRange.MAX
    percentile: float = option(99.9, "Of the magnitudes that are not zero.", above=0, most=100)

    name: ClassVar[str] = "scale-input"
    guarantee: ClassVar[Guarantee] = Guarantee.EXACT
    requires: ClassVar[tuple[Need, ...]] = (Level.ANN,)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph with a unit input."""
        require_ann(self, graph)
        samples = context.samples(graph)
        if samples is None:
            return graph
        edit = graph.edit()
        restored = []
        for node in graph.inputs:
            largest = self._largest(samples.arrays[node.name])
            own = unlike_ranges(graph, samples, node.name, largest)
            if own is not None:
                context.report(_unlike(node, own))
            if own is not None or largest != 1:
                restored += _bring_to_unit(edit, node, own or Ranges(np.zeros(()), np.array(largest)))
        return fold_elementwise(edit.done(), restored) if restored else graph

    def _largest(self, samples: Array) -> float:
        if self.method is InputRange.MAX:
            return float(np.abs(samples).max()) or 1.0
        histogram = Histogram(1)
        for sample in samples:
            histogram.add(np.abs(sample).reshape(1, -1))
        return float(histogram.percentile(self.percentile)[0]) or 1.0


def _bring_to_unit(edit: Edit, node: Node, ranges: Ranges) -> list[str]:
    """Write the nodes behind an input; returns the names of those that undo them."""
    source, shift = node.name, np.asarray(ranges.offset, np.float32)
    if shift.any():
        source = edit.add(f"{node.name}.offset", Bias(-shift), source)
    width = np.asarray(ranges.width)
    unit = edit.add(
        f"{node.name}.unit", Scale(np.asarray(1 / width, np.float32)), source, role=Role.UNIT_INPUT
    )
    restored = [edit.add(f"{node.name}.range", Scale(np.asarray(width, np.float32)), unit)]
    if shift.any():
        restored.append(edit.add(f"{node.name}.start", Bias(shift), restored[0]))
    edit.reroute(node.name, restored[-1], but=[unit if source == node.name else source])
    return restored


def _unlike(node: Node, ranges: Ranges) -> Diagnostic:
    width = ranges.width
    return Diagnostic(
        "N108",
        Severity.NOTE,
        f"its {width.size} features or channels have ranges of their own, {float(width.min()):.3g} to"
        f" {float(width.max()):.3g} wide: in one range for all, some would lose what they say",
        node=node.name,
    )
