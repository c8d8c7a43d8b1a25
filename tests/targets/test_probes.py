"""Random numbers in place of spikes."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from snnc.targets.probes import Probes, responsible


@pytest.mark.parametrize(("bound", "count"), [(1.0, 2), (2.0**36, 2), (2.0**44, 4), (2.0**52, 31)])
def test_numbers_are_small_enough_to_be_exact_and_many_enough_to_be_sure(bound: float, count: int) -> None:
    probes = Probes({"a": 500, "b": 300}, bound)
    assert probes.count == count and probes.largest * bound <= max(2**52, bound)
    both = [probes.of("a", 3), probes.of("b", 3)]
    assert [part.shape for part in both] == [(count, 500), (count, 300)]
    table = np.concatenate(both, axis=1)
    assert (table != 0).all() and (table == np.rint(table)).all() and np.abs(table).max() <= probes.largest
    assert (table > 0).any() and (table < 0).any()
    np.testing.assert_array_equal(table, Probes({"a": 500, "b": 300}, bound).table(3))
    assert (probes.table(3) != probes.table(-3)).any() and (probes.table(3) != probes.table(4)).any()


def test_twins_share_their_numbers_and_only_some_are_heard() -> None:
    twin = np.array([0, 1, 0, 3, 4])
    heard = np.array([True, True, True, False, True])
    table = Probes({"a": 4}, 1.0, twin, heard, extra=1).table(0)
    assert (table[:, 0] == table[:, 2]).all() and (table[:, 0] != table[:, 1]).any()
    assert not table[:, 3].any() and table[:, 4].all()


@settings(deadline=None)
@given(st.integers(1, 40).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
def test_the_one_responsible_is_found(case: tuple[int, int]) -> None:
    size, guilty = case
    assert responsible(size, lambda mask: bool(mask[guilty])) == guilty
    assert responsible(size, lambda mask: mask.sum() > 1) is None
