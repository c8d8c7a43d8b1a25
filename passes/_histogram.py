"""Distribution of an activation over many samples in bounded memory."""

from __future__ import annotations

import numpy as np

from snnc.graph.operators.base import Array

_LAYER_BINS = 2**18
_LEAST_BINS = 2**10
_GRID = np.arange(1, 101) / 100


class Histogram:
    """Counts of the positive values of each row, in equal bins from 0 to a power of two above the largest.

    A row's range doubles when a larger value comes, pairs of bins being merged; so the counts depend neither
    on the order nor on the batches of the values. Resolution: range / bins, below 0.2 % of the largest value
    and finer the fewer rows there are.

    Args:
        rows: number of separate distributions.
    """

    def __init__(self, rows: int) -> None:
        self.bins = max(_LEAST_BINS, 1 << int(np.log2(max(1, _LAYER_BINS // rows))))
        self.counts = np.zeros((rows, self.bins), np.int64)
        self.largest = np.zeros(rows)
        self._exponent = np.full(rows, -126)

    def add(self, values: Array) -> None:
        """Count the positive ones of ``values`` (rows, any number)."""
        if not values.size:
            return
        self._grow(values.max(axis=1).astype(np.float64))
        rows, columns = np.nonzero(values > 0)
        scaled = np.ldexp(values[rows, columns].astype(np.float64), -self._exponent[rows])
        positions = rows * self.bins + np.minimum((scaled * self.bins).astype(np.int64), self.bins - 1)
        self.counts += np.bincount(positions, minlength=self.counts.size).reshape(self.counts.shape)

    def percentile(self, percent: float) -> Array:
        """(rows,) the value below which ``percent`` of the positive values lie; 0 for a row that has none."""
        total = self.counts.sum(axis=1)
        rank = percent / 100 * total
        below = np.cumsum(self.counts, axis=1)
        bins = np.minimum((below < rank[:, None]).sum(axis=1), self.bins - 1)
        rows = np.arange(len(total))
        inside = self.counts[rows, bins]
        part = (rank - below[rows, bins] + inside) / np.maximum(inside, 1)
        values = (bins + part) * np.ldexp(1.0, self._exponent) / self.bins
        return np.where(total > 0, np.minimum(values, self.largest), 0.0)

    def centres(self, row: int) -> tuple[Array, Array]:
        """(values, counts) of a row's bins that are not empty."""
        (filled,) = np.nonzero(self.counts[row])
        width = np.ldexp(1.0, int(self._exponent[row])) / self.bins
        return (filled + 0.5) * width, self.counts[row, filled]

    def best_for_ticks(self, ticks: int) -> Array:
        """(rows,) the threshold that loses least when rates are clipped and rounded to whole spikes.

        It minimises E[(a - theta / ticks * clip(floor(a ticks / theta + 1/2), 0, ticks))^2] on a grid up to
        the largest value; 0 for a row that has no positive value.
        """
        rows = range(len(self.largest))
        return np.array([self._best(row, ticks) if self.largest[row] > 0 else 0.0 for row in rows])

    def _best(self, row: int, ticks: int) -> float:
        values, counts = self.centres(row)
        if len(values) > _LEAST_BINS:
            coarse = np.minimum(values / self.largest[row] * _LEAST_BINS, _LEAST_BINS - 1).astype(np.int64)
            total = np.bincount(coarse, counts, _LEAST_BINS)
            means = np.bincount(coarse, counts * values, _LEAST_BINS) / np.maximum(total, 1)
            values, counts = means[total > 0], total[total > 0]
        thresholds = self.largest[row] * _GRID[:, None]
        spikes = np.clip(np.floor(values * ticks / thresholds + 0.5), 0, ticks)
        losses = ((values - thresholds / ticks * spikes) ** 2) @ counts
        return float(thresholds[np.argmin(losses), 0])

    def _grow(self, largest: Array) -> None:
        self.largest = np.maximum(self.largest, largest)
        exponent = np.where(self.largest > 0, np.frexp(self.largest)[1], self._exponent)
        for row in np.flatnonzero(exponent > self._exponent):
            octaves = int(exponent[row] - self._exponent[row])
            if self.counts[row].any():
                merged = _merged(self.counts[row], min(octaves, self.bins.bit_length() - 1))
                self.counts[row] = 0
                self.counts[row, : len(merged)] = merged
        self._exponent = np.maximum(exponent, self._exponent)


def _merged(counts: Array, octaves: int) -> Array:
    return np.asarray(counts.reshape(-1, 1 << octaves).sum(axis=1))
