"""Chooses threshold, initial potential and bias of integrate-and-fire neurons by the error of their decoded rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array

_FACTORS = (0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.35)
_STARTS = (0.1, 0.3, 0.5, 0.7)
_BIAS_STEPS, _BIAS_SHARE, _MOST_BIAS_ERROR = 3, 0.7, 1.0


@dataclass(frozen=True, eq=False)
class RateFit:
    """What was chosen for each class of neurons, (classes,) float32 each.

    Attributes:
        factor: of the threshold.
        start: initial potential, as a share of the new threshold.
        bias: current of every tick.
    """

    factor: Array
    start: Array
    bias: Array


def fit_rates(currents: Array, target_values: Array, threshold: Array, *, alike: bool) -> RateFit:
    """The choice of least mean squared error, class by class.

    Args:
        currents: (ticks, classes, elements) float32.
        target_values: (classes, elements), what threshold times rate should be.
        threshold: (classes,) so far.
        alike: whether all classes take one factor.
    """
    errors = np.empty((len(_FACTORS), len(_STARTS), len(threshold)))
    for row, factor in enumerate(_FACTORS):
        for column, start in enumerate(_STARTS):
            decoded = decoded_rates(currents, threshold * np.float32(factor), start)
            errors[row, column] = np.square(decoded - target_values).mean(axis=1)
    best_start = errors.argmin(axis=1)
    by_factor = errors.min(axis=1)
    chosen = by_factor.argmin(axis=0)
    if alike:
        chosen = np.full(len(threshold), by_factor.sum(axis=1).argmin())
    every = np.arange(len(threshold))
    factor = np.array(_FACTORS, np.float32)[chosen]
    start = np.array(_STARTS, np.float32)[best_start[chosen, every]]
    bias = _fit_bias(currents, target_values, threshold * factor, start, by_factor[chosen, every])
    return RateFit(factor, start, bias)


def _fit_bias(currents: Array, target_values: Array, threshold: Array, start: Array, error: Array) -> Array:
    """The mean error as a current, where that does not make the error larger."""
    bias = np.zeros(len(threshold), np.float32)
    for _ in range(_BIAS_STEPS):
        left = target_values - decoded_rates(currents, threshold, start, bias)
        bias = bias + np.float32(_BIAS_SHARE) * left.mean(axis=1, dtype=np.float32)
    left = target_values - decoded_rates(currents, threshold, start, bias)
    return np.where(np.square(left).mean(axis=1) < _MOST_BIAS_ERROR * error, bias, np.float32(0))


def decoded_rates(
    currents: Array, threshold: Array, start: float | Array, bias: Array | None = None
) -> Array:
    """Threshold times spikes a tick, (classes, elements), of neurons with reset by subtraction."""
    threshold = threshold[:, None]
    voltage = np.empty(currents.shape[1:], np.float32)
    voltage[...] = threshold * np.asarray(start, np.float32).reshape(-1, 1)
    count = np.zeros_like(voltage)
    for current in currents:
        voltage += current
        if bias is not None:
            voltage += bias[:, None]
        spikes = voltage >= threshold
        count += spikes
        voltage -= spikes * threshold
    return np.asarray(count * (threshold / np.float32(len(currents))))
