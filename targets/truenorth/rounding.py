"""The step of each neuron with which its weights, rounded to few levels, keep its sums best."""

from __future__ import annotations

import numpy as np

from snnc.graph.operators.base import Array
from snnc.targets.rounding import Observed, Rounded, compensated

_SHRINKS = np.linspace(0.4, 1.0, 9)


def best_steps(
    weight: Array, inputs: Array, levels: tuple[int, int], least_step: Array
) -> tuple[Array, Rounded]:
    """Every output's step with the least error of its sums, (outputs,) float64, and the weights in these steps.

    Args:
        weight: (outputs, inputs).
        inputs: (observations, inputs).
        levels: smallest and largest code.
        least_step: (outputs,).
    """
    observed = Observed.of(inputs)
    largest = np.abs(weight).max(axis=1, initial=0.0)
    full = np.where(largest > 0, largest, 1.0) / levels[1]
    step, best = (
        full.copy(),
        Rounded(np.zeros(weight.shape, np.int64), np.zeros(len(weight)), np.full(len(weight), np.inf)),
    )
    for shrink in _SHRINKS:
        trial = np.maximum(full * shrink, least_step)
        found = compensated(weight, observed, trial[:, None], levels)
        better = found.error < best.error
        step = np.where(better, trial, step)
        best = Rounded(
            np.where(better[:, None], found.code, best.code),
            np.where(better, found.shift, best.shift),
            np.where(better, found.error, best.error),
        )
    return step, best
