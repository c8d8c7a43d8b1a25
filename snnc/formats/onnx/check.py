"""The comparison of an imported graph with onnxruntime on the original file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from snnc.errors import ModelError
from snnc.graph import ArgMax, Array, Graph, Input, Step, evaluate_nodes
from snnc.graph.samples import Samples

from .convert import Conversion, label_nodes
from .interface import InputEntry, Interface
from .source import ModelSource
from .values import Signal
from .weights import give_weights

TOLERANCE = 1e-5
ROUNDINGS = 4
DOUBT = 8
"""onnxruntime sums in another order than numpy, so its rounding is as large, but not the same."""
MOST_DOUBT = 1e-2
NEWEST_IR_VERSION = 10  # what every supported onnxruntime reads; later versions add nothing used here
MOST_ELEMENTS = 2**18
SAMPLES = 4
MOST_SAMPLES = 16


def random_samples(interface: Interface, seed: int) -> Samples:
    """Random samples (samples, *shape) of every input.

    Integers from 0 to 127 (-64 to 63 if signed), else half of the samples normal, half uniform in 0 to 1.
    """
    generator = np.random.default_rng(seed)
    count = _count(interface, SAMPLES)
    return Samples({entry.name: _random(entry, count, generator) for entry in interface.inputs})


def _random(entry: InputEntry, count: int, generator: np.random.Generator) -> Array:
    shape = (count, *entry.sample_shape)
    if entry.dtype.kind in "iu":
        low = 0 if entry.dtype.kind == "u" else -64
        return generator.integers(low, low + 128, shape).astype(entry.dtype)
    x = generator.standard_normal(shape)
    x[1::2] = generator.random(shape)[1::2]
    return x.astype(np.float32)


def chosen_samples(interface: Interface, x: Samples) -> Samples:
    """At most ``MOST_SAMPLES`` of the given samples, evenly spread (of a sequence its first tick)."""
    count = min(len(x), _count(interface, MOST_SAMPLES))
    rows = np.linspace(0, len(x) - 1, count).astype(np.int64)
    chosen = {entry.name: x.arrays[entry.name][rows] for entry in interface.inputs}
    return Samples(
        {
            entry.name: values
            if (values := chosen[entry.name]).ndim == len(entry.sample_shape) + 1
            else values[:, 0]
            for entry in interface.inputs
        }
    )


def _as_real(interface: Interface, x: Samples) -> Samples:
    """The samples in the types of the file, as float64."""
    return Samples({e.name: x.arrays[e.name].astype(e.dtype).astype(np.float64) for e in interface.inputs})


def _count(interface: Interface, most: int) -> int:
    return max(2, min(most, MOST_ELEMENTS // interface.elements))


@dataclass(frozen=True)
class _Gap:
    """How far a node's value is from onnxruntime's.

    Attributes:
        difference: largest absolute difference, infinite if the shapes differ.
        scale: largest magnitude of onnxruntime's value.
    """

    difference: float
    scale: float

    def relative(self, floor: float = 0.0) -> float:
        """The difference over the scale, or over ``floor`` if that is larger."""
        scale = max(self.scale, floor)
        return self.difference / scale if scale else self.difference


def check_conversion(source: ModelSource, interface: Interface, conversion: Conversion, x: Samples) -> float:
    """Largest relative error of the graph against onnxruntime: largest difference over largest value.

    The graph is evaluated in float64. The output is compared, and what a softmax or arg-max at the end
    reads; of an arg-max, how far the element that onnxruntime chose lies below the largest. Where large values
    cancel, the error is taken relative to what onnxruntime's own rounding can make of the largest value in
    the network (``ROUNDINGS`` units in its last place). Where float32 is in doubt by more (features around 1,000 that
    vary by 1 in front of a normalisation, say), a difference is accepted up to ``DOUBT`` times that between the graph
    in float32 and in float64. A step may turn a rounding into a 1, so a network of steps
    may be compared node by node instead, each given onnxruntime's own values.

    Raises:
        ModelError: M121 if onnxruntime cannot run the file, M122 if the error exceeds ``TOLERANCE``; then the
            first node whose value differs is named. M123 without memory for it, M124 if onnxruntime's own
            values are not finite.
    """
    graph, tensors = conversion.graph, conversion.tensors
    compared = [name for name in _compared(graph) if name in tensors]
    gaps = _gaps(source, interface, conversion, x, compared)
    worst = max(gap.relative() for gap in gaps.values())
    if worst <= TOLERANCE:
        return worst
    everything = [node.name for node in graph.ordered if node.name in tensors]
    every_gap = _gaps(source, interface, conversion, x, everything)
    floor = ROUNDINGS * 2.0**-24 * max(gap.scale for gap in every_gap.values()) / TOLERANCE
    if max(gap.relative(floor) for gap in gaps.values()) <= TOLERANCE:
        return max(gap.relative(floor) for gap in gaps.values())
    if graph.of_type(Step):
        local = _local_gaps(source, interface, conversion, x)
        if max(gap.relative(floor) for gap in local.values()) <= TOLERANCE:
            return max(gap.relative(floor) for gap in local.values())
    doubts = _doubts(graph, _as_real(interface, x), compared)
    if all(gaps[name].difference <= doubts[name] for name in compared):
        return worst
    culprit = next(
        (name for name in everything if not every_gap[name].relative(floor) <= TOLERANCE), compared[-1]
    )
    raise ModelError(
        "M122",
        f"the imported network differs from onnxruntime by {worst:.2g} of the largest value"
        if np.isfinite(worst)
        else "the imported network has another shape than onnxruntime's, or values that are not finite",
        file=source.file,
        node=culprit,
        source=graph[culprit].source,
        remedy="please report the model: a rule of the import is wrong for this node",
    )


def _doubts(graph: Graph, x: Samples, names: list[str]) -> Mapping[str, float]:
    """By node, a difference that float32's own rounding explains; 0 where float32 has no digits left."""
    read = {
        name: graph[name].inputs[0] if isinstance(graph[name].operator, ArgMax) else name for name in names
    }
    wide = evaluate_nodes(graph, x.astype(np.float64), list(read.values()))
    narrow = evaluate_nodes(graph, x.astype(np.float32), list(read.values()))
    doubts = {}
    for name, source in read.items():
        with np.errstate(over="ignore", invalid="ignore"):
            gap = _value_gap(narrow[source].astype(np.float64), wide[source])
        doubts[name] = DOUBT * gap.difference if gap.relative() <= MOST_DOUBT else 0.0
    return doubts


