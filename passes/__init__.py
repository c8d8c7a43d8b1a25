"""The compiler's passes, one a file; ``PASSES`` lists those that the command line knows."""

from snnc.pipeline import Pass

PASSES: tuple[type[Pass], ...] = ()

__all__ = ["PASSES"]
