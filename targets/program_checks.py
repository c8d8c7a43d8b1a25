"""What reading a program back from a file shares between chips: its checks and their one way to fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from snnc.errors import ArtifactError, SnncError
from snnc.graph.operators.base import Array


def require(condition: bool | np.bool_, place: str, what: str) -> None:
    """Raise ArtifactError A121, which names the place, unless a condition holds."""
    if not condition:
        raise ArtifactError(
            "A121", f"the program contradicts itself: {place}: {what}", remedy="compile the model again"
        )


def within(values: Array, low: int, high: int) -> bool:
    """Whether values are integers and all in low .. high."""
    return bool(np.issubdtype(values.dtype, np.integer)) and (
        not values.size or (int(values.min()) >= low and int(values.max()) <= high)
    )


@contextmanager
def refused() -> Iterator[None]:
    """Turn whatever goes wrong inside into ArtifactError A122; an ArtifactError stays what it is."""
    try:
        yield
    except ArtifactError:
        raise
    except (SnncError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ArtifactError(
            "A122", f"the program cannot be read back: {error}", remedy="compile the model again"
        ) from None
