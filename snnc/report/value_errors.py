"""How far answers that are values lie from what they should be, over batches of samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array


@dataclass(frozen=True)
class ValueErrors:
    """Errors of answers over a data set, in the units of the answers.

    Attributes:
        rmse: root of the mean square over samples and outputs.
        largest: the largest magnitude.
        correlation: Pearson's coefficient over the samples, its mean over the outputs that vary; None if none does.
        range: largest less smallest of what they should be, of the output where that is most.
    """

    rmse: float
    largest: float
    correlation: float | None
    range: float


class ErrorSums:
    """Sums over batches, from which the errors come.

    Sums of products are of differences from the first sample, so that values of a large mean keep their digits.
    """

    def __init__(self) -> None:
        self._count = 0
        self._largest = 0.0
        self._sums = np.zeros((6, 0))
        self._bounds = np.zeros((2, 0))
        self._origin = np.zeros((2, 0))

    def add(self, answers: Array, expected: Array) -> None:
        """Take a batch of (samples, ...) answers and what they should be."""
        pair = np.stack(
            [np.asarray(values, np.float64).reshape(len(answers), -1) for values in (answers, expected)]
        )
        low, high = pair[1].min(axis=0), pair[1].max(axis=0)
        if not self._count:
            self._sums = np.zeros((6, pair.shape[2]))
            self._origin = pair[:, 0].copy()
            self._bounds = np.stack([low, high])
        missed = pair[0] - pair[1]
        x, y = pair - self._origin[:, None]
        self._sums += [part.sum(axis=0) for part in (x, y, x * x, y * y, x * y, missed * missed)]
        self._bounds = np.stack([np.minimum(self._bounds[0], low), np.maximum(self._bounds[1], high)])
        self._largest = max(self._largest, float(np.abs(missed).max(initial=0.0)))
        self._count += len(answers)

    def errors(self) -> ValueErrors | None:
        """The errors of all batches so far; None before the first."""
        if not self._count:
            return None
        x, y, xx, yy, xy, squares = self._sums / self._count
        spread = np.maximum(xx - x * x, 0) * np.maximum(yy - y * y, 0)
        varies = spread > 0
        each = (xy - x * y)[varies] / np.sqrt(spread[varies])
        return ValueErrors(
            rmse=float(np.sqrt(squares.mean())),
            largest=self._largest,
            correlation=float(np.clip(each, -1, 1).mean()) if varies.any() else None,
            range=float((self._bounds[1] - self._bounds[0]).max()),
        )
