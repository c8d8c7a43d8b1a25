"""Which synapse formats the lists of a layer need, and how lists are given few enough of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import numpy as np

from snnc.graph.operators.base import Array

from .limits import UNIT
from .synapses import SynapseFormat, encode

DELAY_BITS = 6
"""Width of a stored delay, where a list has delays."""


_GRID_STEPS = 127
"""Steps of either sign that 8 bits hold."""


@dataclass(frozen=True)
class WeightRange:
    """All that the narrowest format of a group of weights depends on, in steps of 64.

    Attributes:
        low, high: smallest and largest weight; 0 lies between them.
        bit: the largest power of two that divides all weights, 0 where all are 0.
    """

    low: int
    high: int
    bit: int

    def __or__(self, other: WeightRange) -> WeightRange:
        bits = self.bit | other.bit
        return WeightRange(min(self.low, other.low), max(self.high, other.high), bits & -bits)


@dataclass(frozen=True, eq=False)
class ListRanges:
    """The weight ranges of many lists, (lists,) int64 each; see ``WeightRange``."""

    low: Array
    high: Array
    bit: Array

    @staticmethod
    def of_rows(steps: Array) -> ListRanges:
        """The ranges of the rows of a matrix of weights in steps of 64."""
        bits = np.bitwise_or.reduce(np.abs(steps), axis=1)
        return ListRanges(steps.min(axis=1, initial=0), steps.max(axis=1, initial=0), bits & -bits)

    @staticmethod
    def of_groups(steps: Array, group: Array, groups: int) -> ListRanges:
        """The ranges of weights in steps of 64 that belong to groups 0, 1, ... ``groups`` - 1."""
        low, high, bits = (np.zeros(groups, np.int64) for _ in range(3))
        np.minimum.at(low, group, steps)
        np.maximum.at(high, group, steps)
        np.bitwise_or.at(bits, group, np.abs(steps))
        return ListRanges(low, high, bits & -bits)

    def __len__(self) -> int:
        return len(self.low)

    def joined(self, chosen: Array) -> WeightRange:
        """The range of some lists together."""
        bits = int(np.bitwise_or.reduce(self.bit[chosen], initial=0))
        low, high = self.low[chosen].min(initial=0), self.high[chosen].max(initial=0)
        return WeightRange(int(low), int(high), bits & -bits)


def range_of(steps: Array) -> WeightRange:
    """The range of weights given in steps of 64."""
    return ListRanges.of_rows(steps.reshape(1, -1)).joined(np.zeros(1, np.int64))


@lru_cache(maxsize=65536)
def narrowest(weights: WeightRange) -> SynapseFormat | None:
    """The narrowest format that holds all weights of a range exactly, without index and delay, or None."""
    values = [weights.low, weights.high, weights.bit if weights.high > 0 else -weights.bit]
    encoded = encode(np.array(values, np.int64) * UNIT)
    return None if encoded is None else encoded[1]


def mantissas(steps: Array, form: SynapseFormat) -> Array:
    """Stored mantissas (int16) of weights in steps of 64 that ``form`` holds."""
    shifted = steps << -form.exponent if form.exponent < 0 else steps >> form.exponent
    return np.asarray(shifted, np.int16)


@dataclass(frozen=True, eq=False)
class ListForms:
    """The formats of the lists of one projection, all of one width; indices are not part of them.

    Attributes:
        forms: the different formats.
        which: (lists,) int64, index into ``forms``.
    """

    forms: tuple[SynapseFormat, ...]
    which: Array


@dataclass
class _ListGroup:
    """Lists of some projections that have one format.

    Attributes:
        range: of their weights.
        members: (projection, class of its lists) pairs.
    """

    range: WeightRange
    members: list[tuple[int, int]]


def list_forms(
    ranges: Sequence[ListRanges], delays: Sequence[int], allowed: int
) -> tuple[ListForms, ...] | None:
    """Formats for the lists of all projections of a layer.

    The lists of a projection have one width (an atom of a population axon selects a row of equal size), and as few
    different exponents and signs as that permits. Where the layer would still have more than ``allowed`` formats,
    they are joined across projections, at the price of width.

    Args:
        ranges: of the lists of each projection.
        delays: of each projection.
        allowed: number of different formats.

    Returns:
        The formats, more than ``allowed`` where they cannot be joined; None where a list has no format at all.
    """
    few = _few_forms(ranges, delays, allowed)
    if few is None or _count(few) <= allowed:
        return few
    by_grid = _forms_by_grid(ranges, delays)
    return by_grid if _count(by_grid) < _count(few) else few


def _count(forms: Sequence[ListForms]) -> int:
    return len({form for list_form in forms for form in list_form.forms})


def _few_forms(
    ranges: Sequence[ListRanges], delays: Sequence[int], allowed: int
) -> tuple[ListForms, ...] | None:
    """``list_forms`` by joining what costs the least width."""
    classes = [_classes(range_of_lists) for range_of_lists in ranges]
    groups: list[_ListGroup] = []
    for number, (range_of_lists, kinds) in enumerate(zip(ranges, classes, strict=True)):
        own = [
            _ListGroup(range_of_lists.joined(np.flatnonzero(kinds == kind)), [(number, kind)])
            for kind in range(int(kinds.max(initial=-1)) + 1)
        ]
        if any(narrowest(group.range) is None for group in own):
            return None
        groups += _joined(own, max((_bits(group.range) for group in own), default=0))
    together = len({_label(group, groups, delays) for group in groups}) > allowed
    while together and len(groups) > allowed:
        options = [pair for pair in combinations(groups, 2) if narrowest(pair[0].range | pair[1].range)]
        if not options:
            break
        first, second = min(options, key=lambda pair: _bits(pair[0].range | pair[1].range))
        groups = [group for group in groups if group is not first and group is not second]
        groups.append(_ListGroup(first.range | second.range, first.members + second.members))
    return tuple(_forms_of(number, groups, kinds, delays, together) for number, kinds in enumerate(classes))


def _classes(ranges: ListRanges) -> Array:
    """A class for each list, by lowest bit and sign, numbered from 0; lists of one class fit one format mostly."""
    sign = np.where(ranges.low >= 0, 0, np.where(ranges.high <= 0, 1, 2))
    keys = ranges.bit * 3 + sign
    numbers = np.unique(keys, return_inverse=True)[1].reshape(-1)
    fitting = numbers.copy()
    for kind in range(int(numbers.max(initial=-1)) + 1):
        own = np.flatnonzero(numbers == kind)
        if narrowest(ranges.joined(own)) is None:
            fitting[own] = numbers.max() + 1 + own
    return np.asarray(np.unique(fitting, return_inverse=True)[1]).reshape(-1)


def _forms_by_grid(ranges: Sequence[ListRanges], delays: Sequence[int]) -> tuple[ListForms, ...]:
    """``list_forms`` with no more formats than grids (powers of two, up to 127 steps of either sign).

    A list fits every grid from the coarsest that divides its weights down to the finest that reaches them. The
    fewest grids for all lists come from giving each list that has none the coarsest one that it fits, beginning
    with the lists that need the finest. A list of one sign that fits none keeps a format of its own.
    """
    low, high, bit = (
        np.concatenate([getattr(ranges_of_lists, name) for ranges_of_lists in ranges])
        for name in ("low", "high", "bit")
    )
    together = ListRanges(low, high, bit)
    finest = np.ceil(np.log2(np.maximum(np.maximum(high, -low), 1) / _GRID_STEPS)).clip(0)
    coarsest = np.where(bit > 0, np.log2(np.maximum(bit, 1)), np.inf)
    grid = np.full(len(low), -1)
    for number in np.argsort(coarsest, kind="stable"):
        if grid[number] < 0:
            fits = finest[number] <= coarsest[number]
            joins = (grid < 0) & (finest <= coarsest[number]) & fits
            joins[number] = True
            grid[joins] = number
    grid = np.unique(grid, return_inverse=True)[1].reshape(-1)
    ends = np.cumsum([len(ranges_of_lists) for ranges_of_lists in ranges])
    classes = np.split(grid, ends[:-1])
    groups = [
        _ListGroup(
            together.joined(np.flatnonzero(grid == kind)),
            [(number, kind) for number, own in enumerate(classes) if (own == kind).any()],
        )
        for kind in range(int(grid.max(initial=-1)) + 1)
    ]
    return tuple(_forms_of(number, groups, own, delays, True) for number, own in enumerate(classes))


def _bits(weights: WeightRange) -> int:
    form = narrowest(weights)
    assert form is not None
    return form.weight_bits


def _joined(groups: list[_ListGroup], bits: int) -> list[_ListGroup]:
    """The groups, joined wherever ``bits`` bits are enough."""
    result: list[_ListGroup] = []
    for group in sorted(groups, key=lambda group: (group.range.bit, -group.range.high + group.range.low)):
        for at, other in enumerate(result):
            form = narrowest(group.range | other.range)
            if form is not None and form.weight_bits <= bits:
                result[at] = _ListGroup(group.range | other.range, other.members + group.members)
                break
        else:
            result.append(group)
    return result


def _label(group: _ListGroup, groups: Sequence[_ListGroup], delays: Sequence[int]) -> SynapseFormat:
    number = group.members[0][0]
    return _form(group, number, groups, delays, together=False)


def _form(
    group: _ListGroup, number: int, groups: Sequence[_ListGroup], delays: Sequence[int], together: bool
) -> SynapseFormat:
    """The format of a group for a projection: as wide as all of the projection (``together``: of the layer)."""
    form = narrowest(group.range)
    assert form is not None
    near = [other for other in groups if together or any(member[0] == number for member in other.members)]
    delayed = any(delays) if together else delays[number] > 0
    return replace(
        form,
        weight_bits=max(_bits(other.range) for other in near),
        delay_bits=DELAY_BITS if delayed else 0,
    )


def _forms_of(
    number: int, groups: Sequence[_ListGroup], kinds: Array, delays: Sequence[int], together: bool
) -> ListForms:
    form_of = {
        kind: _form(group, number, groups, delays, together)
        for group in groups
        for owner, kind in group.members
        if owner == number
    }
    forms = tuple(dict.fromkeys(form_of.values()))
    table = np.zeros(max(form_of, default=-1) + 1, np.int64)
    for kind, form in form_of.items():
        table[kind] = forms.index(form)
    return ListForms(forms, table[kinds])
