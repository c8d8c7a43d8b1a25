"""The graph under construction, with what handlers need: nodes, layouts, broadcasting, selection."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from snnc.graph import (
    Activation,
    Array,
    Flatten,
    Gather,
    Graph,
    LinearMap,
    Node,
    Operator,
    Rearrangement,
    Reshape,
    Shape,
    Transpose,
)

from .ledger import Outcome
from .registry import Refusal
from .values import BatchAxis, Constant, Signal, Value

MIXED_SAMPLES = "it mixes the samples of a batch or moves the batch axis from the first place"
MOST_ELEMENTS = 2**28
KEEP_BATCH = "keep the batch as first axis and let each sample be computed by itself"


@dataclass(frozen=True)
class Label:
    """A node of the file.

    Attributes:
        index: its position in the file.
        name: its unique name.
        operator: its operator.
    """

    index: int
    name: str
    operator: str

    @property
    def source(self) -> str:
        """As it stands in ``Node.sources``."""
        return f"{self.name} ({self.operator})"


class Builder:
    """A graph draft.

    Attributes:
        current: the file's node that is being converted.
        current_outputs: how many outputs it has.
        batch: batch sizes that the file is read with.
        opset: version of ONNX's own operators.
        makers: for each graph node the position in the file of the node it was made for.
        notes: for positions in the file, the outcome where it is not to be seen from the graph.
        reserved: names that the ends of the graph are to have, since there are several outputs to tell apart.
        not_finite: a line for every parameter with NaN or infinite values.
    """

    def __init__(
        self,
        name: str,
        labels: tuple[Label, ...],
        batch: BatchAxis,
        opset: int,
        reserved: frozenset[str] = frozenset(),
    ) -> None:
        self.reserved = reserved
        self.batch = batch
        self.opset = opset
        self.current: Label | None = None
        self.current_outputs = 1
        self.makers: dict[str, int] = {}
        self.notes: dict[int, tuple[Outcome, str]] = {}
        self.not_finite: list[str] = []
        self._labels = labels
        self._draft = Graph(name).edit()
        self._shapes: dict[str, Shape] = {}

    def graph(self) -> Graph:
        """The graph of all nodes so far."""
        return self._draft.done()

    def place(self, name: str, operator: Operator, *inputs: str) -> str:
        """Add a node that stands for none of the file (an end of the graph); returns its name."""
        name = self._draft.add(name, operator, *inputs)
        self._shapes[name] = operator.infer_shape(*(self._shapes[source] for source in inputs))
        return name

    def operator_of(self, signal: Signal) -> Operator:
        """The operator of the graph node that a signal is read from."""
        return self.node(signal.node).operator

    def node(self, name: str) -> Node:
        """A node that has been added."""
        return self._draft[name]

    def note(self, outcome: Outcome, why: str) -> None:
        """Record what becomes of the current node if no graph node stands for it."""
        assert self.current is not None
        self.notes[self.current.index] = (outcome, why)

    def pass_on(self, value: Signal, why: str) -> Signal:
        """The same signal; the current node has no effect."""
        self.note(Outcome.NO_EFFECT, why)
        return value

    def emit(
        self, operator: Operator, *signals: Signal, role: str = "", dtype: np.dtype | None = None
    ) -> Signal:
        """Add a node for the current ONNX node, reading graph nodes in their own layout.

        Args:
            operator: its array parameters are taken as C-contiguous float32 (indices as int64).
            signals: what it reads; their ``order`` is ignored.
            role: added to the name when one ONNX node makes several.
            dtype: type of the result in the file; that of the first input if not given.
        """
        assert self.current is not None
        if not isinstance(operator, Rearrangement) and isinstance(operator, LinearMap | Activation):
            for signal in signals:
                require_floats(signal)
        name = f"{self.current.name}.{role}" if role else self.current.name
        operator = self._checked(operator)
        shape = operator.infer_shape(*(self._shapes[signal.node] for signal in signals))
        if not 0 < math.prod(shape) <= MOST_ELEMENTS:
            raise Refusal(f"its value has {math.prod(shape)} elements a sample", "change its sizes")
        moves = dict.fromkeys(move for signal in signals for move in signal.moves)
        sources: tuple[str, ...] = (self.current.source,)
        if isinstance(operator, Transpose | Reshape) and role == "layout":
            sources = tuple(self._labels[move].source for move in moves)
            name = self._labels[tuple(moves)[-1]].name if moves else name
        name = f"{name}.value" if name in self.reserved else name
        name = self._draft.add(name, operator, *(signal.node for signal in signals), sources=sources)
        self._shapes[name] = shape
        self.makers[name] = tuple(moves)[-1] if role == "layout" and moves else self.current.index
        return Signal(name, shape, tuple(range(len(shape))), dtype or signals[0].dtype)

    def in_place(self, operator: Operator, signal: Signal, role: str = "") -> Signal:
        """Add a node that treats every element by itself, so that the order of axes stays as it is."""
        made = self.emit(operator, signal, role=role)
        return replace(signal, node=made.node, dtype=made.dtype)

    def settle(self, signal: Signal) -> Signal:
        """The signal with its axes in the file's order also in the graph."""
        if not signal.is_moved:
            return replace(signal, moves=())
        shape = self._shapes[signal.node]
        kept = [axis for axis in signal.order if shape[axis] != 1]
        operator: Operator = Transpose(signal.order)
        if kept == sorted(kept):
            operator = Reshape(signal.shape)
        return self.emit(operator, signal, role="layout")

    def transpose(self, signal: Signal, permutation: Shape) -> Signal:
        """The signal with its axes (without the batch axis) permuted, by the current node."""
        assert self.current is not None
        return replace(
            signal,
            shape=tuple(signal.shape[axis] for axis in permutation),
            order=tuple(signal.order[axis] for axis in permutation),
            moves=(*signal.moves, self.current.index),
        )

    def reshape(self, signal: Signal, shape: Shape, role: str = "") -> Signal:
        """The signal under another shape, elements in C order."""
        if shape == signal.shape:
            return self.pass_on(signal, f"the shape is {text(shape)} already") if not role else signal
        operator: Operator = Flatten() if len(shape) == 1 else Reshape(shape)
        return self.emit(operator, self.settle(signal), role=role)

    def rearrange(self, signal: Signal, function: Callable[[Array, int], Array], role: str = "") -> Signal:
        """Apply a function that only moves, repeats or drops elements.

        It is tried on the elements' numbers, for each batch size, which also shows whether samples mix.

        Args:
            signal: what to rearrange.
            function: called with an int64 array (samples, *shape) and the position of the batch size; its
                result has numbers of elements, -1 for zeros.
            role: as in ``emit``.
        """
        indices = [self._trial(signal, function, position) for position in range(len(self.batch.sizes))]
        if any(not np.array_equal(indices[0], other) for other in indices[1:]):
            raise Refusal(MIXED_SAMPLES, KEEP_BATCH, batch=True)
        identity = np.arange(int(np.prod(signal.shape))).reshape(signal.shape)
        if indices[0].size == identity.size and np.array_equal(indices[0].ravel(), identity.ravel()):
            return self.reshape(signal, indices[0].shape, role)
        inner = self._node_numbers(signal)
        chosen = np.where(indices[0] < 0, -1, inner.ravel()[np.maximum(indices[0], 0)])
        return self.emit(Gather(np.array(chosen, order="C"), self._shapes[signal.node]), signal, role=role)

    def _trial(self, signal: Signal, function: Callable[[Array, int], Array], position: int) -> Array:
        samples, size = self.batch.sizes[position], int(np.prod(signal.shape))
        numbers = np.arange(samples * size, dtype=np.int64).reshape(samples, *signal.shape)
        result = function(numbers, position)
        if result.ndim < 1 or result.shape[0] != samples:
            raise Refusal(MIXED_SAMPLES, KEEP_BATCH, batch=True)
        first: Array = result[0]
        offsets = size * np.arange(samples).reshape(-1, *(1,) * first.ndim)
        expected = np.where(first < 0, -1, first + offsets)
        if not np.array_equal(result, expected):
            raise Refusal(MIXED_SAMPLES, KEEP_BATCH, batch=True)
        return first

    def _node_numbers(self, signal: Signal) -> Array:
        shape = self._shapes[signal.node]
        numbers = np.arange(int(np.prod(shape)), dtype=np.int64)
        return np.asarray(numbers.reshape(shape).transpose(signal.order))

    def broadcast(self, signal: Signal, shape: Shape, role: str = "expand") -> Signal:
        """The signal repeated along axes of size 1 to reach a shape."""
        if signal.shape == shape:
            return signal
        return self.rearrange(signal, lambda x, _: np.broadcast_to(x, (len(x), *shape)), role)

    def meet(self, signal: Signal, array: Array) -> tuple[Signal, Array]:
        """A signal and a constant ready for an elementwise operator.

        Returns:
            The signal, repeated where the constant is larger, and the constant in the layout of the signal's
            graph node, without the batch axis; of shape () if it is one number.
        """
        rank = len(signal.shape) + 1
        if array.ndim > rank:
            raise Refusal("its constant has more axes than the signal", "give the constant the signal's axes")
        if array.ndim == rank and array.shape[0] != 1:
            raise Refusal("its constant has values for each sample of a batch", KEEP_BATCH)
        array = array.reshape((1,) * (rank - array.ndim) + array.shape)[0]
        signal = self.broadcast(signal, np.broadcast_shapes(array.shape, signal.shape))
        if array.size == 1:
            return signal, array.reshape(())
        return signal, array.transpose(signal.inverse)

    def _checked(self, operator: Operator) -> Operator:
        assert self.current is not None
        changes = {}
        for field in fields(operator):
            value = getattr(operator, field.name)
            if isinstance(value, np.ndarray | np.generic) and np.issubdtype(value.dtype, np.floating):
                with np.errstate(over="ignore"):
                    changes[field.name] = np.asarray(value, np.float32, order="C")
                if not np.isfinite(changes[field.name]).all():
                    count = int((~np.isfinite(changes[field.name])).sum())
                    self.not_finite.append(f"{self.current.source}: {count} values of its {field.name}")
                    changes[field.name] = np.zeros_like(changes[field.name])
        return replace(operator, **changes) if changes else operator


