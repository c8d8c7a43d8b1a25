from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from snnc.errors import ArtifactError
from snnc.formats.artifact import ArtefactContents, is_artifact, read_artifact, write_artifact

SMALL = ArtefactContents(
    {"target": "fake", "list": [1, 2.5, None]}, {"w": np.arange(6).reshape(2, 3), "b": np.array(2.5)}
)


def saved(folder: Path, contents: ArtefactContents = SMALL) -> Path:
    path = folder / "a.snnc"
    write_artifact(path, contents)
    return path


def forged(folder: Path, members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """A file with a right seal over whatever members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = b"snnc sha256 " + b"0" * 64
    content = stream.getvalue()[:-64]
    path = folder / "forged.snnc"
    path.write_bytes(content + hashlib.sha256(content).hexdigest().encode())
    return path


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def code_of(path: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        read_artifact(path)
    assert caught.value.file == str(path)
    assert caught.value.remedy
    return caught.value.code


kinds = st.sampled_from(["?", "i1", "i2", "i4", "i8", "u1", "f4", "f8", ">i4", ">f8"])
shapes = arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
some_arrays = kinds.flatmap(lambda kind: arrays_of.arrays(np.dtype(kind), shapes))
names = st.text("abc/.:é 1", min_size=1, max_size=8)


@given(st.dictionaries(names, some_arrays, max_size=4))
@settings(deadline=None, max_examples=60)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, Any]) -> None:
    path = saved(tmp_path_factory.mktemp("a"), ArtefactContents({"k": [1]}, arrays))
    result = read_artifact(path)
    assert result.manifest == {"k": [1]}
    assert set(result.arrays) == set(arrays)
    for name, array in arrays.items():
        read = result.arrays[name]
        assert read.shape == array.shape
        assert read.dtype == array.dtype.newbyteorder("<")
        assert read.tobytes() == array.astype(read.dtype).tobytes()
        assert read.flags.writeable and read.flags.c_contiguous


def test_same_contents_same_bytes(tmp_path: Path) -> None:
    first = saved(tmp_path).read_bytes()
    turned = ArtefactContents(dict(reversed(SMALL.manifest.items())), dict(reversed(SMALL.arrays.items())))
    assert saved(tmp_path, turned).read_bytes() == first


def test_fortran_order_is_stored_in_c_order(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(6).reshape(2, 3))
    assert (read_artifact(saved(tmp_path, ArtefactContents({}, {"a": array}))).arrays["a"] == array).all()


def test_numpy_opens_it(tmp_path: Path) -> None:
    with np.load(saved(tmp_path)) as members:
        assert (members["w"] == SMALL.arrays["w"]).all()


def test_damage_in_any_byte_is_found(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :])
        assert code_of(path) in ("A102", "A103"), place


def test_a_cut_or_longer_file_is_found(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = path.read_bytes()
    for length in (*range(0, len(content), 7), len(content) - 1):
        path.write_bytes(content[:length])
        assert code_of(path) in ("A102", "A103"), length
    path.write_bytes(content + b"\0")
    assert code_of(path) == "A103"


def test_other_files(tmp_path: Path) -> None:
    assert code_of(tmp_path / "absent.snnc") == "A101"
    assert code_of(tmp_path) == "A102"
    text = tmp_path / "text.snnc"
    text.write_text("hello")
    assert code_of(text) == "A102"
    text.write_bytes(b"")
    assert code_of(text) == "A102"


def test_data_file_is_no_artifact(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.zeros(3))
    assert code_of(tmp_path / "data.npz") == "A103"
    assert is_artifact(tmp_path / "data.npz")
    assert not is_artifact(tmp_path / "absent.onnx")


@pytest.mark.parametrize("version", [1, 3])
def test_an_older_or_newer_version_is_refused_by_its_number(tmp_path: Path, version: int) -> None:
    members = members_of(saved(tmp_path))
    manifest = json.loads(members["manifest.json"])
    assert manifest["format"] == 2
    members["manifest.json"] = json.dumps({**manifest, "format": version, "snnc": "0.1.0"}).encode()
    path = forged(tmp_path, members)
    with pytest.raises(
        ArtifactError, match=f"format {version}, written by snnc 0.1.0.*reads format 2"
    ) as caught:
        read_artifact(path)
    assert caught.value.code == "A104" and caught.value.remedy is not None
    assert "compile the model again" in caught.value.remedy


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b"null", b'{"format": 2}', b"[" * 100_000, b"\xff", b'"x"']
)
def test_senseless_manifest(tmp_path: Path, text: bytes) -> None:
    assert code_of(forged(tmp_path, {"manifest.json": text})) == "A105"


def test_members_beside_the_manifest(tmp_path: Path) -> None:
    members = members_of(saved(tmp_path))
    assert code_of(forged(tmp_path, {**members, "more.npy": members["w.npy"]})) == "A105"
    del members["w.npy"]
    assert code_of(forged(tmp_path, members)) == "A105"


def test_a_compressed_bomb_is_not_unpacked(tmp_path: Path) -> None:
    members = members_of(saved(tmp_path))
    members["w.npy"] = bytes(10**7)
    assert code_of(forged(tmp_path, members, zipfile.ZIP_DEFLATED)) == "A105"


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        ("<i8", (2**40,)),
        ("<i8", (2**62, 2**62)),
        ("<i8", (-1, 6)),
        ("|O", (6,)),
        ("<U4", (3,)),
        ("<i8", (5,)),
    ],
)
def test_a_header_that_claims_another_shape(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    stream = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    content = stream.getvalue() + bytes(48)
    members = members_of(saved(tmp_path))
    manifest = json.loads(members["manifest.json"])
    digest = hashlib.sha256(content).hexdigest()
    manifest["arrays"]["w"] = {"dtype": dtype, "shape": list(shape), "sha256": digest}
    forged_members = {**members, "w.npy": content, "manifest.json": json.dumps(manifest).encode()}
    assert code_of(forged(tmp_path, forged_members)) == "A105"


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        write_artifact(tmp_path / "a.snnc", ArtefactContents({}, {"a": np.array([object()])}))
    assert list(tmp_path.iterdir()) == []
