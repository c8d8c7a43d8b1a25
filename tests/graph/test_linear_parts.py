"""What linear maps mean, asked of the operators' own evaluation by numbers in place of spikes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from snnc.graph import Graph, Input, Linear, Output
from snnc.graph.linear_parts import LinearParts
from snnc.graph.neurons import IF, SpikeSource
from snnc.graph.operators import Add, Bias, Concat, Conv, Delay, Flatten, Gather, Scale, Transpose

RANDOM = np.random.default_rng(4)
FIRST, SECOND, BACK = (RANDOM.integers(-9, 10, (3, 3)) for _ in range(3))
BIAS = np.array([5.0, -2.0, 0.0])


def network() -> Graph:
    """Two sources, one of them also late, a cycle, and an answer behind maps."""
    return (
        Graph("maps")
        .add("x", Input((3,)))
        .add("a", SpikeSource(), "x")
        .add("b", SpikeSource(), "x")
        .add("first", Linear(FIRST), "a")
        .add("late", Delay(4), "both")
        .add("both", Add(), "first", "b")
        .add("second", Linear(SECOND), "late")
        .add("constant", Bias(BIAS), "second")
        .add("n", IF(np.array(3.0)), "constant", "back", "b")
        .add("back", Linear(BACK), "later")
        .add("later", Delay(1), "n")
        .add("o", IF(np.array(3.0)), "back")
        .add("read", Linear(FIRST[:2]), "o")
        .add("out", Output(), "read")
    )


def numbers(source: str, age: int) -> np.ndarray:
    """Three rows that tell sources and ages apart."""
    return np.random.default_rng([*map(ord, source), age]).integers(-50, 50, (3, 3)).astype(float)


def test_the_sums_of_a_network_written_out_by_hand() -> None:
    """Delays add up, a constant is no spike, and within a cycle a spike takes a tick of its own."""
    found = {sums.reader.name: sums for sums in LinearParts(network()).sums(["n", "o", "out"], numbers)}
    a, b, n = numbers("a", 4), numbers("b", 4), numbers("n", 2)
    expected = (a @ FIRST.T + b) @ SECOND.T + n @ BACK.T + numbers("b", 0)
    np.testing.assert_array_equal(found["n"].linear, expected)
    np.testing.assert_array_equal(found["n"].constant, BIAS)
    np.testing.assert_array_equal(found["o"].linear, numbers("n", 1) @ BACK.T)
    np.testing.assert_array_equal(found["out"].linear, numbers("o", 0) @ FIRST[:2].T)
    assert not found["o"].constant.any()


def test_sources_and_their_ticks() -> None:
    parts = LinearParts(network())
    assert parts.sources("n") == {("a", 4), ("b", 4), ("b", 0), ("n", 2)}
    assert parts.sources("o") == {("n", 1)}
    assert parts.sources("a") == frozenset()
    assert parts.host("a") == ("x",) and parts.host("n") == ()


def test_values_of_the_host_are_named() -> None:
    graph = network().add("scaled", Scale(np.array(2.0)), "x").add("mixed", Add(), "first", "scaled")
    graph = graph.add("m", IF(np.array(3.0)), "scaled", "mixed").add("out2", Output(), "m")
    parts = LinearParts(graph)
    assert parts.host("m") == ("scaled",) and parts.sources("m") == {("a", 0)}
    (sums,) = parts.sums(["m"], numbers)
    np.testing.assert_array_equal(sums.linear, numbers("a", 0) @ FIRST.T)


def chained(maps: Sequence[object], shape: tuple[int, ...]) -> Graph:
    graph = Graph("chain").add("x", Input(shape)).add("a", SpikeSource(), "x")
    last = "a"
    for number, operator in enumerate(maps):
        graph, last = graph.add(f"m{number}", operator, last), f"m{number}"
    return graph.add("n", IF(np.array(3.0)), last).add("out", Output(), "n")


CHAINS = [
    (
        (2, 5, 6),
        [Transpose((0, 2, 1)), Conv(RANDOM.integers(-5, 6, (3, 2, 3, 2)), None, (2, 1), ((1, 0), (1, 1)))],
    ),
    ((2, 5, 6), [Conv(RANDOM.integers(-5, 6, (4, 1, 3, 3)), np.arange(4), groups=2), Flatten()]),
    ((6,), [Gather(np.array([5, 0, 3]), (6,)), Linear(RANDOM.integers(-5, 6, (2, 3)))]),
]


@pytest.mark.parametrize(("shape", "maps"), CHAINS)
def test_maps_entry_by_entry(shape: tuple[int, ...], maps: Sequence[object]) -> None:
    """A spike of one neuron at a time gives a column of the whole map."""
    graph, size = chained(maps, shape), int(np.prod(shape))
    (sums,) = LinearParts(graph).sums(["n"], lambda source, age: np.eye(size))
    value = np.concatenate([np.eye(size), np.zeros((1, size))]).reshape(-1, *shape)
    for operator in maps:
        value = operator.evaluate(value)  # type: ignore[attr-defined]
    flat = value.reshape(size + 1, -1)
    np.testing.assert_array_equal(sums.linear, flat[:-1] - flat[-1])
    np.testing.assert_array_equal(sums.constant, flat[-1])


def test_branches_that_join_are_summed() -> None:
    graph = network().add("twice", Concat(), "first", "b").add("m", IF(np.array(1.0)), "twice")
    (sums,) = LinearParts(graph.add("out2", Output(), "m")).sums(["m"], numbers)
    np.testing.assert_array_equal(sums.linear[:, :3], numbers("a", 0) @ FIRST.T)
    np.testing.assert_array_equal(sums.linear[:, 3:], numbers("b", 0))


def test_the_largest_sum_bounds_all_of_them() -> None:
    parts = LinearParts(network())
    bound = parts.largest_sum(["n", "o"])
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1).T
    for sums in parts.sums(["n", "o"], lambda source, age: signs):
        assert np.abs(sums.linear + sums.constant).max() <= bound
    weights = np.abs(SECOND) @ (np.abs(FIRST).sum(axis=1) + 1) + np.abs(BACK).sum(axis=1) + 1 + np.abs(BIAS)
    assert bound >= weights.max()
