"""One small network as an ONNX model, with data for it, for tests of whole commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHAPE = (1, 6, 6)
CLASSES = 3


def small_model(seed: int = 0, decision: str | None = None) -> onnx.ModelProto:
    """Convolution, ReLU, linear layer, and perhaps a Softmax or ArgMax, with random weights."""
    random = np.random.default_rng(seed)
    weights = {
        "w1": random.normal(0, 0.5, (2, 1, 3, 3)),
        "b1": random.normal(0, 0.1, 2),
        "w2": random.normal(0, 0.3, (32, CLASSES)),
        "b2": random.normal(0, 0.1, CLASSES),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c"], "conv"),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("Flatten", ["r"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "w2", "b2"], ["y"], "dense"),
    ]
    kind, size = TensorProto.FLOAT, [CLASSES]
    if decision is not None:
        nodes[-1].output[0] = "logits"
        axis = {"axis": 1, "keepdims": 0} if decision == "ArgMax" else {"axis": 1}
        nodes.append(helper.make_node(decision, ["logits"], ["y"], "decision", **axis))
    if decision == "ArgMax":
        kind, size = TensorProto.INT64, []
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *SHAPE])],
        [helper.make_tensor_value_info("y", kind, ["n", *size])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def small_data(samples: int = 20, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels without meaning."""
    random = np.random.default_rng(seed)
    return random.random((samples, *SHAPE), np.float32), random.integers(0, CLASSES, samples)


def write_small(folder: Path) -> None:
    """Write ``model.onnx``, ``calibration.npz`` and ``test.npz``."""
    onnx.save(small_model(), folder / "model.onnx")
    x, y = small_data(16, 2)
    np.savez(folder / "calibration.npz", x=x)
    x, y = small_data()
    np.savez(folder / "test.npz", x=x, y=y)
