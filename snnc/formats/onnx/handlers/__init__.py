"""One small function an ONNX operator, a file a family; importing this package registers all of its files."""

from importlib import import_module
from pkgutil import iter_modules

from .unsupported import refusal_of

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["refusal_of"]
