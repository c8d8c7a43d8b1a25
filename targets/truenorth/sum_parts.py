"""Parts of a projection's sums that fit the axons of a core, and what each of them gives a neuron."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from snnc.graph.composition import sparse_form
from snnc.graph.operators import Conv, Linear, Operator, Scale, SparseLinear
from snnc.graph.operators.base import Array, Shape
from snnc.graph.projections import Projection

from .limits import AXONS, NEURONS

_LARGEST_TILE = 8


@dataclass(frozen=True, eq=False)
class SumPart:
    """A part of a projection's sums.

    Attributes:
        columns: (inputs,) int64, the elements of the operator's input that it takes.
        in_shape: their shape.
        operator: from these to ``rows``.
        rows: (sums,) int64, flat indices of the operator's outputs that have synapses in this part.
        shape: of the sums.
    """

    columns: Array
    in_shape: Shape
    operator: Operator
    rows: Array
    shape: Shape


def parts_of(projection: Projection, width: int) -> Iterator[SumPart]:
    """The parts of a projection."""
    operator, lines = projection.operator, AXONS // width
    if isinstance(operator, Linear) and len(projection.in_shape) == 1:
        used = np.flatnonzero(operator.weight.any(axis=0))
        for columns in equal_chunks(used, lines):
            weight = operator.weight[:, columns]
            rows = np.flatnonzero(weight.any(axis=1))
            yield SumPart(columns, (len(columns),), Linear(weight[rows]), rows, (len(rows),))
    elif isinstance(operator, Conv) and operator.groups == 1 and np.prod(operator.kernel) <= lines:
        yield from _channel_parts(projection, operator, width)
    else:
        yield from _entry_parts(projection, lines)


def equal_chunks(values: Array, most: int) -> list[Array]:
    """Values in order, in as few nearly equal parts as hold at most ``most`` each."""
    return list(np.array_split(values, max(-(-len(values) // most), 1)))


def _channel_parts(projection: Projection, conv: Conv, width: int) -> Iterator[SumPart]:
    channels, *space = projection.in_shape
    size = int(np.prod(space))
    for chosen in equal_chunks(np.arange(channels), _channels_of_a_part(projection, conv, width)):
        weight = conv.weight[:, chosen]
        kept = np.flatnonzero(weight.reshape(len(weight), -1).any(axis=1))
        positions = int(np.prod(projection.mid_shape[1:]))
        yield SumPart(
            (chosen[:, None] * size + np.arange(size)).ravel(),
            (len(chosen), *space),
            replace(conv, weight=weight[kept], bias=None),
            (kept[:, None] * positions + np.arange(positions)).ravel(),
            (len(kept), *projection.mid_shape[1:]),
        )


def _channels_of_a_part(projection: Projection, conv: Conv, width: int) -> int:
    """Input channels of a part such that relays, their sources' copies and the sums take the fewest cores, about."""
    channels, outputs, space = projection.in_shape[0], conv.weight.shape[0], projection.mid_shape[1:]
    best, fewest = 1, np.inf
    for side in range(1, _LARGEST_TILE + 1):
        reach = [
            (min(side, n) - 1) * stride + (kernel - 1) * dilation + 1
            for n, stride, kernel, dilation in zip(
                space, conv.stride, conv.kernel, conv.dilation, strict=True
            )
        ]
        patch = int(np.prod(reach)) * width
        most = min(AXONS // patch, channels)
        if most == 0:
            break
        parts = -(-channels // most)
        tiles = int(np.prod([-(-n // side) for n in space]))
        relays = -(-2 * outputs * int(np.prod([min(side, n) for n in space])) // NEURONS)
        cores = tiles * relays * parts * (1 + patch * most / AXONS)
        cores += 2 * parts * outputs * int(np.prod(space)) / AXONS
        if cores < fewest:
            best, fewest = most, cores
    return best


def _entry_parts(projection: Projection, lines: int) -> Iterator[SumPart]:
    """By channels where a neuron has few entries in each, else by inputs in order."""
    operator = projection.operator or Scale(np.ones((1,) * len(projection.in_shape)))
    sparse = sparse_form(operator, projection.in_shape)
    inner = int(np.prod(projection.in_shape[1:]))
    channel, outputs = sparse.columns // inner, int(np.prod(projection.mid_shape))
    pairs = np.unique(channel * outputs + sparse.rows, return_counts=True)[1]
    most = int(pairs.max(initial=1))
    if most <= lines:
        chunks = equal_chunks(np.unique(channel), lines // most)
        columns = [np.unique(sparse.columns[np.isin(channel, chunk)]) for chunk in chunks]
    else:
        columns = equal_chunks(np.unique(sparse.columns), lines)
    for chosen in columns:
        kept = np.isin(sparse.columns, chosen)
        rows, row = np.unique(sparse.rows[kept], return_inverse=True)
        column = np.searchsorted(chosen, sparse.columns[kept])
        part = SparseLinear(row.reshape(-1), column, sparse.values[kept], (len(chosen),), (len(rows),))
        yield SumPart(chosen, (len(chosen),), part, rows, (len(rows),))


def mean_sums(projection: Projection, part: SumPart, rates: Mapping[str, Array], shape: Shape) -> Array:
    """What a part gives each neuron of the population in a tick, (samples, *shape)."""
    spikes = rates[projection.source]
    flat = np.concatenate([spikes.reshape(len(spikes), -1), np.zeros((len(spikes), 1))], axis=1)
    gathered = flat[:, projection.gather_indices()[part.columns]].reshape(-1, *part.in_shape)
    sums = np.zeros((len(spikes), int(np.prod(projection.mid_shape)) + 1))
    sums[:, part.rows] = part.operator.evaluate(gathered).reshape(len(spikes), -1)
    return sums[:, projection.place_indices()].reshape(-1, *shape)
