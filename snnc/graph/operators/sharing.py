"""Which elements of a value are computed with the same weights, so that they can only be scaled alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sharing:
    """Classes of the elements of a value; those of one class share weights.

    Attributes:
        shape: of the value.
        axis: a class is what has one index along this axis; None where it is not so simple.
        labels: (*shape) int64, the class of each element, -1 for one that shares with none. With neither axis nor
            labels no element shares with another.
    """

    shape: tuple[int, ...]
    axis: int | None = None
    labels: Labels | None = None

    @property
    def is_free(self) -> bool:
        """Whether no element shares its weights."""
        return self.axis is None and self.labels is None

    @property
    def count(self) -> int:
        """Number of classes."""
        if self.axis is not None:
            return self.shape[self.axis]
        return int(self.written_out().max(initial=-1)) + 1

    def written_out(self) -> Labels:
        """The labels; a view without memory of its own where there is an axis."""
        if self.labels is not None:
            return self.labels
        if self.axis is None:
            return np.full(self.shape, -1, np.int64)
        sizes = [size if axis == self.axis else 1 for axis, size in enumerate(self.shape)]
        return np.broadcast_to(np.arange(self.shape[self.axis]).reshape(sizes), self.shape)

    def picked(self, indices: Labels, shape: tuple[int, ...]) -> Sharing:
        """The classes of elements that come from the flat ``indices``, -1 for zeros."""
        if self.is_free:
            return Sharing(shape)
        flat = np.append(self.written_out(), -1)
        return Sharing(shape, labels=flat[indices].reshape(shape))

    def by_channel(self) -> Sharing:
        """Classes that keep to these: the first axis's where each class lies within one of them."""
        if self.is_free or self.axis == 0 or not self.shape:
            return Sharing(self.shape, 0) if self.shape else self
        labels = self.written_out().ravel()
        first = np.repeat(np.arange(self.shape[0]), max(1, labels.size // self.shape[0]))
        known = labels >= 0
        home = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
        home[labels[known]] = first[known]
        if (home[labels[known]] == first[known]).all():
            return Sharing(self.shape, 0)
        if self.axis is not None:
            return self
        alone = np.where(known, labels, labels.max(initial=0) + 1 + np.arange(labels.size))
        return Sharing(self.shape, labels=np.unique(alone, return_inverse=True)[1].reshape(self.shape))

    def rows(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """(classes, elements) of values (..., *shape), for classes of all elements; short rows end in zeros."""
        lead = values.ndim - len(self.shape)
        if self.axis is not None:
            moved = np.moveaxis(values, lead + self.axis, 0)
            return moved.reshape(moved.shape[0], -1)
        labels = self.written_out().ravel()
        order = np.argsort(labels, kind="stable")
        counts = np.bincount(labels)
        places = np.arange(labels.size) - np.repeat(np.cumsum(counts) - counts, counts)
        flat = values.reshape(-1, labels.size)
        result = np.zeros((len(counts), int(counts.max()), len(flat)), values.dtype)
        result[labels[order], places] = flat[:, order].T
        return result.reshape(len(counts), -1)

    def spread(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Values (classes,) as an array that broadcasts to the shape."""
        if self.axis is not None:
            return values.reshape(-1, *(1,) * (len(self.shape) - self.axis - 1))
        return np.asarray(values[self.written_out()])


def one_a_channel(values: npt.NDArray[Any], axis: int, empty: float = 1.0) -> npt.NDArray[Any] | None:
    """(channels,) the value of each channel along ``axis``; None if some channel has several.

    NaN is a value that does not matter; ``empty`` stands for channels that have no other.
    """
    rows = np.moveaxis(values, axis, 0)
    rows = rows.reshape(rows.shape[0], -1)
    known = ~np.isnan(rows)
    low = np.where(known, rows, np.inf).min(axis=1)
    high = np.where(known, rows, -np.inf).max(axis=1)
    silent = ~known.any(axis=1)
    if not ((low == high) | silent).all():
        return None
    return np.where(silent, empty, low)


def joined(parts: Sequence[Sharing]) -> Sharing:
    """The classes of a sum: elements that share in any of its terms."""
    shared = [part for part in parts if not part.is_free]
    if not shared:
        return parts[0]
    if all(part.axis is not None and part.axis == shared[0].axis for part in shared):
        return shared[0]
    whole = np.arange(int(np.prod(shared[0].shape)))
    before = np.full_like(whole, -1)
    while (whole != before).any():
        before = whole
        for part in shared:
            whole = _least(whole, part.written_out().ravel())
    return Sharing(shared[0].shape, labels=whole.reshape(shared[0].shape))


def _least(numbers: Labels, labels: Labels) -> Labels:
    """The least number of each class, for all of its elements."""
    known = labels >= 0
    least = np.full(int(labels.max(initial=0)) + 1, numbers.size)
    np.minimum.at(least, labels[known], numbers[known])
    result = numbers.copy()
    result[known] = least[labels[known]]
    return result
