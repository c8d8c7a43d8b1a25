"""Each rule of folding on the smallest network at which it applies, and on the nearest at which it does not."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.graph import Bias, Conv, Flatten, Graph, Input, Linear, MaxPool, Output, Relu, Scale, evaluate
from snnc.graph.operators.base import Operator
from snnc.graph.rewrite import Draft, Rule
from snnc.passes._folding import INTO_MAP_BEFORE, INTO_MAPS_BEHIND, fold_elementwise

TWO = Scale(np.array([[2.0], [3.0]], np.float32))
ONE = Bias(np.array([[1.0], [-1.0]], np.float32))
SPATIAL = Scale(np.arange(1.0, 4.0, dtype=np.float32).reshape(1, 3))
CONV = Conv(np.arange(1.0, 5.0, dtype=np.float32).reshape(2, 2, 1))
PADDED = Conv(np.ones((2, 2, 3), np.float32), pads=((1, 1),))
DENSE = Linear(np.arange(12.0, dtype=np.float32).reshape(2, 6))
POOL = MaxPool((1,), (1,))


def chain(*operators: Operator) -> Graph:
    graph, last = Graph("chain").add("x", Input((2, 3))), "x"
    for number, operator in enumerate(operators):
        graph, last = graph.add(f"n{number}", operator, last), f"n{number}"
    return graph.add("out", Output(), last)


@pytest.mark.parametrize(
    ("rule", "at", "operators", "left"),
    [
        (INTO_MAP_BEFORE, 1, (CONV, TWO), 1),
        (INTO_MAP_BEFORE, 1, (CONV, ONE), 1),
        (INTO_MAP_BEFORE, 1, (CONV, SPATIAL), 2),
        (INTO_MAP_BEFORE, 2, (Linear(np.ones((4, 3), np.float32)), Flatten(), Scale(np.array(2.0))), 2),
        (INTO_MAP_BEFORE, 1, (Relu(), TWO), 2),
        (INTO_MAPS_BEHIND, 0, (TWO, CONV), 1),
        (INTO_MAPS_BEHIND, 0, (ONE, CONV), 1),
        (INTO_MAPS_BEHIND, 0, (ONE, PADDED), 2),
        (INTO_MAPS_BEHIND, 0, (TWO, PADDED), 1),
        (INTO_MAPS_BEHIND, 0, (TWO, POOL, CONV), 2),
        (INTO_MAPS_BEHIND, 0, (Scale(-TWO.factor), POOL, CONV), 3),
        (INTO_MAPS_BEHIND, 0, (ONE, POOL, CONV), 3),
        (INTO_MAPS_BEHIND, 0, (SPATIAL, Flatten(), DENSE), 2),
        (INTO_MAPS_BEHIND, 0, (TWO, Relu(), CONV), 3),
    ],
)  # fmt: skip
def test_a_rule(rule: Rule, at: int, operators: tuple[Operator, ...], left: int) -> None:
    graph = chain(*operators)
    draft = Draft(graph)
    draft.apply([rule], [f"n{at}"], only={f"n{at}"})
    result = draft.done()
    assert len(result) == left + 2
    x = np.random.default_rng(0).normal(size=(4, 2, 3))
    np.testing.assert_allclose(evaluate(result, x), evaluate(graph, x), rtol=1e-12)


def test_each_reader_is_folded_by_itself() -> None:
    graph = (
        Graph("two")
        .add("x", Input((2, 3)))
        .add("scale", TWO, "x")
        .add("conv", CONV, "scale")
        .add("relu", Relu(), "scale")
        .add("out", Output(), "conv")
        .add("second", Output(), "relu")
    )
    result = fold_elementwise(graph, ["scale"])
    assert result["conv"].inputs == ("x",) and result["relu"].inputs == ("scale",)
    weight = result["conv"].operator.coefficients()["weight"]
    np.testing.assert_array_equal(weight, CONV.weight * np.float32([[[2.0], [3.0]]]))
    assert weight.dtype == np.float32


def test_what_is_not_named_stays() -> None:
    graph = chain(CONV, TWO, ONE)
    assert len(fold_elementwise(graph, ["n1"])) == len(graph) - 1
    assert len(fold_elementwise(graph, ["n2"])) == len(graph)
