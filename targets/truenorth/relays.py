"""Relays: pairs of neurons that send on a part of a sum as spikes, one for each sign."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snnc.graph.composition import pulled_back
from snnc.graph.graph import Edit
from snnc.graph.node import Node
from snnc.graph.operators import Conv, Gather, Linear, Operator, SparseLinear
from snnc.graph.operators.base import Array, Shape
from snnc.graph.projections import Projection
from snnc.targets.quantisation import short_integers

from .limits import TRUENORTH
from .neuron import NegativeMode, ResetMode, TrueNorthNeuron
from .sum_parts import SumPart

_MARGIN, _LEAST_SHARE = 1.25, 0.25


def relay_thresholds(largest: Array, unit: Array, alike: bool) -> Array:
    """Thresholds that relays can just follow (case 3), (*shape) int64; channels of a population with axes share one.

    Args:
        largest: largest mean partial sum of a tick, (*shape).
        unit: threshold of the population, (*shape).
        alike: whether all neurons have the same in units of their threshold.
    """
    share, axes = largest / unit, tuple(range(1, unit.ndim))
    if axes:
        share = np.broadcast_to(share.max(axis=axes, keepdims=True), unit.shape)
    if alike:
        share = np.broadcast_to(share.max(), unit.shape)
    share = np.maximum(_MARGIN * share, _LEAST_SHARE * share.max())
    return np.asarray(np.clip(np.ceil(share * unit), 1, TRUENORTH.threshold), np.int64)


def relay_pair(thresholds: Array, positive: int) -> TrueNorthNeuron:
    """Relays of both signs (case 2), the first ``positive`` rows of them for the positive one."""
    half, is_negative = thresholds // 2, np.arange(len(thresholds)) >= positive
    is_negative = is_negative.reshape(-1, *(1,) * (thresholds.ndim - 1))
    threshold = short_integers(thresholds)
    return TrueNorthNeuron(
        threshold=threshold,
        negative_threshold=threshold,
        reset=ResetMode.LINEAR,
        negative=NegativeMode.RESET,
        initial_potential=short_integers(np.where(is_negative, thresholds - 1 - half, half)),
    )


def add_relays(
    edit: Edit,
    node: Node,
    projection: Projection,
    part: SumPart,
    number: int,
    relay: Array,
    weight: Array,
) -> str:
    """Write a part's relays (case 2) and their sum; returns its name."""
    base = projection.nodes[-1]
    (source,) = edit[base].inputs
    name = f"{base}.part{number}"
    whole = np.array_equal(part.columns, np.arange(int(np.prod(projection.in_shape))))
    if not whole or part.in_shape != projection.in_shape:
        gather = Gather(part.columns.reshape(part.in_shape), projection.in_shape)
        source = edit.add(f"{name}.inputs", gather, source, sources=node.sources)
    sums = edit.add(f"{name}.sums", both_signs(part.operator), source, sources=projection.sources)
    thresholds = _of_rows(relay, projection, part)
    shape = (2 * part.shape[0], *part.shape[1:])
    neuron = relay_pair(np.concatenate([thresholds, thresholds]).reshape(shape), part.shape[0])
    together = f"{edit[base].group or base}.part*.relays"
    relays = edit.add(f"{name}.relays", neuron, sums, sources=projection.sources, group=together)
    return edit.add(
        f"{name}.joined", _joined(projection, part, weight, shape), relays, sources=projection.sources
    )


def both_signs(operator: Operator) -> Operator:
    """The map and behind it, along the first axis, its negative."""
    if isinstance(operator, Conv | Linear):
        return replace(operator, weight=np.concatenate([operator.weight, -operator.weight]), bias=None)
    assert isinstance(operator, SparseLinear)
    size = operator.out_shape[0]
    return SparseLinear(
        np.concatenate([operator.rows, operator.rows + size]),
        np.concatenate([operator.columns, operator.columns]),
        np.concatenate([operator.values, -operator.values]),
        operator.in_shape,
        (2 * size,),
    )


def _of_rows(values: Array, projection: Projection, part: SumPart) -> Array:
    """Values of neurons as values of the part's sums; 1 for sums that go nowhere."""
    inner = pulled_back(values.reshape(projection.out_shape).astype(np.float64), projection)
    assert inner is not None
    return np.nan_to_num(inner.ravel()[part.rows], nan=1.0).astype(np.int64)


def _joined(projection: Projection, part: SumPart, weight: Array, shape: Shape) -> SparseLinear:
    """From a part's relays to the population."""
    sums = int(np.prod(projection.mid_shape))
    position = np.full(sums + 1, -1)
    position[part.rows] = np.arange(len(part.rows))
    index = position[projection.place_indices()]
    rows = np.flatnonzero(index >= 0)
    columns, values = index[rows], weight.ravel()[rows]
    return SparseLinear(
        np.concatenate([rows, rows]),
        np.concatenate([columns, columns + len(part.rows)]),
        np.concatenate([values, -values]),
        shape,
        projection.out_shape,
    )
