"""The trained probabilistic example, from the command line to spikes: equal to onnxruntime, better with more copies."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_nets import quiet_session, run
from small_models import small_model

import snnc
from snnc.cli.main import run as command
from snnc.errors import PassError, UsageError
from snnc.formats.onnx import export_onnx
from snnc.graph import Graph
from snnc.graph.operators.base import Array
from snnc.pipeline import Context
from snnc.targets.truenorth.sample import SampleConnections, probabilistic_maps, probabilities

EXAMPLES = Path(__file__).parents[3] / "examples"
MODEL = EXAMPLES / "probabilistic_mlp" / "probabilistic_mlp.onnx"
TEST = EXAMPLES / "data" / "fashion_test.npz"


@cache
def given() -> Graph:
    return snnc.import_onnx(MODEL)


@cache
def images() -> tuple[Array, Array]:
    data = np.load(TEST)
    return data["x"], data["y"]


@cache
def votes(seed: int) -> Array:
    """The answers (copies, samples, classes) of 16 copies to all test images by onnxruntime."""
    network = SampleConnections(16)(given(), Context(seed=seed))
    names = [f"{given().outputs[0].inputs[0]}.copy{number}" for number in range(1, 17)]
    session = quiet_session(export_onnx(network, outputs=names))
    parts = [session.run(None, {"image": part}) for part in np.array_split(images()[0], 4)]
    return np.concatenate([np.stack(part) for part in parts], axis=1)


def accuracy(answers: Array, voters: int) -> float:
    """Mean over groups of copies in a row."""
    groups = answers.reshape(-1, voters, *answers.shape[1:]).sum(axis=1)
    return float((groups.argmax(axis=2) == images()[1]).mean())


@pytest.mark.parametrize("seed", [1, 2])
def test_accuracy_grows_with_copies(seed: int) -> None:
    alone, four, all_of_them = (accuracy(votes(seed), voters) for voters in (1, 4, 16))
    assert 0.85 < alone < four - 0.01
    assert four < all_of_them - 0.001
    assert all_of_them > 0.88


@pytest.mark.parametrize("copies", [1, 4])
def test_the_chip_answers_as_onnxruntime_does_and_the_copies_vote(copies: int) -> None:
    compiled = snnc.compile(MODEL, "truenorth", copies=copies, seed=1, ticks=1)
    count = 120
    x = images()[0][:count]
    trace = compiled.run(x, 1, record=("spikes",))
    np.testing.assert_array_equal(trace.output, votes(1)[:copies, :count].mean(axis=0))
    reading = given()["/count/MatMul"].operator.weight
    for number in range(1, copies + 1):
        spikes = trace.spikes[f"/GreaterOrEqual_2.copy{number}"].reshape(count, -1)
        np.testing.assert_array_equal(spikes @ reading.T, votes(1)[number - 1, :count])


def test_connections_of_the_example_exist_as_often_as_they_should() -> None:
    """In 48 copies: the chi-square of every map, over connections, and of the fan-in of all of its neurons."""
    networks = [SampleConnections(16)(given(), Context(seed=seed)) for seed in (1, 2, 3)]
    for node in probabilistic_maps(given()):
        p = np.abs(probabilities(node.operator)).reshape(len(probabilities(node.operator)), -1)
        drawn = [
            np.abs(probabilities(network[f"{node.name}.copy{number}"].operator)).reshape(p.shape)
            for network in networks
            for number in range(1, 17)
        ]
        count, variance = np.sum(drawn, axis=0), 48 * p * (1 - p)
        chance = (p > 0.05) & (p < 0.95)
        for surplus, spread in (
            ((count - 48 * p)[chance], variance[chance]),
            ((count - 48 * p).sum(axis=1), variance.sum(axis=1)),
        ):
            scores = surplus**2 / spread
            assert abs(scores.sum() - scores.size) < 5 * np.sqrt(2.5 * scores.size)
        assert (count[p == 0] == 0).all() and (count[p == 1] == 48).all()


def test_compile_and_eval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The accuracy of the ANN is that of the weights as they are; one seed, one program."""
    files = {seed: tmp_path / f"{seed}.snnc" for seed in ("3", "3 again", "4")}
    for seed, path in files.items():
        line = ["compile", str(MODEL), "--target", "truenorth", "--copies", "2", "--ticks", "1", "-q"]
        assert command([*line, "--seed", seed[0], "-o", str(path)]) == 0
    assert files["3"].read_bytes() == files["3 again"].read_bytes()
    assert files["3"].read_bytes() != files["4"].read_bytes()
    capsys.readouterr()
    assert command(["eval", str(files["3"]), "--data", str(TEST), "--samples", "300", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    x, labels = (part[:300] for part in images())
    assert result["accuracy"] == pytest.approx(
        (votes(3)[:2, :300].sum(axis=0).argmax(axis=1) == labels).mean()
    )
    assert result["ann_accuracy"] == pytest.approx((run(onnx.load(MODEL), x).argmax(axis=1) == labels).mean())
    _, sampling, *_ = snnc.load(files["3"]).records
    assert sampling.text == "sample-connections{copies=2}"
    assert sampling.error is None


def test_what_copies_cannot_be_drawn_of() -> None:
    with pytest.raises(UsageError, match=r"U314.*truenorth alone"):
        snnc.compile(MODEL, "loihi", copies=2)
    with pytest.raises(UsageError, match=r"U312.*step activations"):
        snnc.compile(small_model(), "truenorth", copies=2)
    integers = snnc.compile(EXAMPLES / "trinary_convnet" / "trinary_convnet.onnx", "truenorth").graph
    with pytest.raises(UsageError, match="U312"):
        snnc.compile(integers, "truenorth", copies=2)
    with pytest.raises(UsageError, match="U303"):
        snnc.compile(MODEL, "truenorth", copies=0)


def test_probabilities_without_copies_are_told_of_them() -> None:
    with pytest.raises(PassError, match=r"(?s)P231.*--copies"):
        snnc.compile(MODEL, "truenorth")


def test_scaled_weights_are_refused_with_the_layer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(MODEL)
    for tensor in model.graph.initializer:
        if "convolutions.1" in tensor.name and "weight" in tensor.name:
            tensor.CopyFrom(onnx.numpy_helper.from_array(2 * onnx.numpy_helper.to_array(tensor), tensor.name))
    onnx.save(model, tmp_path / "scaled.onnx")
    out = tmp_path / "out.snnc"
    line = [
        "compile",
        str(tmp_path / "scaled.onnx"),
        "--target",
        "truenorth",
        "--copies",
        "2",
        "-o",
        str(out),
    ]
    assert command(line) == 1
    message = capsys.readouterr().err
    assert "P236" in message and "/convolutions.1/Conv" in message and "remedy" in message
    assert not out.exists()
