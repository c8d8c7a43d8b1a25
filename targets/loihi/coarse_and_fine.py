"""Lists whose weights span more powers of two than a synapse format: each in coarse and fine synapses of one source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snnc.graph.operators.base import Array

from .formats import ListRanges, WeightRange, narrowest
from .grid import ONE_SIGN_LIMITS, SIGN_BIT_LIMITS
from .windows import EntrySynapses, LoihiSynapses, WindowSynapses

_MOST_PARTS = 3
"""Three times 7 bits reach beyond the largest weight of any format, 255 * 2^7 steps."""


def in_formats(synapses: LoihiSynapses) -> tuple[LoihiSynapses, ...]:
    """Synapses whose sums are those of ``synapses`` and whose lists fit formats, as far as formats reach.

    1. A list that one format holds stays as it is.
    2. Of another, weights that 8 bits of its finest step hold stay; larger ones become the part that is a multiple of
       a coarser step, rounded towards 0 so that the signs of a list stay, and what is left. The coarser parts are
       synapses of their own, from the same neurons with the same delay.
    3. That is done again for coarse parts that fit no format yet.

    Args:
        synapses: of a projection.

    Returns:
        One or more; the coarse ones hold nothing of the lists that need none.
    """
    if _fit_one_format(_weights(synapses)):
        return (synapses,)
    parts: list[LoihiSynapses] = []
    rest = synapses
    while len(parts) < _MOST_PARTS - 1:
        coarse = _coarse_weights(*_weights_and_lists(rest))
        if not coarse.any():
            break
        parts.append(_with_weights(rest, _weights(rest).ravel() - coarse))
        rest = _without_zeros(_with_weights(rest, coarse))
    return (*parts, rest)


def _fit_one_format(weights: Array) -> bool:
    """Whether one format holds all weights in steps of 64, so that lists need not be looked at one by one."""
    bits = int(np.bitwise_or.reduce(weights, axis=None))
    lowest, highest = int(weights.min(initial=0)), int(weights.max(initial=0))
    return bits == 0 or narrowest(WeightRange(lowest, highest, bits & -bits)) is not None


def _weights(synapses: LoihiSynapses) -> Array:
    if isinstance(synapses, EntrySynapses):
        return synapses.values
    assert isinstance(synapses, WindowSynapses)
    return synapses.weight


def _weights_and_lists(synapses: LoihiSynapses) -> tuple[Array, Array]:
    """All weights in steps of 64, and the list of each, both flat."""
    if isinstance(synapses, EntrySynapses):
        return synapses.values, synapses.columns
    assert isinstance(synapses, WindowSynapses)
    outputs, each = synapses.weight.shape[:2]
    block = np.arange(outputs)[:, None] // (outputs // synapses.groups)
    channel = (block * each + np.arange(each))[:, :, None, None]
    return synapses.weight.ravel(), np.broadcast_to(channel, synapses.weight.shape).ravel()


def _coarse_weights(weights: Array, owner: Array) -> Array:
    """What of each weight is to be held by coarser synapses, int64."""
    lists = int(owner.max(initial=-1)) + 1
    ranges = ListRanges.of_groups(weights, owner, lists)
    columns = np.stack([ranges.low, ranges.high, ranges.bit], axis=1)
    kinds, kind = np.unique(columns, axis=0, return_inverse=True)
    shift, most = np.zeros(len(kinds), np.int64), np.zeros(len(kinds), np.int64)
    for number, (low, high, bit) in enumerate(kinds.tolist()):
        if narrowest(WeightRange(low, high, bit)) is None:
            shift[number], most[number] = _coarse_shift(low, high, bit)
    own = kind.reshape(-1)[owner]
    step = np.maximum(ranges.bit[owner], 1) << shift[own]
    large = (shift[own] > 0) & (np.abs(weights) > most[own] * ranges.bit[owner])
    return np.where(large, np.sign(weights) * (np.abs(weights) // step * step), 0)


def _coarse_shift(low: int, high: int, bit: int) -> tuple[int, int]:
    """How many bits coarser the coarse step of a list is, and how many fine steps fine synapses hold."""
    most = (SIGN_BIT_LIMITS if low < 0 < high else ONE_SIGN_LIMITS)[8]
    needed = -(-max(high, -low) // bit) // (most + 1)
    return min(needed.bit_length(), most.bit_length()), most


def _with_weights(synapses: LoihiSynapses, weights: Array) -> LoihiSynapses:
    if isinstance(synapses, EntrySynapses):
        kept = weights != 0
        return replace(
            synapses,
            columns=synapses.columns[kept],
            neurons=synapses.neurons[kept],
            targets=synapses.targets[kept],
            values=weights[kept],
        )
    assert isinstance(synapses, WindowSynapses)
    return replace(synapses, weight=weights.reshape(synapses.weight.shape))


def _without_zeros(synapses: LoihiSynapses) -> LoihiSynapses:
    """Windows without the input channels, and the first and last output channels, whose weights are all 0."""
    if not isinstance(synapses, WindowSynapses):
        return synapses
    weights, channel = _weights_and_lists(synapses)
    used = np.bincount(channel, weights != 0, synapses.inputs) > 0
    size = synapses.inputs * synapses.positions
    sources = np.arange(size) if synapses.sources is None else synapses.sources
    sources = np.where(np.repeat(used, synapses.positions), sources, -1)
    rows = np.flatnonzero(synapses.weight.reshape(synapses.outputs, -1).any(axis=1))
    first, last = (int(rows[0]), int(rows[-1]) + 1) if synapses.groups == 1 else (0, synapses.outputs)
    return replace(
        synapses,
        sources=sources,
        weight=synapses.weight[first:last],
        channel_offset=synapses.channel_offset + first,
    )
