"""ONNX models written from graphs: each operator, parts of a graph, and what cannot be written."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx_nets import run

from snnc.errors import ModelError
from snnc.formats.onnx import export_onnx, import_onnx
from snnc.graph import (
    IF,
    Add,
    ArgMax,
    AvgPool,
    BatchNorm,
    Bias,
    Clip,
    Concat,
    Conv,
    Delay,
    Flatten,
    Gather,
    Graph,
    Input,
    Linear,
    LogSoftmax,
    MaxPool,
    Operator,
    Output,
    Pad,
    Relu,
    Reshape,
    Scale,
    Softmax,
    SparseLinear,
    Transpose,
    evaluate,
)

RNG = np.random.default_rng(2)
SHAPE = (4, 6, 5)


def uniform(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def single(operator: Operator, inputs: int = 1) -> Graph:
    graph = Graph("one").add("in", Input(SHAPE)).add("half", Scale(np.float32(0.5)), "in")
    return graph.add("node", operator, *("in", "half")[:inputs]).add("out", Output(), "node")


OPERATORS = [
    Relu(),
    Clip(-0.25, 0.5),
    Conv(uniform(6, 2, 3, 2), uniform(6), (2, 1), ((1, 0), (2, 1)), (1, 2), 2),
    Conv(uniform(3, 4, 1, 1)),
    Linear(uniform(3, 5), uniform(3)),
    Linear(uniform(3, 5)),
    SparseLinear(RNG.integers(0, 6, 40), RNG.integers(0, 120, 40), uniform(40), SHAPE, (2, 3)),
    SparseLinear(np.zeros(0, np.int64), np.zeros(0, np.int64), uniform(0), SHAPE, (2,)),
    Scale(uniform(4, 1, 5)),
    Bias(uniform(6, 5)),
    BatchNorm(uniform(4), uniform(4), uniform(4), np.abs(uniform(4)) + 0.5, 1e-3),
    MaxPool((3, 2), (2, 1), ((1, 1), (0, 1)), (1, 2)),
    MaxPool((2, 2), (1, 1), ((2, 0), (0, 3)), (3, 4)),
    AvgPool((3, 2), (2, 1), ((1, 1), (0, 1))),
    AvgPool((3, 2), (2, 1), ((1, 1), (0, 1)), count_include_pad=True),
    AvgPool((3, 3), (2, 2), ((1, 2), (0, 1)), overhang=(1, 1)),
    AvgPool((2, 2), (1, 1), ((2, 0), (0, 2)), count_include_pad=True),
    AvgPool((2, 2), dilation=(2, 3)),
    Flatten(),
    Reshape((5, 24)),
    Transpose((2, 0, 1)),
    Pad(((1, 0), (-1, 2), (0, -2))),
    Gather(RNG.integers(-1, 120, (3, 7)), SHAPE),
    Gather(RNG.integers(0, 120, (3, 7)), SHAPE),
    Softmax(1),
    LogSoftmax(2),
    ArgMax(0),
    ArgMax(1, keepdims=True),
]


def assert_equal(graph: Graph) -> onnx.ModelProto:
    model = export_onnx(graph)
    onnx.checker.check_model(model, full_check=True)
    x = uniform(3, *SHAPE)
    expected = evaluate(graph, x)
    for found in (run(model, x), evaluate(import_onnx(model), x)):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max(initial=0) <= 1e-5
    return model


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.describe()[:60])
def test_operator(operator: Operator) -> None:
    assert_equal(single(operator))


@pytest.mark.parametrize("operator", [Add(), Concat(1)], ids=["add", "concat"])
def test_operator_of_two_inputs(operator: Operator) -> None:
    assert_equal(single(operator, 2))


def test_linear_and_pools_over_other_numbers_of_axes() -> None:
    graph = Graph("series").add("in", Input((3, 9))).add("conv", Conv(uniform(4, 3, 2)), "in")
    graph = graph.add("pool", MaxPool((2,), (2,)), "conv").add("flat", Flatten(), "pool")
    graph = graph.add("fc", Linear(uniform(2, 16), uniform(2)), "flat").add("out", Output(), "fc")
    x = uniform(2, 3, 9)
    assert np.allclose(run(export_onnx(graph), x), evaluate(graph, x), atol=1e-6)


def test_names_and_free_batch() -> None:
    model = assert_equal(single(Relu()))
    assert [entry.name for entry in model.graph.input] == ["in"]
    assert [entry.name for entry in model.graph.output] == ["out"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert [node.name for node in model.graph.node] == ["node", "out"]


def test_class_numbers_are_integers() -> None:
    model = export_onnx(single(ArgMax(0)))
    assert run(model, uniform(2, *SHAPE)).dtype == np.int64
    assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.INT64


def spiking() -> Graph:
    graph = Graph("snn").add("in", Input((3,))).add("fc", Linear(uniform(4, 3)), "in").add("if", IF(), "fc")
    graph = graph.add("next", Linear(uniform(4, 4)), "if").add("scale", Scale(uniform(4)), "next")
    return graph.add("late", Delay(2), "scale").add("last", IF(), "late").add("out", Output(), "last")


def test_linear_maps_between_populations() -> None:
    graph = spiking()
    model = export_onnx(graph, ["if"], ["scale", "next"])
    spikes = uniform(5, 4)
    expected = graph["scale"].operator.evaluate(graph["next"].operator.evaluate(spikes))
    assert np.allclose(run(model, spikes), expected, atol=1e-6)
    assert [entry.name for entry in model.graph.output] == ["scale", "next"]


@pytest.mark.parametrize("end", ["if", "late"])
def test_neurons_and_delays_cannot_be_written(end: str) -> None:
    start = "in" if end == "if" else "if"
    with pytest.raises(ModelError, match="M140") as caught:
        export_onnx(spiking(), [start], [end])
    assert caught.value.node == end


def test_input_that_is_not_given() -> None:
    with pytest.raises(ModelError, match="M141"):
        export_onnx(spiking(), ["if"], ["fc"])
