"""What a run's costs say of its time: latency, and the period of a pipeline of layers."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.simulate.costs import RunCosts


def costs(nanoseconds: list[list[float]], ticks: int) -> RunCosts:
    """A run whose ticks are that long and that counted nothing."""
    none = np.zeros(0, np.int64)
    return RunCosts(
        cost_set="none",
        kinds=(),
        picojoules=np.zeros(0),
        events=np.zeros((0, 0, 0), np.int64),
        unit_population=(),
        unit_core=none,
        dynamic_picojoules=np.zeros(len(nanoseconds)),
        message_source=none,
        message_target=none,
        messages=np.zeros((0, 0), np.int64),
        nanoseconds=np.array(nanoseconds),
        critical={},
        static_watts=2.0,
        used_share=0.25,
        ticks=ticks,
    )


def test_a_period_is_as_long_as_the_ticks_in_which_all_windows_are_open() -> None:
    """Depth 2, 5 ticks: the last layer opens at tick 2 and the first one closes behind tick 4."""
    run = costs([[1, 2, 4, 8, 16, 32, 64], [9, 9, 1, 1, 1, 9, 9]], 5)
    np.testing.assert_allclose(run.period_seconds, [5 * 28e-9 / 3, 5e-9], rtol=1e-12)
    np.testing.assert_allclose(run.latency_seconds, [127e-9, 39e-9], rtol=1e-12)
    np.testing.assert_allclose(run.static_joules, [254e-9, 78e-9], rtol=1e-12)


@pytest.mark.parametrize("ticks", [1, 2, 3])
def test_without_such_a_tick_the_longest_counts(ticks: int) -> None:
    """As deep as the run is long, or deeper: there is no tick in which all windows are open."""
    run = costs([[3, 1, 7, 2, 5, 1][: 2 * ticks]], ticks)
    np.testing.assert_allclose(run.period_seconds, [max([3, 1, 7, 2, 5, 1][: 2 * ticks]) * ticks * 1e-9])


def test_without_depth_all_ticks_count() -> None:
    np.testing.assert_allclose(costs([[1, 2, 6]], 3).period_seconds, [9e-9], rtol=1e-12)
