"""Rounding of weights to few levels such that the sums, and not each weight, keep their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snnc.graph.operators import Conv, Linear
from snnc.graph.operators.base import Array, LinearMap, Operator
from snnc.graph.operators.index_map import IndexMap
from snnc.graph.operators.windows import pad_space, taps, window_counts
from snnc.graph.order_free import order_free
from snnc.graph.projections import Projection

_ROWS = 20_000

_RATE_STEP = 2.0**-16
"""Rates are looked at in such steps: their mean products are then exact, in whatever order they are added up."""

_TIE = 2.0**-30
"""What is this close to the middle between two steps is rounded upwards, whatever rounding a machine's sums have."""

_BLOCK = 64
"""Inputs whose errors are passed on to the others at once, as in GPTQ."""

_WIDEST = 1024
"""Inputs whose products are looked at together: time grows with the cube of their number."""

_SUMS = order_free(np.matmul, 2)

_DAMPING = 0.01

_RESTRAINT = 0.1
"""Damping of the weights' answer to other inputs: stronger, since it follows few samples."""


@dataclass(frozen=True, eq=False)
class Moments:
    """What some of the weights of an output are multiplied with, as its moments say.

    Attributes:
        order: (inputs,) int64, those with large values first.
        factor: (inputs + 1, inputs + 1), upper Cholesky factor of the inverse of the mean products of inputs in that
            order and, last, the constant 1 of the bias.
        change: (inputs, inputs + 1), in that order: times the weights, what to add to them and the bias such that
            their sums are those of the inputs as they were wanted; None where they are.
    """

    order: Array
    factor: Array
    change: Array | None

    @staticmethod
    def of(inputs: Array, exact: Array | None) -> Moments:
        """Those of (observations, inputs), see ``Observed``."""
        inputs = _in_steps(inputs)
        moment = inputs.T @ inputs / len(inputs)
        order = np.argsort(-np.diag(moment), kind="stable")
        count = len(order)
        whole = np.ones((count + 1, count + 1))
        whole[:count, :count] = moment[np.ix_(order, order)]
        whole[:count, count] = whole[count, :count] = inputs.mean(axis=0, dtype=np.float64)[order]
        whole[np.arange(count), np.arange(count)] += _DAMPING * max(float(np.trace(moment)) / count, 1e-6)
        whole[count, count] += 1e-3
        factor = np.asarray(np.linalg.cholesky(np.linalg.inv(whole)).T)
        if exact is None:
            return Moments(order, factor, None)
        missed = (_in_steps(exact) - inputs)[:, order]
        extended = np.concatenate([inputs[:, order], np.ones((len(inputs), 1))], axis=1)
        whole[np.arange(count), np.arange(count)] += _RESTRAINT * max(float(np.trace(moment)) / count, 1e-6)
        return Moments(order, factor, np.linalg.solve(whole, extended.T @ missed / len(inputs)).T)


def _in_steps(rates: Array) -> Array:
    return np.asarray(np.rint(np.asarray(rates, np.float64) / _RATE_STEP) * _RATE_STEP)


