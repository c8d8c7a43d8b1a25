"""The comparison of an imported graph with onnxruntime on the original file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx

from snnc.errors import ModelError
from snnc.graph import Array, Graph, evaluate_nodes

from .convert import Conversion
from .interface import Interface
from .source import ModelSource
from .values import Signal

TOLERANCE = 1e-5
MOST_ELEMENTS = 2**20
SAMPLES = 8


def random_samples(interface: Interface, seed: int) -> Array:
    """Random samples (samples, *shape).

    Integers from 0 to 127 (-64 to 63 if signed), else half of the samples normal, half uniform in 0 to 1.
    """
    size = int(np.prod(interface.sample_shape))
    count = max(2, min(SAMPLES, MOST_ELEMENTS // max(size, 1)))
    generator = np.random.default_rng(seed)
    shape = (count, *interface.sample_shape)
    if interface.dtype.kind in "iu":
        low = 0 if interface.dtype.kind == "u" else -64
        return generator.integers(low, low + 128, shape).astype(interface.dtype)
    x = generator.standard_normal(shape)
    x[1::2] = generator.random(shape)[1::2]
    return x.astype(np.float32)


def check_conversion(source: ModelSource, interface: Interface, conversion: Conversion, x: Array) -> float:
    """Largest relative error of the graph against onnxruntime: largest difference over largest value.

    The graph is evaluated in float64. The output is compared, and what a softmax or arg-max at the end
    reads. Raises ModelError M121 if onnxruntime cannot run the file, M122 if the error exceeds
    ``TOLERANCE``; then the first node whose value differs is searched and named.
    """
    graph, tensors = conversion.graph, conversion.tensors
    wanted = [name for name in _compared(graph) if name in tensors]
    errors = _errors(source, interface, conversion, x, wanted)
    worst = max(errors.values())
    if worst <= TOLERANCE:
        return worst
    everything = [node.name for node in graph.ordered if node.name in tensors]
    all_errors = _errors(source, interface, conversion, x, everything)
    culprit = next((name for name in everything if not all_errors[name] <= TOLERANCE), wanted[-1])
    raise ModelError(
        "M122",
        f"the imported network differs from onnxruntime by {worst:.2g} of the largest value",
        file=source.file,
        node=culprit,
        source=graph[culprit].source,
        remedy="please report the model: a rule of the import is wrong for this node",
    )


def _compared(graph: Graph) -> list[str]:
    """The output, and the nodes that decisions read."""
    logits = [source for node in graph.decisions for source in node.inputs]
    return list(dict.fromkeys([*logits, graph.outputs[0].name]))


def _errors(
    source: ModelSource, interface: Interface, conversion: Conversion, x: Array, names: list[str]
) -> Mapping[str, float]:
    tensors = conversion.tensors
    outputs = list(dict.fromkeys([tensors[name][0] for name in names]))
    expected = dict(
        zip(outputs, run_original(source, interface, outputs, x, conversion.batch.sizes), strict=True)
    )
    values = evaluate_nodes(conversion.graph, x.astype(np.float64), names)
    return {
        name: _relative_error(_as_in_file(values[name], tensors[name][1]), expected[tensors[name][0]])
        for name in names
    }


def _as_in_file(value: Array, signal: Signal) -> Array:
    return value.transpose(0, *(axis + 1 for axis in signal.order))


def _relative_error(found: Array, expected: Array) -> float:
    if found.shape != expected.shape:
        return float("inf")
    reference = expected.astype(np.float64)
    scale = float(np.abs(reference).max(initial=0.0))
    difference = float(np.abs(found.astype(np.float64) - reference).max(initial=0.0))
    if not np.isfinite(scale) or not np.isfinite(difference):
        return float("inf")
    return difference / scale if scale else difference


def run_original(
    source: ModelSource, interface: Interface, outputs: Iterable[str], x: Array, sizes: tuple[int, ...]
) -> list[Array]:
    """Tensors of the original model for samples ``x``, by onnxruntime without optimisation, on one thread.

    Args:
        source: the model.
        interface: its input.
        outputs: names of the wanted tensors.
        x: samples; a file of a fixed batch size gets them in pieces, the last one filled up.
        sizes: the batch sizes that the file was read with.
    """
    wanted = list(outputs)
    session = _session(source, wanted)
    step = sizes[0] if len(sizes) == 1 else len(x)
    pieces = []
    for start in range(0, len(x), step):
        piece = x[start : start + step].astype(interface.dtype)
        missing = step - len(piece)
        piece = np.concatenate([piece, np.repeat(piece[-1:], missing, axis=0)]) if missing else piece
        try:
            results = session.run(wanted, {interface.input_name: piece})
        except Exception as error:  # onnxruntime's exceptions share no public base class
            raise _cannot_run(source, error) from None
        pieces.append([result[: step - missing] for result in results])
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


def _session(source: ModelSource, wanted: list[str]) -> Any:
    import onnxruntime

    model = onnx.ModelProto()
    model.CopyFrom(source.model)
    declared = {entry.name for entry in model.graph.output}
    known = {name for node in model.graph.node for name in node.output}
    for name in wanted:
        if name not in declared and name in known:
            model.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # as above; a model above 2 GiB fails to serialise
        raise _cannot_run(source, error) from None


def _cannot_run(source: ModelSource, error: Exception) -> ModelError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ModelError(
        "M121",
        f"onnxruntime cannot run the model, so that the import cannot be checked: {reason[:300]}",
        file=source.file,
        remedy="export the model again, or upgrade onnxruntime",
    )
