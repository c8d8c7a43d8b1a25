"""Errors of answers that are values, from numpy's own means; labels of values in whole commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_nets import OnnxNet, run

import snnc
from snnc.cli.main import run as command
from snnc.errors import DataError
from snnc.report.value_errors import ErrorSums

RNG = np.random.default_rng(4)
X = RNG.random((150, 6), np.float32)


@pytest.mark.parametrize("mean", [0.0, 1e6])
def test_errors_over_batches(mean: float) -> None:
    wanted = RNG.normal(mean, [1.0, 5.0], (40, 2))
    answers = wanted + RNG.normal(0, 0.3, (40, 2))
    sums = ErrorSums()
    assert sums.errors() is None
    for part in np.split(np.arange(40), [3, 20]):
        sums.add(answers[part], wanted[part])
    found = sums.errors()
    assert found is not None
    assert found.rmse == pytest.approx(np.sqrt(np.mean((answers - wanted) ** 2)))
    assert found.largest == pytest.approx(np.abs(answers - wanted).max())
    assert found.correlation == pytest.approx(
        np.mean([np.corrcoef(answers[:, i], wanted[:, i])[0, 1] for i in (0, 1)]), rel=1e-6
    )
    assert found.range == pytest.approx(np.ptp(wanted, axis=0).max())


def test_values_that_do_not_vary_have_no_correlation() -> None:
    sums = ErrorSums()
    sums.add(np.ones((4, 1)), np.full((4, 1), 3.0))
    found = sums.errors()
    assert found is not None and (found.correlation, found.rmse, found.range) == (None, 2.0, 0.0)


def network(outputs: int) -> onnx.ModelProto:
    rng = np.random.default_rng(1)
    net = OnnxNet((6,))
    net.step("Gemm", "x", net.constant(rng.normal(0, 0.5, (6, 12))), net.constant(rng.normal(0, 0.1, 12)))
    net.step("Relu")
    net.step("Gemm", net.tip, net.constant(rng.normal(0, 0.5, (12, outputs))))
    return net.model()


@pytest.mark.parametrize("outputs", [1, 3])
def test_labels_of_values(outputs: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each figure as numpy gives it from the program's answers, onnxruntime's and the labels."""
    model, answers = network(outputs), run(network(outputs), X)
    y = answers + RNG.normal(0, 0.1, answers.shape)
    onnx.save(model, tmp_path / "net.onnx")
    np.savez(tmp_path / "data.npz", x=X, y=y)
    file = str(tmp_path / "net.snnc")
    line = [
        "compile",
        str(tmp_path / "net.onnx"),
        "--calibration",
        str(tmp_path / "data.npz"),
        "-o",
        file,
        "-q",
    ]
    assert command(line) == 0
    capsys.readouterr()
    evaluate = ["eval", file, "--data", str(tmp_path / "data.npz")]
    assert command([*evaluate, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    found = snnc.load(file).run(X).output
    for key, given, wanted in (
        ("errors", found, y),
        ("ann_errors", answers, y),
        ("errors_to_ann", found, answers),
    ):
        assert result[key]["rmse"] == pytest.approx(np.sqrt(np.mean((given - wanted) ** 2)), rel=1e-4)
        assert result[key]["largest"] == pytest.approx(np.abs(given - wanted).max(), rel=1e-4)
        each = [np.corrcoef(given[:, i], wanted[:, i])[0, 1] for i in range(outputs)]
        assert result[key]["correlation"] == pytest.approx(np.mean(each), rel=1e-4)
    assert result["accuracy"] is None and result["accuracy_by_tick"] == []
    assert command(evaluate) == 0
    shown = capsys.readouterr().out
    assert "root mean square" in shown and "no accuracy" in shown
    assert ("one number" if outputs == 1 else "labels are values") in shown


def test_one_number_a_sample_as_a_row_or_a_column() -> None:
    compiled = snnc.compile(network(1), calibration=X)
    y = run(network(1), X)
    found = [snnc.evaluate(compiled, X, each).errors for each in (y, y[:, 0])]
    assert found[0] is not None and found[0] == found[1]
    without = snnc.evaluate(compiled, X)
    assert without.errors is None and without.errors_to_ann is not None and without.accuracy_note
    with pytest.raises(DataError, match="D103"):
        snnc.evaluate(compiled, X, np.zeros((150, 2)))


def test_class_numbers_have_an_accuracy_and_no_note() -> None:
    compiled = snnc.compile(network(3), calibration=X)
    found = snnc.evaluate(compiled, X, run(network(3), X).argmax(axis=1))
    assert found.ann_accuracy == 1 and found.accuracy_note is None and found.errors is None
    assert "no labels" in str(snnc.evaluate(compiled, X).accuracy_note)
