"""Any part of a graph without neurons, written as an ONNX model."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx

from snnc.errors import ModelError
from snnc.graph import (
    Add,
    ArgMax,
    Array,
    AvgPool,
    BatchNorm,
    Bias,
    Clip,
    Concat,
    Conv,
    Flatten,
    Gather,
    Graph,
    Input,
    Linear,
    LogSoftmax,
    MaxPool,
    Node,
    Output,
    Pad,
    Relu,
    Reshape,
    Scale,
    Select,
    Shape,
    Softmax,
    SparseLinear,
    Step,
    Transpose,
)

from . import handlers  # noqa: F401 - they hold the rules of operators that have files of their own
from .writer import Writer, onnx_pads, write

OPSET = 19
IR_VERSION = 9


def export_onnx(
    graph: Graph, inputs: Iterable[str] | None = None, outputs: Iterable[str] | None = None
) -> onnx.ModelProto:
    """An ONNX model of the part of a graph between two sets of nodes, with a free batch axis.

    Args:
        graph: an ANN, or any graph whose exported part has no neurons and no delays.
        inputs: nodes whose values are given; the graph's inputs if None.
        outputs: nodes whose values are computed; the graph's outputs if None.

    Returns:
        A model in float32 (class numbers of an arg-max in int64), inputs and outputs called like the nodes.

    Raises:
        ModelError: M140 for a node that ONNX has no operator for, M141 if an input of the graph that is not
            among ``inputs`` is reached.
    """
    first = [node.name for node in graph.inputs] if inputs is None else list(inputs)
    last = [node.name for node in graph.outputs] if outputs is None else list(outputs)
    writer = Writer(node.name for node in graph)
    for node in _between(graph, first, last):
        shapes = tuple(graph.shapes[source] for source in node.inputs)
        try:
            write(node.operator, writer, node, shapes)
        except NotImplementedError:
            raise ModelError(
                "M140",
                f"{type(node.operator).__name__} cannot be written as ONNX",
                node=node.name,
                source=node.source,
                remedy="export a part of the graph without it",
            ) from None
    body = onnx.helper.make_graph(
        writer.nodes,
        graph.name or "snnc",
        [_value(graph, name) for name in first],
        [_value(graph, name) for name in last],
        writer.initializers,
    )
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    return onnx.helper.make_model(body, producer_name="snnc", opset_imports=opsets, ir_version=IR_VERSION)


def _between(graph: Graph, first: list[str], last: list[str]) -> tuple[Node, ...]:
    """The nodes that must be computed, in dataflow order."""
    needed, pending = set(first), [name for name in last if name not in first]
    while pending:
        node = graph[pending.pop()]
        if node.name in needed:
            continue
        if isinstance(node.operator, Input):
            raise ModelError(
                "M141",
                "the part to export reads an input that is not given",
                node=node.name,
                remedy="name it among the inputs",
            )
        needed.add(node.name)
        pending += node.inputs
    return tuple(node for node in graph.ordered if node.name in needed and node.name not in first)


def _value(graph: Graph, name: str) -> onnx.ValueInfoProto:
    ancestor = graph[name]
    while isinstance(ancestor.operator, Output | Reshape | Flatten):
        ancestor = graph[ancestor.inputs[0]]
    kind = onnx.TensorProto.INT64 if isinstance(ancestor.operator, ArgMax) else onnx.TensorProto.FLOAT
    return onnx.helper.make_tensor_value_info(name, kind, ["batch", *graph.shapes[name]])


@write.register
def _(operator: Output, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    writer.add("Identity", node.inputs, node.name)


@write.register
def _(operator: Relu, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    writer.add("Relu", node.inputs, node.name)


@write.register
def _(operator: Clip, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    low = writer.constant(f"{node.name}.low", operator.low)
    high = writer.constant(f"{node.name}.high", operator.high)
    writer.add("Clip", (*node.inputs, low, high), node.name)


@write.register
def _(operator: Step, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    threshold = writer.constant(f"{node.name}.threshold", operator.threshold)
    reached = writer.step("GreaterOrEqual", (*node.inputs, threshold), f"{node.name}.reached")
    writer.add("Cast", (reached,), node.name, to=onnx.TensorProto.FLOAT)


@write.register
def _(operator: Conv, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    parameters = [writer.constant(f"{node.name}.weight", operator.weight)]
    if operator.bias is not None:
        parameters.append(writer.constant(f"{node.name}.bias", operator.bias))
    writer.add(
        "Conv",
        (*node.inputs, *parameters),
        node.name,
        strides=operator.stride,
        dilations=operator.dilation,
        pads=onnx_pads(operator.pads),
        group=operator.groups,
    )


@write.register
def _(operator: Linear, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    if len(shapes[0]) == 1:
        parameters = [writer.constant(f"{node.name}.weight", operator.weight)]
        if operator.bias is not None:
            parameters.append(writer.constant(f"{node.name}.bias", operator.bias))
        writer.add("Gemm", (*node.inputs, *parameters), node.name, transB=1)
        return
    weight = writer.constant(f"{node.name}.weight", operator.weight.T)
    if operator.bias is None:
        writer.add("MatMul", (*node.inputs, weight), node.name)
        return
    product = writer.step("MatMul", (*node.inputs, weight), f"{node.name}.product")
    writer.add("Add", (product, writer.constant(f"{node.name}.bias", operator.bias)), node.name)


@write.register
def _(operator: SparseLinear, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    """Each row gathers its entries, times their values, summed; short rows are filled with zeros."""
    size, rows = int(np.prod(operator.in_shape)), int(np.prod(operator.out_shape))
    order = np.argsort(operator.rows, kind="stable")
    counts = np.bincount(operator.rows, minlength=rows)
    width = max(1, int(counts.max(initial=0)))
    places = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    indices = np.full((rows, width), -1, np.int64)
    values = np.zeros((rows, width), np.float32)
    indices[operator.rows[order], places] = operator.columns[order]
    values[operator.rows[order], places] = operator.values[order]
    picked = _gathered(writer, node, indices, size)
    weighed = writer.step(
        "Mul", (picked, writer.constant(f"{node.name}.values", values)), f"{node.name}.weighed"
    )
    axes = writer.constant(f"{node.name}.axes", (2,), np.int64)
    summed = writer.step("ReduceSum", (weighed, axes), f"{node.name}.summed", keepdims=0)
    _reshaped(writer, summed, operator.out_shape, node.name)


@write.register
def _(operator: Scale, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    writer.add("Mul", (*node.inputs, writer.constant(f"{node.name}.factor", operator.factor)), node.name)


@write.register
def _(operator: Bias, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    writer.add("Add", (*node.inputs, writer.constant(f"{node.name}.value", operator.value)), node.name)


@write.register
def _(operator: BatchNorm, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    names = ("gamma", "beta", "mean", "variance")
    parameters = [writer.constant(f"{node.name}.{name}", getattr(operator, name)) for name in names]
    writer.add("BatchNormalization", (*node.inputs, *parameters), node.name, epsilon=operator.epsilon)


@write.register
def _(operator: Add, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    writer.add("Sum", node.inputs, node.name)


@write.register
def _(operator: Concat, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    writer.add("Concat", node.inputs, node.name, axis=operator.axis + 1)


@write.register
def _(operator: MaxPool, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    source, pads = _room(writer, node, operator, -np.inf)
    writer.add(
        "MaxPool",
        (source,),
        node.name,
        kernel_shape=operator.kernel,
        strides=operator.stride,
        dilations=operator.dilation,
        pads=pads,
    )


@write.register
def _(operator: AvgPool, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    """ONNX's own mean, or that over whole windows times their size over the number of elements that count."""
    fits = all(max(pair) < size for pair, size in zip(operator.pads, operator.kernel, strict=True))
    if fits and not any(operator.overhang):
        include = int(operator.count_include_pad)
        _pooled(writer, node.inputs[0], operator, node.name, onnx_pads(operator.pads), include)
        return
    divisors = operator.divisors(shapes[0][1:])
    correction = int(np.prod(operator.kernel)) / divisors
    source, pads = _room(writer, node, operator, 0.0)
    mean = _pooled(writer, source, operator, writer.unused(f"{node.name}.mean"), pads, 1)
    writer.add("Mul", (mean, writer.constant(f"{node.name}.correction", correction)), node.name)


