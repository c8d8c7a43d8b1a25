"""Compilation of the kernels: without the interpreter's lock, kept on disk between runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import config, njit

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile ``function`` on its first call, or load what an earlier process compiled.

    Where nothing can be kept (no writable home) every process compiles anew.
    """
    return _compiled(function)


def inner_kernel(function: Function) -> Function:
    """The same for what runs often and allocates nothing: written into its callers, references not counted.

    Counting is atomic, some nanoseconds for each array of each call and each slice, and so is passing arrays on.
    """
    return _compiled(function, _nrt=False, forceinline=True)


def _compiled(function: Function, **options: bool) -> Function:
    folder = _folder(Path(function.__code__.co_filename).parent)
    if folder is None:
        compiled: Function = njit(nogil=True, **options)(function)
        return compiled
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        compiled = njit(nogil=True, cache=True, **options)(function)
    finally:
        config.CACHE_DIR = before
    return compiled


@cache
def _folder(own: Path) -> Path | None:
    """Where the compiled kernels of a folder are kept: one place for each state of its sources and of those here.

    numba compares a cached function with the source of its own file only, but its machine code holds the
    functions it calls, so after a change of those in another file numba would run the old ones. A chip's kernels call
    those of their own folder and the shared ones of this.
    """
    digest = hashlib.sha256()
    for folder in sorted({own, Path(__file__).parent}):
        for source in sorted(folder.glob("*.py")):
            digest.update(source.read_bytes())
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(config.CACHE_DIR or Path(home) / "snnc") / f"kernels-{digest.hexdigest()[:16]}"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK) else None
