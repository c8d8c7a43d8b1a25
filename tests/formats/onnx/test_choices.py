"""Bounds, larger and smaller values, constant masks and means of branches: equal to onnxruntime, and on a chip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx_nets import OnnxNet, run

import snnc
from snnc.formats.onnx import read_model
from snnc.graph import Clip, Graph, Relu, evaluate

X = np.random.default_rng(3).uniform(-1, 1, (200, 6)).astype(np.float32)
BOUNDS = [-0.3, 0.1, 0.2, 0.3, 0.6, 1.5]
MASK = [True, False, True, True, False, False]
Rest = Callable[[OnnxNet], object]


def branches(net: OnnxNet) -> tuple[str, str]:
    """Two functions of the input."""
    return net.step("Relu", "x"), net.step("Gemm", "x", net.constant(np.eye(6)[::-1] * 0.8))


RESTS: dict[str, Rest] = {
    "clip from above": lambda net: net.step("Clip", "x", "", net.constant(0.4)),
    "min": lambda net: net.step("Min", "x", net.constant(0.4)),
    "min and relu": lambda net: (net.step("Min", "x", net.constant(0.4)), net.step("Relu")),
    "relu and min": lambda net: (net.step("Relu", "x"), net.step("Min", net.constant(0.4), net.tip)),
    "min by feature": lambda net: net.step("Min", net.constant(BOUNDS), "x"),
    "max by feature": lambda net: net.step("Max", "x", net.constant(BOUNDS), net.constant(0.0)),
    "max of branches": lambda net: net.step("Max", *branches(net)),
    "min of branches": lambda net: net.step("Min", *branches(net), net.constant(0.5)),
    "leaky": lambda net: net.step("Max", "x", net.step("Mul", "x", net.constant(0.1))),
    "hard sigmoid": lambda net: net.step("HardSigmoid", "x", alpha=1 / 6, beta=0.5),
    "mask": lambda net: net.step("Where", net.constant(MASK, bool), "x", net.constant(0.25)),
    "mask of constant": lambda net: net.step("Where", net.constant(MASK, bool), net.constant(BOUNDS), "x"),
    "mask of branches": lambda net: net.step("Where", net.constant(MASK, bool), *branches(net)),
    "everywhere": lambda net: net.step("Where", net.constant([True], bool), "x", net.constant(0.0)),
    "nowhere": lambda net: net.step("Where", net.constant(False, bool), *branches(net)),
    "mean": lambda net: net.step("Mean", *branches(net)),
    "mean with constant": lambda net: net.step("Mean", *branches(net), net.constant(BOUNDS)),
    "mean of one": lambda net: net.step("Mean", "x"),
}


def made(rest: str) -> OnnxNet:
    net = OnnxNet((6,))
    RESTS[rest](net)
    net.step("Gemm", net.tip, net.constant(np.random.default_rng(1).normal(0, 0.5, (6, 3))))
    return net


def imported(rest: str) -> Graph:
    graph = read_model(made(rest).model()).graph
    np.testing.assert_allclose(evaluate(graph, X), run(made(rest).model(), X), atol=1e-5)
    return graph


@pytest.mark.parametrize("rest", RESTS)
def test_import(rest: str) -> None:
    imported(rest)


@pytest.mark.parametrize("rest", ["min and relu", "relu and min"])
def test_a_rectifier_bounded_from_above_is_one_clip(rest: str) -> None:
    graph = imported(rest)
    assert [(node.operator.low, node.operator.high) for node in graph.of_type(Clip)] == [
        (0.0, np.float32(0.4))
    ]
    assert not graph.of_type(Relu)


@pytest.mark.parametrize(
    "rest",
    ["clip from above", "min and relu", "min by feature", "max of branches", "hard sigmoid", "mask", "mean"],
)
def test_on_a_chip(rest: str) -> None:
    model = made(rest).model()
    wanted = run(model, X)
    found = snnc.compile(model, "loihi", calibration=X, ticks=128).run(X, 256).output
    assert np.abs(found - wanted).max() < 0.03 * np.abs(wanted).max()
