"""The passes that bring a network to the integers that TrueNorth can hold."""

from __future__ import annotations

from snnc.choices import InputMode, PoolMethod
from snnc.errors import UsageError
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Level
from snnc.graph.operators.step import Step
from snnc.options import CompileOptions
from snnc.pipeline import Context, Pass
from snnc.targets.conversion import default_passes

from .native import MapNative
from .options import TrueNorthOptions
from .quantise import TrueNorthQuantise
from .sample import SampleConnections
from .split import SplitFanIn
from .splitters import SplitFanOut


def truenorth_pipeline(graph: Graph, options: CompileOptions, context: Context) -> tuple[Pass, ...]:
    """The default pipeline for a graph of any level.

    A network of step activations is mapped one to one: a neuron for each step, a tick a layer. With ``copies`` its
    weights are probabilities of synapses, and so many networks are drawn from them first.

    Of other networks the samples become spikes on the host, because no neuron of TrueNorth takes a current: evenly
    spaced ones of an integrate-and-fire neuron for each input (``neurons``), or random ones (``poisson``). With
    ``host`` the host computes the first layer, neurons included, and sends its spikes.

    Raises:
        UsageError: U104, a width of weights that is none of the chip's; U312, copies of a network of rates; U313, a
            choice that a network of steps contradicts; see ``default_passes`` for others.
    """
    quantise = TrueNorthQuantise(options.weight_bits or 0)
    copies = options.copies if isinstance(options, TrueNorthOptions) else None
    if graph.level is Level.ANN and graph.of_type(Step):
        _check_native(options)
        drawn = () if copies is None else (SampleConnections(copies),)
        return (*drawn, MapNative(), SplitFanOut(only_needed=True))
    if copies is not None:
        raise UsageError(
            "U312",
            "copies are drawn from weights that are probabilities, in a network of step activations; this one is"
            " compiled by the rates of its spikes",
            remedy="leave --copies out, or train with step activations",
        )
    return default_passes(graph, options, (quantise, SplitFanIn(), SplitFanOut()))


def _check_native(options: CompileOptions) -> None:
    """Raise UsageError U313 for what a network of steps contradicts.

    What is about the rates of spikes and their balance is not looked at: it changes nothing here.
    """
    refused = {
        "--input poisson": options.input is InputMode.POISSON,
        f"--max-pool {options.max_pool.value}": options.max_pool is not PoolMethod.EXACT,
    }
    for choice, chosen in refused.items():
        if chosen:
            raise UsageError(
                "U313",
                f"{choice} makes no sense for a network of step activations, which is mapped one to one",
                remedy="leave it out",
            )
