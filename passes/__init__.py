"""The compiler's passes, one a file: each class of a file here that is a pass is one of ``PASSES``."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from snnc.pipeline import Pass


def _passes_of(module: str) -> list[type[Pass]]:
    values = vars(import_module(f"{__name__}.{module}")).values()
    kinds = [value for value in values if isinstance(value, type) and issubclass(value, Pass)]
    return [kind for kind in kinds if kind.__module__ == f"{__name__}.{module}" and kind.name]


PASSES: tuple[type[Pass], ...] = tuple(
    step for module in iter_modules(__path__) for step in _passes_of(module.name)
)

_BY_CLASS = {step.__name__: step for step in PASSES}


def __getattr__(name: str) -> Any:
    if name not in _BY_CLASS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _BY_CLASS[name]


__all__ = ["PASSES", *_BY_CLASS]
