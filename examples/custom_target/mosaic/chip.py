"""What the chip can hold, its neuron, and the pass from a spiking network of real numbers to its integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snnc.errors import GraphError
from snnc.fields import option
from snnc.graph import Graph
from snnc.graph.graph import Edit
from snnc.graph.neurons.base import Neuron, Reset, State, check_threshold, full
from snnc.graph.node import Node
from snnc.graph.operators.base import Array, Level, Shape
from snnc.graph.projections import Drive
from snnc.graph.synapses import weight_values, with_weight_values
from snnc.pipeline import Context, Guarantee, Pass
from snnc.stages import MAPS_MERGED, Need
from snnc.targets.partition import PieceLimits
from snnc.targets.quantisation import in_integers, membrane, short_integers, whole, without_bias_node

MOSAIC = PieceLimits(neurons=64, axons=2048, delay=16, weight=127, cores=64)
"""Limits of a chip that is made up: 8 x 8 cores with dense weights of 8 bits, on a bus that every core hears."""

POTENTIAL = 2**19 - 1
"""The largest potential; the lowest is one less than its negative."""


@dataclass(frozen=True, eq=False)
class MosaicNeuron(Neuron):
    """v <- v + z + bias, saturating at 20 bits; a spike where v >= threshold, by which v is then reduced."""

    threshold: int | Array
    bias: int | Array = 0
    initial: int | Array = 0

    levels = frozenset({Level.INTEGER})

    def __post_init__(self) -> None:
        check_threshold(self.threshold)
        if max(np.max(np.abs(v), initial=0) for v in (self.threshold, self.bias, self.initial)) > POTENTIAL:
            raise GraphError("G104", f"a register of Mosaic holds at most {POTENTIAL}")

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """The initial potential."""
        return {"voltage": full(self.initial, shape, samples, np.dtype(np.int64))}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """Integrate, saturate, compare, reduce."""
        v = np.clip(state["voltage"] + current + self.bias, -POTENTIAL - 1, POTENTIAL)
        spikes = v >= self.threshold
        return {"voltage": v - spikes * np.asarray(self.threshold)}, spikes

    def charge(self, spikes: Array, voltage: Array) -> Array:
        """All that was taken up, as far as the potential did not saturate."""
        return np.asarray(spikes * np.asarray(self.threshold) + voltage - self.initial)


@dataclass(frozen=True)
class MosaicQuantise(Pass):
    """A population's largest weight becomes the largest of these bits; all else is rounded in the same units."""

    weight_bits: int = option(8, "Width of a weight.", least=2, most=8)

    name: ClassVar[str] = "mosaic-quantise"
    guarantee: ClassVar[Guarantee] = Guarantee.RATES
    tolerance: ClassVar[float] = 0.25
    requires: ClassVar[tuple[Need, ...]] = (
        Level.SNN,
        MAPS_MERGED,
    )
    gives: ClassVar[tuple[Need, ...]] = (Level.INTEGER,)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph at level INTEGER."""
        return in_integers(graph, self._replace, "Mosaic", context)

    def _replace(self, edit: Edit, node: Node, shape: Shape, drive: Drive) -> float:
        asked = membrane(node, shape, "Mosaic", (Reset.SUBTRACT,))
        weights = [weight_values(p.operator) for p in drive.projections]
        largest = max(float(np.abs(values).max(initial=1e-9)) for values in weights)
        finest = (2 ** (self.weight_bits - 1) - 1) / largest
        unit: float = min(finest, POTENTIAL / 2 / float(asked.threshold.max()))
        for p, values in zip(drive.projections, weights, strict=True):
            edit.set(p.nodes[-1], operator=with_weight_values(p.operator, whole(values * unit)))
        threshold = np.full(shape, POTENTIAL) if asked.reads else np.maximum(asked.threshold * unit, 1)
        bias = np.zeros(shape) if drive.bias is None else drive.bias * unit
        registers = (threshold, bias, asked.initial_voltage * unit)
        neuron = MosaicNeuron(*(short_integers(values) for values in registers))
        edit.set(node.name, operator=neuron, inputs=tuple(without_bias_node(edit, n) for n in node.inputs))
        return unit
