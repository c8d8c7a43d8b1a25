"""The walk over the nodes of a file, each given to its handler, and the ledger that results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from snnc.errors import GraphError, ModelError
from snnc.graph import Array, Graph, Input, Output, Shape, verify
from snnc.graph.simplify import simplified, without_unread

from .builder import Builder, Label
from .fold import attributes_of, fold
from .functions import expand_call, functions_of
from .handlers import refusal_of
from .interface import Interface
from .ledger import LedgerRow, Outcome, RefusedModelError
from .placement import misplaced_decisions, padded_maxima
from .registry import Refusal, find_handler
from .source import EXPORT_AGAIN, ModelSource
from .values import BatchAxis, Constant, Signal, Value


@dataclass(frozen=True, eq=False)
class Conversion:
    """A converted file.

    Attributes:
        written: the network at level ANN, as the file writes it but for nodes that nothing reads.
        graph: the same, simplified.
        ledger: a row for every node of the file, in the file's order.
        tensors: for graph nodes the tensor of the file with the same value and its axes' order, as a Signal.
        batch: the batch sizes that the file was read with.
    """

    written: Graph
    graph: Graph
    ledger: tuple[LedgerRow, ...]
    tensors: Mapping[str, tuple[str, Signal]]
    batch: BatchAxis


def convert(source: ModelSource, interface: Interface) -> Conversion:
    """Convert a model; raises RefusedModelError with all refused nodes, ModelError M113 or M130.

    A file that leaves the batch size open but only works for one sample is read with that.
    """
    walk = _Walk(source, interface, interface.batch)
    if walk.needs_single_sample and interface.batch.is_free:
        single = _Walk(source, interface, BatchAxis((1,)))
        walk = walk if single.refusals else single
    return walk.result()


class _Walk:
    """One reading of the file with given batch sizes."""

    def __init__(self, source: ModelSource, interface: Interface, batch: BatchAxis) -> None:
        self.source, self.interface = source, interface
        self.nodes = tuple(source.model.graph.node)
        self.labels = label_nodes(self.nodes)
        outputs = interface.outputs
        reserved = frozenset(outputs if len(outputs) > 1 else ())
        self.builder = Builder(source.model.graph.name or "model", self.labels, batch, source.opset, reserved)
        self.values: dict[str, Value] = dict(_initial_values(source))
        self.functions = functions_of(source.model)
        self.refusals: dict[int, Refusal] = {}
        self.undecided: set[int] = set()
        self.read = _names_read(source.model.graph)
        self.shapes: Mapping[str, Shape] | None = None
        for entry in interface.inputs:
            shape = entry.sample_shape
            start = self.builder.place(entry.name, Input(shape))
            self.values[entry.name] = Signal(start, shape, tuple(range(len(shape))), entry.dtype)
        for label, node in zip(self.labels, self.nodes, strict=True):
            self._visit(label, node)

    @property
    def needs_single_sample(self) -> bool:
        """Whether some node would be accepted if the batch were one sample."""
        return any(refusal.batch for refusal in self.refusals.values())

    def _visit(self, label: Label, node: onnx.NodeProto) -> None:
        self.builder.current, self.builder.current_outputs = label, len(node.output)
        try:
            results = self._outputs(node)
            unread = [name for name in node.output[len(results) :] if name in self.read]
            if unread:
                raise Refusal(f"its output {unread[0]!r} is used", "use its first output alone")
        except Refusal as refusal:
            self.refusals[label.index] = refusal
            results = self._stand_ins(node)
        except GraphError as error:
            self.refusals[label.index] = Refusal(
                error.message, error.remedy or "change the node's parameters"
            )
            results = self._stand_ins(node)
        except (MemoryError, RecursionError):
            self.refusals[label.index] = Refusal("it needs more memory than there is", "use smaller sizes")
            results = self._stand_ins(node)
        self._keep(node, results)

    def _keep(self, node: onnx.NodeProto, results: Iterable[Value | None]) -> None:
        for name, value in zip(node.output, results, strict=False):
            if name and value is not None:
                self.values[name] = value

    def _call(self, node: onnx.NodeProto, function: onnx.FunctionProto) -> tuple[Value | None, ...]:
        """The outputs of a call of one of the model's own functions, all its nodes standing for the caller's."""
        assert self.builder.current is not None
        prefix = f"{self.builder.current.name}{len(self.values)}/"
        for inner in expand_call(node, function, prefix):
            self.builder.current_outputs = len(inner.output)
            self._keep(inner, self._outputs(inner))
        return tuple(self.values.get(name) for name in node.output)

    def _outputs(self, node: onnx.NodeProto) -> tuple[Value | None, ...]:
        function = self.functions.get((node.domain, node.op_type))
        if function is not None:
            return self._call(node, function)
        handler = find_handler(node.op_type, self.source.opset) if node.domain in ("", "ai.onnx") else None
        unknown = [name for name in node.input if name and name not in self.values]
        inputs = [self.values.get(name) for name in node.input]
        subgraph = any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute)
        foldable = node.domain in ("", "ai.onnx") and not unknown and not subgraph
        if foldable and not any(isinstance(value, Signal) for value in inputs):
            return self._constants(node, inputs)
        if handler is None:
            raise refusal_of(node.op_type, node.domain)
        if unknown:
            assert self.builder.current is not None
            self.undecided.add(self.builder.current.index)
            return (None,) * len(node.output)
        try:
            result = handler(self.builder, *inputs, **attributes_of(node))
        except (TypeError, ValueError, IndexError, KeyError, AssertionError, ZeroDivisionError) as error:
            raise Refusal(
                f"its inputs or attributes do not fit the operator: {error}", EXPORT_AGAIN
            ) from None
        return result if isinstance(result, tuple) else (result,)

    def _constants(self, node: onnx.NodeProto, inputs: Iterable[Value | None]) -> tuple[Value, ...]:
        known = [value if isinstance(value, Constant) else None for value in inputs]
        results = iter(fold(node, self.source.opset, known, len(self.builder.batch.sizes)))
        self.builder.note(Outcome.CONSTANT, "computed at import")
        return tuple(next(results) if name else Constant((np.zeros(0),)) for name in node.output)

    def _stand_ins(self, node: onnx.NodeProto) -> tuple[Value | None, ...]:
        """Signals of the inferred shapes in place of a refused node's outputs, for its readers.

        A constant that cannot be computed has none, since its readers may well take constants there.
        """
        inputs = [self.values.get(name) for name in node.input if name]
        if inputs and all(isinstance(value, Constant) for value in inputs):
            return (None,) * len(node.output)
        if self.shapes is None:
            self.shapes = inferred_shapes(self.source.model)
        signals: list[Value | None] = []
        for name in node.output:
            shape = self.shapes.get(name)
            if not shape or min(shape) < 1:
                signals.append(None)
                continue
            start = self.builder.place(f"(refused) {name}", Input(shape))
            signals.append(Signal(start, shape, tuple(range(len(shape))), np.dtype(np.float32)))
        return tuple(signals)

    def result(self) -> Conversion:
        """The graph and its ledger, or the error that lists everything in the way."""
        graph = self.builder.graph()
        self.refusals |= misplaced_decisions(graph, self.builder.makers)
        if self.refusals:
            raise RefusedModelError(self._ledger(graph), self.source.file)
        if self.builder.not_finite:
            raise ModelError(
                "M113",
                "it has weights that are NaN or infinite",
                file=self.source.file,
                details=tuple(self.builder.not_finite),
                remedy="train or export the model again",
            )
        ends = dict(self._end(name) for name in self.interface.outputs)
        written = without_unread(self.builder.graph())
        graph, equals = simplified(written)
        self.refusals |= padded_maxima(graph, self.builder.makers)
        if self.refusals:
            raise RefusedModelError(self._ledger(graph), self.source.file)
        self._require_read(graph)
        verify(graph)
        tensors = self._tensors(equals, ends)
        return Conversion(written, graph, self._ledger(graph), tensors, self.builder.batch)

    def _require_read(self, graph: Graph) -> None:
        """Raise ModelError M115 unless every input is read."""
        for entry in self.interface.inputs:
            if entry.name not in graph or not graph.consumers[entry.name]:
                raise ModelError(
                    "M115",
                    f"its output does not depend on its input {entry.name!r}",
                    file=self.source.file,
                    remedy="export it with the inputs that it reads",
                )

    def _end(self, name: str) -> tuple[str, tuple[str, Signal]]:
        """The Output of that name, with its tensor and signal."""
        value = self.values.get(name)
        if not isinstance(value, Signal):
            raise ModelError(
                "M130",
                f"its output {name!r} does not depend on its input",
                file=self.source.file,
                remedy=EXPORT_AGAIN,
            )
        value = self.builder.settle(value)
        return self.builder.place(name, Output(), value.node), (name, value)

    def _tensors(
        self, equals: Mapping[str, str], ends: Mapping[str, tuple[str, Signal]]
    ) -> Mapping[str, tuple[str, Signal]]:
        drafted, inputs = dict(ends), {entry.name for entry in self.interface.inputs}
        for name, value in self.values.items():
            if isinstance(value, Signal) and name not in inputs:
                drafted.setdefault(value.node, (name, value))
        return {node: drafted[draft] for node, draft in equals.items() if draft in drafted}

    def _ledger(self, graph: Graph) -> tuple[LedgerRow, ...]:
        made: dict[int, list[str]] = {}
        folded: dict[str, list[str]] = {}
        for node in graph:
            if node.name in self.builder.makers:
                made.setdefault(self.builder.makers[node.name], []).append(node.name)
            for source in node.sources:
                folded.setdefault(source, []).append(node.name)
        return tuple(self._row(label, made, folded) for label in self.labels)

    def _row(self, label: Label, made: Mapping[int, list[str]], folded: Mapping[str, list[str]]) -> LedgerRow:
        index = label.index
        if index in self.refusals:
            refusal = self.refusals[index]
            return LedgerRow(label.name, label.operator, Outcome.REFUSED, refusal.why, refusal.remedy)
        if index in self.undecided:
            return LedgerRow(label.name, label.operator, Outcome.UNDECIDED, "it reads a refused node")
        if index in made:
            return LedgerRow(label.name, label.operator, Outcome.CONVERTED, ", ".join(made[index]))
        if label.source in folded:
            return LedgerRow(label.name, label.operator, Outcome.FOLDED, ", ".join(folded[label.source]))
        unused = (Outcome.NO_EFFECT, "the output does not depend on it")
        outcome, why = self.builder.notes.get(index, unused)
        return LedgerRow(label.name, label.operator, outcome, why)


def _initial_values(source: ModelSource) -> Iterator[tuple[str, Constant]]:
    graph = source.model.graph
    name = ""
    try:
        for tensor in graph.initializer:
            name = tensor.name
            known = source.weights.get(name)
            yield name, Constant((onnx.numpy_helper.to_array(tensor) if known is None else known,))
        for sparse in graph.sparse_initializer:
            name = sparse.values.name
            yield name, Constant((_dense(sparse),))
    except (TypeError, ValueError, KeyError, IndexError, MemoryError) as error:
        raise ModelError(
            "M106", f"its tensor {name!r} cannot be read: {error}", file=source.file, remedy=EXPORT_AGAIN
        ) from None


def _dense(sparse: onnx.SparseTensorProto) -> Array:
    values = onnx.numpy_helper.to_array(sparse.values)
    places = onnx.numpy_helper.to_array(sparse.indices)
    dense: Array = np.zeros(tuple(sparse.dims), values.dtype)
    dense.ravel()[places if places.ndim == 1 else np.ravel_multi_index(tuple(places.T), dense.shape)] = values
    return dense


def unknown_operators(source: ModelSource) -> tuple[str, ...]:
    """A line for each node that reads computed values and has an operator without handler, by names alone.

    For messages about models whose shapes or ends keep them from being read any further.
    """
    graph = source.model.graph
    constants = {tensor.name for tensor in graph.initializer}
    computed = {entry.name for entry in graph.input} - constants
    functions = functions_of(source.model)
    lines = []
    for label, node in zip(label_nodes(graph.node), graph.node, strict=True):
        own = node.domain in ("", "ai.onnx")
        subgraph = any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute)
        if not subgraph and computed.isdisjoint(node.input):
            continue
        if node.op_type not in ("Shape", "Size"):
            computed.update(node.output)
        known = own and find_handler(node.op_type, source.opset) is not None
        if not known and (node.domain, node.op_type) not in functions:
            refusal = refusal_of(node.op_type, node.domain)
            lines.append(f"{label.source}: {refusal.why}; {refusal.remedy}")
    return tuple(lines)


def label_nodes(nodes: Iterable[onnx.NodeProto]) -> tuple[Label, ...]:
    """A unique name for every node: its own, else its first output's, else its operator and position."""
    labels: list[Label] = []
    taken: set[str] = set()
    for index, node in enumerate(nodes):
        candidates = (node.name, next(iter(node.output), ""), f"{node.op_type}_{index}")
        name = next(
            (candidate for candidate in candidates if candidate and candidate not in taken),
            f"{node.op_type}#{index}",
        )
        taken.add(name)
        operator = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}"
        labels.append(Label(index, name, operator))
    return tuple(labels)


def _names_read(graph: onnx.GraphProto) -> frozenset[str]:
    names = {entry.name for entry in graph.output}
    for node in graph.node:
        names.update(node.input)
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                names |= _names_read(inner)
    return frozenset(names)


def inferred_shapes(model: onnx.ModelProto) -> Mapping[str, Shape]:
    """Shapes without the batch axis that onnx infers for a model's tensors, where all sizes are known."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model)
    except Exception:  # inference is a courtesy here: without it later nodes stay undecided
        return {}
    shapes: dict[str, Shape] = {}
    for entry in inferred.graph.value_info:
        sizes = tuple(axis.dim_value for axis in entry.type.tensor_type.shape.dim)
        if len(sizes) > 1 and all(sizes[1:]):
            shapes[entry.name] = sizes[1:]
    return shapes
