"""The passes that bring a network to the integers that TrueNorth can hold."""

from __future__ import annotations

from snnc.errors import UsageError
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Level
from snnc.passes import (
    BalanceThresholds,
    ConvertToSpiking,
    EncodeInput,
    FoldBatchNorm,
    MergeLinearMaps,
    NormaliseClip,
    ReplaceMaxPool,
    ScaleInput,
)
from snnc.passes.encode_input import Coding
from snnc.pipeline import Context, Pass
from snnc.targets.target import CompileOptions, InputMode

from .quantise import TrueNorthQuantise
from .split import SplitFanIn

_CODINGS = {InputMode.NEURONS: Coding.RATE, InputMode.POISSON: Coding.POISSON, InputMode.HOST: Coding.CURRENT}


def truenorth_pipeline(graph: Graph, options: CompileOptions, context: Context) -> tuple[Pass, ...]:
    """The default pipeline for a graph of any level.

    An ANN is cleaned up, balanced, converted, quantised, and its large sums are split. A spiking graph keeps its
    neurons and its input. A graph of integers is taken as it is.

    No neuron of TrueNorth takes a current, so the samples become spikes on the host: evenly spaced ones of an
    integrate-and-fire neuron for each input (``neurons``), or random ones (``poisson``). With ``host`` the host
    computes the first layer, neurons included, and sends its spikes.

    Raises:
        UsageError U310: max-pooling by gating, which no chip has.
    """
    mapping = (TrueNorthQuantise(options.weight_bits or 0), SplitFanIn())
    if graph.level is Level.INTEGER:
        return ()
    if graph.level is Level.SNN:
        return (MergeLinearMaps(), *mapping)
    if options.max_pool == "gate":
        raise UsageError(
            "U310",
            "max-pooling by gating exists in the functional simulator only",
            remedy="use --max-pool exact",
        )
    coding = _CODINGS[options.input]
    scaling = () if coding is Coding.CURRENT else (ScaleInput(),)
    encoding = () if coding is Coding.CURRENT else (EncodeInput(coding),)
    return (
        FoldBatchNorm(),
        NormaliseClip(),
        ReplaceMaxPool(options.max_pool),  # type: ignore[arg-type]
        *scaling,
        BalanceThresholds(options.balance, options.percentile, options.per_channel, options.ticks),  # type: ignore[arg-type]
        ConvertToSpiking(options.reset, options.initial, options.readout, coding),  # type: ignore[arg-type]
        *encoding,
        MergeLinearMaps(),
        *mapping,
    )
