"""Data files: samples and labels from .npz and .npy, checked before anything computes with them."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from snnc.errors import DataError
from snnc.graph import Array, Shape
from snnc.graph.samples import Samples

from .labels import checked_labels

_SAVE_AGAIN = "save it again with numpy.savez_compressed(path, x=x, y=y)"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples with or without labels.

    Attributes:
        x: (samples, *input shape) float32, C-contiguous, in the model's own input range and layout; of a network of
            several inputs those of each.
        y: (samples,) int64 class numbers, (samples, *output shape) float64 values, or None; where it was read for
            several outputs, those of each that has labels.
        file: path of the file, as given.
    """

    x: Any
    y: Any
    file: str

    def __len__(self) -> int:
        return len(self.x)

    def first(self, samples: int | None) -> Dataset:
        """The first samples alone; all of them if None."""
        y = self.y
        if y is not None:
            y = {name: a[:samples] for name, a in y.items()} if isinstance(y, dict) else y[:samples]
        return Dataset(self.x[:samples], y, self.file)


def load_dataset(
    path: str | Path,
    input_shape: Shape | Mapping[str, Shape],
    output_shape: Shape | Mapping[str, Shape] | None = None,
) -> Dataset:
    """Read a data file: ``.npz`` with ``x`` and optionally ``y``, or ``.npy`` taken as ``x``.

    For a network of several inputs the file holds an array by each input's name instead of ``x``; where there is one,
    its name will do as well. Likewise labels are ``y``, or arrays by the outputs' names where there are several.

    Shapes and types are checked before any array is read into memory; nothing is unpickled.

    Args:
        path: the file.
        input_shape: shape of the model's input without the batch axis, or of each input by its name.
        output_shape: shape of an answer, by which labels are class numbers or values, or of each output by its name.
            Not checked if None.

    Raises:
        DataError: D110 absent, D111 unreadable, D112 damaged or of another kind, D113 without ``x``, D114
            wrong shape, D115 wrong type, D116 NaN or infinite, D117 without samples, D118 wrong labels.
    """
    file = str(path)
    shapes = dict(input_shape) if isinstance(input_shape, Mapping) else {"x": tuple(input_shape)}
    several = isinstance(output_shape, Mapping) and len(output_shape) > 1
    answers = dict(output_shape) if isinstance(output_shape, Mapping) else {"y": output_shape}
    answers = answers if several else dict(zip(["y"], answers.values(), strict=True))
    arrays, labels = _read(Path(path), file, shapes, tuple(answers))
    x = {name: _finite(name, array, file) for name, array in arrays.items()}
    counts = {name: len(array) for name, array in x.items()}
    if len(set(counts.values())) > 1:
        unlike = ", ".join(f"{count} of {name}" for name, count in counts.items())
        message = f"its inputs have unlike numbers of samples: {unlike}"
        raise DataError("D105", message, file=file, remedy="give as many of each")
    samples = Samples(dict(zip(shapes, x.values(), strict=True))).plain()
    known = {name: checked_labels(y, len(samples), answers[name], file) for name, y in labels.items()}
    return Dataset(samples, (known or None) if several else known.get("y"), file)


def _finite(name: str, x: Array, file: str) -> Array:
    """Samples as C-contiguous float32; raises DataError D116 unless all are finite."""
    with np.errstate(over="ignore"):
        x = np.array(x, np.float32, order="C", copy=None)
    if not np.isfinite(x).all():
        bad = int(np.argwhere(~np.isfinite(x).reshape(len(x), -1).all(axis=1))[0, 0])
        raise DataError(
            "D116",
            f"{name} has values that are NaN, infinite or too large for float32, first in sample {bad}",
            file=file,
            remedy="remove or repair these samples",
        )
    return x


