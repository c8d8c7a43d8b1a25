"""The artefact: a zip of a manifest and arrays that is written as a whole and verified before it is used.

``model.snnc`` holds ``manifest.json`` and one ``.npy`` member an array, all stored without compression, so
that nothing that is read can be larger than the file; ``numpy.load`` opens it. The zip's comment is the
SHA-256 of every byte before it: no byte can change unnoticed, those of the zip's own structure included.
The same contents give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from snnc.errors import ArtifactError
from snnc.graph.operators.base import Array

from .files import replaced_file

FORMAT_VERSION = 2
"""Version 1 had no several inputs and outputs, and one set of decays for all neurons of a Loihi population."""

SUFFIX = ".snnc"

_MANIFEST = "manifest.json"
_ZIP_START = b"PK\x03\x04"
_SEAL = b"snnc sha256 "
_SEAL_BYTES = len(_SEAL) + 64
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_COMPILE_AGAIN = "compile the model again, or copy the file again"


@dataclass(frozen=True, eq=False)
class ArtefactContents:
    """What an artefact holds.

    Attributes:
        manifest: values that JSON can hold.
        arrays: by name; bool, integers and floats of any shape.
    """

    manifest: Mapping[str, Any]
    arrays: Mapping[str, Array]


def is_artifact(path: Path) -> bool:
    """Whether a file looks like an artefact and not like a model: by its suffix or its first bytes."""
    if path.suffix == SUFFIX:
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(len(_ZIP_START)) == _ZIP_START
    except OSError:
        return False


def write_artifact(path: Path, contents: ArtefactContents) -> None:
    """Write an artefact; raises ArtifactError A201 to A203, and then nothing has changed."""
    arrays = {name: _canonical(array) for name, array in sorted(contents.arrays.items())}
    listing = {name: {"dtype": array.dtype.str, "shape": array.shape} for name, array in arrays.items()}
    members = {name: _array_bytes(array) for name, array in arrays.items()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    manifest = {
        "format": FORMAT_VERSION,
        **contents.manifest,
        "arrays": {name: {**entry, "sha256": digests[name]} for name, entry in listing.items()},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=True)
    with replaced_file(path) as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            _store(archive, _MANIFEST, text.encode())
            for name, content in members.items():
                _store(archive, f"{name}.npy", content)
            archive.comment = _SEAL + b"0" * 64
        _seal(stream)


def read_artifact(path: Path) -> ArtefactContents:
    """Read and verify an artefact.

    Raises:
        ArtifactError: A101 no such file, A102 not an artefact, A103 damaged, A104 of another version,
            A105 its contents contradict each other.
    """
    content = _read(path)
    _check_seal(content, path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            manifest = json.loads(archive.read(_MANIFEST))
            _check_version(manifest, path)
            listing = manifest.pop("arrays")
            _check_members(archive, listing, len(content))
            arrays = {name: _load(archive, name, entry) for name, entry in listing.items()}
    except ArtifactError:
        raise
    except _UNREADABLE as error:
        raise inconsistent(path, str(error)) from None
    del manifest["format"]
    return ArtefactContents(manifest, arrays)


_UNREADABLE = (
    zipfile.BadZipFile,
    NotImplementedError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What parsing the sealed but senseless contents of a forged artefact can raise."""


def inconsistent(path: Path | None, reason: str) -> ArtifactError:
    """The error for an artefact that is intact but makes no sense."""
    return ArtifactError(
        "A105",
        f"its contents contradict each other: {reason}",
        file=None if path is None else str(path),
        remedy=_COMPILE_AGAIN,
    )


def _canonical(array: Array) -> Array:
    """The array in C order and little-endian, as it is stored."""
    result = np.asarray(array, order="C")
    return result.astype(result.dtype.newbyteorder("<"), copy=False)


def _array_bytes(array: Array) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _store(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _EARLIEST)
    info.create_system = 3
    info.external_attr = 0o644 << 16
    archive.writestr(info, content)


def _seal(stream: BinaryIO) -> None:
    """Put the digest of everything in front of it into the zip's comment, the last bytes of the file."""
    stream.flush()
    end = stream.seek(0, io.SEEK_END) - 64
    stream.seek(0)
    digest = hashlib.sha256()
    while piece := stream.read(min(2**20, end - stream.tell())):
        digest.update(piece)
    stream.write(digest.hexdigest().encode())


def _read(path: Path) -> bytes:
    remedy = "give the .snnc file that `snnc compile` wrote"
    if path.is_dir():
        raise ArtifactError("A102", "it is a folder, not an artefact", file=str(path), remedy=remedy)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ArtifactError("A101", "there is no such file", file=str(path), remedy=remedy) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ArtifactError("A101", f"it cannot be read: {reason}", file=str(path), remedy=remedy) from None


def _check_seal(content: bytes, path: Path) -> None:
    seal = content[-_SEAL_BYTES:]
    if not content.startswith(_ZIP_START) and not seal.startswith(_SEAL):
        raise ArtifactError(
            "A102",
            "it is no snnc artefact",
            file=str(path),
            remedy="give the .snnc file that `snnc compile` wrote",
        )
    digest = hashlib.sha256(memoryview(content)[:-64]).hexdigest().encode()
    if seal != _SEAL + digest:
        raise ArtifactError(
            "A103",
            "it is damaged or incomplete: its bytes do not match its checksum",
            file=str(path),
            remedy=_COMPILE_AGAIN,
        )


def _check_version(manifest: Any, path: Path) -> None:
    version = manifest["format"]
    if version != FORMAT_VERSION:
        raise ArtifactError(
            "A104",
            f"it is of format {version!r}, written by snnc {manifest.get('snnc')}, and this snnc reads format"
            f" {FORMAT_VERSION} alone",
            file=str(path),
            remedy="install the snnc that wrote it, or compile the model again",
        )


def _check_members(archive: zipfile.ZipFile, listing: Mapping[str, Any], size: int) -> None:
    """Every member is listed, there once, and stored as it is; together they are no larger than the file."""
    members = archive.infolist()
    names = [info.filename for info in members]
    if sorted(names) != sorted([_MANIFEST, *(f"{name}.npy" for name in listing)]):
        raise ValueError("the manifest does not list its members")
    for info in members:
        if (
            info.compress_type != zipfile.ZIP_STORED
            or info.file_size != info.compress_size
            or info.flag_bits & 1
        ):
            raise ValueError(f"member {info.filename} is compressed or encrypted")
    if sum(info.file_size for info in members) > size:
        raise ValueError("its members overlap")


def _load(archive: zipfile.ZipFile, name: str, entry: Mapping[str, Any]) -> Array:
    """One array; its size is compared with the bytes that are there before anything is allocated for it."""
    content = archive.read(f"{name}.npy")
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ValueError(f"array {name} does not match its checksum")
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"array {name} is of an unknown npy version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.str != entry["dtype"] or list(shape) != entry["shape"] or fortran or dtype.kind not in "biuf":
        raise ValueError(f"array {name} is not what the manifest says")
    count = 1
    for size in shape:
        count *= size
    start = stream.tell()
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(content) - start:
        raise ValueError(f"array {name} does not fill its shape")
    return np.frombuffer(content, dtype, count, start).reshape(shape).copy()
