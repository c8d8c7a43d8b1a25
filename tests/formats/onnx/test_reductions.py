"""Means, sums and maxima over any axes: equal to onnxruntime at import, and on the chips."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from onnx_nets import OnnxNet, run

import snnc
from snnc.formats.onnx import read_model
from snnc.graph import evaluate

SHAPE = (3, 4, 5)


def reducing(kind: str, axes: tuple[int, ...], keepdims: int, opset: int = 17, head: str = "Relu") -> OnnxNet:
    """An activation and a reduction over axes of (batch, 3, 4, 5)."""
    net = OnnxNet(SHAPE, opset)
    net.step(head)
    if opset >= 18 or (kind == "ReduceSum" and opset >= 13):
        net.step(kind, net.tip, net.constant(axes, np.int64), keepdims=keepdims)
    else:
        net.step(kind, axes=list(axes), keepdims=keepdims)
    return net


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("kind", ["ReduceMean", "ReduceSum", "ReduceMax"])
@pytest.mark.parametrize("opset", [11, 18])
def test_any_axes_at_import(kind: str, keepdims: int, opset: int) -> None:
    x = np.random.default_rng(2).uniform(-1, 1, (6, *SHAPE)).astype(np.float32)
    for count in (1, 2, 3):
        for axes in combinations(range(1, 4), count):
            model = reducing(kind, axes, keepdims, opset).model()
            expected = run(model, x)
            found = evaluate(read_model(model).graph, x)
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("target", ["loihi", "truenorth"])
@pytest.mark.parametrize(
    ("kind", "keepdims"), [("ReduceMean", 0), ("ReduceMean", 1), ("ReduceSum", 0), ("ReduceMax", 1)]
)
def test_over_channels_and_space_on_a_chip(kind: str, keepdims: int, target: str) -> None:
    net = reducing(kind, (1, 2, 3), keepdims)
    net.step("Reshape", net.tip, net.constant([-1, 1], np.int64))
    net.step("Mul", net.tip, net.constant([[1.0, -0.5]]))
    model = net.model()
    x = np.random.default_rng(3).uniform(0, 1, (20, *SHAPE)).astype(np.float32)
    expected = run(model, x)
    found = snnc.compile(model, target, calibration=x, weight_bits=4).run(x, 256).output
    assert found.shape == expected.shape
    tolerance = 0.1 if kind == "ReduceMax" else 0.03  # a maximum of 60 rates takes many ticks to settle
    assert np.abs(found - expected).max() < tolerance * np.abs(expected).max()


@pytest.mark.parametrize("kind", ["GlobalAveragePool", "GlobalMaxPool"])
def test_pooling_over_three_axes_of_space(kind: str) -> None:
    net = OnnxNet((2, 2, 3, 2))
    net.step("Relu")
    net.step(kind)
    net.step("Flatten")
    x = np.random.default_rng(4).uniform(0, 1, (20, 2, 2, 3, 2)).astype(np.float32)
    expected = run(net.model(), x)
    found = snnc.compile(net.model(), "loihi", calibration=x).run(x, 256).output
    assert np.abs(found - expected).max() < 0.03 * np.abs(expected).max()