def _read(
    path: Path, file: str, shapes: Mapping[str, Shape], answers: Sequence[str]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """The arrays of the inputs under their names in the file, and labels if any, after their headers were checked."""
    try:
        with path.open("rb") as stream:
            if zipfile.is_zipfile(stream):
                return _read_npz(stream, file, shapes, answers)
            size = stream.seek(0, 2)
            stream.seek(0)
            (shape,) = _keys(["x"], shapes, file).values()
            _check_header(stream, size, "x", file, shape)
            stream.seek(0)
            return {"x": npy.read_array(stream, allow_pickle=False)}, {}
    except FileNotFoundError:
        raise DataError("D110", "there is no such file", file=file, remedy="check the path") from None
    except MemoryError:
        raise DataError(
            "D111", "it does not fit into memory", file=file, remedy="give fewer samples"
        ) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError("D111", f"it cannot be read: {reason}", file=file, remedy="check the path") from None
    except (ValueError, EOFError, zipfile.BadZipFile, NotImplementedError, SyntaxError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            "D112", "it is no .npz or .npy file, or a damaged one", file=file, remedy=_SAVE_AGAIN
        ) from None
    except Exception as error:
        if type(error).__name__ != "error":  # zlib.error, which has no other base class
            raise
        raise DataError("D112", "its compressed data are damaged", file=file, remedy=_SAVE_AGAIN) from None


def _read_npz(
    stream: IO[bytes], file: str, shapes: Mapping[str, Shape], answers: Sequence[str]
) -> tuple[dict[str, Array], dict[str, Array]]:
    arrays: dict[str, Array] = {}
    with zipfile.ZipFile(stream) as archive:
        names = archive.namelist()
        held = [name.removesuffix(".npy") for name in names if name.endswith(".npy")]
        inputs = _keys(held, shapes, file)
        labelled = [name for name in answers if name in held and name not in inputs]
        for key, shape in (inputs | dict.fromkeys(labelled)).items():
            with archive.open(f"{key}.npy") as entry:
                _check_header(entry, archive.getinfo(f"{key}.npy").file_size, key, file, shape)
            with archive.open(f"{key}.npy") as entry:
                arrays[key] = npy.read_array(entry, allow_pickle=False)
                if entry.read(1):
                    raise ValueError("bytes behind the array")
    labels = {name: arrays.pop(name) for name in labelled}
    return arrays, labels


def _keys(held: Sequence[str], shapes: Mapping[str, Shape], file: str) -> dict[str, Shape | None]:
    """Names in the file of the arrays of all inputs, in the inputs' order, with their shapes."""
    if len(shapes) == 1:
        ((name, shape),) = shapes.items()
        if "x" in held or name in held:
            return {"x" if "x" in held else name: shape}
    elif all(name in held for name in shapes):
        return dict(shapes)
    missing = "x" if len(shapes) == 1 else ", ".join(name for name in shapes if name not in held)
    keys = ", ".join(f"{name}={name}" for name in ("x" if len(shapes) == 1 else name for name in shapes))
    raise DataError(
        "D113",
        f"it has no array {missing}; it holds {', '.join(sorted(held)) or 'nothing'}",
        file=file,
        remedy=_SAVE_AGAIN
        if len(shapes) == 1
        else f"give an array by each input's name: savez(path, {keys})",
    )


def _check_header(stream: IO[bytes], size: int, key: str, file: str, sample_shape: Shape | None) -> None:
    """Check type and shape of an array from its header alone, and that its ``size`` bytes can hold them.

    ``sample_shape``: shape of a sample; None for labels.
    """
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    if sample_shape is None:
        _check_labels_header(shape, dtype, file)
    elif dtype.kind not in "fiub":
        remedy = f"save {key} as float32"
        raise DataError("D115", f"{key} is of type {dtype}, not of real numbers", file=file, remedy=remedy)
    else:
        _check_shape(key, shape, sample_shape, file)
    if stream.tell() + math.prod(shape) * dtype.itemsize > size:
        raise ValueError("shorter than its header says")


def _check_shape(key: str, shape: Shape, input_shape: Shape, file: str) -> None:
    if shape[1:] == input_shape and shape:
        if shape[0] == 0:
            raise DataError("D117", "it has no samples", file=file, remedy="give at least one sample")
        return
    axes = ", ".join(("samples", *map(str, input_shape)))
    raise DataError(
        "D114",
        f"{key} has shape ({', '.join(map(str, shape))}); the model takes ({axes})",
        file=file,
        remedy=_shape_remedy(shape, input_shape),
    )


def _shape_remedy(shape: Shape, input_shape: Shape) -> str:
    """What would make the data fit, as numpy code where that is clear."""
    sample = shape[1:]
    if shape == input_shape:
        return "this is one sample without the sample axis: save x[None]"
    if len(sample) == len(input_shape) > 1 and (*sample[-1:], *sample[:-1]) == input_shape:
        return "the channels come last: save numpy.moveaxis(x, -1, 1)"
    if len(sample) == len(input_shape) > 1 and (*sample[1:], sample[0]) == input_shape:
        return "the channels come first: save numpy.moveaxis(x, 1, -1)"
    if sample and math.prod(sample) == math.prod(input_shape):
        return f"the number of values fits: save x.reshape(-1, {', '.join(map(str, input_shape))})"
    return "bring the samples into the shape of the model's input"


def _check_labels_header(shape: Shape, dtype: np.dtype, file: str) -> None:
    if not shape or dtype.kind not in "iufb":
        raise DataError(
            "D118",
            f"y has shape ({', '.join(map(str, shape))}) and type {dtype}, not one number or more a sample",
            file=file,
            remedy="give class numbers from 0, or the values that the network should answer",
        )
