"""The step of each neuron with which its weights, rounded to few levels, keep its sums best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snnc.graph.operators.base import Array
from snnc.graph.projections import Projection
from snnc.targets.rounding import Observed, Rounded, compensated, observed_inputs

_SHRINKS = np.linspace(0.4, 1.0, 9)

_AT_ONCE = 2**23
"""Weights, one for each step that is tried, that are rounded at the same time."""


@dataclass(frozen=True, eq=False)
class Observations:
    """What was seen of a network on a few samples.

    Attributes:
        rates: spikes a tick of populations, (samples, *shape).
        moments: those of the inputs of projections, by their nodes, as far as they were asked for.
    """

    rates: Mapping[str, Array]
    moments: dict[tuple[str, ...], Observed | None] = field(default_factory=dict)

    def of(self, projections: Sequence[Projection]) -> Observed | None:
        """What the weights of each output are multiplied with; None where outputs differ in it."""
        key = tuple(projection.nodes[-1] for projection in projections)
        if key not in self.moments:
            inputs = observed_inputs(projections, self.rates)
            self.moments[key] = None if inputs is None else Observed.of(inputs)
        return self.moments[key]


def best_steps(
    weight: Array, observed: Observed, levels: tuple[int, int], least_step: Array
) -> tuple[Array, Rounded]:
    """Every output's step with the least error of its sums, (outputs,) float64, and the weights in these steps.

    Args:
        weight: (outputs, inputs).
        observed: what they are multiplied with.
        levels: smallest and largest code.
        least_step: (outputs,).
    """
    count = len(weight)
    largest = np.abs(weight).max(axis=1, initial=0.0)
    full = np.where(largest > 0, largest, 1.0) / levels[1]
    step, best = (
        full.copy(),
        Rounded(np.zeros(weight.shape, np.int64), np.zeros(count), np.full(count, np.inf)),
    )
    groups = min(-(-weight.size * len(_SHRINKS) // _AT_ONCE), len(_SHRINKS))
    for shrinks in np.array_split(_SHRINKS, max(groups, 1)):
        trials = np.maximum(full * shrinks[:, None], least_step)
        repeated = np.tile(weight, (len(shrinks), 1))
        tried = compensated(repeated, observed, trials.reshape(-1, 1), levels)
        for number, trial in enumerate(trials):
            own = slice(number * count, (number + 1) * count)
            better = tried.error[own] < best.error
            step = np.where(better, trial, step)
            best = Rounded(
                np.where(better[:, None], tried.code[own], best.code),
                np.where(better, tried.shift[own], best.shift),
                np.where(better, tried.error[own], best.error),
            )
    return step, best
