"""What is said before compiling is what the program then takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnc
from snnc.errors import GraphError, MappingError
from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Reset
from snnc.graph.operators import Add, AvgPool, Bias, Conv, Flatten, Input, Linear, MaxPool, Output, Relu
from snnc.targets import CompileOptions, InputMode
from snnc.targets.loihi import TARGET
from snnc.targets.loihi.estimate import estimate

EXAMPLES = Path(__file__).parents[3] / "examples"
CALIBRATION = np.load(EXAMPLES / "data" / "fashion_calibration.npz")["x"][:32]

CHOICES: list[dict[str, Any]] = [
    {},
    {"reset": Reset.ZERO},
    {"input": InputMode.HOST},
    {"max_pool": "average"},
    {"weight_bits": 4},
]


def example(name: str) -> Graph:
    return snnc.import_onnx(EXAMPLES / name / f"{name}.onnx")


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: "-".join(choice) or "defaults")
@pytest.mark.parametrize("name", ["fashion_mlp", "fashion_convnet"])
def test_agrees_with_the_program(name: str, choice: dict[str, Any]) -> None:
    graph, options = example(name), CompileOptions(**choice)
    said = estimate(graph, options)
    context = snnc.Context(calibration=CALIBRATION)
    for step in TARGET.pipeline(graph, options, context):
        graph = step(graph, context)
    taken = TARGET.usage(TARGET.lower(graph, options, context))
    assert (said.cores, said.chips) == (taken.cores, taken.chips)
    assert (said.neurons, said.synapses) == (taken.neurons, taken.synapses)
    assert [(layer.name, layer.cores) for layer in said.layers] == [
        (layer.name, layer.cores) for layer in taken.layers
    ]
    for before, after in zip(said.layers, taken.layers, strict=True):
        for limit in ("compartments", "input axons", "output axons", "synaptic memory (bit)"):
            first, second = (
                next(use for use in layer.limits if use.limit == limit) for layer in (before, after)
            )
            assert first.used == pytest.approx(second.used, rel=0.1), (before.name, limit)


def test_a_bias_without_weights_is_a_register() -> None:
    graph = Graph("shifted").add("in", Input((40,))).add("shift", Bias(np.linspace(-0.5, 0.5, 40)), "in")
    graph = graph.add("relu", Relu(), "shift").add("later", Bias(np.full(40, 0.25)), "relu")
    graph = graph.add("last", Relu(), "later").add("out", Output(), "last")
    said = estimate(graph, CompileOptions())
    taken = snnc.compile(graph, "loihi", calibration=CALIBRATION.reshape(32, -1)[:, 300:340]).usage
    assert (said.cores, said.neurons, said.synapses) == (taken.cores, taken.neurons, taken.synapses)


def test_remedies_say_what_other_choices_take() -> None:
    graph = example("fashion_convnet")
    remedies = {remedy.change: remedy.cores for remedy in estimate(graph, CompileOptions()).remedies}
    assert remedies["--reset zero"] == estimate(graph, CompileOptions(reset=Reset.ZERO)).cores
    assert remedies["--input host"] == estimate(graph, CompileOptions(input=InputMode.HOST)).cores
    assert remedies["--max-pool average"] == estimate(graph, CompileOptions(max_pool="average")).cores
    assert remedies["--weight-bits 4"] == estimate(graph, CompileOptions(weight_bits=4)).cores
    assert "groups=2 in its convolutions" in remedies


def wide(features: int) -> Graph:
    """A network whose dense layers ask too much of a chip."""
    weight = np.broadcast_to(np.float32(0.01), (features, features))
    graph = Graph("wide").add("in", Input((features,)))
    graph = graph.add("one", Linear(weight), "in").add("relu", Relu(), "one")
    return graph.add("two", Linear(weight), "relu").add("out", Output(), "two")


def test_more_chips_are_a_remedy_where_they_were_refused() -> None:
    graph = wide(3000)
    said = estimate(graph, CompileOptions(max_chips=1))
    assert said.chips > 1
    assert f"--max-chips {said.chips}" in {remedy.change for remedy in said.remedies}
    assert f"--max-chips {said.chips}" not in {r.change for r in estimate(graph, CompileOptions()).remedies}


def too_many_inputs() -> Graph:
    """A dense layer behind so many neurons that the weights of one of its neurons fill more than a core."""
    graph = Graph("large").add("in", Input((8, 17, 17)))
    graph = graph.add("conv", Conv(np.ones((512, 8, 1, 1), np.float32)), "in").add("relu", Relu(), "conv")
    graph = graph.add("flat", Flatten(), "relu")
    dense = Linear(np.broadcast_to(np.float32(1), (2, 512 * 17 * 17)))
    return graph.add("dense", dense, "flat").add("out", Output(), "dense")


def test_what_does_not_fit_is_named_with_what_would() -> None:
    with pytest.raises(MappingError) as caught:
        estimate(too_many_inputs(), CompileOptions())
    error = caught.value
    assert error.code == "T110" and error.node == "dense.readout"
    assert "synaptic memory (bit)" in error.message and "1.2" in error.message
    assert any(line.startswith("--weight-bits 4: fits on") for line in error.details)


def pooled(pool: Any) -> Graph:
    random = np.random.default_rng(0)

    def conv(outputs: int, inputs: int) -> Conv:
        weight = random.standard_normal((outputs, inputs, 3, 3)).astype(np.float32)
        return Conv(weight, None, (1, 1), ((1, 1), (1, 1)))

    graph = Graph("pooled").add("in", Input((3, 16, 16)))
    graph = graph.add("c1", conv(8, 3), "in").add("r1", Relu(), "c1").add("p1", pool, "r1")
    return graph.add("c2", conv(8, 8), "p1").add("r2", Relu(), "c2").add("out", Output(), "r2")


def test_average_pools_take_no_neurons() -> None:
    exact = estimate(pooled(MaxPool((2, 2), (2, 2))), CompileOptions())
    average = estimate(pooled(AvgPool((2, 2), (2, 2))), CompileOptions())
    assert exact.neurons - average.neurons == 8 * (8 * 16 + 8 * 8)
    assert average.cores < exact.cores
    assert "--max-pool average" not in {remedy.change for remedy in average.remedies}


def test_an_integer_graph_is_measured_with_its_own_weights() -> None:
    graph, options = example("fashion_mlp"), CompileOptions()
    context = snnc.Context(calibration=CALIBRATION)
    for step in TARGET.pipeline(graph, options, context):
        graph = step(graph, context)
    taken = TARGET.usage(TARGET.lower(graph, options, context))
    said = estimate(graph, options)
    assert said.cores == taken.cores
    assert [layer.limits[3] for layer in said.layers] == [layer.limits[3] for layer in taken.layers]


def test_a_remedy_that_cannot_be_compiled_is_left_out() -> None:
    """A shortcut from the input to behind the first layer: its host values would meet spikes (G302)."""
    eye = Linear(np.eye(4, dtype=np.float32))
    graph = Graph("shortcut").add("in", Input((4,))).add("a", eye, "in").add("relu", Relu(), "a")
    graph = graph.add("sum", Add(), "in", "relu").add("b", eye, "sum").add("out", Output(), "b")
    with pytest.raises(GraphError, match="G302"):
        estimate(graph, CompileOptions(input=InputMode.HOST))
    changes = {remedy.change for remedy in estimate(graph, CompileOptions()).remedies}
    assert "--reset zero" in changes and "--input host" not in changes
