"""Random ONNX models: the imported graph equals onnxruntime, and the ledger holds the file's nodes."""

from __future__ import annotations

import numpy as np
import onnx
from graph_strategies import ann_graphs, samples_for
from hypothesis import HealthCheck, given, settings
from onnx_nets import run
from onnx_strategies import onnx_models

from snnc.formats.onnx import Outcome, export_onnx, read_model
from snnc.graph import Graph, Level, evaluate, verify

QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference over the largest value, or over 0.1 where values near 1 have cancelled to less."""
    assert found.shape == expected.shape
    scale = max(0.1, np.abs(expected).max(initial=0.0))
    return float(np.abs(found.astype(np.float64) - expected).max(initial=0.0) / scale)


@settings(deadline=None, max_examples=120, suppress_health_check=QUIET)
@given(onnx_models())
def test_import_equals_onnxruntime(model: onnx.ModelProto) -> None:
    imported = read_model(model)
    verify(imported.graph, Level.ANN)
    assert imported.check_error <= 1e-5
    shape = imported.graph.inputs[0].operator.infer_shape()
    fixed = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    x = np.random.default_rng(7).uniform(-1, 1, (fixed or 3, *shape)).astype(np.float32)
    expected = run(model, x)
    found = evaluate(imported.graph, x.astype(np.float64))
    if expected.dtype == np.int64:
        assert found.shape == expected.shape
        return
    assert relative_error(found, expected) <= 1e-5


@settings(deadline=None, max_examples=60, suppress_health_check=QUIET)
@given(onnx_models())
def test_ledger_rows_are_the_nodes_of_the_file(model: onnx.ModelProto) -> None:
    imported = read_model(model)
    assert [(row.node, row.operator) for row in imported.ledger] == [
        (node.name, node.op_type) for node in model.graph.node
    ]
    for row in imported.ledger:
        if row.outcome in (Outcome.CONVERTED, Outcome.FOLDED):
            names = row.detail.split(", ")
            assert all(f"{row.node} ({row.operator})" in imported.graph[name].sources for name in names)
        else:
            assert row.outcome in (Outcome.CONSTANT, Outcome.NO_EFFECT)
            assert row.detail
    told = {row.node for row in imported.ledger if row.outcome in (Outcome.CONVERTED, Outcome.FOLDED)}
    sources = {source.rsplit(" (", 1)[0] for node in imported.graph for source in node.sources}
    assert sources == told


@settings(deadline=None, max_examples=50, suppress_health_check=QUIET)
@given(ann_graphs())
def test_import_is_the_inverse_of_export(graph: Graph) -> None:
    model = export_onnx(graph)
    x = samples_for(graph, 3, signed=True)
    expected = evaluate(graph, x.astype(np.float64))
    assert relative_error(run(model, x), expected) <= 1e-5
    again = read_model(model).graph
    assert relative_error(evaluate(again, x.astype(np.float64)), expected) <= 1e-5
