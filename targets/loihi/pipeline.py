"""The passes that bring a network to the integers that Loihi can hold."""

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
from snnc.pipeline import Pass
from snnc.targets.target import CompileOptions, InputMode

from .quantise import LoihiQuantise

_CODINGS = {
    InputMode.NEURONS: Coding.RATE,
    InputMode.HOST: Coding.CURRENT,
    InputMode.POISSON: Coding.POISSON,
}


def loihi_pipeline(graph: Graph, options: CompileOptions) -> tuple[Pass, ...]:
    """The default pipeline for a graph of any level.

    An ANN is cleaned up, balanced, converted and quantised. A spiking graph keeps its neurons and its input as
    they are written (what comes before the first population is computed by the host) and is merged and
    quantised. A graph of integers is taken as it is.

    Raises:
        UsageError U310: max-pooling by gating, which no chip has.
    """
    quantise = LoihiQuantise(8 if options.weight_bits is None else options.weight_bits)
    if graph.level is Level.INTEGER:
        return ()
    if graph.level is Level.SNN:
        return (MergeLinearMaps(), quantise)
    if options.max_pool == "gate":
        raise UsageError(
            "U310",
            "max-pooling by gating exists in the functional simulator only",
            remedy="use --max-pool exact",
        )
    coding = _CODINGS[options.input]
    return (
        FoldBatchNorm(),
        NormaliseClip(),
        ReplaceMaxPool(options.max_pool),  # type: ignore[arg-type]
        *_input_scaling(options),
        BalanceThresholds(options.balance, options.percentile, options.per_channel, options.ticks),  # type: ignore[arg-type]
        ConvertToSpiking(options.reset, options.initial, options.readout, coding),  # type: ignore[arg-type]
        *_input_coding(coding),
        MergeLinearMaps(),
        quantise,
    )


def _input_scaling(options: CompileOptions) -> tuple[Pass, ...]:
    return () if options.input is InputMode.HOST else (ScaleInput(),)


def _input_coding(coding: Coding) -> tuple[Pass, ...]:
    return () if coding is Coding.CURRENT else (EncodeInput(coding),)
