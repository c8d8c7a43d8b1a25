"""The passes that bring a network to the integers that Loihi can hold."""

from __future__ import annotations

from snnc.graph.graph import Graph
from snnc.pipeline import Pass
from snnc.targets.conversion import default_passes
from snnc.targets.target import CompileOptions

from .quantise import LoihiQuantise


def loihi_pipeline(graph: Graph, options: CompileOptions) -> tuple[Pass, ...]:
    """The default pipeline for a graph of any level; raises UsageError as ``default_passes`` does.

    What comes before the first population of a spiking graph is computed by the host.
    """
    quantise = LoihiQuantise(8 if options.weight_bits is None else options.weight_bits)
    return default_passes(graph, options, (quantise,))
