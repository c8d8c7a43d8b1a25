"""One small function an ONNX operator, a file a family; importing this package registers them all."""

from . import (
    activation,
    arithmetic,
    bounds,
    conv,
    decision,
    linear,
    mask,
    merge,
    normalise,
    pad,
    passthrough,
    pool,
    reduce,
    reshape,
    select,
    step,
)
from .unsupported import refusal_of

__all__ = [
    "activation",
    "arithmetic",
    "bounds",
    "conv",
    "decision",
    "linear",
    "mask",
    "merge",
    "normalise",
    "pad",
    "passthrough",
    "pool",
    "reduce",
    "refusal_of",
    "reshape",
    "select",
    "step",
]