def _pooled(
    writer: Writer, source: str, operator: AvgPool, output: str, pads: tuple[int, ...], include: int
) -> str:
    return writer.add(
        "AveragePool",
        (source,),
        output,
        kernel_shape=operator.kernel,
        strides=operator.stride,
        dilations=operator.dilation,
        pads=pads,
        count_include_pad=include,
    )


@write.register
def _(operator: Flatten, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    writer.add("Flatten", node.inputs, node.name)


@write.register
def _(operator: Reshape, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    _reshaped(writer, node.inputs[0], operator.new_shape, node.name)


@write.register
def _(operator: Transpose, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    writer.add("Transpose", node.inputs, node.name, perm=(0, *(axis + 1 for axis in operator.permutation)))


@write.register
def _(operator: Pad, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    pads = writer.constant(f"{node.name}.pads", onnx_pads(((0, 0), *operator.pads)), np.int64)
    writer.add("Pad", (*node.inputs, pads), node.name)


@write.register
def _(operator: Gather, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    picked = _gathered(writer, node, operator.indices.reshape(-1), int(np.prod(operator.in_shape)))
    _reshaped(writer, picked, operator.indices.shape, node.name)


@write.register
def _(operator: Select, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    moved = operator.index_map(shapes[0])
    picked = _gathered(writer, node, moved.indices, int(np.prod(operator.in_shape)))
    _reshaped(writer, picked, moved.shape, node.name)


@write.register
def _(operator: Softmax, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    writer.add("Softmax", node.inputs, node.name, axis=operator.axis + 1)


@write.register
def _(operator: LogSoftmax, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    writer.add("LogSoftmax", node.inputs, node.name, axis=operator.axis + 1)


@write.register
def _(operator: ArgMax, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    writer.add("ArgMax", node.inputs, node.name, axis=operator.axis + 1, keepdims=int(operator.keepdims))


def _room(
    writer: Writer, node: Node, operator: MaxPool | AvgPool, filling: float
) -> tuple[str, tuple[int, ...]]:
    """The pool's input and pads; pads as large as the kernel (refused by onnxruntime) become a Pad node."""
    if all(max(pair) < size for pair, size in zip(operator.pads, operator.kernel, strict=True)):
        return node.inputs[0], onnx_pads(operator.pads)
    pads = writer.constant(f"{node.name}.pads", onnx_pads(((0, 0), (0, 0), *operator.pads)), np.int64)
    value = writer.constant(f"{node.name}.filling", filling)
    padded = writer.step("Pad", (node.inputs[0], pads, value), f"{node.name}.padded")
    return padded, (0,) * (2 * len(operator.kernel))


def _reshaped(writer: Writer, source: str, shape: Shape, name: str) -> None:
    target = writer.constant(f"{name}.shape", (0, *shape), np.int64)
    writer.add("Reshape", (source, target), name)


def _gathered(writer: Writer, node: Node, indices: Array, size: int) -> str:
    """(batch, *indices.shape): elements of the flattened input, zero where the index is -1."""
    flat = writer.step("Flatten", node.inputs, f"{node.name}.flat")
    if (indices < 0).any():
        pads = writer.constant(f"{node.name}.pads", (0, 0, 0, 1), np.int64)
        flat = writer.step("Pad", (flat, pads), f"{node.name}.padded")
    places = writer.constant(f"{node.name}.indices", np.where(indices < 0, size, indices), np.int64)
    return writer.step("Gather", (flat, places), f"{node.name}.picked", axis=1)
