"""Files from PyTorch, Keras, tf2onnx and caffe2: imported, equal to onnxruntime, every node accounted for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_nets import run

from snnc.formats.onnx import LedgerRow, Outcome, RefusedModelError, import_onnx, read_model
from snnc.graph import BatchNorm, Conv, Graph, Level, Linear, MaxPool, Operator, Transpose, evaluate, verify

MODELS = Path(__file__).parent / "models"
EXPORTED = sorted(path.name for path in MODELS.glob("*.onnx") if "training" not in path.name)
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*/*.onnx"))


def labels(ledger: tuple[LedgerRow, ...]) -> list[tuple[str, str]]:
    return [(row.node, row.operator) for row in ledger]


def nodes_of(model: onnx.ModelProto) -> list[tuple[str, str]]:
    """Names (an unnamed node's output instead) and operators of a file's nodes."""
    return [(node.name or node.output[0], node.op_type) for node in model.graph.node]


def kinds(graph: Graph) -> Counter[type[Operator]]:
    return Counter(type(node.operator) for node in graph)


def assert_equal(graph: Graph, model: onnx.ModelProto) -> None:
    fixed = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    shape = graph.inputs[0].operator.infer_shape()
    x = np.random.default_rng(3).random((fixed or 5, *shape), np.float32)
    expected = run(model, x)
    found = evaluate(graph, x.astype(np.float64))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", EXPORTED)
def test_exported_model(name: str) -> None:
    path = MODELS / name
    imported = read_model(path)
    model = onnx.load(path)
    verify(imported.graph, Level.ANN)
    assert labels(imported.ledger) == nodes_of(model)
    assert_equal(imported.graph, model)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example(path: Path) -> None:
    imported = read_model(path)
    assert imported.check_error <= 1e-5
    assert labels(imported.ledger) == nodes_of(onnx.load(path))
    assert_equal(imported.graph, onnx.load(path))


@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        ("resnet50", {Outcome.CONSTANT: 239, Outcome.CONVERTED: 176}),
        ("shufflenet", {Outcome.CONSTANT: 243, Outcome.CONVERTED: 203}),
        ("squeezenet", {Outcome.CONSTANT: 39, Outcome.CONVERTED: 65, Outcome.NO_EFFECT: 1}),
        ("inception_v2", {Outcome.CONSTANT: 545, Outcome.CONVERTED: 371}),
    ],
)
def test_large_architecture(name: str, outcomes: dict[Outcome, int]) -> None:
    path = LIGHT / f"light_{name}.onnx"
    imported = read_model(path)
    assert imported.check_error <= 1e-5
    assert labels(imported.ledger) == nodes_of(onnx.load(path))
    assert Counter(row.outcome for row in imported.ledger) == outcomes


def test_local_response_normalisation_is_refused() -> None:
    with pytest.raises(RefusedModelError) as caught:
        import_onnx(LIGHT / "light_zfnet512.onnx")
    refused = [row for row in caught.value.ledger if row.outcome is Outcome.REFUSED]
    assert [row.operator for row in refused] == ["LRN", "LRN"]
    assert len(caught.value.ledger) == 38


def test_channel_last_layouts_cancel() -> None:
    """One change of layout at the input and one before the flattening stay; those in between are gone."""
    for backend in ("tensorflow", "torch"):
        graph = import_onnx(MODELS / f"keras_{backend}_branches.onnx")
        permutations = [node.operator.permutation for node in graph.of_type(Transpose)]
        assert permutations == [(2, 0, 1), (1, 2, 0)]
        assert graph.shapes[graph.inputs[0].name] == (8, 8, 3)


def test_same_padding_is_merged_into_the_convolution() -> None:
    """Strided "same" padding arrives as a Pad in front of the convolution."""
    for backend in ("tensorflow", "torch"):
        graph = import_onnx(MODELS / f"keras_{backend}_images.onnx")
        first, second = (node.operator for node in graph.of_type(Conv))
        assert first.pads == ((1, 1), (1, 1))
        # 7 pixels, kernel 3, stride 2: one pixel on each side.
        assert second.pads == ((1, 1), (1, 1))


def test_preserved_batch_norm_is_kept() -> None:
    graph = import_onnx(MODELS / "torch_series_preserve.onnx")
    assert kinds(graph)[BatchNorm] == 1
    assert kinds(graph)[Conv] == 2


def test_training_batch_norm_is_refused_node_by_node() -> None:
    path = MODELS / "torch_residual_training.onnx"
    with pytest.raises(RefusedModelError) as caught:
        import_onnx(path)
    assert caught.value.code == "M120"
    assert labels(caught.value.ledger) == nodes_of(onnx.load(path))
    assert len(caught.value.details) == 4
    assert all("eval()" in line for line in caught.value.details)
    assert str(path) in str(caught.value)


def test_both_exporters_give_the_same_network() -> None:
    script = import_onnx(MODELS / "torch_residual.onnx")
    dynamo = import_onnx(MODELS / "torch_dynamo_residual.onnx")
    assert kinds(script) == kinds(dynamo)


def test_matrix_product_and_sum_are_one_layer() -> None:
    imported = read_model(MODELS / "keras_tensorflow_images.onnx")
    graph = imported.graph
    assert kinds(graph)[Linear] == 2
    assert kinds(graph)[MaxPool] == 1
    assert all(node.sources for node in graph if node.inputs and node.name != graph.outputs[0].name)
