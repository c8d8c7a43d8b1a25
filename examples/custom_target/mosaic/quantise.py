"""The one pass that is the chip's own: from real numbers to its integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from snnc.errors import PassError
from snnc.graph import Graph
from snnc.graph.graph import Edit
from snnc.graph.neurons import IF, Integrator, Reset
from snnc.graph.node import Node
from snnc.graph.projections import Drive, drives
from snnc.graph.synapses import weight_values, with_weight_values
from snnc.pipeline import Context, Guarantee, Pass, unfit_option
from snnc.targets.quantisation import encode_on_host, in_units, shortest, without_bias_node

from .chip import MOSAIC, MosaicNeuron


@dataclass(frozen=True)
class MosaicQuantise(Pass):
    """Integers for Mosaic: a population's largest weight becomes the chip's, all else is in the same units."""

    weight_bits: int = MOSAIC.weight_bits

    name: ClassVar[str] = "mosaic-quantise"
    guarantee: ClassVar[Guarantee] = Guarantee.RATES
    tolerance: ClassVar[float] = 0.25

    def __post_init__(self) -> None:
        if not 2 <= self.weight_bits <= MOSAIC.weight_bits:
            raise unfit_option(self, "weight_bits", self.weight_bits, f"it is 2 to {MOSAIC.weight_bits}")

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph at level INTEGER."""
        edit, found, units = graph.edit(), drives(graph), {}
        for node in graph.populations:
            if found[node.name].projections:
                units[node.name] = self._replace(edit, node, found[node.name])
            elif not getattr(node.operator, "takes_samples", False):
                encode_on_host(edit, node, found[node.name], "Mosaic", context)
        for output in graph.outputs:
            edit.set(output.name, operator=in_units(output, units))
        return edit.done()

    def _replace(self, edit: Edit, node: Node, drive: Drive) -> float:
        model = node.operator
        model = IF(1.0) if isinstance(model, Integrator) else model
        if not isinstance(model, IF) or model.reset is not Reset.SUBTRACT or drive.host:
            what = "Mosaic has IF neurons alone, which reset by subtraction and take spikes"
            raise PassError("P901", what, node=node.name, source=node.source, remedy="use --reset subtract")
        threshold = np.asarray(model.threshold)
        values = [weight_values(p.operator) for p in drive.projections]
        largest = max(float(np.abs(value).max(initial=1e-9)) for value in values)
        unit = min((2 ** (self.weight_bits - 1) - 1) / largest, MOSAIC.potential / 2 / float(threshold.max()))
        for p, value in zip(drive.projections, values, strict=True):
            edit.set(p.nodes[-1], operator=with_weight_values(p.operator, _whole(value * unit)))
        bias = np.zeros(()) if drive.bias is None else drive.bias
        read = isinstance(node.operator, Integrator)
        neuron = MosaicNeuron(
            threshold=shortest(_whole(np.maximum(threshold * (MOSAIC.potential / 2 if read else unit), 1))),
            bias=shortest(_whole(bias * unit)),
            initial=shortest(_whole(np.asarray(0.0 if read else model.initial_voltage) * unit)),
        )
        edit.set(node.name, operator=neuron, inputs=tuple(without_bias_node(edit, n) for n in node.inputs))
        return unit


def _whole(values: np.ndarray) -> np.ndarray:
    return np.rint(values).astype(np.int64)
