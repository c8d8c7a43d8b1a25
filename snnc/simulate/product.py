"""Matrix products by onnxruntime, on the calling thread alone.

A run keeps the processors busy with batches side by side. A BLAS with threads of its own gets in their way: two
such pools on two busy cores are ten times slower than one.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from snnc.graph.operators.base import Array
from snnc.graph.order_free import order_free


def product(left: Array, right: Array) -> Array:
    """``numpy.matmul`` of two arrays of one dtype, float32 or float64."""
    operands = {"left": np.ascontiguousarray(left), "right": np.ascontiguousarray(right)}
    return np.asarray(_session(left.dtype).run(None, operands)[0])


steady_product = order_free(product, 2)
"""``product`` of float64 with the same bits on every machine, to about 42 bits of the largest factors."""


@cache
def _session(dtype: np.dtype) -> Any:
    import onnxruntime
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(dtype)
    node = helper.make_node("MatMul", ["left", "right"], ["result"])
    values = [helper.make_tensor_value_info(name, kind, None) for name in ("left", "right", "result")]
    graph = helper.make_graph([node], "product", values[:2], values[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
