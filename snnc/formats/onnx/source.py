"""Reading the bytes of an ONNX model and deciding whether they can be trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from onnx import external_data_helper

from snnc.errors import ModelError
from snnc.graph import Array

from .weights import name_weights, without_weights

OLDEST_OPSET = 9
_NESTED_OR_TEXT = (FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_STRING)
EXPORT_AGAIN = "export the model again"
Source: TypeAlias = str | Path | bytes | onnx.ModelProto


@dataclass(frozen=True, eq=False)
class ModelSource:
    """A model with all its tensors in memory.

    Attributes:
        model: the model, without the data of its large initializers.
        weights: those by their names.
        digest: SHA-256 of the file's bytes and of the external data they name, hexadecimal.
        file: path as the user gave it, or None.
        opset: version of ONNX's own operators.
    """

    model: onnx.ModelProto
    weights: Mapping[str, Array]
    digest: str
    file: str | None
    opset: int


def open_model(source: Source, file: str | None = None) -> ModelSource:
    """Read a model from a path, bytes or a ModelProto; raises ModelError M101 to M112."""
    folder = None
    if isinstance(source, str | Path):
        file = file or str(source)
        folder = Path(source).parent
        content = _read(Path(source), file)
        model = _parse(content, file)
    elif isinstance(source, bytes):
        content, model = source, _parse(source, file)
    else:
        model = onnx.ModelProto()
        model.CopyFrom(source)
        content = model.SerializeToString(deterministic=True)
    opset = _check_opset(model, file)
    digest = hashlib.sha256(content)
    del content  # as large as the weights
    _load_external_data(model, folder, file, digest)
    model, weights = without_weights(model)
    _check_model(model, file)
    name_weights(model, weights)
    return ModelSource(model, weights, digest.hexdigest(), file, opset)


def _read(path: Path, file: str) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ModelError("M101", "there is no such file", file=file, remedy="check the path") from None
    except IsADirectoryError:
        remedy = "name the .onnx file in it"
        raise ModelError("M102", "it is a folder, not a model file", file=file, remedy=remedy) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        remedy = "check the path and its permissions"
        raise ModelError("M103", f"it cannot be read: {reason}", file=file, remedy=remedy) from None
    if not content:
        raise ModelError("M104", "the file is empty", file=file, remedy=EXPORT_AGAIN)
    return content


def _parse(content: bytes, file: str | None) -> onnx.ModelProto:
    if not content:
        raise ModelError("M104", "the model has no bytes", file=file, remedy=EXPORT_AGAIN)
    model = onnx.ModelProto()
    remedy = "give a complete .onnx file; a download or copy may have been cut short"
    try:
        model.ParseFromString(content)
    except (DecodeError, RuntimeError, ValueError):
        raise ModelError("M105", "it is no ONNX model, or a damaged one", file=file, remedy=remedy) from None
    if not _is_text(model):
        raise ModelError("M105", "it is a damaged ONNX model", file=file, remedy=remedy)
    if not model.HasField("graph") or not model.opset_import:
        raise ModelError("M105", "it is no ONNX model: it holds no graph", file=file, remedy=remedy)
    return model


def _is_text(message: Message) -> bool:
    """Whether all names in a message are text: protobuf hands out damaged ones as bytes."""
    for field, value in message.ListFields():
        repeated = not isinstance(value, str | bytes | Message) and field.type in _NESTED_OR_TEXT
        for item in value if repeated else (value,):
            if isinstance(item, Message) and not _is_text(item):
                return False
            if field.type == field.TYPE_STRING and isinstance(item, bytes):
                return False
    return True


def _check_opset(model: onnx.ModelProto, file: str | None) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    newest = int(onnx.defs.onnx_opset_version())
    if model.ir_version > onnx.IR_VERSION:
        raise ModelError(
            "M107",
            f"its file format is version {model.ir_version}; the installed onnx {onnx.__version__} reads up to "
            f"{onnx.IR_VERSION}",
            file=file,
            remedy="upgrade the onnx and onnxruntime packages, or export with an older onnx",
        )
    if not versions:
        # A model of other domains alone: every node is refused by name later on.
        return newest
    opset = int(max(versions))
    if opset > newest:
        raise ModelError(
            "M107",
            f"it needs opset {opset}; the installed onnx {onnx.__version__} knows opsets up to {newest}",
            file=file,
            remedy=f"upgrade the onnx and onnxruntime packages, or export with opset {newest} or older",
        )
    if opset < OLDEST_OPSET:
        raise ModelError(
            "M108",
            f"it is written for opset {opset}; snnc reads opset {OLDEST_OPSET} and newer",
            file=file,
            remedy="export with a newer opset, or convert it with onnx.version_converter",
        )
    return opset


def _load_external_data(
    model: onnx.ModelProto, folder: Path | None, file: str | None, digest: hashlib._Hash
) -> None:
    for tensor in _tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        if folder is None:
            raise ModelError(
                "M109",
                f"tensor {tensor.name!r} is in another file, and the model was given without a folder",
                file=file,
                remedy="give the path of the .onnx file, or a model with its data inside",
            )
        _check_external(tensor, folder, file)
        try:
            external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        except (OSError, ValueError, onnx.checker.ValidationError) as error:
            raise ModelError(
                "M111",
                f"the external data of tensor {tensor.name!r} cannot be read: {_first_line(error)}",
                file=file,
                remedy="export the model again and keep its data files beside it",
            ) from None
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
        digest.update(tensor.raw_data)


def _check_external(tensor: onnx.TensorProto, folder: Path, file: str | None) -> None:
    """Refuse external data outside of the model's folder, absent, or shorter than the tensor needs."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    home = folder.resolve()
    path = (home / location).resolve()
    if not location or Path(location).is_absolute() or not path.is_relative_to(home) or path == home:
        raise ModelError(
            "M110",
            f"tensor {tensor.name!r} wants data from {location!r}, outside of the model's folder",
            file=file,
            remedy="do not use this file unless you trust it; keep data files beside the model",
        )
    if not path.is_file():
        raise ModelError(
            "M109",
            f"the external data file {location!r} of tensor {tensor.name!r} is absent",
            file=file,
            remedy=f"put {location!r} beside the model, or export with the weights inside",
        )
    needed = _bytes_needed(tensor)
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", needed))
    except ValueError:
        offset, length = -1, -1
    if offset < 0 or length != needed or offset + length > path.stat().st_size:
        raise ModelError(
            "M111",
            f"the external data of tensor {tensor.name!r} does not hold the {needed} bytes of its shape",
            file=file,
            remedy="export the model again; a copy may have been cut short",
        )


def _bytes_needed(tensor: onnx.TensorProto) -> int:
    count = 1
    for size in tensor.dims:
        count *= size
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except KeyError:
        return -1
    return int(count * np.dtype(dtype).itemsize)


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor of a model: initializers and attributes, subgraphs and functions included."""
    nodes = list(model.graph.node)
    graphs = [model.graph]
    for function in model.functions:
        nodes += function.node
    while nodes or graphs:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            nodes += graph.node if graph is not model.graph else ()
            continue
        for attribute in nodes.pop().attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            graphs += [attribute.g] if attribute.HasField("g") else []
            graphs += attribute.graphs


def _check_model(model: onnx.ModelProto, file: str | None) -> None:
    """Run onnx's own checker, but let inputs and outputs be without shape, as onnxruntime does."""
    kinds = [entry.type.tensor_type for entry in (*model.graph.input, *model.graph.output)]
    shapeless = [kind for kind in kinds if kind.elem_type and not kind.HasField("shape")]
    for kind in shapeless:
        kind.shape.SetInParent()
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise ModelError(
            "M106", f"it is no valid ONNX model: {_first_line(error)}", file=file, remedy=EXPORT_AGAIN
        ) from None
    for kind in shapeless:
        kind.ClearField("shape")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
