"""Labels of a data set: class numbers, or the values that the network should answer."""

from __future__ import annotations

import math

import numpy as np

from snnc.errors import DataError
from snnc.graph import Array, Shape


def checked_labels(y: Array, samples: int, output_shape: Shape | None, file: str | None = None) -> Array:
    """Labels as class numbers (samples,) int64, or as values (samples, *output shape) float64.

    They are values where the network answers one number, or where they have the shape of its answers.

    Args:
        y: as given.
        samples: how many there are to label.
        output_shape: of one answer; None if it is not known, then labels of any shape are taken.
        file: they come from, for messages.

    Raises:
        DataError: D118, they are neither.
    """
    if y.dtype.kind not in "iufb":
        raise _wrong(f"y is of type {y.dtype}, not of numbers", "give class numbers from 0, or values", file)
    if y.ndim < 1 or len(y) != samples:
        count = len(y) if y.ndim else 1
        raise _wrong(f"there are {count} labels for {samples} samples", "give one label a sample", file)
    if not np.isfinite(y).all():
        raise _wrong("labels are NaN or infinite", "repair or leave out their samples", file)
    if output_shape is None:
        whole = y.ndim == 1 and (y == np.rint(y)).all()
        return np.asarray(y, np.int64 if whole else np.float64)
    outputs = math.prod(output_shape)
    if y.ndim == 1 and outputs > 1:
        return _class_numbers(y, outputs, file)
    return _values(y, output_shape, file)


def _class_numbers(y: Array, classes: int, file: str | None) -> Array:
    whole = (y == np.rint(y)).all()
    low, high = (float(y.min(initial=0)), float(y.max(initial=0))) if whole else (0.0, 0.0)
    if not whole or low < 0 or high >= classes:
        held = f"{low:g} to {high:g}" if whole else "fractions"
        raise _wrong(
            f"labels are whole numbers from 0 to {classes - 1}; y has {held}",
            f"number the classes from 0, or give values of shape (samples, {classes})",
            file,
        )
    return y.astype(np.int64)


def _values(y: Array, output_shape: Shape, file: str | None) -> Array:
    outputs = math.prod(output_shape)
    if y[0].size != outputs or (outputs > 1 and y.shape[1:] != output_shape):
        axes = ", ".join(("samples", *map(str, output_shape)))
        raise _wrong(
            f"y has shape ({', '.join(map(str, y.shape))}), neither (samples,) nor ({axes})",
            "give one class number a sample, or values in the shape of the network's answers",
            file,
        )
    flat = y.reshape(len(y), -1)
    if outputs > 1 and ((flat == 0).sum(axis=1) == outputs - 1).all() and (flat.max(axis=1) == 1).all():
        raise _wrong("labels are one-hot", "give one class number a sample: y.argmax(axis=1)", file)
    return np.asarray(y, np.float64).reshape(len(y), *output_shape)


def _wrong(message: str, remedy: str, file: str | None) -> DataError:
    return DataError("D118", message, file=file, remedy=remedy)
