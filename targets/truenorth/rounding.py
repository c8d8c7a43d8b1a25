"""The step of each neuron with which its weights, rounded to few levels, keep its sums best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snnc.graph.operators.base import Array, Operator
from snnc.graph.projections import Projection
from snnc.targets.rounding import Observed, Rounded, compensated, mean_sums, observed_inputs

_SHRINKS = np.linspace(0.4, 1.0, 9)
_GROWTHS = np.linspace(1 / 6, 1.0, 6)

_TIE = 2.0**-20
"""A step is better by this share at least: of equal ones the first is taken, whatever a machine's rounding."""

_AT_ONCE = 2**23
"""Weights, one for each step that is tried, that are rounded at the same time."""


@dataclass(frozen=True, eq=False)
class Observations:
    """What was seen of a network on a few samples.

    Attributes:
        rates: spikes a tick of populations, (samples, *shape).
        rounded: those of the network as far as it is rounded, where they are others.
    """

    rates: Mapping[str, Array]
    rounded: dict[str, Array] = field(default_factory=dict)

    def of(self, projections: Sequence[Projection]) -> Observed | None:
        """What the weights of each output are multiplied with; None where outputs differ in it."""
        exact = observed_inputs(projections, self.rates)
        if exact is None:
            return None
        if not any(projection.source in self.rounded for projection in projections):
            return Observed.of(exact)
        inputs = observed_inputs(projections, {**self.rates, **self.rounded})
        assert inputs is not None
        return Observed.of(inputs, exact)

    def follow(self, name: str, before: TickSums, after: TickSums) -> None:
        """Take note of what rounding does to the rates of a population: as it would with constant currents.

        Args:
            name: of the population.
            before: its sums, in thresholds.
            after: its rounded sums.
        """
        if name not in self.rates:
            return
        was, became = before.of(self.rates), after.of({**self.rates, **self.rounded})
        change = np.clip(became, 0, 1) - np.clip(was, 0, 1)
        self.rounded[name] = np.clip(self.rates[name] + change, 0, 1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class TickSums:
    """What arrives at a population in a tick.

    Attributes:
        projections: to it.
        operators: their maps, with weights in thresholds.
        bias: constant current, in thresholds.
    """

    projections: Sequence[Projection]
    operators: Sequence[Operator]
    bias: Array

    def of(self, rates: Mapping[str, Array]) -> Array:
        """The sums (samples, *shape) of rates, spikes a tick of populations (samples, *shape)."""
        pairs = zip(self.projections, self.operators, strict=True)
        return np.asarray(self.bias + sum(mean_sums(p, own, rates[p.source]) for p, own in pairs))


@dataclass(frozen=True, eq=False)
class Single:
    """Weights beside those of sums, one a neuron, such as those of a shortcut.

    Attributes:
        weight: (neurons,).
        output: (neurons,) int64, the output whose step each shares.
        power: (neurons,), mean square of what each is multiplied with.
    """

    weight: Array
    output: Array
    power: Array

    def largest(self, outputs: int) -> Array:
        """The largest weight of each output."""
        largest = np.zeros(outputs)
        np.maximum.at(largest, self.output, np.abs(self.weight))
        return largest

    def errors(self, steps: Array, levels: tuple[int, int]) -> Array:
        """Mean squared error of a neuron of each output with these steps, (outputs,)."""
        step = steps[self.output]
        missed = self.weight - np.clip(np.rint(self.weight / step), *levels) * step
        total = np.bincount(self.output, missed**2 * self.power, len(steps))
        return np.asarray(total / np.maximum(np.bincount(self.output, minlength=len(steps)), 1))


def best_steps(
    weight: Array,
    observed: Observed,
    levels: tuple[int, int],
    least_step: Array,
    singles: Sequence[Single] = (),
) -> tuple[Array, Rounded]:
    """Every output's step with the least error of its sums, (outputs,) float64, and the weights in these steps.

    Args:
        weight: (outputs, inputs).
        observed: what they are multiplied with.
        levels: smallest and largest code.
        least_step: (outputs,).
        singles: further weights of the same steps, whose errors count too: all of a shortcut would be cut off
            otherwise that is larger than the weights of the convolution beside it.
    """
    count = len(weight)
    tried_steps = _tried_steps(weight, levels, least_step, singles)
    step, best = (
        tried_steps[-1].copy(),
        Rounded(np.zeros(weight.shape, np.int64), np.zeros(count), np.full(count, np.inf)),
    )
    groups = min(-(-weight.size * len(tried_steps) // _AT_ONCE), len(tried_steps))
    for trials in np.array_split(tried_steps, max(groups, 1)):
        repeated = np.tile(weight, (len(trials), 1))
        tried = compensated(repeated, observed, trials.reshape(-1, 1), levels)
        for number, trial in enumerate(trials):
            own = slice(number * count, (number + 1) * count)
            error = tried.error[own] + sum(single.errors(trial, levels) for single in singles)
            better = error < (1 - _TIE) * best.error
            step = np.where(better, trial, step)
            best = Rounded(
                np.where(better[:, None], tried.code[own], best.code),
                np.where(better, tried.shift[own], best.shift),
                np.where(better, error, best.error),
            )
    return step, best


def _tried_steps(
    weight: Array, levels: tuple[int, int], least_step: Array, singles: Sequence[Single]
) -> Array:
    """(steps, outputs): from a part of what holds the largest weight of the sums to what holds all weights."""
    largest = np.abs(weight).max(axis=1, initial=0.0)
    full = np.where(largest > 0, largest, 1.0) / levels[1]
    steps = full * _SHRINKS[:, None]
    if singles:
        most = np.max([single.largest(len(weight)) for single in singles], axis=0) / levels[1]
        steps = np.concatenate([steps, full * np.maximum(most / full, 1.0) ** _GROWTHS[:, None]])
    return np.asarray(np.maximum(steps, least_step))
