"""Data files: what is read, and one clear error for each thing that can be wrong."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.errors import DataError
from snnc.formats.dataset import load_dataset

SHAPE = (2, 3, 4)


def samples(count: int = 5, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).random((count, *shape), np.float32)


def saved(folder: Path, **arrays: object) -> Path:
    path = folder / "data.npz"
    np.savez_compressed(path, **arrays)
    return path


def error_of(path: Path, code: str, **options: object) -> DataError:
    with pytest.raises(DataError) as caught:
        load_dataset(path, SHAPE, **options)
    error = caught.value
    assert error.code == code
    assert error.file == str(path)
    assert error.remedy
    assert error.__cause__ is None
    return error


def test_samples_and_labels(tmp_path: Path) -> None:
    data = load_dataset(
        saved(tmp_path, x=samples(), y=np.arange(5, dtype=np.uint8)), SHAPE, output_shape=(5,)
    )
    assert np.array_equal(data.x, samples())
    assert data.x.dtype == np.float32
    assert data.y is not None
    assert data.y.dtype == np.int64
    assert data.y.tolist() == [0, 1, 2, 3, 4]
    assert len(data) == 5


def test_samples_alone(tmp_path: Path) -> None:
    assert load_dataset(saved(tmp_path, x=samples()), SHAPE).y is None
    path = tmp_path / "data.npy"
    np.save(path, samples())
    data = load_dataset(path, SHAPE)
    assert data.y is None
    assert np.array_equal(data.x, samples())
    assert data.file == str(path)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float16, np.float64, np.bool_, ">f4"])
def test_numbers_of_any_type_become_float32(kind: object, tmp_path: Path) -> None:
    x = (samples() * 100).astype(kind)
    path = tmp_path / "data.npy"
    np.save(path, np.asfortranarray(x))
    data = load_dataset(path, SHAPE)
    assert data.x.dtype == np.float32
    assert data.x.flags.c_contiguous
    assert np.array_equal(data.x, x.astype(np.float32))


def test_other_arrays_are_ignored(tmp_path: Path) -> None:
    path = saved(tmp_path, x=samples(), names=np.array(["a", None], object))
    assert len(load_dataset(path, SHAPE)) == 5


def test_absent_file(tmp_path: Path) -> None:
    error_of(tmp_path / "none.npz", "D110")


def test_unreadable_file(tmp_path: Path) -> None:
    error_of(tmp_path, "D111")
    error_of(tmp_path / ("n" * 300), "D111")


@pytest.mark.parametrize(
    "content", [b"", b"x,y\n1,2\n", b"PK\x05\x06", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff{"]
)
def test_other_kinds_of_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    error_of(path, "D112")


def test_empty_archive(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(b"PK\x05\x06" + b"\0" * 18)
    error_of(path, "D113")


def test_truncated_file(tmp_path: Path) -> None:
    for path in (saved(tmp_path, x=samples()), tmp_path / "data.npy"):
        if path.suffix == ".npy":
            np.save(path, samples())
        content = path.read_bytes()
        for length in range(0, len(content) - 1, 7):
            path.write_bytes(content[:length])
            error_of(path, "D112")


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_damaged_bytes_never_end_in_another_exception(data: st.DataObject) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, x=samples(), y=np.arange(5))
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        path.write_bytes(content)
        try:
            loaded = load_dataset(path, SHAPE)
        except DataError as error:
            assert error.remedy
        else:
            assert np.array_equal(loaded.x, samples())


def test_archive_without_x(tmp_path: Path) -> None:
    error = error_of(saved(tmp_path, images=samples(), labels=np.arange(5)), "D113")
    assert "images, labels" in error.message


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((5, 3, 4, 2), "moveaxis(x, -1, 1)"),
        ((5, 24), "reshape(-1, 2, 3, 4)"),
        (SHAPE, "x[None]"),
        ((5, 2, 3, 5), "shape of the model's input"),
        ((), "shape of the model's input"),
    ],
)
def test_wrong_shape(shape: tuple[int, ...], hint: str, tmp_path: Path) -> None:
    error = error_of(saved(tmp_path, x=np.zeros(shape, np.float32)), "D114")
    assert "(samples, 2, 3, 4)" in error.message
    assert f"({', '.join(map(str, shape))})" in error.message
    assert hint in str(error.remedy)


def test_channels_that_come_first_but_should_come_last(tmp_path: Path) -> None:
    path = saved(tmp_path, x=np.zeros((5, 1, 28, 28), np.float32))
    with pytest.raises(DataError, match="moveaxis\\(x, 1, -1\\)"):
        load_dataset(path, (28, 28, 1))


@pytest.mark.parametrize("kind", [np.complex64, "U3", "S2", "M8[s]", object])
def test_wrong_type(kind: object, tmp_path: Path) -> None:
    error_of(saved(tmp_path, x=np.zeros((5, *SHAPE), kind)), "D115")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_values_that_are_not_finite(value: float, tmp_path: Path) -> None:
    x = samples().astype(np.float64)
    x[3, 1, 2, 0] = value
    assert "sample 3" in error_of(saved(tmp_path, x=x), "D116").message


def test_no_samples(tmp_path: Path) -> None:
    error_of(saved(tmp_path, x=samples(0)), "D117")


@pytest.mark.parametrize(
    "labels",
    [
        np.arange(4),
        np.eye(10)[:5],
        np.zeros((5, 3)),
        np.array(["a"] * 5),
        np.array([0, 1, 2, 3, -1]),
        np.array([0, 1, 2, 3, 10]),
        np.array([0.5, 1, 2, 3, 4]),
        np.array([np.nan, 1, 2, 3, 4]),
        np.array([None] * 5, object),
    ],
)
def test_wrong_labels(labels: np.ndarray, tmp_path: Path) -> None:
    error_of(saved(tmp_path, x=samples(), y=labels), "D118", output_shape=(10,))


def test_whole_labels_as_floats(tmp_path: Path) -> None:
    data = load_dataset(saved(tmp_path, x=samples(), y=np.arange(5.0)), SHAPE, output_shape=(5,))
    assert data.y is not None
    assert data.y.tolist() == [0, 1, 2, 3, 4]


def test_enormous_header_allocates_nothing(tmp_path: Path) -> None:
    """The shape in a header is not believed: a file that promises terabytes is refused as damaged."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**12}, 2, 3, 4), }}".encode()
    body = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", body)
    error_of(path, "D112")
    path = tmp_path / "data.npy"
    path.write_bytes(body)
    error_of(path, "D112")
