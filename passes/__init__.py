"""The compiler's passes, one a file; ``PASSES`` lists those that the command line knows."""

from snnc.pipeline import Pass

from .balance_thresholds import BalanceThresholds
from .balance_weights import BalanceWeights
from .calibrate_on_spikes import CalibrateOnSpikes
from .convert_to_spiking import ConvertToSpiking
from .encode_input import EncodeInput
from .fold_batch_norm import FoldBatchNorm
from .merge_linear_maps import MergeLinearMaps
from .normalise_clip import NormaliseClip
from .replace_max_pool import ReplaceMaxPool
from .scale_input import ScaleInput
from .simplify import Simplify

PASSES: tuple[type[Pass], ...] = (
    Simplify,
    FoldBatchNorm,
    NormaliseClip,
    ReplaceMaxPool,
    ScaleInput,
    BalanceThresholds,
    BalanceWeights,
    ConvertToSpiking,
    EncodeInput,
    CalibrateOnSpikes,
    MergeLinearMaps,
)

__all__ = [
    "PASSES",
    "BalanceThresholds",
    "BalanceWeights",
    "CalibrateOnSpikes",
    "ConvertToSpiking",
    "EncodeInput",
    "FoldBatchNorm",
    "MergeLinearMaps",
    "NormaliseClip",
    "ReplaceMaxPool",
    "ScaleInput",
    "Simplify",
]
