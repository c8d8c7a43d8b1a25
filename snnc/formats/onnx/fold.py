"""Evaluation of nodes whose inputs are all constant.

Folding is done here, node by node, and not by a library
that rewrites the whole file. On networks exported by Keras and PyTorch, onnxruntime's basic optimisation,
onnxscript's optimizer and onnxslim turned 54 to 456 nodes into 14 to 136, some under new names, without saying
what became of the rest, which the ledger has to say of each. Shape arithmetic over a free batch axis is
evaluated here for two batch sizes; the first two of them left some of it in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from snnc.graph import Array

from .registry import Refusal
from .values import Constant

RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
)
MOST_ELEMENTS = 2**30
FOLDING_IR_VERSION = 8
"""What every supported onnxruntime reads."""


def evaluate_node(node: onnx.NodeProto, opset: int, inputs: Sequence[Array | None]) -> list[Array]:
    """The outputs of one node of ONNX's own domain for given inputs; raises Refusal if it has none."""
    if node.op_type in RANDOM:
        raise Refusal("its value is random", "replace it by a constant")
    _check_size(node, inputs)
    feeds = {name: array for name, array in zip(node.input, inputs, strict=True) if array is not None}
    arithmetic = any(array.dtype.kind == "f" or array.dtype.itemsize == 1 for array in feeds.values())
    ways = [_by_reference, _by_onnxruntime]
    for way in reversed(ways) if arithmetic else ways:
        results = way(node, opset, feeds)
        if results is not None:
            return results
    raise Refusal("its constant value cannot be computed", "replace it by its value, as onnxsim does")


def _by_reference(node: onnx.NodeProto, opset: int, feeds: Mapping[str, Array]) -> list[Array] | None:
    """What the reference evaluator of onnx gives, quick for shapes; None if it cannot."""
    unknown = [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in feeds]
    try:
        results = ReferenceEvaluator(_alone(node, opset, unknown)).run(None, dict(feeds))
    except Exception:  # the evaluator raises whatever numpy raises on a malformed node
        return None
    return [np.asarray(result) for result in results]


def _by_onnxruntime(node: onnx.NodeProto, opset: int, feeds: Mapping[str, Array]) -> list[Array] | None:
    """What onnxruntime gives, which the import is compared with; None if it cannot.

    The reference evaluator has no rule for some operators in the versions of some opsets (DequantizeLinear below
    19) and a wrong one for others (BatchNormalization below 14).
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        known = [
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in feeds.items()
        ]
        model = _alone(node, opset, known).SerializeToString()
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return [np.asarray(result) for result in session.run(None, dict(feeds))]
    except Exception:  # onnxruntime's exceptions share no public base class
        return None


def _alone(node: onnx.NodeProto, opset: int, inputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
    """A model of this node, its inputs given, its named outputs read."""
    outputs = [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in node.output if name]
    graph = onnx.helper.make_graph([node], "fold", inputs, outputs)
    opsets = [onnx.helper.make_opsetid("", opset)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=FOLDING_IR_VERSION)


def _check_size(node: onnx.NodeProto, inputs: Sequence[Array | None]) -> None:
    if node.op_type not in ("ConstantOfShape", "Expand") or inputs[-1] is None:
        return
    elements = 1
    for size in inputs[-1].ravel():
        elements *= int(size)
    if elements > MOST_ELEMENTS:
        raise Refusal(f"it makes a constant of {elements} elements", "keep constants below 2^30 elements")


def fold(node: onnx.NodeProto, opset: int, inputs: Sequence[Constant | None], batches: int) -> list[Constant]:
    """The constant outputs of a node whose inputs are all constant, for each batch size where they vary."""
    varies = any(value is not None and value.varies for value in inputs)
    results = [
        evaluate_node(node, opset, [None if value is None else value.at(position) for value in inputs])
        for position in range(batches if varies else 1)
    ]
    return [by_batch(arrays) for arrays in zip(*results, strict=True)]


def by_batch(arrays: Sequence[Array]) -> Constant:
    """The constant with these values for the batch sizes, reduced to one value where they are equal."""
    same = all(np.array_equal(arrays[0], other) for other in arrays[1:])
    return Constant((arrays[0],) if same else tuple(arrays))


def attributes_of(node: onnx.NodeProto) -> Mapping[str, object]:
    """The attributes of a node as Python values: text instead of bytes, lists as tuples."""
    attributes: dict[str, object] = {}
    for attribute in node.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, onnx.TensorProto):
            value = onnx.numpy_helper.to_array(value)
        elif attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
            value = tuple(value)
        attributes[attribute.name] = value
    return attributes