def _compared(graph: Graph) -> list[str]:
    """The output, and the decisions with what they read."""
    decisions = [name for node in graph.decisions for name in (*node.inputs, node.name)]
    return list(dict.fromkeys([*decisions, *(node.name for node in graph.outputs)]))


def _gaps(
    source: ModelSource, interface: Interface, conversion: Conversion, x: Samples, names: list[str]
) -> Mapping[str, _Gap]:
    graph, tensors = conversion.graph, conversion.tensors
    outputs = list(dict.fromkeys([tensors[name][0] for name in names]))
    results = run_original(source, interface, outputs, x, conversion.batch.sizes)
    expected = dict(zip(outputs, results, strict=True))
    for name in names:
        if not np.isfinite(expected[tensors[name][0]]).all():
            raise ModelError(
                "M124",
                "onnxruntime itself gets values that are NaN or infinite from the model",
                file=source.file,
                node=name,
                source=graph[name].source,
                remedy="look for enormous weights, and give samples in the model's input range",
            )
    choices = {name: graph[name].inputs[0] for name in names if isinstance(graph[name].operator, ArgMax)}
    try:
        values = evaluate_nodes(graph, _as_real(interface, x), [*names, *choices.values()])
    except MemoryError:
        raise ModelError(
            "M123",
            "there is not enough memory to run the network once",
            file=source.file,
            remedy="use a smaller network or input, or a machine with more memory",
        ) from None
    gaps = {}
    for name in names:
        tensor, signal = tensors[name]
        computed, operator = _as_in_file(values[name], signal), graph[name].operator
        if computed.shape != expected[tensor].shape:
            gaps[name] = _Gap(np.inf, 1.0)
        elif isinstance(operator, ArgMax):
            gaps[name] = _choice_gap(operator, values[choices[name]], expected[tensor])
        elif computed.dtype == np.int64:
            gaps[name] = _Gap(0.0, 0.0)  # class numbers, compared where they are chosen
        else:
            gaps[name] = _value_gap(computed, expected[tensor].astype(np.float64))
    return gaps