@dataclass(frozen=True, eq=False)
class Observed:
    """What the weights of an output are multiplied with.

    Attributes:
        blocks: inputs one after another, so many together that their products can be looked at.
    """

    blocks: tuple[Moments, ...]

    @staticmethod
    def of(inputs: Array, exact: Array | None = None) -> Observed:
        """The moments of (observations, inputs).

        Args:
            inputs: what the weights will be multiplied with.
            exact: the inputs whose sums they are to give, if others.
        """
        count = -(-inputs.shape[1] // _WIDEST)
        parts = np.array_split(inputs, count, axis=1)
        others = [None] * count if exact is None else np.array_split(exact, count, axis=1)
        return Observed(tuple(Moments.of(*pair) for pair in zip(parts, others, strict=True)))


@dataclass(frozen=True, eq=False)
class Rounded:
    """Weights on a grid.

    Attributes:
        code: (outputs, inputs) int64, weights in steps.
        shift: (outputs,) float64, what is added to the bias.
        error: (outputs,) float64, mean squared error of the sums.
    """

    code: Array
    shift: Array
    error: Array


def has_one_sum(projection: Projection) -> bool:
    """Whether all outputs of a channel sum up the same inputs with the same weights: a dense layer or a convolution."""
    operator = projection.operator
    if projection.place is not None:
        return False
    if isinstance(operator, Linear):
        return len(projection.in_shape) == 1
    return isinstance(operator, Conv) and operator.groups == 1


def observed_inputs(projections: Sequence[Projection], rates: Mapping[str, Array]) -> Array | None:
    """What the weights of each output are multiplied with, (observations, inputs); None where outputs differ in it.

    Args:
        projections: of a population.
        rates: spikes a tick of populations, (samples, *shape).
    """
    if not projections or not all(has_one_sum(p) and p.source in rates for p in projections):
        return None
    parts = [_observed(p, rates[p.source]) for p in projections]
    if len({len(part) for part in parts}) > 1:
        return None
    joined = np.concatenate(parts, axis=1)
    return joined[:: -(-len(joined) // _ROWS)]


def _observed(projection: Projection, rates: Array) -> Array:
    operator = projection.operator
    flat = np.concatenate([rates.reshape(len(rates), -1), np.zeros((len(rates), 1))], axis=1)
    gathered = flat[:, projection.gather_indices()].reshape(-1, *projection.in_shape).astype(np.float32)
    if not isinstance(operator, Conv):
        return gathered
    windows = window_counts(
        projection.in_shape[1:], operator.kernel, operator.stride, operator.pads, operator.dilation
    )
    padded = pad_space(gathered, operator.pads)
    seen = [part for _, part in taps(padded, operator.kernel, operator.stride, operator.dilation, windows)]
    columns = np.stack(seen, axis=2)
    samples, channels, kernel = columns.shape[0], columns.shape[1], columns.shape[2]
    by_place = np.moveaxis(columns.reshape(samples, channels, kernel, -1), 3, 1)
    return by_place.reshape(-1, channels * kernel)


def mean_sums(projection: Projection, operator: Operator, rates: Array) -> Array:
    """What a projection with other weights gives its population in a tick, (samples, *out_shape).

    Args:
        projection: of the graph.
        operator: with the weights.
        rates: spikes a tick of its source, (samples, *shape).
    """
    gathered = _taken(rates, projection.gather).reshape(-1, *projection.in_shape)
    sums = (
        operator.evaluate_by(_SUMS, gathered)
        if isinstance(operator, LinearMap)
        else operator.evaluate(gathered)
    )
    return _taken(sums, projection.place).reshape(-1, *projection.out_shape)


def _taken(values: Array, moved: IndexMap | None) -> Array:
    """Elements of (samples, ...) as a map takes them, (samples, elements)."""
    flat = values.reshape(len(values), -1)
    if moved is None:
        return flat
    return np.concatenate([flat, np.zeros((len(flat), 1), flat.dtype)], axis=1)[:, moved.indices]


def compensated(
    weight: Array, observed: Observed, step: Array, levels: tuple[Array | int, Array | int]
) -> Rounded:
    """Round one input's weights after the other, each error made up for by the weights still to come and the bias.

    Optimal brain quantisation as in GPTQ (Frantar 2022, section 3): with H = X^T X, the error e of weight i is made
    up for by - e / U_ii * U_i,j>i, U the upper Cholesky factor of H^-1. Where the inputs are not those whose sums are
    wanted, the weights are first those of the least squares between the two (``Moments.change``).

    Args:
        weight: (outputs, inputs).
        observed: the inputs.
        step: (outputs, inputs) or (outputs, 1), of the grids.
        levels: smallest and largest code, or those of every input.
    """
    ends = np.cumsum([len(block.order) for block in observed.blocks])[:-1]
    weights, steps = (
        np.split(np.broadcast_to(array, weight.shape), ends, axis=1) for array in (weight, step)
    )
    lows, highs = (np.split(np.broadcast_to(level, weight.shape[1]), ends) for level in levels)
    parts = [_compensated(*part) for part in zip(weights, observed.blocks, steps, lows, highs, strict=True)]
    return Rounded(
        np.concatenate([part.code for part in parts], axis=1),
        np.sum([part.shift for part in parts], axis=0),
        np.sum([part.error for part in parts], axis=0),
    )


def _compensated(weight: Array, moments: Moments, step: Array, low: Array, high: Array) -> Rounded:
    """``compensated`` for the inputs of one block; step (outputs, inputs), levels (inputs,)."""
    order, factor = moments.order, moments.factor
    steps, low, high = np.ascontiguousarray(step.T[order]), low[order], high[order]
    open_ = np.concatenate([weight.T[order], np.zeros((1, len(weight)))])
    if moments.change is not None:
        open_ += moments.change.T @ weight.T[order]
    codes, error = np.zeros(weight.shape, np.int64), np.zeros(len(weight))
    count = len(order)
    for first in range(0, count, _BLOCK):
        last = min(first + _BLOCK, count)
        missed = np.zeros((last - first, len(weight)))
        for row in range(first, last):
            code = np.clip(np.floor(open_[row] / steps[row] + (0.5 + _TIE)), low[row], high[row])
            missed[row - first] = (open_[row] - code * steps[row]) / factor[row, row]
            open_[row + 1 : last] -= factor[row, row + 1 : last, None] * missed[row - first]
            codes[:, order[row]] = code
        open_[last:] -= factor[first:last, last:].T @ missed
        error += (missed**2).sum(axis=0)
    return Rounded(codes, open_[-1], error)
