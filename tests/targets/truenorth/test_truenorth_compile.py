"""Whole compilations for TrueNorth: from a model to a checked program that runs and is read back."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from small_models import small_data, small_model

import snnc
from snnc.errors import UsageError
from snnc.formats.onnx import read_model
from snnc.graph import Graph, Input, Linear, Output, Relu
from snnc.simulate import simulate
from snnc.targets import RunOptions
from snnc.targets.target import CompileOptions, target_named
from snnc.targets.truenorth.check import check_program
from snnc.targets.truenorth.estimate import estimate
from snnc.targets.truenorth.limits import TrueNorthLimits

EXAMPLES = Path(__file__).parents[3] / "examples"
CHIP = target_named("truenorth")


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"weight_bits": 2},
        {"weight_bits": 3, "reset": "zero"},
        {"input": "poisson"},
        {"input": "host"},
        {"readout": "count"},
        {"per_channel": False, "initial": "zero"},
    ],
    ids=str,
)
def test_a_small_model(choices: dict[str, object]) -> None:
    """Compiled, checked, and equal to the network of integers that it was made from."""
    x = small_data(4)[0]
    compiled = snnc.compile(small_model(), "truenorth", calibration=small_data(16, 2)[0], **choices)  # type: ignore[arg-type]
    check_program(compiled.program, compiled.graph)
    expected = simulate(compiled.graph, x, 32, record=("spikes",))
    found = CHIP.simulate(compiled.program, x, 32, RunOptions(record=("spikes",)))
    for name, spikes in found.spikes.items():
        np.testing.assert_array_equal(spikes, expected.spikes[name], name)
    np.testing.assert_equal(found.outputs, expected.outputs)


def test_an_artefact_is_read_back(tmp_path: Path) -> None:
    x = small_data(3)[0]
    compiled = snnc.compile(small_model(), "truenorth", calibration=small_data(16, 2)[0])
    compiled.save(tmp_path / "small.snnc")
    again = snnc.load(tmp_path / "small.snnc")
    np.testing.assert_array_equal(again.run(x).output, compiled.run(x).output)


def test_the_same_call_gives_the_same_program(tmp_path: Path) -> None:
    for name in ("a", "b"):
        snnc.compile(small_model(), "truenorth", calibration=small_data(16, 2)[0]).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_estimate_foresees_the_cores() -> None:
    graph = read_model(small_model()).graph
    usage = CHIP.estimate(graph, CompileOptions())
    compiled = snnc.compile(small_model(), "truenorth", calibration=small_data(16, 2)[0])
    assert usage.cores == compiled.usage.cores
    assert {layer.name for layer in usage.layers} == {layer.name for layer in compiled.usage.layers}
    assert usage.neurons == compiled.usage.neurons


@pytest.mark.parametrize("mesh", [1, 2])
def test_estimate_counts_chips_of_any_size(mesh: int) -> None:
    graph = Graph("wide").add("in", Input((4,))).add("map", Linear(np.ones((1300, 4))), "in")
    graph = graph.add("relu", Relu(), "map").add("out", Output(), "relu")
    usage = estimate(graph, CompileOptions(), TrueNorthLimits(mesh=mesh))
    assert usage.cores > 4
    assert usage.chips == math.ceil(usage.cores / mesh**2)


def test_refusals() -> None:
    with pytest.raises(UsageError, match="U310"):
        snnc.compile(small_model(), "truenorth", max_pool="gate")


def test_a_layer_that_very_many_listen_to() -> None:
    random = np.random.default_rng(0)
    wide = Graph("wide").add("in", Input((4,))).add("map", Linear(random.normal(size=(64, 4))), "in")
    wide = wide.add("relu", Relu(), "map").add("wide", Linear(random.normal(size=(20000, 64))), "relu")
    wide = wide.add("last", Relu(), "wide").add("out", Output(), "last")
    layers = CHIP.estimate(wide, CompileOptions()).layers
    assert sum(layer.neurons for layer in layers if ".splitter" in layer.name) >= 2 * 64


def test_the_example_keeps_its_decisions() -> None:
    """Four bits and 128 ticks: nearly all decisions of the ANN on held-out images, in few cores."""
    data = np.load(EXAMPLES / "data" / "fashion_test.npz")
    model = EXAMPLES / "fashion_mlp" / "fashion_mlp.onnx"
    compiled = snnc.compile(
        model,
        "truenorth",
        calibration=EXAMPLES / "data" / "fashion_calibration.npz",
        ticks=128,
        weight_bits=4,
    )
    x = data["x"][1000:1040]
    found = compiled.run(x, 128).output.argmax(axis=1)
    assert compiled.ann is not None
    wanted = snnc.graph.evaluate(compiled.ann, x).argmax(axis=1)
    assert (found == wanted).mean() >= 0.9
    assert compiled.usage.cores < 100
