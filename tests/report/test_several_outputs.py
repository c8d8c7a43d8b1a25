"""Figures of a network of several outputs, each against its own labels and the ANN's own answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import snnc
from snnc.cli.main import run
from snnc.errors import DataError
from snnc.graph import Concat, Flatten, Graph, Input, Linear, Output, Relu
from snnc.graph.evaluate import evaluate_outputs
from snnc.graph.operators.base import Array

COUNT = 140


def detector() -> Graph:
    """An image and a vector into a class head of five and a box head of four."""
    rng = np.random.default_rng(0)
    return (
        Graph("detector")
        .add("image", Input((2, 4, 4)))
        .add("vector", Input((4,)))
        .add("flat", Flatten(), "image")
        .add("joined", Concat(0), "flat", "vector")
        .add("hidden", Linear(rng.normal(size=(24, 36)) * 0.3), "joined")
        .add("relu", Relu(), "hidden")
        .add("class.map", Linear(rng.normal(size=(5, 24)) * 0.3), "relu")
        .add("box.map", Linear(rng.normal(size=(4, 24)) * 0.3), "relu")
        .add("classes", Output(), "class.map")
        .add("boxes", Output(), "box.map")
    )


def samples(count: int, seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {
        "image": rng.random((count, 2, 4, 4), np.float32),
        "vector": rng.random((count, 4), np.float32),
    }


@pytest.fixture(scope="module")
def compiled() -> snnc.Compiled:
    return snnc.compile(detector(), "loihi", calibration=samples(32, 1), ticks=64)


def test_each_output_has_figures_of_its_own(compiled: snnc.Compiled) -> None:
    x, graph = samples(COUNT, 2), detector()
    exact = evaluate_outputs(graph, x)
    labels = {"classes": exact["classes"].argmax(axis=1), "boxes": exact["boxes"] + 0.25}
    found = snnc.evaluate(compiled, x, labels)
    answers = compiled.run(x, 64).outputs
    assert found.accuracy is None and not found.accuracy_by_tick and "2 outputs" in str(found.accuracy_note)
    classes, boxes = found.outputs["classes"], found.outputs["boxes"]
    right = float(np.mean(answers["classes"].argmax(axis=1) == labels["classes"]))
    assert classes.accuracy == classes.agreement == classes.accuracy_by_tick[-1] == right
    assert classes.ann_accuracy == 1 and classes.errors is None and len(classes.accuracy_by_tick) == 64
    assert boxes.accuracy is None and "values" in str(boxes.accuracy_note)
    assert boxes.errors is not None and boxes.ann_errors is not None and boxes.errors_to_ann is not None
    missed = answers["boxes"] - labels["boxes"]
    assert boxes.errors.rmse == pytest.approx(np.sqrt(np.mean(missed**2)))
    assert boxes.ann_errors.rmse == pytest.approx(0.25)
    assert boxes.errors_to_ann.largest == pytest.approx(
        np.abs(answers["boxes"] - exact["boxes"]).max(), rel=1e-5
    )


def test_labels_are_given_by_output_and_some_may_be_left_out(compiled: snnc.Compiled) -> None:
    x = samples(3, 4)
    some = snnc.evaluate(compiled, x, {"classes": np.arange(3)})
    assert some.outputs["classes"].accuracy is not None and some.outputs["boxes"].errors is None
    for wrong in (np.arange(3), {"boxen": np.arange(3)}):
        with pytest.raises(DataError, match="classes, boxes") as error:
            snnc.evaluate(compiled, x, wrong)
        assert error.value.code == "D103"


def test_the_command_prints_both(
    compiled: snnc.Compiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x, artefact, data = samples(6, 5), tmp_path / "detector.snnc", tmp_path / "data.npz"
    labels = {"classes": np.arange(6) % 5, "boxes": np.zeros((6, 4))}
    compiled.save(artefact)
    np.savez(data, **x, **labels)
    assert run(["eval", str(artefact), "--data", str(data), "--samples", "4"]) == 0
    shown = capsys.readouterr().out
    assert "boxes" in shown and "2 outputs" in shown
    assert run(["eval", str(artefact), "--data", str(data), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["outputs"]
    expected = snnc.evaluate(compiled, x, labels).outputs
    assert figures["classes"]["accuracy"] == expected["classes"].accuracy
    assert expected["boxes"].errors is not None
    assert figures["boxes"]["errors"]["rmse"] == pytest.approx(expected["boxes"].errors.rmse)
