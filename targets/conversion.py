"""The passes in front of a chip's own: from a network of any level to a spiking one of merged linear maps."""

from __future__ import annotations

from snnc.choices import Calibration, InputMode, PoolMethod
from snnc.errors import UsageError
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Level
from snnc.options import CompileOptions
from snnc.passes.balance_thresholds import BalanceThresholds
from snnc.passes.calibrate_on_spikes import CalibrateOnSpikes
from snnc.passes.convert_to_spiking import ConvertToSpiking
from snnc.passes.encode_input import Coding, EncodeInput
from snnc.passes.fold_batch_norm import FoldBatchNorm
from snnc.passes.merge_linear_maps import MergeLinearMaps
from snnc.passes.normalise_clip import NormaliseClip
from snnc.passes.replace_max_pool import ReplaceMaxPool
from snnc.passes.scale_input import ScaleInput
from snnc.pipeline import Pass

_CODINGS = {InputMode.NEURONS: Coding.RATE, InputMode.HOST: Coding.CURRENT, InputMode.POISSON: Coding.POISSON}


def default_passes(graph: Graph, options: CompileOptions, mapping: tuple[Pass, ...]) -> tuple[Pass, ...]:
    """The pipeline of a chip whose own passes, from a spiking graph to one of integers, are ``mapping``.

    An ANN is cleaned up, balanced and converted. A spiking graph keeps its neurons and its input as they are
    written. A graph of integers is taken as it is.

    Raises:
        UsageError: U310, max-pooling by gating, which no chip has.
    """
    if graph.level is Level.INTEGER:
        return ()
    if graph.level is Level.SNN:
        return (MergeLinearMaps(), *mapping)
    return (*_conversion(options), *mapping)


def _conversion(options: CompileOptions) -> tuple[Pass, ...]:
    if options.max_pool is PoolMethod.GATE:
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
        ReplaceMaxPool(options.max_pool),
        *((ScaleInput(),) if makes_spikes else ()),
        BalanceThresholds(
            method=options.balance,
            percentile=options.percentile,
            per_channel=options.per_channel,
            ticks=options.ticks,
        ),
        ConvertToSpiking(reset=options.reset, initial=options.initial, readout=options.readout),
        *((EncodeInput(coding),) if makes_spikes else ()),
        *((CalibrateOnSpikes(options.ticks),) if options.calibrate is Calibration.SPIKES else ()),
        MergeLinearMaps(),
    )
