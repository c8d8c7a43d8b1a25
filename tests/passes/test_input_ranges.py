"""Features and channels of unlike ranges get scales and offsets of their own; others share one as before."""

from __future__ import annotations

import numpy as np
import pytest

import snnc
from snnc.graph import Bias, Conv, Flatten, Graph, Input, Linear, Output, Relu, Scale, evaluate
from snnc.passes import ScaleInput
from snnc.pipeline import Context

RNG = np.random.default_rng(0)


def network(shape: tuple[int, ...], low: np.ndarray, width: np.ndarray) -> Graph:
    """A network for features or channels from ``low`` on, each as wide as ``width``, all of which matter alike."""
    rng = np.random.default_rng(1)
    graph = Graph("net").add("in", Input(shape)).add("low", Bias(-low.astype(np.float32)), "in")
    graph = graph.add("width", Scale((1 / width).astype(np.float32)), "low")
    if len(shape) == 3:
        conv = Conv(rng.normal(0, 0.3, (4, shape[0], 3, 3)).astype(np.float32), None, pads=((1, 1), (1, 1)))
        graph = graph.add("first", conv, "width").add("relu", Relu(), "first").add("flat", Flatten(), "relu")
        size, last = 4 * shape[1] * shape[2], "flat"
    else:
        graph = graph.add("first", Linear(rng.normal(0, 0.5, (16, *shape)).astype(np.float32)), "width")
        graph, size, last = graph.add("relu", Relu(), "first"), 16, "relu"
    head = Linear(rng.normal(0, 0.5, (3, size)).astype(np.float32), None)
    return graph.add("head", head, last).add("out", Output(), "head")


def samples(shape: tuple[int, ...], low: np.ndarray, width: np.ndarray) -> np.ndarray:
    return (low + width * RNG.random((256, *shape))).astype(np.float32)


CASES = {
    "unlike": ((6,), np.zeros(6), np.array([1.0, 1, 1, 1e3, 1e4, 1e3])),
    "far": ((6,), np.full(6, 300.0), np.ones(6)),
    "below": ((6,), np.full(6, -300.0), np.ones(6)),
    "signed": ((6,), np.array([-1.0, -1, -1, -900, 0, 0]), np.array([2.0, 2, 2, 1000, 1000, 1])),
    "channels": ((2, 5, 5), np.array([0.0, 200.0]).reshape(2, 1, 1), np.array([1.0, 500.0]).reshape(2, 1, 1)),
}


@pytest.mark.parametrize("target", ["loihi", "truenorth"])
@pytest.mark.parametrize("case", CASES)
def test_unlike_ranges_on_a_chip(case: str, target: str) -> None:
    """An error below 0.02 with weights of 8 bits, where one scale for all gives 0.3 and more."""
    shape, low, width = CASES[case]
    graph, x = network(shape, low, width), samples(shape, low, width)
    compiled = snnc.compile(graph, target, calibration=x, ticks=64, balance="data")
    assert "N108" in [diagnostic.code for diagnostic in compiled.diagnostics]
    wanted = evaluate(graph, x.astype(np.float64))
    found = compiled.run(x, 256).output
    limit = 0.02 if target == "loihi" else 0.1
    assert np.abs(found - wanted).max() < limit * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("low", "width"),
    [(np.zeros(6), np.ones(6)), (np.zeros(6), np.linspace(1, 3, 6)), (np.full(6, -1), np.full(6, 2))],
)
def test_ranges_alike_share_one_scale(low: np.ndarray, width: np.ndarray) -> None:
    graph, x = network((6,), low, width), samples((6,), low, width)
    context = Context(x)
    found = ScaleInput()(graph, context)
    assert not context.diagnostics
    unit = [node for node in found.of_type(Scale) if node.name == "in.unit"]
    assert all(np.size(node.operator.factor) == 1 for node in unit)  # type: ignore[attr-defined]


def test_a_feature_that_says_nothing_counts_for_nothing() -> None:
    """A narrow feature beside a wide one, with weights as small: rounding it away changes no answer."""
    weight = np.array([[1.0, 1.0], [-1.0, 0.5]], np.float32)
    graph = (
        Graph("net").add("in", Input((2,))).add("dense", Linear(weight), "in").add("out", Output(), "dense")
    )
    x = (RNG.random((100, 2)) * [1.0, 1e-4]).astype(np.float32)
    context = Context(x)
    ScaleInput()(graph, context)
    assert not context.diagnostics
