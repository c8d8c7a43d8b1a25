"""Turns an ANN into a spiking network: each activation becomes a population of integrate-and-fire neurons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import networkx as nx
import numpy as np

from snnc.choices import Initial, ReadBy, Reset
from snnc.errors import Diagnostic, PassError, Severity
from snnc.graph.evaluate import evaluate_nodes
from snnc.graph.graph import Edit, Graph
from snnc.graph.neurons import IF, Integrator
from snnc.graph.node import Node, Role
from snnc.graph.operators import Activation, Bias, Output, Readout, Scale, Step
from snnc.graph.operators.activation import Rectifier
from snnc.graph.operators.base import Array, Level, Operator
from snnc.graph.order_free import STEADY_PRODUCT
from snnc.pipeline import Context, Guarantee, Pass
from snnc.stages import NORMAL_CLIPS, POOLS_REPLACED, Need
from snnc.validation import without_decision

from ._bounds import propagate_bounds
from ._checks import require_ann, require_normal_clips
from ._scales import input_range, sample_batches

UNEVEN_START = 0.3
"""Share of the threshold at which populations start whose spikes arrive unevenly: the least error of the outputs of the
two example networks, at 16 to 256 ticks, among 0, 0.1, ... 0.5."""


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
    5. A MaxPool that reads a population (or another such pool) with one scale in each window becomes a
       MaxGate; the functional simulator alone has it.
    6. Any other activation is an error (P107) that names all of them.
    7. ``balanced`` populations start at half their threshold where the input is the same at every tick, else at 0.3
       of it. The former have the role ``BALANCED_START``, by which EncodeInput finds what it sends spikes to.

    Attributes:
        reset: by subtraction, or to zero.
        initial: potential before the first tick, ``balanced``, ``half`` a threshold or ``zero``.
        readout: ``potential`` or ``count``.
    """

    reset: Reset = Reset.SUBTRACT
    initial: Initial = Initial.BALANCED
    readout: ReadBy = ReadBy.POTENTIAL

    name: ClassVar[str] = "convert-to-spiking"
    guarantee: ClassVar[Guarantee] = Guarantee.RATES
    tolerance: ClassVar[float] = 0.25
    requires: ClassVar[tuple[Need, ...]] = (
        Level.ANN,
        NORMAL_CLIPS,
        POOLS_REPLACED,
    )
    gives: ClassVar[tuple[Need, ...]] = (Level.SNN,)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The spiking graph."""
        require_ann(self, graph)
        require_normal_clips(self, graph)
        graph = _without_decisions(graph, context)
        scales = _spike_scales(graph)
        edit = graph.edit()
        for output in graph.outputs:
            self._read(graph, edit, output, scales, context)
        for name, scale in scales.items():
            self._fire(graph, edit, graph[name], scale)
        for name in scales:
            _restore(graph, edit, graph[name], scales)
        return edit.done()

    def _start(self, constant_input: bool) -> float:
        """Share of the threshold before the first tick."""
        if self.initial is Initial.ZERO:
            return 0.0
        return 0.5 if constant_input or self.initial is Initial.HALF else UNEVEN_START

    def _role(self, constant_input: bool) -> Role | None:
        """The role of a population that starts in the balance of a constant input (case 7)."""
        return Role.BALANCED_START if constant_input and self.initial is Initial.BALANCED else None

    def _fire(self, graph: Graph, edit: Edit, node: Node, scale: Array) -> None:
        """Put a population in place of every activation and gate (cases 1 and 5)."""
        operator, shape = node.operator, graph.shapes[node.inputs[0]]
        assert isinstance(operator, Activation)
        constant = _is_constant(graph, node)
        neuron = operator.neuron(scale, self.reset, self._start(constant), shape)
        edit.set(node.name, operator=neuron, role=self._role(constant))

    def _read(
        self, graph: Graph, edit: Edit, output: Node, scales: Mapping[str, Array], context: Context
    ) -> None:
        """Read an output: from an Integrator or by the spikes of a population (cases 3 and 4)."""
        source = graph[output.inputs[0]]
        spiking, factor = _read_population(graph, source, scales)
        if spiking is not None:
            edit.set(output.name, operator=Output(Readout.COUNT, factor), inputs=(spiking,))
            if spiking != source.name and not edit.readers(source.name):
                edit.remove(source.name)
        elif self.readout is ReadBy.POTENTIAL:
            name = edit.add(f"{source.name}.readout", Integrator(), source.name, sources=source.sources)
            edit.set(output.name, operator=Output(Readout.POTENTIAL), inputs=(name,))
        else:
            low, high = _range_of(graph, source, context)
            lifted = edit.add(f"{source.name}.lift", Bias(np.array(-low, np.float32)), source.name)
            scale, constant = np.array(high - low, np.float32), _is_constant(graph, source)
            population = IF(scale, self.reset, scale * np.float32(self._start(constant)))
            name = edit.add(
                f"{source.name}.readout",
                population,
                lifted,
                sources=source.sources,
                role=self._role(constant),
            )
            edit.set(output.name, operator=Output(Readout.COUNT, high - low, low), inputs=(name,))


def _is_constant(graph: Graph, node: Node) -> bool:
    """Whether no activation lies between the samples and a node, so that its input is one for all ticks."""
    ancestors = nx.ancestors(graph.digraph, node.name)
    return not any(isinstance(graph[name].operator, Activation) for name in ancestors)


def _restore(graph: Graph, edit: Edit, node: Node, scales: Mapping[str, Array]) -> None:
    """Let what is no gate and no output read the spikes through a Scale (case 1)."""
    direct = [
        name for name in edit.readers(node.name) if name in graph and _reads_spikes(graph[name].operator)
    ]
    if len(direct) < len(edit.readers(node.name)):
        spike = edit.add(f"{node.name}.scale", Scale(scales[node.name]), node.name, sources=node.sources)
        edit.reroute(node.name, spike, but=direct)


def _reads_spikes(operator: Operator) -> bool:
    return isinstance(operator, Output) or (isinstance(operator, Activation) and operator.reads_spikes)


def _read_population(graph: Graph, source: Node, scales: Mapping[str, Array]) -> tuple[str | None, Array]:
    """The population whose spikes an output can count, through a Scale too, and what a spike stands for."""
    if source.name in scales:
        return source.name, scales[source.name]
    if isinstance(source.operator, Scale) and source.inputs[0] in scales:
        return source.inputs[0], np.asarray(scales[source.inputs[0]] * source.operator.factor, np.float32)
    return None, np.array(1, np.float32)


def _spike_scales(graph: Graph) -> Mapping[str, Array]:
    """What a spike of each activation stands for; raises PassError P107 if one has no spiking neuron."""
    scales: dict[str, Array] = {}
    others = []
    for node in graph.activations:
        operator = node.operator
        assert isinstance(operator, Activation)
        spike = operator.spike(*(scales.get(source) for source in node.inputs))
        if spike is None:
            others.append(node)
        else:
            scales[node.name] = spike
    if others:
        raise PassError(
            "P107",
            f"{len(others)} activations have no spiking neuron that stands for them",
            node=others[0].name,
            source=others[0].source,
            remedy=_remedy(others),
            details=tuple(_line(node) for node in others),
        )
    return scales


def _remedy(others: list[Node]) -> str:
    if all(isinstance(node.operator, Step) for node in others):
        return (
            "train with ReLU or ReLU6; or choose a --target that maps steps one to one (`snnc targets`), behind"
            " weights of -1, 0 and 1 alone"
        )
    return "put replace-max-pool before it; train with ReLU or ReLU6 instead of other activations"


def _without_decisions(graph: Graph, context: Context) -> Graph:
    """The graph without softmax, log-softmax and arg-max at its end (case 2)."""
    for node in graph.decisions:
        if any(not isinstance(graph[name].operator, Output) for name in graph.consumers[node.name]):
            continue
        context.report(
            Diagnostic(
                "N102",
                Severity.NOTE,
                f"{type(node.operator).__name__} is left out: the answer is read before it",
                node=node.name,
            )
        )
    return without_decision(graph)


def _line(node: Node) -> str:
    origin = f" from {node.source}" if node.source else ""
    return f"{node.name}: {type(node.operator).__name__}{origin}"


def _firing(node: Node, highest: Array) -> Array:
    assert isinstance(node.operator, Rectifier)
    return node.operator.spike()


def _range_of(graph: Graph, node: Node, context: Context) -> tuple[float, float]:
    """(lowest, highest) value of a node, over the calibration samples or at all."""
    samples = context.samples(graph)
    if samples is not None:
        values = [
            evaluate_nodes(graph, part, [node.name], STEADY_PRODUCT)[node.name]
            for part in sample_batches(graph, samples)
        ]
        low, high = min(float(part.min()) for part in values), max(float(part.max()) for part in values)
    else:
        limits = input_range(graph, context)
        bounds = propagate_bounds(graph, *limits, _firing)[node.name]
        low, high = float(bounds[0].min()), float(bounds[1].max())
    return low, max(high, low + 1e-6)
