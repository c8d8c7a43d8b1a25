"""What a node of a graph holds: a frozen dataclass with a shape rule and a numpy meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
import numpy.typing as npt

from snnc.errors import GraphError

from .index_map import IndexMap, ListedMap
from .sharing import Sharing

if TYPE_CHECKING:
    from snnc.graph.neurons.base import Reset

Array = npt.NDArray[Any]
Product = Callable[[Array, Array], Array]
"""A matrix product with the meaning of ``numpy.matmul``."""
Shape = tuple[int, ...]
Bounds = tuple[Array, Array]
"""(lowest, highest), each of a value's shape, float64."""
State = Mapping[str, Array]
"""What an operator with memory keeps from one tick to the next, by the variable's name; never changed in place.

The first axis of every array is that of the samples, so that a state can be taken apart and joined by samples.
"""
NOTHING_WATCHED: Mapping[str, Array] = MappingProxyType({})


class Level(Enum):
    """What a graph describes, and so which operators are legal in it."""

    ANN = "ann"
    SNN = "snn"
    INTEGER = "integer"


EVERY_LEVEL = frozenset(Level)
SPIKING_LEVELS = frozenset({Level.SNN, Level.INTEGER})

Member = TypeVar("Member", bound=Enum)

_REGISTRY: dict[str, type[Operator]] = {}


