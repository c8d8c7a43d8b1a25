"""Writing a file as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from snnc.errors import ArtifactError


def check_output(path: Path) -> None:
    """Raise ArtifactError A201 to A203 when it is clear already that ``path`` cannot be written.

    A command calls it before its work, so that a wrong path costs no time.
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
    if not os.access(*((path, os.W_OK) if _is_special(path) else (folder, os.W_OK | os.X_OK))):
        raise _not_writable(path, "permission denied")


@contextmanager
def replaced_file(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file ``path`` when the block ends without an error.

    Until then a file of that name stays as it was: the content goes to a temporary file in the same folder,
    is forced to the disk, and takes the name in one step. After an error nothing is left behind. What is no
    regular file, such as /dev/null, is written into and stays what it is.

    Raises:
        ArtifactError: A201 to A203, e.g. because the disk is full.
    """
    check_output(path)
    if _is_special(path):
        with _special_file(path) as stream:
            yield stream
        return
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb+") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _force_folder(path.parent)
    except OSError as error:
        raise _not_writable(path, error.strerror or str(error)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _is_special(path: Path) -> bool:
    """Whether a path is a device or pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


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
