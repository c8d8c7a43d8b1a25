"""Each rule by which networks of steps are brought to one spelling, on the smallest network at which it applies."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from snnc.graph import Add, Bias, Clip, Flatten, Graph, Input, MaxPool, Output, Relu, Scale, Step, evaluate
from snnc.graph.operators.base import Operator
from snnc.graph.rewrite import Draft
from snnc.targets.truenorth.extrema import extremum_rules
from snnc.targets.truenorth.steps import simplified

HALF = Step(np.array(0.5, np.float32))
ZERO = Step(np.array(0.0, np.float32))
POOL = MaxPool((2,), (2,))
MINUS = Scale(np.array(-1.0, np.float32))
TWO = Scale(np.array(2.0, np.float32))
ONE = Bias(np.array(1.0, np.float32))


def network(*nodes: tuple[str, Operator, str]) -> Graph:
    """Nodes as (name, operator, names that it reads); the last one is the answer."""
    graph = Graph("steps").add("x", Input((2, 4)))
    for name, operator, inputs in nodes:
        graph = graph.add(name, operator, *inputs.split())
    return graph.add("out", Output(), nodes[-1][0])


def kinds(graph: Graph) -> Counter[str]:
    return Counter(type(node.operator).__name__ for node in graph) - Counter(["Input", "Output"])


@pytest.mark.parametrize(
    ("nodes", "left"),
    [
        (
            [("s", HALF, "x"), ("m", MINUS, "x"), ("d", Add(), "s m"), ("a", Add(), "x d")],
            {"Step": 1},
        ),
        ([("a", HALF, "x"), ("b", HALF, "x"), ("sum", Add(), "a b")], {"Step": 1, "Scale": 1}),
        (
            [("a", ZERO, "x"), ("m", MINUS, "x"), ("b", ZERO, "m"), ("sum", Add(), "a b")],
            {"Step": 2, "Scale": 1, "Add": 1, "Bias": 1},
        ),
        ([("s", HALF, "x"), ("t", TWO, "s"), ("m", Bias(-ONE.value), "t"), ("r", Relu(), "m")], {"Step": 1}),
        ([("c", Clip(-1.0, 1.0), "x"), ("s", HALF, "c")], {"Step": 1}),
        (
            [("s", HALF, "x"), ("t", TWO, "s"), ("m", Bias(-ONE.value), "t"), ("p", POOL, "m")],
            {"Conv": 1, "Step": 2, "Scale": 1, "Bias": 1},
        ),
        ([("s", HALF, "x"), ("p", POOL, "s"), ("f", Flatten(), "p")], {"Step": 2, "Conv": 1, "Flatten": 1}),
    ],
    ids=[
        "cancelled",
        "twins",
        "turned",
        "activation of a sum",
        "behind a clip",
        "maximum of a sum",
        "maximum",
    ],
)
def test_a_spelling(nodes: list[tuple[str, Operator, str]], left: dict[str, int]) -> None:
    graph = network(*nodes)
    result = simplified(graph)
    assert kinds(result) == left
    x = np.random.default_rng(0).normal(size=(50, 2, 4)).astype(np.float32)
    np.testing.assert_allclose(evaluate(result, x), evaluate(graph, x), atol=1e-6)


def test_a_maximum_goes_behind_what_turns_a_channel_and_is_its_minimum() -> None:
    """It is counted there: one spike for the maximum, all of the window for the minimum."""
    turned = Scale(np.array([[2.0], [-3.0]], np.float32))
    graph = network(("p", POOL, "x"), ("t", turned, "p"), ("s", HALF, "t"))
    draft, lowest = Draft(graph), dict[str, np.ndarray]()
    counted, passed = extremum_rules(lowest)
    assert not draft.apply([counted])
    assert draft.apply([passed])
    assert list(lowest) == ["s.maximum"] and lowest["s.maximum"].tolist() == [False, True]
    assert draft.apply([counted], draft.names) and not lowest
    result = draft.done()
    threshold = result["s.maximum"].operator
    assert isinstance(threshold, Step) and np.ravel(threshold.threshold).tolist() == [1, 1, 2, 2]
    x = np.random.default_rng(1).normal(size=(50, 2, 4)).astype(np.float32)
    np.testing.assert_array_equal(evaluate(result, x), evaluate(graph, x))
