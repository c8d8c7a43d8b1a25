"""The compiler's passes, one a file; ``PASSES`` lists those that the command line knows."""

from snnc.pipeline import Pass

from .balance_thresholds import BalanceThresholds
from .convert_to_spiking import ConvertToSpiking
from .fold_batch_norm import FoldBatchNorm
from .replace_max_pool import ReplaceMaxPool

PASSES: tuple[type[Pass], ...] = (FoldBatchNorm, ReplaceMaxPool, BalanceThresholds, ConvertToSpiking)

__all__ = ["PASSES", "BalanceThresholds", "ConvertToSpiking", "FoldBatchNorm", "ReplaceMaxPool"]
