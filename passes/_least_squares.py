"""Corrects the weights of a map by least squares, so that the rates it really reads give the sums it should give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from snnc.graph.operators import Conv, Linear
from snnc.graph.operators.base import Array, LinearMap
from snnc.graph.operators.windows import pad_space

_RIDGE = 0.01
"""Penalty of a squared change of a weight, as a share of the mean square of an input."""

_SQUARES, _LEAST_ROWS = 2 * 10**10, 1024
"""Products that the squares of a regression may take, by which its rows are thinned out, and rows that it keeps."""

_HELD_OUT = 4
"""One in so many samples shows whether a correction is one of others too."""


def sampled_inputs(operator: LinearMap, values: Array, positions: Array) -> Array:
    """What the outputs at some positions read: (samples, positions, groups, inputs of an output) float32.

    Args:
        operator: a Conv, or a Linear of one axis.
        values: (samples, *input shape).
        positions: flat indices of positions of the output's space; 0 alone for a Linear.
    """
    if isinstance(operator, Linear):
        return values[:, None, None, :]
    assert isinstance(operator, Conv)
    padded = pad_space(values, operator.pads)
    extent = tuple((k - 1) * d + 1 for k, d in zip(operator.kernel, operator.dilation, strict=True))
    axes = tuple(range(2, padded.ndim))
    windows = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=axes)
    steps = (slice(None, None, s) for s in operator.stride)
    taps = (slice(None, None, d) for d in operator.dilation)
    every: Any = slice(None)
    windows = windows[(every, every, *steps, *taps)]
    space = windows.shape[2 : 2 + len(axes)]
    seen = windows[(every, every, *np.unravel_index(positions, space))]
    seen = np.moveaxis(seen, 2, 1)
    return np.ascontiguousarray(seen).reshape(len(values), len(positions), operator.groups, -1)


def corrected(operator: LinearMap, inputs: Array, missing: Array) -> tuple[LinearMap, Array]:
    """The map with corrected weights and bias, and what the correction adds to the sums.

    An output channel is left as it is where held-out samples do not get better by its correction.

    Args:
        operator: Conv or Linear.
        inputs: of ``sampled_inputs``.
        missing: (samples, positions, output channels), what is to be added to the sums.
    """
    samples, _, groups, fan_in = inputs.shape
    assert isinstance(operator, Conv | Linear)
    held_out = np.arange(samples) % _HELD_OUT == 0
    width = missing.shape[2] // groups
    change = np.zeros((missing.shape[2], fan_in), np.float32)
    shift = np.zeros(missing.shape[2], np.float32)
    for group in range(groups):
        columns = slice(group * width, (group + 1) * width)
        rows, lacking = inputs[:, :, group], missing[:, :, columns]
        weights, bias = _ridge(rows[~held_out], lacking[~held_out])
        left = lacking[held_out] - rows[held_out] @ weights - bias
        better = np.square(left).sum(axis=(0, 1)) < np.square(lacking[held_out]).sum(axis=(0, 1))
        weights, bias = _ridge(rows, lacking)
        change[columns] = (weights * better).T
        shift[columns] = bias * better
    split = change.reshape(groups, width, fan_in)
    added = np.einsum("spgf,gwf->spgw", inputs, split, optimize=True).reshape(missing.shape) + shift
    weight = operator.weight + change.reshape(operator.weight.shape)
    map_ = replace(operator, weight=weight)
    if shift.any():
        map_ = replace(map_, bias=shift if operator.bias is None else operator.bias + shift)
    return map_, added


def _ridge(rows: Array, lacking: Array) -> tuple[Array, Array]:
    """Weights (inputs, outputs) and bias (outputs,) of the regression with a free mean."""
    x = rows.reshape(-1, rows.shape[-1])
    most = max(_LEAST_ROWS, _SQUARES // x.shape[1] ** 2)
    every = -(-len(x) // most)
    x = x[::every].astype(np.float64)
    y = lacking.reshape(-1, lacking.shape[-1])[::every].astype(np.float64)
    penalty = _RIDGE * max(float(np.square(x).sum()) / x.shape[1], 1e-12)
    mean, target = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean, y - target
    if len(x) < x.shape[1]:  # the dual form, of one unknown a row
        weights = x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), y)
    else:
        weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return weights.astype(np.float32), (target - mean @ weights).astype(np.float32)
