"""Formats of synapse lists hold their weights exactly and are few."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from snnc.targets.loihi.formats import ListRanges, WeightRange, list_forms, mantissas, narrowest, range_of
from snnc.targets.loihi.limits import UNIT

SMALL = st.lists(st.integers(-127, 127), min_size=1, max_size=6)


@st.composite
def weight_rows(draw: st.DrawFn, exponents: int = 3) -> np.ndarray:
    """Rows of weights in steps of 64, each on a grid of its own with at most 127 steps of either sign."""
    rows = draw(st.lists(st.tuples(SMALL, st.integers(0, exponents - 1)), min_size=1, max_size=12))
    width = max(len(values) for values, _ in rows)
    table = np.zeros((len(rows), width), np.int64)
    for number, (values, exponent) in enumerate(rows):
        table[number, : len(values)] = np.array(values) * 2**exponent
    return table


@settings(deadline=None, max_examples=200)
@given(st.lists(weight_rows(), min_size=1, max_size=3), st.data())
def test_every_list_is_held_exactly_in_one_width(tables: list[np.ndarray], data: st.DataObject) -> None:
    delays = [data.draw(st.integers(0, 3)) for _ in tables]
    forms = list_forms([ListRanges.of_rows(table) for table in tables], delays, 3 * len(tables))
    assert forms is not None
    for table, delay, found in zip(tables, delays, forms, strict=True):
        assert len({form.weight_bits for form in found.forms}) == 1
        assert all(form.delay_bits > 0 for form in found.forms) or not delay
        for row, which in zip(table, found.which, strict=True):
            form = found.forms[which]
            stored = mantissas(row, form)
            low, high = form.mantissa_range
            assert stored.min() >= low and stored.max() <= high and not (stored % form.mantissa_step).any()
            np.testing.assert_array_equal(form.effective(stored), row * UNIT)


@settings(deadline=None, max_examples=200)
@given(weight_rows(), weight_rows())
def test_there_are_no_more_formats_than_grids(first: np.ndarray, second: np.ndarray) -> None:
    forms = list_forms([ListRanges.of_rows(first), ListRanges.of_rows(second)], [0, 0], 3)
    assert forms is not None
    assert len({form for one in forms for form in one.forms}) <= 3
    assert all(len(one.forms) <= 3 for one in forms)


def test_one_list_of_two_widths_of_weight_has_no_format() -> None:
    table = np.array([[1, 1001]])
    assert narrowest(range_of(table)) is None
    assert list_forms([ListRanges.of_rows(table)], [0], 7) is None


def test_joining_costs_no_width_where_there_is_room() -> None:
    narrow, wide = np.array([[1, -1]]), np.array([[127, -127]])
    ranges = [ListRanges.of_rows(narrow), ListRanges.of_rows(wide)]
    apart, together = list_forms(ranges, [0, 0], 2), list_forms(ranges, [0, 0], 1)
    assert apart is not None and together is not None
    assert [one.forms[0].weight_bits for one in apart] == [2, 8]
    assert [one.forms[0].weight_bits for one in together] == [8, 8]
    assert together[0].forms == together[1].forms


def test_no_more_are_joined_than_must_be() -> None:
    ranges = [ListRanges.of_rows(np.array([[size, -size]])) for size in (1, 5, 127)]
    forms = list_forms(ranges, [0, 0, 0], 2)
    assert forms is not None
    assert len({form for one in forms for form in one.forms}) == 2


def test_ranges_of_groups_are_those_of_rows() -> None:
    table = np.random.default_rng(0).integers(-50, 50, (7, 9)) * 4
    rows = ListRanges.of_rows(table)
    groups = ListRanges.of_groups(table.ravel(), np.repeat(np.arange(7), 9), 7)
    for name in ("low", "high", "bit"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(groups, name))
    assert rows.joined(np.arange(7)) == range_of(table.ravel())
    assert WeightRange(-3, 0, 1) | WeightRange(0, 8, 4) == WeightRange(-3, 8, 1)
