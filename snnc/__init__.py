"""snnc: a compiler from trained neural networks to neuromorphic chips.

Names are loaded when they are first used, so that ``import snnc`` and the command line start at once.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .compiled import Compiled, load
    from .compiler import compile
    from .formats.onnx import export_onnx, import_onnx
    from .graph import Graph
    from .pipeline import Context, Pass, Pipeline
    from .report.evaluation import Evaluation, evaluate

__version__ = "0.1.0"

_HERE = Path(__file__).parent
if not (_HERE / "passes").is_dir():
    # In a checkout, where Python finds this folder before the installed package: passes/ and targets/ lie beside it.
    __path__.append(str(_HERE.parent))

_HOMES = {
    "Compiled": ".compiled",
    "Context": ".pipeline",
    "Evaluation": ".report.evaluation",
    "Graph": ".graph",
    "Pass": ".pipeline",
    "Pipeline": ".pipeline",
    "compile": ".compiler",
    "evaluate": ".report.evaluation",
    "export_onnx": ".formats.onnx",
    "import_onnx": ".formats.onnx",
    "load": ".compiled",
}

__all__ = [
    "Compiled",
    "Context",
    "Evaluation",
    "Graph",
    "Pass",
    "Pipeline",
    "__version__",
    "compile",
    "evaluate",
    "export_onnx",
    "import_onnx",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'snnc' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
