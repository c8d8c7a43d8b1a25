"""The ONNX standard's own operator cases: what is imported gives the stored outputs, the rest is refused."""

from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
import onnx
from onnx import numpy_helper

from snnc.errors import ModelError
from snnc.formats.onnx import read_model
from snnc.formats.onnx.registry import supported_operators
from snnc.graph import evaluate

LEAST_EQUAL = 130


def with_constant_parameters(case: object) -> tuple[onnx.ModelProto, np.ndarray, np.ndarray] | None:
    """The case as a network of one input and one output, the other inputs made constants."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    inputs, outputs = case.data_sets[0]
    if not all(isinstance(value, np.ndarray) for value in (*inputs, outputs[0])) or not inputs:
        return None
    for entry, value in list(zip(model.graph.input, inputs, strict=True))[1:]:
        model.graph.initializer.append(numpy_helper.from_array(value, entry.name))
    del model.graph.input[1:], model.graph.output[1:]
    return model, inputs[0], outputs[0]


def test_operator_cases_of_the_standard() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    results: Counter[str] = Counter()
    known = set(supported_operators())
    for case in cases:
        nodes = case.model.graph.node
        if len(nodes) != 1 or nodes[0].domain or nodes[0].op_type not in known:
            continue
        prepared = with_constant_parameters(case)
        if prepared is None:
            continue
        model, x, expected = prepared
        try:
            graph = read_model(model).graph
        except ModelError as error:
            assert error.code in {"M108", "M114", "M117", "M118", "M120", "M130"}, f"{case.name}: {error}"
            results[error.code] += 1
            continue
        found = evaluate(graph, x.astype(np.float64))
        assert found.shape == expected.shape, case.name
        assert np.allclose(found, expected, rtol=1e-5, atol=1e-4), case.name  # some are stored with 4 digits
        results["equal"] += 1
    assert results["equal"] >= LEAST_EQUAL, results