@dataclass(frozen=True, eq=False)
class Operator:
    """Base of everything that a node can hold.

    Shapes never include the batch axis; arrays given to ``evaluate`` have it as their first axis.
    Every subclass is registered under its class name, by which graphs are written to and read from files.

    An operator with memory overrides ``start``, and ``receive`` or ``advance``; simulators call nothing else.

    Class attributes:
        variables: state variables that a run can record by their names.
        by_host: whether only the host of a chip computes it: no population may be in front of it.
    """

    levels: ClassVar[frozenset[Level]] = EVERY_LEVEL
    variables: ClassVar[tuple[str, ...]] = ()
    by_host: ClassVar[bool] = False
    minimum_inputs: ClassVar[int] = 1
    maximum_inputs: ClassVar[int | None] = 1

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        _REGISTRY[cls.__name__] = cls

    def infer_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output, given those of the inputs; raises GraphError G1xx when they do not fit."""
        raise NotImplementedError

    def evaluate(self, *inputs: Array) -> Array:
        """Output for a batch: each input is (samples, *its shape)."""
        raise NotImplementedError

    @property
    def has_memory(self) -> bool:
        """Whether the value of a tick depends on earlier ticks."""
        return type(self).start is not Operator.start

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State | None:
        """State before the first tick; None for an operator without memory.

        Args:
            shape: of the operator's value.
            samples: (samples,) int64, index of each sample in the whole data set, for seeded operators.
            dtype: int64 in a graph of integers, else float64.
        """
        return None

    def at_rest(self, *rest: Array) -> Array:
        """Value (1, *shape) of an operator with memory while nothing has been fired or presented.

        ``rest``: the same of its inputs; without inputs, or where nothing else is said, the value is 0.
        """
        return np.zeros((1, *self.infer_shape(*(value.shape[1:] for value in rest))))

    def settle(self, state: State, rest: Sequence[Array]) -> State:
        """The state before the first tick of an operator whose inputs, (1, *shape) each, were at rest until then."""
        return state

    def receive(self, state: State, inputs: Sequence[Array]) -> tuple[State, Array]:
        """One tick of an operator with memory: the new state and the value, for inputs (samples, *shape)."""
        raise NotImplementedError

    def advance(
        self,
        state: State,
        inputs: Sequence[Array],
        ticks: int,
        watched: Mapping[str, Array] = NOTHING_WATCHED,
    ) -> tuple[State, Array]:
        """Several ticks of an operator with memory.

        Args:
            state: before the first of them.
            inputs: (samples, ticks, *shape) each, or (samples, 1, *shape) if it is the same at all ticks.
            ticks: how many, at least 1.
            watched: arrays (samples, ticks, ...) that state variables are written into, after each tick.

        Returns:
            The state after the last tick, and the values (samples, ticks, *shape).
        """
        inputs = [self.converted(value, state) if value.shape[1] == 1 else value for value in inputs]
        values = np.empty(0)
        for tick in range(ticks):
            now = [self.converted(at_tick(value, tick), state)[:, 0] for value in inputs]
            state, value = self.receive(state, now)
            if not tick:
                values = np.empty((len(value), ticks, *value.shape[1:]), value.dtype)
            values[:, tick] = value
            for name, recording in watched.items():
                recording[:, tick] = state[name]
        return state, values

    def converted(self, value: Array, state: State) -> Array:
        """An input in the arithmetic that ``receive`` computes in; float64 where nothing else is said."""
        return value.astype(np.float64, copy=False)

    def bounds(self, *inputs: Bounds) -> Bounds:
        """Bounds of the output, given those of the inputs; here of a function that never falls."""
        lowest = self.evaluate(*(low[None] for low, _ in inputs))[0]
        return lowest, self.evaluate(*(high[None] for _, high in inputs))[0]

    def sharing(self, shape: Shape, *inputs: Sharing) -> Sharing:
        """Which elements of the output, of ``shape``, share weights, given that of the inputs."""
        return Sharing(shape)

    def describe(self) -> str:
        """The operator as stable text: its class and parameters, arrays by shape or by their one value."""
        parts = [f"{field.name}={_describe(getattr(self, field.name))}" for field in fields(self)]
        return f"{type(self).__name__}({', '.join(parts)})"


class LinearMap(Operator):
    """An affine map without state; spiking conversion leaves it alone.

    A map knows how to scale what goes in and comes out and to take up a bias; where it has no such form, the methods
    for it return None.

    Class attributes:
        multipliers: names of the fields that multiply the input.
        offsets: names of the fields that are added.
        keeps_integers: whether integers stay integers where multipliers and offsets are integers.
        elementwise: whether every element is treated by itself.
    """

    multipliers: ClassVar[tuple[str, ...]] = ()
    offsets: ClassVar[tuple[str, ...]] = ()
    keeps_integers: ClassVar[bool] = True
    elementwise: ClassVar[bool] = False

    def coefficients(self) -> Mapping[str, Array]:
        """The multipliers and offsets that are set, by field name."""
        values = {name: getattr(self, name) for name in (*self.multipliers, *self.offsets)}
        return {name: np.asarray(value) for name, value in values.items() if value is not None}

    def evaluate_by(self, product: Product, *inputs: Array) -> Array:
        """``evaluate`` with the matrix products, if there are any, by ``product``."""
        return self.evaluate(*inputs)

    @property
    def has_weights(self) -> bool:
        """Whether it sums inputs by weights of its own, which is more than to scale each."""
        return bool(self.multipliers) and not self.elementwise

    @property
    def takes_bias(self) -> bool:
        """Whether it has weights and a bias, so that scales and biases around it can become part of them."""
        return self.has_weights and "bias" in self.offsets

    def scaled_outputs(self, factors: Array) -> Self | None:
        """The map with its outputs times ``factors``, of the output's shape; NaN where it does not matter."""
        return None

    def scaled_inputs(self, factors: Array) -> Self | None:
        """The map of inputs times ``factors``, of the input's shape; NaN where the input is always 0."""
        return None

    def with_bias(self, values: Array) -> Self | None:
        """The map with ``values``, of the output's shape, added."""
        return None

    def with_input_bias(self, values: Array) -> Self | None:
        """The map of inputs that ``values``, of the input's shape, are added to; padded zeros stay zeros."""
        return None

    def plain(self, shape: Shape) -> tuple[LinearMap, ...]:
        """The map of an input of ``shape`` as maps in a row that can become synapses: itself if it is one of those.

        Those are Conv, Linear, SparseLinear, Scale, Bias, Add and the rearrangements.
        """
        return (self,)

    def bounds(self, *inputs: Bounds) -> Bounds:
        """By interval arithmetic: positive weights of the lowest inputs with negative ones of the highest."""
        if not self.multipliers:
            return super().bounds(*inputs)
        weights = {name: np.asarray(getattr(self, name), np.float64) for name in self.multipliers}
        rising = replace(self, **{name: np.maximum(value, 0) for name, value in weights.items()})
        falling = replace(
            self,
            **{name: np.minimum(value, 0) for name, value in weights.items()},
            **dict.fromkeys(self.offsets),
        )
        ((low, high),) = inputs
        lowest = rising.evaluate(low[None]) + falling.evaluate(high[None])
        return lowest[0], (rising.evaluate(high[None]) + falling.evaluate(low[None]))[0]

    def sharing(self, shape: Shape, *inputs: Sharing) -> Sharing:
        """Those of one channel, unless a map says otherwise."""
        return Sharing(shape, 0)

    def magnitude(self, *bounds: Array) -> Array:
        """Bound of the output and of every partial sum on the way to it, for inputs that keep their bounds.

        ``bounds`` (of the inputs' absolute values) and the result are batches, float64.
        """
        absolute = {name: np.abs(value.astype(np.float64)) for name, value in self.coefficients().items()}
        return (replace(self, **absolute) if absolute else self).evaluate(*bounds)


