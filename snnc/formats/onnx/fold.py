"""Evaluation of nodes whose inputs are all constant.

Folding is done here, node by node with the reference evaluator that comes with onnx, and not by a library
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


def evaluate_node(node: onnx.NodeProto, opset: int, inputs: Sequence[Array | None]) -> list[Array]:
    """The outputs of one node of ONNX's own domain for given inputs; raises Refusal if it has none."""
    if node.op_type in RANDOM:
        raise Refusal("its value is random", "replace it by a constant")
    names = [name for name, array in zip(node.input, inputs, strict=True) if array is not None]
    feeds = {name: array for name, array in zip(node.input, inputs, strict=True) if array is not None}
    _check_size(node, inputs)
    unknown = [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in dict.fromkeys(names)]
    outputs = [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in node.output if name]
    graph = onnx.helper.make_graph([node], "fold", unknown, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    try:
        results = ReferenceEvaluator(model).run(None, feeds)
    except Exception as error:  # the evaluator raises whatever numpy raises on a malformed node
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise Refusal(
            f"its constant value cannot be computed: {reason}", "replace it by a constant"
        ) from None
    return [np.asarray(result) for result in results]


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
    found: dict[str, object] = {}
    for attribute in node.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, onnx.TensorProto):
            value = onnx.numpy_helper.to_array(value)
        elif attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
            value = tuple(value)
        found[attribute.name] = value
    return found
