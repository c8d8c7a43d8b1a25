"""Writing a file as a whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from snnc.errors import ArtifactError, UsageError


def check_output(path: Path, *inputs: Path | None) -> None:
    """Raise an error when it is clear already that ``path`` cannot be written.

    A command calls it before its work, so that a wrong path costs no time.

    Args:
        path: file to be written.
        inputs: files that the command reads; None stands for one that was not given.

    Raises:
        ArtifactError: A201 to A203.
        UsageError: U002, because writing would replace one of ``inputs``, whatever its name.
    """
    folder = path.parent
    try:
        is_folder, has_folder = path.is_dir(), folder.is_dir()
    except OSError as error:
        raise _not_writable(path, error.strerror or str(error)) from None
    if is_folder:
        raise ArtifactError(
            "A201", "it is a folder, not a file to write to", file=str(path), remedy="name a file in it"
        )
    if not has_folder:
        raise ArtifactError(
            "A202", f"there is no folder {str(folder)!r}", file=str(path), remedy="make the folder first"
        )
    target = path.resolve()
    if not os.access(*((target, os.W_OK) if _is_special(path) else (target.parent, os.W_OK | os.X_OK))):
        raise _not_writable(path, "permission denied")
    for read in inputs:
        if read is not None and _is_same_file(path, read):
            raise UsageError(
                "U002",
                f"writing it would replace {str(read)!r}, which the command reads",
                file=str(path),
                remedy="name another file with --output",
            )


@contextmanager
def replaced_file(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file ``path`` when the block ends without an error.

    Until then a file of that name stays as it was: the content goes to a temporary file in the same folder,
    is forced to the disk, and takes the name in one step. After an error nothing is left behind; what a killed
    process left behind under this name is removed. A symbolic link stays one: the file that it names is
    replaced. What is no regular file, such as /dev/null, is written into and stays what it is.

    Raises:
        ArtifactError: A201 to A203, e.g. because the disk is full.
    """
    check_output(path)
    if _is_special(path):
        with _special_file(path) as stream:
            yield stream
        return
    target = path.resolve()
    prefix = f".{target.name[:100]}."
    temporary = target.with_name(f"{prefix}{secrets.token_hex(6)}.tmp")
    try:
        _remove_abandoned(target.parent, prefix)
        with _held_file(temporary) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            temporary.replace(target)
        _force_folder(target.parent)
    except OSError as error:
        raise _not_writable(path, error.strerror or str(error)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _is_same_file(path: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.samefile(other) and not _is_special(path)
    return False


def _is_special(path: Path) -> bool:
    """Whether a path is a device or pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def _held_file(path: Path) -> Iterator[BinaryIO]:
    """A new file that is locked while its process lives, so that others leave it alone.

    Another process may take it for abandoned between its making and its locking; then it is made again.
    """
    while True:
        with path.open("xb+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if os.fstat(stream.fileno()).st_nlink:
                yield stream
                return


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove temporary files that begin with ``prefix`` and that no process holds."""
    for leftover in folder.iterdir():
        if not (leftover.name.startswith(prefix) and leftover.name.endswith(".tmp")):
            continue
        with contextlib.suppress(OSError), leftover.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink()


@contextmanager
def _special_file(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content is written into a device or pipe when the block ends without an error."""
    try:
        with tempfile.TemporaryFile() as content:
            yield content
            content.seek(0)
            with path.open("wb") as stream:
                shutil.copyfileobj(content, stream)
    except OSError as error:
        raise _not_writable(path, error.strerror or str(error)) from None


def _force_folder(folder: Path) -> None:
    """Force the new name to the disk, where folders can be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _not_writable(path: Path, reason: str) -> ArtifactError:
    return ArtifactError(
        "A203",
        f"it cannot be written: {reason}",
        file=str(path),
        remedy="free disk space, or write to another folder; nothing was changed",
    )
