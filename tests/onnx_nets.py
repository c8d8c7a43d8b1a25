"""Hand-made ONNX models for tests: a builder that runs every node in onnxruntime as it is added."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper, numpy_helper

Array = npt.NDArray[np.generic]
FLOAT = onnx.TensorProto.FLOAT


def quiet_session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A session without optimisation, threads or log lines."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


def run(model: onnx.ModelProto, x: Array) -> Array:
    """The first output of a model by onnxruntime."""
    session = quiet_session(model)
    return session.run(None, {session.get_inputs()[0].name: x})[0]


class OnnxNet:
    """An ONNX model that grows node by node; every tensor has a value for one batch of inputs.

    Args:
        shape: of one sample.
        opset: version of the operators.
        batch: the batch axis, a name if free.
        dtype: element type of the input.
    """

    def __init__(
        self, shape: Sequence[int], opset: int = 17, batch: int | str = "batch", dtype: int = FLOAT
    ) -> None:
        self.opset, self.batch, self.dtype = opset, batch, dtype
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.values: dict[str, Array] = {}
        kind = helper.tensor_dtype_to_np_dtype(dtype)
        size = batch if isinstance(batch, int) else 2
        x = np.random.default_rng(0).uniform(-1, 1, (size, *shape)) * (100 if kind.kind in "iu" else 1)
        self.values["x"] = (np.abs(x) if kind.kind == "u" else x).astype(kind)
        self.tip = "x"
        self.shape_given = tuple(shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the last node's first output, without the batch axis."""
        return self.values[self.tip].shape[1:]

    def constant(self, value: object, dtype: type = np.float32, name: str | None = None) -> str:
        """Add an initializer; returns its name."""
        name = name or f"c{len(self.initializers)}"
        array = np.asarray(value, dtype)
        self.initializers.append(numpy_helper.from_array(array, name))
        self.values[name] = array
        return name

    def add(
        self,
        kind: str,
        *inputs: str,
        outputs: int = 1,
        name: str | None = None,
        domain: str = "",
        **attributes: object,
    ) -> str:
        """Add a node reading the given tensors (the last one if none); returns its first output."""
        names = list(inputs) or ([] if kind == "Constant" else [self.tip])
        number = len(self.nodes)
        made = [f"t{number}" if part == 0 else f"t{number}_{part}" for part in range(outputs)]
        label = f"{kind.lower()}{number}" if name is None else name
        node = helper.make_node(kind, names, made, name=label, domain=domain, **attributes)
        self.nodes.append(node)
        self.tip = made[0]
        return made[0]

    def step(self, kind: str, *inputs: str, **attributes: object) -> str:
        """As ``add``, and compute the values of its outputs, so that ``shape`` is known."""
        first = self.add(kind, *inputs, **attributes)
        node = self.nodes[-1]
        feeds = {name: self.values[name] for name in node.input if name}
        graph = helper.make_graph(
            [node],
            "step",
            [
                helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), None)
                for n, v in feeds.items()
            ],
            [helper.make_empty_tensor_value_info(name) for name in node.output],
        )
        results = quiet_session(self._model(graph)).run(None, feeds)
        self.values.update(zip(node.output, results, strict=True))
        return first

    def model(
        self, output: str | None = None, *, shape: Iterable[int | str | None] | None = None, name: str = "net"
    ) -> onnx.ModelProto:
        """The model with one output, the last tensor if not given."""
        wanted = output or self.tip
        axes = [self.batch, *self.shape_given] if shape is None else list(shape)
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("x", self.dtype, axes)],
            [helper.make_empty_tensor_value_info(wanted)],
            self.initializers,
        )
        kind = self.values[wanted].dtype if wanted in self.values else np.dtype(np.float32)
        graph.output[0].CopyFrom(
            helper.make_tensor_value_info(wanted, helper.np_dtype_to_tensor_dtype(kind), None)
        )
        return self._model(graph)

    def _model(self, graph: onnx.GraphProto) -> onnx.ModelProto:
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=min(10, onnx.IR_VERSION))
