"""The passes that bring a network to the integers that TrueNorth can hold."""

from __future__ import annotations

from snnc.graph.graph import Graph
from snnc.pipeline import Context, Pass
from snnc.targets.conversion import legalising
from snnc.targets.target import CompileOptions

from .quantise import TrueNorthQuantise
from .split import SplitFanIn


def truenorth_pipeline(graph: Graph, options: CompileOptions, context: Context) -> tuple[Pass, ...]:
    """The default pipeline for a graph of any level; raises UsageError as ``legalising`` does.

    No neuron of TrueNorth takes a current, so the samples become spikes on the host: evenly spaced ones of an
    integrate-and-fire neuron for each input (``neurons``), or random ones (``poisson``). With ``host`` the host
    computes the first layer, neurons included, and sends its spikes.
    """
    return legalising(graph, options, (TrueNorthQuantise(options.weight_bits or 0), SplitFanIn()))
