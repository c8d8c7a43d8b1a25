"""The one input and the one output of a model, and its batch axis."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx

from snnc.errors import ModelError
from snnc.graph import Shape

from .builder import MOST_ELEMENTS
from .source import ModelSource
from .values import Batch


@dataclass(frozen=True)
class Interface:
    """How a model is fed and read.

    Attributes:
        input_name, output_name: names in the file.
        sample_shape: shape of the input without the batch axis.
        dtype: type of the input.
        batch: free or fixed number of samples.
    """

    input_name: str
    output_name: str
    sample_shape: Shape
    dtype: np.dtype
    batch: Batch


def read_interface(source: ModelSource, input_shape: Shape | None = None) -> Interface:
    """Find input, output and batch axis; raises ModelError M114 to M119.

    Args:
        source: the model.
        input_shape: sizes without the batch axis, for axes that the file leaves free.
    """
    graph, file = source.model.graph, source.file
    initial = {tensor.name for tensor in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in initial]
    if len(inputs) != 1:
        names = ", ".join(entry.name for entry in inputs) or "none"
        raise ModelError(
            "M115",
            f"it has {len(inputs)} inputs ({names}); snnc takes a network of one input",
            file=file,
            remedy="export the part of the network that reads one input, or join the inputs into one",
        )
    if len(graph.output) != 1:
        names = ", ".join(entry.name for entry in graph.output) or "none"
        raise ModelError(
            "M116",
            f"it has {len(graph.output)} outputs ({names}); snnc takes a network of one output",
            file=file,
            remedy="export the network with one output, e.g. with onnx.utils.extract_model",
        )
    entry = inputs[0]
    if not entry.type.HasField("tensor_type"):
        raise ModelError(
            "M117", f"input {entry.name!r} is no tensor", file=file, remedy="export with a tensor input"
        )
    dtype = _input_type(entry, file)
    declared = _declared_sizes(entry)
    sample_shape = _sample_shape(entry.name, declared, input_shape, file)
    if math.prod(sample_shape) > MOST_ELEMENTS:
        raise ModelError(
            "M118",
            f"one sample of input {entry.name!r} has {math.prod(sample_shape)} elements",
            file=file,
            remedy="use an input of at most 2^28 elements",
        )
    first = declared[0] if declared else None
    batch = Batch((first,)) if first else Batch()
    return Interface(entry.name, graph.output[0].name, sample_shape, dtype, batch)


def _input_type(entry: onnx.ValueInfoProto, file: str | None) -> np.dtype:
    code = entry.type.tensor_type.elem_type
    names = {value: key.lower() for key, value in onnx.TensorProto.DataType.items()}
    name = names.get(code, f"number {code}")
    try:
        dtype: np.dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(code))
    except (KeyError, TypeError, ValueError):
        dtype = np.dtype(object)
    if dtype not in (np.float32, np.float64) and dtype.kind not in "iu":
        raise ModelError(
            "M117",
            f"input {entry.name!r} is of type {name}",
            file=file,
            remedy="export the model with a float32 input",
        )
    return dtype


def _declared_sizes(entry: onnx.ValueInfoProto) -> tuple[int | None, ...] | None:
    """The sizes of the input, None for a free one; None if the file does not say how many axes there are."""
    kind = entry.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(
        axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else None
        for axis in kind.shape.dim
    )


def _sample_shape(
    name: str, declared: tuple[int | None, ...] | None, given: Shape | None, file: str | None
) -> Shape:
    shown = "?" if declared is None else ", ".join("?" if size is None else str(size) for size in declared)
    if declared is not None and len(declared) < 2:
        raise ModelError(
            "M118",
            f"input {name!r} of shape ({shown}) has no axes behind the batch axis",
            file=file,
            remedy="export the network with inputs of shape (batch, ...)",
        )
    if given is None:
        if declared is None or None in declared[1:]:
            raise ModelError(
                "M114",
                f"input {name!r} of shape ({shown}) leaves sizes open besides the batch",
                file=file,
                remedy="give the shape of one sample, e.g. --input-shape 3,224,224",
            )
        return tuple(size for size in declared[1:] if size is not None)
    given = tuple(int(size) for size in given)
    fits = declared is None or (
        len(given) == len(declared) - 1
        and all(size in (None, wanted) for size, wanted in zip(declared[1:], given, strict=True))
    )
    if not fits or not given or min(given) < 1:
        wanted = ", ".join(map(str, given))
        raise ModelError(
            "M119",
            f"the input shape ({wanted}) does not fit input {name!r} of shape ({shown})",
            file=file,
            remedy="give the sizes of one sample, without the batch axis",
        )
    return given
