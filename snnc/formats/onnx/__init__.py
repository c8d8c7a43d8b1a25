"""ONNX in and out: trained networks are read from ONNX files, and any ANN subgraph is written as one."""

from .export import export_onnx
from .ledger import LedgerRow, Outcome, RefusedModelError
from .read import ImportedModel, import_onnx, read_model

__all__ = [
    "ImportedModel",
    "LedgerRow",
    "Outcome",
    "RefusedModelError",
    "export_onnx",
    "import_onnx",
    "read_model",
]
