"""The inputs and outputs of a model, and its batch axis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from snnc.errors import ModelError
from snnc.graph import Shape

from .builder import MOST_ELEMENTS
from .source import ModelSource
from .values import BatchAxis


@dataclass(frozen=True)
class InputEntry:
    """One input of a model.

    Attributes:
        name: in the file.
        sample_shape: without the batch axis.
        dtype: in the file.
    """

    name: str
    sample_shape: Shape
    dtype: np.dtype


@dataclass(frozen=True)
class Interface:
    """How a model is fed and read.

    Attributes:
        inputs: in the file's order.
        outputs: names in the file.
        batch: free or fixed number of samples.
    """

    inputs: tuple[InputEntry, ...]
    outputs: tuple[str, ...]
    batch: BatchAxis

    @property
    def elements(self) -> int:
        """Values of one sample of all inputs."""
        return sum(math.prod(entry.sample_shape) for entry in self.inputs)


def read_interface(source: ModelSource, input_shape: Shape | Mapping[str, Shape] | None = None) -> Interface:
    """Find inputs, outputs and batch axis; raises ModelError M114 to M119.

    Args:
        source: the model.
        input_shape: sizes without the batch axis, for axes that the file leaves free; by the input's name where there
            are several.
    """
    graph, file = source.model.graph, source.file
    initial = {tensor.name for tensor in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in initial]
    for what, code, entries in (("inputs", "M115", inputs), ("outputs", "M116", graph.output)):
        if not entries:
            raise ModelError(code, f"it has no {what}", file=file, remedy=f"export a network with {what}")
    if input_shape is not None and not isinstance(input_shape, Mapping):
        input_shape = _shape_by_name(inputs, input_shape, file)
    shapes = input_shape or {}
    names = [entry.name for entry in inputs]
    for name in shapes:
        if name not in names:
            raise ModelError(
                "M119",
                f"a shape was given for {name!r}, but its inputs are {', '.join(names)}",
                file=file,
                remedy="give shapes by the inputs' names",
            )
    read = tuple(_read_input(entry, shapes.get(entry.name), file) for entry in inputs)
    sizes = {declared[0] for entry in inputs if (declared := _declared_sizes(entry)) and declared[0]}
    if len(sizes) > 1:
        raise ModelError(
            "M118",
            f"its inputs are of unlike numbers of samples: {', '.join(map(str, sorted(sizes)))}",
            file=file,
            remedy="export all inputs with one batch size, or with a free one",
        )
    return Interface(
        read, tuple(entry.name for entry in graph.output), BatchAxis(tuple(sizes)) if sizes else BatchAxis()
    )


def _shape_by_name(inputs: list[onnx.ValueInfoProto], shape: Shape, file: str | None) -> Mapping[str, Shape]:
    """One shape is that of the one input, or of the only one that leaves sizes open."""
    if len(inputs) == 1:
        return {inputs[0].name: shape}
    sizes = {entry.name: _declared_sizes(entry) for entry in inputs}
    is_open = [name for name, declared in sizes.items() if declared is None or None in declared[1:]]
    if len(is_open) != 1:
        raise ModelError(
            "M119",
            f"one input shape was given for {len(inputs)} inputs, {len(is_open)} of which leave sizes open",
            file=file,
            remedy=f"give a shape by each input's name: --input-shape {inputs[0].name}=3,32,32 and so on",
        )
    return {is_open[0]: shape}


def _read_input(entry: onnx.ValueInfoProto, shape: Shape | None, file: str | None) -> InputEntry:
    if not entry.type.HasField("tensor_type"):
        raise ModelError(
            "M117", f"input {entry.name!r} is no tensor", file=file, remedy="export with a tensor input"
        )
    dtype = _input_type(entry, file)
    sample_shape = _sample_shape(entry.name, _declared_sizes(entry), shape, file)
    if math.prod(sample_shape) > MOST_ELEMENTS:
        raise ModelError(
            "M118",
            f"one sample of input {entry.name!r} has {math.prod(sample_shape)} elements",
            file=file,
            remedy="use an input of at most 2^28 elements",
        )
    return InputEntry(entry.name, sample_shape, dtype)


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
    name: str, declared: tuple[int | None, ...] | None, shape: Shape | None, file: str | None
) -> Shape:
    shown = "?" if declared is None else ", ".join("?" if size is None else str(size) for size in declared)
    if declared is not None and len(declared) < 2:
        raise ModelError(
            "M118",
            f"input {name!r} of shape ({shown}) has no axes behind the batch axis",
            file=file,
            remedy="export the network with inputs of shape (batch, ...)",
        )
    if shape is None:
        if declared is None or None in declared[1:]:
            raise ModelError(
                "M114",
                f"input {name!r} of shape ({shown}) leaves sizes open besides the batch",
                file=file,
                remedy="give the shape of one sample, e.g. --input-shape 3,224,224",
            )
        return tuple(size for size in declared[1:] if size is not None)
    shape = tuple(int(size) for size in shape)
    fits = declared is None or (
        len(shape) == len(declared) - 1
        and all(size in (None, chosen) for size, chosen in zip(declared[1:], shape, strict=True))
    )
    if not fits or not shape or min(shape) < 1:
        chosen = ", ".join(map(str, shape))
        raise ModelError(
            "M119",
            f"the input shape ({chosen}) does not fit input {name!r} of shape ({shown})",
            file=file,
            remedy="give the sizes of one sample, without the batch axis",
        )
    return shape
