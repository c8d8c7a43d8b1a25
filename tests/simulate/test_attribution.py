"""The three parts of a rate's error: each seen alone, and their sum for random input."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.graph import IF, LIF, Graph, Input, Output, Reset
from snnc.simulate import RateError, attribute_errors


def error_of(currents: list[float], neuron: IF, batch: int = 4) -> RateError:
    graph = Graph("g").add("in", Input((1,))).add("p", neuron, "in").add("out", Output(), "p")
    x = np.array(currents)[None, :, None]
    return attribute_errors(graph, x, len(currents), batch=batch)["p"]


def parts(error: RateError) -> tuple[float, float, float]:
    return error.clipping.item(), error.flooring.item(), error.arrival.item()


def test_more_than_a_spike_a_tick_is_clipped() -> None:
    assert parts(error_of([1.5] * 4, IF())) == (-0.5, 0.0, 0.0)


def test_what_is_left_below_the_threshold_is_floored() -> None:
    assert parts(error_of([0.375] * 4, IF())) == (0.0, -0.125, 0.0)
    assert parts(error_of([0.375] * 4, IF(initial_voltage=0.5))) == (0.0, 0.125, 0.0)


def test_charge_taken_back_too_late_is_uneven_arrival() -> None:
    assert parts(error_of([1, 1, -1, -1], IF())) == (0.0, 0.0, 0.5)


def test_charge_that_comes_too_late_to_be_fired_is_uneven_arrival() -> None:
    assert parts(error_of([0, 0, 0, 3], IF())) == (0.0, 0.0, -0.5)


def test_negative_charge_has_no_error_if_nothing_is_fired() -> None:
    assert parts(error_of([-0.5] * 4, IF())) == (0.0, 0.0, 0.0)


EIGHTHS = st.integers(-16, 24).map(lambda number: number / 8)


@settings(deadline=None, max_examples=100)
@given(st.lists(EIGHTHS, min_size=1, max_size=16), st.integers(1, 16), st.integers(0, 15))
def test_the_parts_sum_to_the_error(currents: list[float], threshold: int, initial: int) -> None:
    theta, start = threshold / 8, min(initial, threshold - 1) / 8
    error = error_of(currents, IF(theta, initial_voltage=start))
    count, v = 0, start
    for z in currents:
        v += z
        if v >= theta:
            count, v = count + 1, v - theta
    ticks = len(currents)
    assert np.isclose(error.total.item(), (count - max(0.0, sum(currents) / theta)) / ticks)
    assert error.clipping.item() <= 0
    assert abs(error.flooring.item()) * ticks < 1
    if 0 <= v < theta:
        assert error.arrival.item() == 0


def test_only_populations_with_reset_by_subtraction_have_an_attribution() -> None:
    graph = Graph("g").add("in", Input((2,))).add("a", IF(), "in").add("b", IF(reset=Reset.ZERO), "a")
    graph = graph.add("c", LIF(), "b").add("d", IF(2), "c").add("out", Output(), "d")
    x = np.random.default_rng(0).random((5, 2))
    found, at_once = attribute_errors(graph, x, 9, batch=2), attribute_errors(graph, x, 9, batch=5)
    assert set(found) == {"a", "d"}
    assert all((found[name].total == at_once[name].total).all() for name in found)
    assert found["a"].total.shape == (5, 2)
    assert attribute_errors(graph, x[:0], 9) == {}
