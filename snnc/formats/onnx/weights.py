"""Large initializers of a model as arrays beside its message, so that memory holds them once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from snnc.graph import Array

LEAST_BYTES = 2**16
"""Initializers of fewer bytes stay in the message, where onnxruntime may look for shapes and axes."""

_NATIVE: Mapping[int, np.dtype[Any]] = {
    onnx.TensorProto.FLOAT: np.dtype("<f4"),
    onnx.TensorProto.DOUBLE: np.dtype("<f8"),
    onnx.TensorProto.FLOAT16: np.dtype("<f2"),
    onnx.TensorProto.INT8: np.dtype("i1"),
    onnx.TensorProto.UINT8: np.dtype("u1"),
    onnx.TensorProto.INT32: np.dtype("<i4"),
    onnx.TensorProto.INT64: np.dtype("<i8"),
}
"""Types whose bytes in a file are those of a numpy array."""


def without_weights(model: onnx.ModelProto) -> tuple[onnx.ModelProto, Mapping[str, Array]]:
    """A model whose large initializers have no elements, and these by their names, read-only.

    Args:
        model: loses the data too; its memory is free once the caller drops it.
    """
    weights: dict[str, Array] = {}
    for tensor in model.graph.initializer:
        values = _values(tensor)
        if values is not None and tensor.name not in weights:
            weights[tensor.name] = values
            tensor.ClearField("raw_data")
            tensor.dims[:] = [0]
    small = onnx.ModelProto()
    small.CopyFrom(model)
    return small, weights


def _values(tensor: onnx.TensorProto) -> Array | None:
    """The array of a large tensor, or None of one that is small, of another type, or not of its shape's size."""
    dtype = _NATIVE.get(tensor.data_type)
    if dtype is None or not tensor.HasField("raw_data") or tensor.ByteSize() < LEAST_BYTES:
        return None
    shape = tuple(tensor.dims)
    content: bytes = tensor.raw_data
    if min(shape, default=0) < 1 or len(content) != dtype.itemsize * int(np.prod(shape, dtype=object)):
        return None
    return np.frombuffer(content, dtype).reshape(shape)


def name_weights(model: onnx.ModelProto, weights: Mapping[str, Array]) -> None:
    """Give initializers without elements the shapes of ``weights``, marked as data outside of the message."""
    for tensor in model.graph.initializer:
        if tensor.name in weights and tuple(tensor.dims) == (0,):
            tensor.dims[:] = weights[tensor.name].shape
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="memory")


def give_weights(options: Any, weights: Mapping[str, Array]) -> None:
    """Let a session of these onnxruntime.SessionOptions read ``weights`` where they are, without copies of its own.

    The arrays have to live as long as the session.
    """
    import onnxruntime

    options.add_session_config_entry("session.disable_prepacking", "1")
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
    options.add_external_initializers(list(weights), values)