class Rearrangement(LinearMap):
    """A linear map that only moves, repeats or drops elements, and puts zeros."""

    def index_map(self, shape: Shape) -> IndexMap:
        """Where each element of the output comes from in an input of ``shape``, for a map of one input."""
        numbers = np.arange(1, int(np.prod(shape)) + 1).reshape(1, *shape)
        moved = np.asarray(self.evaluate(numbers), np.int64)
        return ListedMap(moved.ravel() - 1, shape, moved.shape[1:])

    def sharing(self, shape: Shape, *inputs: Sharing) -> Sharing:
        """Elements keep their classes wherever they go; different inputs share nothing."""
        if all(part.is_free for part in inputs):
            return Sharing(shape)
        labels, offset = [], 1
        for part in inputs:
            own = part.written_out()
            labels.append(np.where(own < 0, 0, own + offset)[None])
            offset += int(own.max(initial=0)) + 1
        return Sharing(shape, labels=np.asarray(self.evaluate(*labels)[0], np.int64) - 1)


AddNode = Callable[..., str]
"""Adds a node: called with a part of its name, its operator and what it reads; returns its name."""


class Activation(Operator):
    """A non-linear function that spiking conversion replaces by a neuron population.

    Class attributes:
        reads_spikes: whether its neuron reads the spikes of another population as they are.
    """

    levels = frozenset({Level.ANN})
    reads_spikes: ClassVar[bool] = False

    def in_rectifiers(self, add: AddNode, source: str) -> str | None:
        """Write the function of ``source`` with Relu, Clips from 0 and linear maps; returns the last node's name.

        None if it is one of those, or cannot be written so.
        """
        return None

    def spike(self, *inputs: Array | None) -> Array | None:
        """What a spike of its neuron stands for, () or one that broadcasts, float32; None if it has no neuron.

        Args:
            inputs: the same of what it reads; None of what is no population.
        """
        return None

    def neuron(self, scale: Array, reset: Reset, start: float, shape: Shape) -> Operator:
        """The neuron that stands for it.

        Args:
            scale: what each of its spikes stands for.
            reset: what a spike does to the potential.
            start: potential before the first tick, as a share of the threshold.
            shape: of the input.
        """
        raise NotImplementedError


class Decision(Operator):
    """A function of the logits at the end (softmax, arg-max) that keeps or takes their order."""

    levels = frozenset({Level.ANN})


def registered_operator(name: str) -> type[Operator]:
    """The operator class of that name; raises GraphError G100 for an unknown one."""
    if name not in _REGISTRY:
        raise GraphError("G100", f"unknown operator {name!r}", remedy="install the package that defines it")
    return _REGISTRY[name]


def member(operator: Operator, field: str, kind: type[Member]) -> Member:
    """A field that is one of an Enum, given as a member or as a member's text.

    Raises:
        GraphError G104: it is neither.
    """
    value = getattr(operator, field)
    if isinstance(value, kind):
        return value
    for choice in kind:
        if value == choice.value:
            return choice
    choices = ", ".join(repr(choice.value) for choice in kind)
    raise GraphError(
        "G104",
        f"the {field} of {type(operator).__name__} cannot be {value!r}",
        remedy=f"give one of {choices}, or a member of {kind.__name__}",
    )


def at_tick(value: Array, tick: int) -> Array:
    """The value of a tick, (samples, 1, *shape), of one that has all ticks or is the same at all."""
    return value if value.shape[1] == 1 else value[:, tick : tick + 1]


def misfit(operator: Operator, shapes: tuple[Shape, ...], rule: str) -> GraphError:
    """The error for input shapes that an operator cannot take."""
    received = " and ".join("x".join(map(str, shape)) or "scalar" for shape in shapes)
    return GraphError("G101", f"{type(operator).__name__} cannot take an input of shape {received}: {rule}")


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        if value.size == 1:
            return f"{value.ravel()[0]:.6g}"
        return f"<{value.dtype} {'x'.join(map(str, value.shape))}>"
    if isinstance(value, tuple):
        return "(" + ",".join(_describe(item) for item in value) + ")"
    if isinstance(value, Enum):
        return str(value.value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
