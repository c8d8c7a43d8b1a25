"""Chips that snnc compiles for: the protocol, the registry, and a folder a chip."""

from .run_options import RunOptions
from .target import (
    CompileOptions,
    CostedTarget,
    InputMode,
    LayerUse,
    LimitUse,
    Packed,
    PlacedTarget,
    Placement,
    Remedy,
    Target,
    Usage,
    target_named,
    targets,
)

__all__ = [
    "CompileOptions",
    "CostedTarget",
    "InputMode",
    "LayerUse",
    "LimitUse",
    "Packed",
    "PlacedTarget",
    "Placement",
    "RunOptions",
    "Remedy",
    "Target",
    "Usage",
    "target_named",
    "targets",
]