def require_floats(signal: Signal) -> None:
    """Raise Refusal unless the signal is of floating-point numbers in the file."""
    if not np.issubdtype(signal.dtype, np.floating):
        raise Refusal(
            f"it computes with integers of type {signal.dtype}",
            "cast the input to float32 at the start of the network",
        )


def constant(value: Value | None, what: str) -> Array:
    """The array of an input that must not depend on the network's input, for any batch size."""
    if not isinstance(value, Constant):
        raise Refusal(
            f"its {what} is computed from the network's input" if value is not None else f"it has no {what}",
            f"make the {what} a constant of the model",
        )
    if value.varies:
        raise Refusal(f"its {what} depends on the batch size", KEEP_BATCH, batch=True)
    return value.array


def signal(value: Value | None, what: str) -> Signal:
    """The signal of an input that must depend on the network's input."""
    if not isinstance(value, Signal):
        raise Refusal(
            f"its {what} is constant while another input is not", f"compute the {what} from the input"
        )
    return value


def integers(value: Value | None, what: str) -> tuple[int, ...]:
    """The entries of a constant list of integers."""
    return tuple(int(entry) for entry in constant(value, what).ravel())


def sample_axis(axis: int, rank: int) -> int:
    """An axis of the file as an axis without the batch; raises Refusal for the batch axis.

    Args:
        axis: may be negative.
        rank: number of axes without the batch axis.
    """
    axis = axis + rank + 1 if axis < 0 else axis
    if axis == 0:
        raise Refusal("it works along the batch axis", KEEP_BATCH)
    if not 0 < axis <= rank:
        raise Refusal(f"it has no axis {axis}", "export the model again")
    return axis - 1


def text(shape: Shape) -> str:
    """A shape for messages, e.g. ``3x32x32``."""
    return "x".join(map(str, shape)) or "scalar"
