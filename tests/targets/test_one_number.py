"""A network that answers one number a sample, of shape (batch,): on both chips, saved, and evaluated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_nets import OnnxNet, run

import snnc
from snnc.simulate import simulate

X = np.random.default_rng(3).random((60, 8), np.float32)


def network(last: str) -> onnx.ModelProto:
    """Two layers, of which the answer is an element of the last or its only one without its axis."""
    rng = np.random.default_rng(1)
    outputs = 3 if last == "Gather" else 1
    net = OnnxNet((8,))
    net.step("Gemm", "x", net.constant(rng.normal(0, 0.4, (8, 16))), net.constant(rng.normal(0, 0.1, 16)))
    net.step("Relu")
    net.step("Gemm", net.tip, net.constant(rng.normal(0, 0.4, (16, outputs))))
    if last == "Gather":
        net.step("Gather", net.tip, net.constant(2, np.int64), axis=1)
    else:
        net.step("Squeeze", net.tip, net.constant([1], np.int64))
    return net.model()


@pytest.mark.parametrize("target", ["loihi", "truenorth"])
@pytest.mark.parametrize("last", ["Gather", "Squeeze"])
def test_one_number_a_sample(last: str, target: str, tmp_path: Path) -> None:
    model = network(last)
    wanted = run(model, X)
    assert wanted.shape == (60,)
    compiled = snnc.compile(model, target, calibration=X, ticks=64)
    trace = compiled.run(X, record=("spikes", "voltage", "output"))
    assert trace.output.shape == (60,) and trace.output_by_tick.shape == (60, 64)
    assert np.abs(trace.output - wanted).max() < (0.03 if target == "loihi" else 0.12) * np.abs(wanted).max()
    graph = simulate(compiled.graph, X, 64, record=("voltage",))
    np.testing.assert_equal(trace.outputs, graph.outputs)
    for name, values in trace.voltage.items():
        if name in graph.voltage and values.dtype.kind == "i":
            np.testing.assert_array_equal(values, graph.voltage[name])
    compiled.save(tmp_path / "one.snnc")
    loaded = snnc.load(tmp_path / "one.snnc")
    np.testing.assert_array_equal(loaded.run(X).output, trace.output)
    errors = snnc.evaluate(loaded, X, wanted).errors
    assert errors is not None
    assert errors.largest == pytest.approx(np.abs(trace.output - wanted).max(), rel=1e-5)