def _local_gaps(
    source: ModelSource, interface: Interface, conversion: Conversion, x: Samples
) -> Mapping[str, _Gap]:
    """The gap of every node that has a tensor in the file, computed from onnxruntime's values of what it reads."""
    graph, tensors = conversion.graph, conversion.tensors
    outputs = list(dict.fromkeys(name for name, _ in tensors.values()))
    results = run_original(source, interface, outputs, x, conversion.batch.sizes)
    expected = dict(zip(outputs, results, strict=True))
    values: dict[str, Array] = {}
    gaps = {}
    for node in graph.ordered:
        if isinstance(node.operator, Input):
            values[node.name] = _as_real(interface, x).arrays[node.name]
            continue
        values[node.name] = computed = node.operator.evaluate(*(values[name] for name in node.inputs))
        if node.name in tensors and not isinstance(node.operator, ArgMax):
            tensor, signal = tensors[node.name]
            original = expected[tensor].astype(np.float64)
            if _as_in_file(computed, signal).shape != original.shape:
                return {node.name: _Gap(np.inf, 1.0)}
            gaps[node.name] = _value_gap(_as_in_file(computed, signal), original)
            values[node.name] = original.transpose(0, *(axis + 1 for axis in signal.inverse))
    return gaps


def _as_in_file(value: Array, signal: Signal) -> Array:
    return value.transpose(0, *(axis + 1 for axis in signal.order))


def _choice_gap(operator: ArgMax, logits: Array, chosen: Array) -> _Gap:
    """How far the elements that onnxruntime chose lie below the largest ones."""
    axis = operator.axis + 1
    indices = chosen if operator.keepdims else np.expand_dims(chosen, axis)
    below = logits.max(axis=axis, keepdims=True) - np.take_along_axis(logits, indices, axis)
    return _Gap(float(below.max(initial=0.0)), float(np.abs(logits).max(initial=0.0)))


def _value_gap(computed: Array, expected: Array) -> _Gap:
    difference = float(np.abs(computed - expected).max(initial=0.0))
    return _Gap(difference if np.isfinite(difference) else np.inf, float(np.abs(expected).max(initial=0.0)))


def run_original(
    source: ModelSource, interface: Interface, outputs: Iterable[str], x: Samples, sizes: tuple[int, ...]
) -> list[Array]:
    """Tensors of the original model for samples ``x``, by onnxruntime without optimisation, on one thread.

    Args:
        source: the model.
        interface: its inputs.
        outputs: names of the wanted tensors.
        x: samples; a file of a fixed batch size gets them in pieces, the last one filled up.
        sizes: the batch sizes that the file was read with.
    """
    tensors = list(outputs)
    session = _session(source, tensors)
    step = sizes[0] if len(sizes) == 1 else len(x)
    pieces = []
    for start in range(0, len(x), step):
        piece = x[start : start + step]
        missing = step - len(piece)
        feeds = {
            entry.name: _filled(piece.arrays[entry.name].astype(entry.dtype), missing)
            for entry in interface.inputs
        }
        try:
            results = session.run(tensors, feeds)
        except Exception as error:  # onnxruntime's exceptions share no public base class
            raise _cannot_run(source, error) from None
        pieces.append([result[: step - missing] for result in results])
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


def _filled(values: Array, missing: int) -> Array:
    """The values with the last one repeated."""
    return np.concatenate([values, np.repeat(values[-1:], missing, axis=0)]) if missing else values


def _session(source: ModelSource, tensors: list[str]) -> Any:
    import onnxruntime

    model = onnx.ModelProto()
    model.CopyFrom(source.model)
    declared = {entry.name for entry in model.graph.output}
    known = {name for node in model.graph.node for name in node.output}
    for name in tensors:
        if name not in declared and name in known:
            model.graph.output.append(onnx.ValueInfoProto(name=name))
    model.ir_version = min(model.ir_version, NEWEST_IR_VERSION)
    for node, label in zip(model.graph.node, label_nodes(model.graph.node), strict=True):
        node.name = label.name  # onnxruntime refuses names given twice
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    give_weights(options, source.weights)
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # as above
        raise _cannot_run(source, error) from None


def _cannot_run(source: ModelSource, error: Exception) -> ModelError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ModelError(
        "M121",
        f"onnxruntime cannot run the model, so that the import cannot be checked: {reason[:300]}",
        file=source.file,
        remedy="export the model again, or upgrade onnxruntime",
    )
