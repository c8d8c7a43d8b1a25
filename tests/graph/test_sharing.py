"""Sharing of weights: what changes with a row of a weight is a class, wherever reshapes have put it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import snnc
from snnc.graph import (
    Add,
    Bias,
    Conv,
    Flatten,
    Gather,
    Graph,
    Input,
    Linear,
    Node,
    Operator,
    Output,
    Pad,
    Relu,
    Reshape,
    Scale,
    Transpose,
    evaluate,
)
from snnc.graph.operators.sharing import Sharing, joined

RNG = np.random.default_rng(5)
SHAPE = (3, 4, 5)


def weighted(rows: int = 3) -> list[Operator]:
    return [
        Conv(RNG.uniform(0.5, 1, (rows, 3, 1, 1)), RNG.uniform(0.5, 1, rows)),
        Linear(RNG.uniform(0.5, 1, (5, 5)), RNG.uniform(0.5, 1, 5)),
    ]


@pytest.mark.parametrize("axis", range(3))
def test_values_of_classes_are_spread_along_their_axis(axis: int) -> None:
    spread = Sharing(SHAPE, axis).spread(np.arange(SHAPE[axis]))
    assert np.array_equal(np.broadcast_to(spread, SHAPE), np.indices(SHAPE)[axis])


MOVES: list[list[Operator]] = [
    [],
    [Flatten()],
    [Transpose((2, 0, 1))],
    [Reshape((4, 15)), Transpose((1, 0))],
    [Scale(np.array(2.0)), Transpose((1, 2, 0)), Flatten()],
    [Bias(np.array(2.0)), Gather(RNG.permutation(60)[:50].reshape(5, 10), SHAPE)],
    [Pad(((0, 1), (1, 0), (0, 0)))],
]


def chain(operators: list[Operator]) -> Graph:
    graph, last = Graph("g").add("x", Input(SHAPE)), "x"
    for number, operator in enumerate(operators):
        graph, last = graph.add(f"n{number}", operator, last), f"n{number}"
    return graph.add("out", Output(), last)


@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize("first", [0, 1])
def test_what_follows_a_row_of_the_weight_is_one_class(moves: list[Operator], first: int) -> None:
    operator: Any = weighted()[first]
    graph, x = chain([operator, *moves]), RNG.uniform(0.5, 1, (1, *SHAPE))
    labels = graph.sharing["out" if not moves else f"n{len(moves)}"].written_out() if moves else None
    labels = graph.sharing["n0"].written_out() if labels is None else labels
    before = evaluate(graph, x)[0]
    followed = np.zeros(before.shape, bool)
    for row in range(len(operator.weight)):
        weight = operator.weight.copy()
        weight[row] += 1
        moved = evaluate(chain([replace(operator, weight=weight), *moves]), x)[0] != before
        followed |= moved
        own = set(labels[moved].tolist())
        assert len(own) == 1 and -1 not in own
        assert np.array_equal(labels == own.pop(), moved)
    assert ((labels == -1) == ~followed).all()


@given(st.lists(st.lists(st.integers(-1, 4), min_size=8, max_size=8), min_size=1, max_size=3))
@settings(deadline=None, max_examples=100)
def test_a_sum_shares_what_any_term_shares(terms: list[list[int]]) -> None:
    """Against sets that are merged while they overlap."""
    groups = [{i} for i in range(8)]
    for term in terms:
        for label in set(term) - {-1}:
            members = {i for i, own in enumerate(term) if own == label}
            touched = [group for group in groups if group & members]
            groups = [group for group in groups if not group & members] + [set().union(*touched)]
    whole = joined([Sharing((8,), labels=np.array(term)) for term in terms]).written_out()
    for group in groups:
        assert len({int(whole[i]) for i in group}) == 1 or len(group) == 1
    assert len({int(whole[min(group)]) for group in groups}) >= 1
    for first in groups:
        for second in groups:
            same = whole[min(first)] == whole[min(second)] != -1
            assert same == (first is second) or (first is second and len(first) == 1)


@given(st.lists(st.integers(0, 3), min_size=12, max_size=12), st.integers(0, 99))
@settings(deadline=None, max_examples=50)
def test_classes_by_channel_hold_every_element_of_a_class(labels: list[int], seed: int) -> None:
    given_labels = np.array(labels).reshape(3, 4)
    sharing = Sharing((3, 4), labels=given_labels).by_channel()
    numbers = np.broadcast_to(sharing.spread(np.arange(sharing.count)), (3, 4))
    for label in set(labels):
        assert len(set(numbers[given_labels == label].tolist())) == 1
    values = np.random.default_rng(seed).random((2, 3, 4))
    rows = sharing.rows(values)
    for number in range(sharing.count):
        wanted = np.sort(values[:, numbers == number].ravel())
        assert np.array_equal(np.sort(rows[number])[-wanted.size :], wanted)
        assert not np.sort(rows[number])[: -wanted.size].any()


def points() -> Graph:
    """A Linear over points, then features of all of them."""
    graph = (
        Graph("points")
        .add("x", Input((12, 3)))
        .add("a", Linear(RNG.normal(size=(6, 3)), RNG.normal(size=6)), "x")
    )
    graph = graph.add("r", Relu(), "a").add("flat", Flatten(), "r")
    return graph.add("b", Linear(RNG.normal(size=(4, 72)) / 8, RNG.normal(size=4)), "flat").add(
        "out", Output(), "b"
    )


def flattened() -> Graph:
    """A rectifier behind the Flatten of a convolution, and a second branch of another layout."""
    graph = Graph("flattened").add("x", Input((2, 6, 6)))
    graph = graph.add("c", Conv(RNG.normal(size=(5, 2, 3, 3)) / 3, RNG.normal(size=5)), "x").add(
        "f", Flatten(), "c"
    )
    graph = graph.add("d", Conv(RNG.normal(size=(4, 2, 2, 2)) / 3, None, (1, 1)), "x").add(
        "df", Flatten(), "d"
    )
    graph = graph.add("t", Linear(RNG.normal(size=(80, 100)) / 20), "df").add("sum", Add(), "f", "t")
    graph = graph.add("r", Relu(), "sum")
    return graph.add("b", Linear(RNG.normal(size=(4, 80)) / 8, RNG.normal(size=4)), "r").add(
        "out", Output(), "b"
    )


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("make", [points, flattened])
def test_rectifiers_behind_reshapes_keep_their_channels_on_loihi(make: Any, bits: int) -> None:
    graph = make()
    graph = Graph(graph.name, (Node(n.name, as_float32(n.operator), n.inputs) for n in graph))
    x = RNG.random((16, *graph.shapes["x"]), np.float32)
    compiled = snnc.compile(graph, "loihi", calibration=x, ticks=64, weight_bits=bits)
    wanted = evaluate(graph, x)
    error = np.abs(compiled.run(x, ticks=64).output - wanted).max() / np.abs(wanted).max()
    assert error < (0.03 if bits == 8 else 0.25)


def as_float32(operator: Any) -> Operator:
    changes = {
        name: getattr(operator, name).astype(np.float32)
        for name in ("weight", "bias")
        if getattr(operator, name, None) is not None
    }
    return replace(operator, **changes) if changes else operator
