"""Turns the samples into spikes, where the network is not driven by a constant current."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar

import numpy as np

from snnc.choices import Reset
from snnc.errors import Diagnostic, Severity
from snnc.graph.evaluate import evaluate_nodes
from snnc.graph.graph import Edit, Graph
from snnc.graph.neurons import IF, Neuron, PoissonSource
from snnc.graph.node import Node, Role
from snnc.graph.operators import Add, Bias, Scale
from snnc.graph.operators.base import Array, Level, Operator
from snnc.pipeline import Context, Guarantee, Pass
from snnc.stages import MAPS_MERGED, Form, Need

from ._checks import require_snn
from .convert_to_spiking import UNEVEN_START


class Coding(Enum):
    """How a sample is presented."""

    CURRENT = "current"
    RATE = "rate"
    POISSON = "poisson"


@dataclass(frozen=True)
class EncodeInput(Pass):
    """Put populations behind the input.

    1. ``current``: the sample is a constant current into the first linear maps; the graph stays.
    2. ``rate``: an IF population fires with a rate in proportion to the input, evenly spaced.
    3. ``poisson``: a spike with probability in proportion to the input in every tick, seeded.
    4. The input at which a neuron fires at every tick is 1 behind the node that ScaleInput put in, else the
       largest magnitude of the calibration samples, else 1.
    5. Negative inputs get a second population, which is subtracted; if the calibration samples have none, or
       there are no samples (note N103), it is left out.

    6. Populations that get these spikes, and that ConvertToSpiking started in the balance of a constant input (role
       ``BALANCED_START``), start at 0.3 of their threshold instead, for spikes arrive unevenly.

    Attributes:
        coding: ``current``, ``rate`` or ``poisson``.
        reset: of the IF neurons.
        seed: of the Poisson spikes; None takes the compilation's seed.
    """

    coding: Coding = Coding.CURRENT
    reset: Reset = Reset.SUBTRACT
    seed: int | None = None

    name: ClassVar[str] = "encode-input"
    guarantee: ClassVar[Guarantee] = Guarantee.RATES
    tolerance: ClassVar[float] = 0.25
    requires: ClassVar[tuple[Need, ...]] = (Level.SNN,)
    undoes: ClassVar[tuple[Form, ...]] = (MAPS_MERGED,)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph with its input as spikes."""
        require_snn(self, graph)
        if self.coding is Coding.CURRENT:
            return graph
        edit = graph.edit()
        for node in graph.inputs:
            self._encode(edit, graph, node, context)
        for node in graph.populations:
            if node.role is Role.BALANCED_START:
                edit.set(node.name, operator=_started_lower(node.operator), role=None)
        return edit.done()

    def _encode(self, edit: Edit, graph: Graph, node: Node, context: Context) -> None:
        unit = _unit_of(graph, node.name)
        is_unit = unit is not None
        source = unit or node.name
        if context.samples(graph) is None:
            edit.set(node.name, role=Role.ASSUMED_INPUT)
        low, high = _range_of(graph, source, context)
        scale = np.array(1.0 if is_unit else max(-low, high) or 1.0, np.float32)
        readers = edit.readers(source)
        seed = context.seed if self.seed is None else self.seed
        positive = _branch(edit, f"{node.name}.on", self._population(scale, seed), source, scale)
        result = positive
        if low < 0:
            minus = edit.add(f"{node.name}.minus", Scale(np.array(-1, np.float32)), source)
            negative = _branch(edit, f"{node.name}.off", self._population(scale, seed), minus, -scale)
            result = edit.add(f"{node.name}.spikes", Add(), positive, negative)
        for reader in readers:
            inputs = tuple(result if name_read == source else name_read for name_read in edit[reader].inputs)
            edit.set(reader, inputs=inputs)

    def _population(self, scale: Array, seed: int) -> Neuron:
        if self.coding is Coding.POISSON:
            return PoissonSource(scale, seed)
        return IF(scale, self.reset, scale / 2)


def _started_lower(neuron: Operator) -> Operator:
    """The population with its start potential at 0.3 of its threshold, because spikes arrive unevenly (case 6)."""
    assert isinstance(neuron, IF)
    threshold = np.asarray(neuron.threshold, np.float32)
    return replace(neuron, initial_voltage=threshold * np.float32(UNEVEN_START))


def _unit_of(graph: Graph, name: str) -> str | None:
    """The node behind an input that brings it to unit range, through an offset perhaps; None where none does."""
    for reader in graph.consumers[name]:
        if graph[reader].role is Role.UNIT_INPUT:
            return reader
        behind = _unit_of(graph, reader) if isinstance(graph[reader].operator, Bias) else None
        if behind is not None:
            return behind
    return None


def _branch(edit: Edit, name: str, population: Neuron, source: str, factor: Array) -> str:
    """A population and what each of its spikes stands for."""
    neurons = edit.add(name, population, source)
    return edit.add(f"{name}.scale", Scale(factor), neurons)


def _range_of(graph: Graph, source: str, context: Context) -> tuple[float, float]:
    """Smallest and largest value of what spikes are made of: whether negative ones need a population (case 5)."""
    samples = context.samples(graph)
    if samples is not None:
        values = evaluate_nodes(graph, samples, [source])[source]
        return float(values.min()), float(values.max())
    context.report(
        Diagnostic(
            "N103",
            Severity.NOTE,
            "inputs were taken to lie between 0 and 1: negative ones would be lost",
            remedy="give calibration samples if they do not",
        )
    )
    return 0.0, 1.0
