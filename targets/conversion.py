"""The passes in front of a chip's own: from a network of any level to a spiking one of merged linear maps."""

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

from .target import CompileOptions, InputMode

_CODINGS = {InputMode.NEURONS: Coding.RATE, InputMode.HOST: Coding.CURRENT, InputMode.POISSON: Coding.POISSON}


def legalising(graph: Graph, options: CompileOptions, mapping: tuple[Pass, ...]) -> tuple[Pass, ...]:
    """The pipeline of a chip whose own passes, from a spiking graph to one of integers, are ``mapping``.

    An ANN is cleaned up, balanced and converted. A spiking graph keeps its neurons and its input as they are
    written. A graph of integers is taken as it is.

    Raises:
        UsageError: U310, max-pooling by gating, which no chip has; U312, copies of a network of rates.
    """
    if options.copies is not None:
        raise UsageError(
            "U312",
            "copies can be drawn from weights that are probabilities, in a network of step activations compiled for"
            " truenorth; this one is compiled by the rates of its spikes",
            remedy="leave --copies out; or train with step activations and compile with --target truenorth",
        )
    if graph.level is Level.INTEGER:
        return ()
    if graph.level is Level.SNN:
        return (MergeLinearMaps(), *mapping)
    return (*_conversion(options), *mapping)


def _conversion(options: CompileOptions) -> tuple[Pass, ...]:
    if options.max_pool == "gate":
        raise UsageError(
            "U310",
            "max-pooling by gating exists in the functional simulator only",
            remedy="use --max-pool exact",
        )
    coding = _CODINGS[options.input]
    makes_spikes = coding is not Coding.CURRENT
    return (
        FoldBatchNorm(),
        NormaliseClip(),
        ReplaceMaxPool(options.max_pool),  # type: ignore[arg-type]
        *((ScaleInput(),) if makes_spikes else ()),
        BalanceThresholds(options.balance, options.percentile, options.per_channel, options.ticks),  # type: ignore[arg-type]
        ConvertToSpiking(options.reset, options.initial, options.readout, coding),  # type: ignore[arg-type]
        *((EncodeInput(coding),) if makes_spikes else ()),
        MergeLinearMaps(),
    )
