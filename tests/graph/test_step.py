"""The Step operator: its values against onnxruntime, its shapes, and its place in a graph."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_nets import run

from snnc.errors import GraphError, PassError
from snnc.formats.graph_data import graph_from_data, graph_to_data
from snnc.formats.onnx import export_onnx, import_onnx
from snnc.graph import Graph, Input, Level, Output, Step, evaluate, verify
from snnc.graph.operators.step import next_above
from snnc.passes import ConvertToSpiking
from snnc.pipeline import Context

SHAPE = (3, 2, 2)
FLOATS = st.floats(-4, 4, width=32)


def stepping(threshold: np.ndarray) -> Graph:
    graph = Graph("steps").add("in", Input(SHAPE)).add("step", Step(threshold), "in")
    return graph.add("out", Output(), "step")


@pytest.mark.parametrize("shape", [(), (1,), (2,), (3, 1, 1), (1, 2, 1), (3, 2, 2)])
def test_values_of_the_exported_step(shape: tuple[int, ...]) -> None:
    """Values on and beside the thresholds; the oracle is onnxruntime on the exported model."""
    rng = np.random.default_rng(1)
    threshold = rng.integers(-2, 3, shape).astype(np.float32)
    graph = stepping(threshold)
    verify(graph, Level.ANN)
    x = rng.integers(-3, 4, (40, *SHAPE)).astype(np.float32)
    x[::2] = np.nextafter(x[::2], np.float32(-np.inf))
    model = export_onnx(graph)
    expected = run(model, x)
    assert set(np.unique(expected)) == {0.0, 1.0}
    np.testing.assert_array_equal(evaluate(graph, x), expected)
    np.testing.assert_array_equal(evaluate(import_onnx(model), x), expected)


@settings(deadline=None, max_examples=200)
@given(x=FLOATS, threshold=FLOATS)
def test_above_is_reaching_the_next_number(x: float, threshold: float) -> None:
    value, limit = np.float32(x), np.array(threshold, np.float32)
    assert bool(Step(next_above(limit)).evaluate(np.full((1, 1), value))[0, 0]) == bool(value > limit)


def test_the_type_of_the_input_stays() -> None:
    for dtype in (np.float32, np.float64):
        assert Step(np.zeros((), np.float32)).evaluate(np.zeros((1, 2), dtype)).dtype == dtype


@pytest.mark.parametrize("shape", [(2, 1, 1), (1, 3, 2, 2), (3,)])
def test_thresholds_that_do_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(GraphError) as caught:
        _ = stepping(np.zeros(shape, np.float32)).shapes
    assert caught.value.code == "G101"


def test_it_is_kept_in_a_file() -> None:
    graph = stepping(np.arange(3, dtype=np.float32).reshape(3, 1, 1))
    back = graph_from_data(graph_to_data(graph))
    np.testing.assert_array_equal(back["step"].operator.threshold, graph["step"].operator.threshold)


def test_networks_of_rates_refuse_it_with_a_remedy() -> None:
    with pytest.raises(PassError) as caught:
        ConvertToSpiking()(stepping(np.zeros((), np.float32)), Context())
    assert caught.value.code == "P107"
    assert caught.value.node == "step"
    assert "choose a --target that maps steps one to one" in str(caught.value)
