"""Whether there is the memory for what is about to be done, which is said before it is tried."""

from __future__ import annotations

import sys
from pathlib import Path

from .errors import DataError

GIBIBYTE = 2**30


def available_memory() -> int | None:
    """Bytes that this process may still take, by the least of the machine, its control group and its own limit.

    None where the system does not say.
    """
    room = [
        _kilobytes(Path("/proc/meminfo"), "MemAvailable:"),
        _left(Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
        _left_of_own(),
    ]
    known = [each for each in room if each is not None]
    return min(known) if known else None


def require_memory(
    what: str, needed: int, remedy: str, *, limit: float | None = None, file: str | None = None
) -> None:
    """Refuse what would need more memory than there is.

    Args:
        what: is to be done, e.g. ``"to import it"``.
        needed: bytes that it is estimated to take.
        remedy: what would need less.
        limit: GiB that may be taken; what the system has free if None.
        file: that it is done with.

    Raises:
        DataError: D104, with the estimate, what there is and the remedy.
    """
    room = available_memory() if limit is None else int(limit * GIBIBYTE)
    if room is not None and needed > room:
        raise DataError(
            "D104",
            f"there is not enough memory {what}: it would take about {_text(needed)}, and there are {_text(room)}",
            file=file,
            remedy=f"{remedy}, or use a machine with more memory",
        )


def _text(size: int) -> str:
    return f"{size / GIBIBYTE:.1f} GiB" if size >= GIBIBYTE / 10 else f"{size / 2**20:.1f} MiB"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _kilobytes(path: Path, name: str) -> int | None:
    """The value, in bytes, of a line ``name value kB``."""
    for line in _read(path).splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return None


def _left(most: Path, current: Path) -> int | None:
    """The first file's number less the second's; None where either has none."""
    numbers = _read(most).strip(), _read(current).strip()
    return int(numbers[0]) - int(numbers[1]) if all(number.isdigit() for number in numbers) else None


def _left_of_own() -> int | None:
    """What the process's limit of address space leaves."""
    if sys.platform == "win32":
        return None
    import resource  # not on Windows

    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = _read(Path("/proc/self/statm")).split()
    if most == resource.RLIM_INFINITY or not pages:
        return None
    return most - int(pages[0]) * resource.getpagesize()
