"""The passes on the trained example networks: exact ones against onnxruntime, conversion against the ANN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import snnc
from snnc.graph import Graph, evaluate
from snnc.passes import (
    BalanceThresholds,
    BalanceWeights,
    ConvertToSpiking,
    EncodeInput,
    FoldBatchNorm,
    ReplaceMaxPool,
    ScaleInput,
)
from snnc.pipeline import Context, Pipeline
from snnc.simulate import simulate

EXAMPLES = Path(__file__).parents[2] / "examples"
TEST = np.load(EXAMPLES / "data" / "fashion_test.npz")["x"]
CALIBRATION = np.load(EXAMPLES / "data" / "fashion_calibration.npz")["x"]


def model(name: str) -> Path:
    return EXAMPLES / name / f"{name}.onnx"


def by_onnxruntime(name: str, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model(name), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def imported(name: str) -> Graph:
    return snnc.import_onnx(model(name))


@pytest.mark.parametrize("name", ["fashion_convnet", "fashion_mlp"])
def test_exact_passes_equal_onnxruntime(name: str) -> None:
    x = TEST[:16]
    expected = by_onnxruntime(name, x)
    steps = [FoldBatchNorm(), ReplaceMaxPool(), ScaleInput(), BalanceWeights(per_channel=True)]
    graph, records = Pipeline(steps).run(imported(name), Context(calibration=CALIBRATION[:64] * 3))
    assert np.abs(evaluate(graph, x) - expected).max() < 1e-5 * np.abs(expected).max()
    assert max(record.error or 0 for record in records) < 1e-5


@pytest.mark.parametrize(
    ("name", "calibrated", "coding", "count", "error"),
    [
        ("fashion_mlp", True, "current", 400, 0.03),
        ("fashion_mlp", True, "rate", 400, 0.05),
        ("fashion_mlp", False, "current", 400, 0.05),
        ("fashion_convnet", True, "current", 60, 0.04),
        ("fashion_convnet", True, "rate", 60, 0.06),
        ("fashion_convnet", False, "current", 60, 0.09),
    ],
)
def test_conversion_at_64_ticks(name: str, calibrated: bool, coding: str, count: int, error: float) -> None:
    """Relative error of the logits (root mean square, common offset removed), and the decisions."""
    x = TEST[:count]
    expected = by_onnxruntime(name, x)
    steps = [
        FoldBatchNorm(),
        ReplaceMaxPool(),
        BalanceThresholds(per_channel=True),
        ConvertToSpiking(),
        EncodeInput(coding),
    ]
    context = Context(calibration=CALIBRATION if calibrated else None)
    output = simulate(Pipeline(steps)(imported(name), context), x, 64).output
    difference = (output - expected) - (output - expected).mean(axis=1, keepdims=True)
    assert np.sqrt((difference**2).mean()) < error * expected.std()
    assert np.mean(output.argmax(axis=1) == expected.argmax(axis=1)) >= 0.95
