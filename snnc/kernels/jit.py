"""Compilation of the kernels: without the interpreter's lock, kept on disk where a disk can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile ``function`` on its first call.

    The compiled code is kept beside the source or in the user's cache; where neither can be written (a
    container without a writable home) every process compiles anew. Code kept for a caller holds its callees
    too: numba notices an edited file but not an edited callee in another file.
    """
    try:
        compiled: Function = njit(nogil=True, cache=True)(function)
    except RuntimeError:
        compiled = njit(nogil=True)(function)
    return compiled
