"""Models that float32 itself computes with few digits are accepted; wrong imports and passes are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx_nets import OnnxNet, run

import snnc
from snnc.errors import ModelError, PassError
from snnc.formats.onnx import read_model
from snnc.formats.onnx.handlers import normalise
from snnc.graph import Bias, Graph, Scale, evaluate
from snnc.passes import ScaleInput
from snnc.pipeline import Context, Pipeline
from snnc.validation import Validation

RNG = np.random.default_rng(0)


def around(mean: float, count: int = 64) -> np.ndarray:
    """Samples of 8 features that vary by 1 around a mean."""
    return (mean + np.random.default_rng(7).normal(0, 1, (count, 8))).astype(np.float32)


def normalising(mean: float, *, as_bias: bool) -> OnnxNet:
    """A normalisation for features around ``mean``, then two layers."""
    rng = np.random.default_rng(1)
    net = OnnxNet((8,))
    if as_bias:
        net.step("Sub", "x", net.constant(np.full(8, mean)))
        net.step("Mul", net.tip, net.constant(rng.uniform(0.5, 1.5, 8)))
    else:
        ones = net.constant(np.ones(8))
        net.step(
            "BatchNormalization", "x", ones, net.constant(np.zeros(8)), net.constant(np.full(8, mean)), ones
        )
    net.step("Gemm", net.tip, net.constant(rng.normal(0, 0.4, (8, 32))), net.constant(rng.normal(0, 0.1, 32)))
    net.step("Relu")
    net.step("Gemm", net.tip, net.constant(rng.normal(0, 0.3, (32, 3))))
    return net


@pytest.mark.parametrize("as_bias", [True, False])
@pytest.mark.parametrize("mean", [1e3, 1e4, 1e5])
def test_features_of_a_large_mean(mean: float, as_bias: bool) -> None:
    """Onnxruntime and float64 differ by 1e-4 and more, and import and compilation go on."""
    model, x = normalising(mean, as_bias=as_bias).model(), around(mean)
    graph = read_model(model, x).graph
    wanted = run(model, x)
    assert np.abs(evaluate(graph, x.astype(np.float64)) - wanted).max() < 0.05 * np.abs(wanted).max()
    if mean <= 1e3:
        snnc.compile(model, "loihi", calibration=x, ticks=16)


@pytest.mark.parametrize("wrong", [1.001, 1.1])
def test_a_wrong_rule_is_still_found(wrong: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch normalisation whose scale is off by a thousandth, in front of samples that float32 rounds by 1e-4."""
    kind = normalise.BatchNorm
    monkeypatch.setattr(normalise, "BatchNorm", lambda *a, **k: _scaled(kind(*a, **k), wrong))
    with pytest.raises(ModelError, match="M122"):
        read_model(normalising(1e3, as_bias=False).model(), around(1e3))


def _scaled(norm: object, factor: float) -> object:
    return replace(norm, gamma=np.asarray(norm.gamma) * factor)  # type: ignore[attr-defined, type-var]


def test_a_wrong_pass_is_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, x = read_model(normalising(1e3, as_bias=True).model()).graph, around(1e3)
    found = Pipeline([ScaleInput()], Validation())(graph, Context(x))
    assert len(found) >= len(graph)

    def wrong(self: ScaleInput, graph: Graph, context: Context) -> Graph:
        edit = graph.edit()
        for node in graph.of_type(Bias):
            edit.set(node.name, operator=Bias(np.asarray(node.operator.value) * 1.00001))  # type: ignore[attr-defined]
        return edit.done()

    monkeypatch.setattr(ScaleInput, "__call__", wrong)
    with pytest.raises(PassError, match="P001"):
        Pipeline([ScaleInput()], Validation())(graph, Context(x))
    assert graph.of_type(Scale)


@pytest.mark.parametrize("opset", [9, 12, 13, 14, 15, 17])
def test_a_constant_batch_normalisation(opset: int) -> None:
    net = OnnxNet((4,), opset)
    values = ([[1, 2, -3, 4]], [1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4], [0, 1, 2, 3], [1, 4, 9, 16])
    net.add("BatchNormalization", *(net.constant(value) for value in values))
    net.add("Add", "x", net.tip)
    x = RNG.normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(evaluate(read_model(net.model()).graph, x), run(net.model(), x), rtol=1e-5)


@pytest.mark.parametrize("opset", [13, 17, 19])
def test_quantised_weights_are_constants(opset: int) -> None:
    net = OnnxNet((16,), opset)
    weight = net.constant(RNG.integers(-128, 128, (16, 3)), np.int8)
    net.add("DequantizeLinear", weight, net.constant(0.01), net.constant(3, np.int8))
    net.add("Gemm", "x", net.tip)
    x = RNG.normal(size=(5, 16)).astype(np.float32)
    np.testing.assert_allclose(evaluate(read_model(net.model()).graph, x), run(net.model(), x), rtol=1e-4)


def test_a_constant_that_cannot_be_computed_is_one_error_in_own_words() -> None:
    net = OnnxNet((16,))
    net.add("MatMul", net.constant(np.ones((3, 4))), net.constant(np.ones((3, 4))))
    net.add("Gemm", "x", net.tip)
    with pytest.raises(ModelError) as caught:
        read_model(net.model())
    (line,) = caught.value.details
    assert "cannot be computed" in line and "mismatch" not in line


@pytest.mark.parametrize("position", [0, 2, -1])
def test_one_number_of_the_answer(position: int) -> None:
    """v[:, i] has the shape (batch,)."""
    net = OnnxNet((8,))
    net.step("Gemm", "x", net.constant(np.random.default_rng(2).normal(size=(8, 3))))
    net.step("Gather", net.tip, net.constant(position, np.int64), axis=1)
    x = RNG.normal(size=(5, 8)).astype(np.float32)
    found, wanted = evaluate(read_model(net.model()).graph, x), run(net.model(), x)
    assert found.shape == wanted.shape == (5,)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
