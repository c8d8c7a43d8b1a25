"""snnc: a compiler from trained neural networks to neuromorphic chips.

Names are loaded when they are first used, so that ``import snnc`` and the command line start at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .graph import Graph
    from .pipeline import Context, Pass, Pipeline

__version__ = "0.1.0"

_HOMES = {
    "Graph": ".graph",
    "Context": ".pipeline",
    "Pass": ".pipeline",
    "Pipeline": ".pipeline",
}

__all__ = ["Context", "Graph", "Pass", "Pipeline", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'snnc' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
