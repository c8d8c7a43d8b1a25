"""Turns an ANN into a spiking network: each activation becomes a population of integrate-and-fire neurons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np

from snnc.errors import Diagnostic, PassError, Severity
from snnc.graph.evaluate import evaluate_nodes
from snnc.graph.graph import Edit, Graph, Node
from snnc.graph.neurons import IF, Integrator, Reset
from snnc.graph.operators import Bias, Clip, Output, Readout, Relu, Scale
from snnc.graph.operators.base import Array
from snnc.pipeline import Context, Guarantee, Pass
from snnc.validation import without_decision

from ._bounds import propagate_bounds
from ._checks import require_ann, require_normal_clips, settle_choice
from ._scales import input_range, sample_batches


class Initial(Enum):
    """Potential of a neuron before the first tick: half a threshold (rounds rates) or zero (floors them)."""

    HALF = "half"
    ZERO = "zero"


class ReadBy(Enum):
    """How the answer is read: by the last layer's potential or by counting its spikes."""

    POTENTIAL = "potential"
    COUNT = "count"


@dataclass(frozen=True)
class ConvertToSpiking(Pass):
    """Replace activations by populations; linear maps stay as they are.

    1. A Relu or Clip of scale s (a Clip's upper bound or 1 where no balancing chose one) becomes an IF
       population of threshold s under the same name; a Scale by s behind it lets each spike stand for s.
    2. Softmax, log-softmax and arg-max at the end are left out: the answer is read before them (note N102).
    3. A network that ends in a linear map is read by the ``potential`` of an Integrator, or by the spike
       ``count`` of an IF population that gets the same bias for all classes, so that negative values fire
       too; the Output takes the bias off again. The population's range is that of the calibration samples'
       outputs, or the largest possible one without samples.
    4. A network that ends in an activation is read by the spike count of its population.
    5. Any other activation is an error (P107) that names all of them.

    Attributes:
        reset: by subtraction, or to zero.
        initial: potential before the first tick.
        readout: ``potential`` or ``count``.
    """

    reset: Reset = Reset.SUBTRACT
    initial: Initial = Initial.HALF
    readout: ReadBy = ReadBy.POTENTIAL

    name: ClassVar[str] = "convert-to-spiking"
    guarantee: ClassVar[Guarantee] = Guarantee.RATES
    tolerance: ClassVar[float] = 0.25

    def __post_init__(self) -> None:
        settle_choice(self, "reset", Reset)
        settle_choice(self, "initial", Initial)
        settle_choice(self, "readout", ReadBy)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The spiking graph."""
        require_ann(self, graph)
        require_normal_clips(self, graph)
        graph = _without_decisions(graph, context)
        _refuse_others(graph)
        edit = graph.edit()
        for output in graph.outputs:
            self._read(graph, edit, output, context)
        for node in graph.of_type(Relu, Clip):
            self._fire(edit, node)
        return edit.done()

    def population(self, scale: Array) -> IF:
        """An IF population whose spikes stand for ``scale``."""
        start = scale / 2 if self.initial is Initial.HALF else np.zeros_like(scale)
        return IF(scale, self.reset, start)

    def _fire(self, edit: Edit, node: Node) -> None:
        """Case 1."""
        scale = _scale_of(node)
        edit.set(node.name, operator=self.population(scale))
        readers = [name for name in edit.readers(node.name) if not isinstance(edit[name].operator, Output)]
        if readers:
            outputs = [name for name in edit.readers(node.name) if name not in readers]
            spike = edit.add(f"{node.name}.scale", Scale(scale), node.name, sources=node.sources)
            edit.reroute(node.name, spike, but=outputs)

    def _read(self, graph: Graph, edit: Edit, output: Node, context: Context) -> None:
        """Cases 3 and 4."""
        source = graph[output.inputs[0]]
        if isinstance(source.operator, Relu | Clip):
            scale = _scale_of(source)
            edit.set(output.name, operator=Output(Readout.COUNT, scale=scale))
        elif self.readout is ReadBy.POTENTIAL:
            name = edit.add(f"{source.name}.readout", Integrator(), source.name, sources=source.sources)
            edit.set(output.name, operator=Output(Readout.POTENTIAL), inputs=(name,))
        else:
            low, high = _range_of(graph, source, context)
            lifted = edit.add(f"{source.name}.lift", Bias(np.float32(-low).reshape(())), source.name)
            population = self.population(np.asarray(high - low, np.float32))
            name = edit.add(f"{source.name}.readout", population, lifted, sources=source.sources)
            edit.set(output.name, operator=Output(Readout.COUNT, high - low, low), inputs=(name,))


def _scale_of(node: Node) -> Array:
    operator = node.operator
    assert isinstance(operator, Relu | Clip)
    if operator.scale is not None:
        return np.asarray(operator.scale, np.float32)
    return np.array(operator.high if isinstance(operator, Clip) else 1, np.float32)


def _without_decisions(graph: Graph, context: Context) -> Graph:
    """Case 2."""
    for node in graph.decisions:
        if any(not isinstance(graph[name].operator, Output) for name in graph.consumers[node.name]):
            continue
        context.report(
            Diagnostic(
                "N102",
                Severity.NOTE,
                f"{type(node.operator).__name__} is left out: the answer is read before it, in the same order",
                node=node.name,
            )
        )
    return without_decision(graph)


def _refuse_others(graph: Graph) -> None:
    """Case 5."""
    others = [node for node in graph.activations if not isinstance(node.operator, Relu | Clip)]
    if others:
        raise PassError(
            "P107",
            f"{len(others)} activations have no spiking neuron that stands for them",
            node=others[0].name,
            source=others[0].source,
            remedy="use replace-max-pool for MaxPool, and train with ReLU or ReLU6 instead of other activations",
            details=tuple(_line(node) for node in others),
        )


def _line(node: Node) -> str:
    origin = f" from {node.source}" if node.source else ""
    return f"{node.name}: {type(node.operator).__name__}{origin}"


def _range_of(graph: Graph, node: Node, context: Context) -> tuple[float, float]:
    """(lowest, highest) value of a node, over the calibration samples or at all."""
    if context.calibration is not None and len(context.calibration):
        values = [
            evaluate_nodes(graph, part, [node.name])[node.name]
            for part in sample_batches(graph, context.calibration)
        ]
        low, high = min(float(part.min()) for part in values), max(float(part.max()) for part in values)
    else:
        limits = input_range(context)
        bounds = propagate_bounds(graph, *limits, lambda one, highest: _scale_of(one))[node.name]
        low, high = float(bounds[0].min()), float(bounds[1].max())
    return low, max(high, low + 1e-6)
