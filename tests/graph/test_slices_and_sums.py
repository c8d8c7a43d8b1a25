"""Slice, Split and Sum in one network: equal to onnxruntime, exported, and run on both chips."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx_nets import OnnxNet, run

import snnc
from snnc.formats.onnx import export_onnx
from snnc.graph import evaluate

RNG = np.random.default_rng(4)


def uniform(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def network() -> onnx.ModelProto:
    """A map, its channels split in three unequal parts, every second column of one, and the sum of all."""
    net = OnnxNet((2, 6, 6))
    net.step("Conv", net.tip, net.constant(uniform(7, 2, 3, 3) / 2), net.constant(uniform(7) / 4))
    whole = net.step("Relu")
    net.nodes.append(onnx.helper.make_node("Split", [whole, sizes(net)], ["a", "b", "c"], axis=1))
    a, b, c = np.split(net.values[whole], [2, 4], axis=1)
    net.values |= {"a": a, "b": b, "c": c}
    part = net.step("Slice", "c", *(net.constant([n], np.int64) for n in (0, 2, 1)))
    net.step("Sum", "a", "b", part)
    net.step("Slice", net.tip, *(net.constant([n], np.int64) for n in (-1, -9, 3, -2)))
    net.step("Flatten")
    net.step("Gemm", net.tip, net.constant(uniform(int(np.prod(net.shape)), 3) / 2))
    return net.model()


def sizes(net: OnnxNet) -> str:
    return net.constant([2, 2, 3], np.int64)


def test_it_imports_and_exports_equal_to_onnxruntime() -> None:
    model = network()
    graph = snnc.import_onnx(model)
    x = uniform(5, 2, 6, 6)
    np.testing.assert_allclose(evaluate(graph, x), run(model, x), atol=1e-5)
    np.testing.assert_allclose(run(export_onnx(graph), x), run(model, x), atol=1e-5)


@pytest.mark.parametrize("target", ["loihi", "truenorth"])
def test_it_runs_on_a_chip(target: str) -> None:
    model = network()
    x = RNG.random((16, 2, 6, 6), np.float32)
    compiled = snnc.compile(model, target, calibration=x, ticks=128)
    wanted = run(model, x)
    error = np.abs(compiled.run(x, ticks=128).output - wanted).max() / np.abs(wanted).max()
    assert error < (0.05 if target == "loihi" else 0.3)
