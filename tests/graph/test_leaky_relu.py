"""LeakyRelu: equal to onnxruntime's, written with two rectifiers, exported, and run on both chips."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_nets import OnnxNet, run

import snnc
from snnc.formats.onnx import export_onnx
from snnc.graph import Graph, Input, Linear, Output, evaluate
from snnc.graph.operators.leaky_relu import LeakyRelu
from snnc.passes import NormaliseClip
from snnc.pipeline import Context

RNG = np.random.default_rng(2)
SLOPES = {
    "LeakyRelu": None,
    "one slope": np.array([0.25]),
    "a slope a channel": np.array([0.1, -0.5, 1.5]).reshape(3, 1, 1),
    "a slope an element": RNG.uniform(-1, 1, (3, 4, 4)),
    "Abs": None,
}


def network(kind: str) -> onnx.ModelProto:
    net = OnnxNet((3, 4, 4))
    slope = SLOPES[kind]
    if slope is not None:
        net.step("PRelu", net.tip, net.constant(slope))
    elif kind == "Abs":
        net.step("Abs")
    else:
        net.step("LeakyRelu", alpha=0.2)
    net.step("Flatten")
    net.step("Gemm", net.tip, net.constant(RNG.uniform(-1, 1, (48, 4)) / 4))
    return net.model()


@pytest.mark.parametrize("kind", SLOPES)
def test_it_imports_and_exports_equal_to_onnxruntime(kind: str) -> None:
    model = network(kind)
    graph = snnc.import_onnx(model)
    assert graph.of_type(LeakyRelu)
    x = RNG.uniform(-1, 1, (5, 3, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(evaluate(graph, x), run(model, x), atol=1e-5)
    np.testing.assert_allclose(run(export_onnx(graph), x), run(model, x), atol=1e-5)


def test_slopes_of_0_and_1_are_a_relu_and_nothing() -> None:
    net = OnnxNet((3,))
    net.step("LeakyRelu", alpha=0.0)
    net.step("LeakyRelu", alpha=1.0)
    assert not snnc.import_onnx(net.model()).of_type(LeakyRelu)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize(("kind", "factor"), [("Max", 0.1), ("Max", -1.0), ("Max", -3.0), ("Min", 2.0)])
def test_the_extreme_of_a_value_and_its_multiple(kind: str, factor: float, order: int) -> None:
    net = OnnxNet((6,))
    value = net.step("Gemm", net.tip, net.constant(RNG.uniform(-1, 1, (6, 5))))
    times = net.step("Mul", value, net.constant(np.array(factor)))
    net.step(kind, *((value, times) if order else (times, value)))
    graph = snnc.import_onnx(net.model())
    assert graph.of_type(LeakyRelu)
    snnc.compile(net.model(), "loihi", ticks=4)
    x = RNG.uniform(-1, 1, (5, 6)).astype(np.float32)
    np.testing.assert_allclose(evaluate(graph, x), run(net.model(), x), atol=1e-5)


def leaky(slope: np.ndarray) -> Graph:
    return Graph("g").add("x", Input((2, 3))).add("l", LeakyRelu(slope), "x").add("out", Output(), "l")


@given(st.lists(st.floats(-3, 3, width=32), min_size=3, max_size=3), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_two_rectifiers_give_the_same(slopes: list[float], seed: int) -> None:
    graph = leaky(np.array(slopes, np.float32))
    x = np.random.default_rng(seed).normal(size=(4, 2, 3)).astype(np.float32)
    written = NormaliseClip()(graph, Context())
    assert not written.of_type(LeakyRelu)
    np.testing.assert_allclose(evaluate(written, x), evaluate(graph, x), rtol=1e-6, atol=1e-6)
    low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
    lowest, highest = LeakyRelu(np.array(slopes)).bounds((low, high))
    between = evaluate(graph, (low + (high - low) * np.linspace(0, 1, 9).reshape(9, 1, 1)).astype(np.float32))
    assert (between >= lowest - 1e-6).all() and (between <= highest + 1e-6).all()


@pytest.mark.parametrize("target", ["loihi", "truenorth"])
def test_it_runs_on_a_chip(target: str) -> None:
    graph = Graph("g").add("x", Input((8,)))
    graph = graph.add("a", Linear(RNG.normal(size=(12, 8)).astype(np.float32) / 2), "x")
    graph = graph.add("l", LeakyRelu(np.linspace(-1, 0.5, 12, dtype=np.float32)), "a")
    graph = graph.add("b", Linear(RNG.normal(size=(3, 12)).astype(np.float32) / 3), "l").add(
        "out", Output(), "b"
    )
    x = RNG.random((32, 8), np.float32)
    compiled = snnc.compile(graph, target, calibration=x, ticks=128)
    wanted = evaluate(graph, x)
    error = np.abs(compiled.run(x, ticks=128).output - wanted).max() / np.abs(wanted).max()
    assert error < (0.03 if target == "loihi" else 0.15)
