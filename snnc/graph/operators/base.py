"""What a node of a graph holds: a frozen dataclass with a shape rule and a numpy meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from snnc.errors import GraphError

Array = npt.NDArray[Any]
Product = Callable[[Array, Array], Array]
"""A matrix product with the meaning of ``numpy.matmul``."""
Shape = tuple[int, ...]


class Level(Enum):
    """What a graph describes, and so which operators are legal in it."""

    ANN = "ann"
    SNN = "snn"
    INTEGER = "integer"


EVERY_LEVEL = frozenset(Level)
SPIKING_LEVELS = frozenset({Level.SNN, Level.INTEGER})

_REGISTRY: dict[str, type[Operator]] = {}


@dataclass(frozen=True, eq=False)
class Operator:
    """Base of everything that a node can hold.

    Shapes never include the batch axis; arrays given to ``evaluate`` have it as their first axis.
    Every subclass is registered under its class name, by which graphs are written to and read from files.
    """

    levels: ClassVar[frozenset[Level]] = EVERY_LEVEL
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

    def describe(self) -> str:
        """The operator as stable text: its class and parameters, arrays by shape or by their one value."""
        parts = [f"{field.name}={_describe(getattr(self, field.name))}" for field in fields(self)]
        return f"{type(self).__name__}({', '.join(parts)})"


class LinearMap(Operator):
    """An affine map without state; spiking conversion leaves it alone.

    Class attributes:
        multipliers: names of the fields that multiply the input.
        offsets: names of the fields that are added.
        keeps_integers: whether integers stay integers where multipliers and offsets are integers.
    """

    multipliers: ClassVar[tuple[str, ...]] = ()
    offsets: ClassVar[tuple[str, ...]] = ()
    keeps_integers: ClassVar[bool] = True

    def coefficients(self) -> Mapping[str, Array]:
        """The multipliers and offsets that are set, by field name."""
        values = {name: getattr(self, name) for name in (*self.multipliers, *self.offsets)}
        return {name: np.asarray(value) for name, value in values.items() if value is not None}

    def evaluate_by(self, product: Product, *inputs: Array) -> Array:
        """``evaluate`` with the matrix products, if there are any, by ``product``."""
        return self.evaluate(*inputs)

    def magnitude(self, *bounds: Array) -> Array:
        """Bound of the output and of every partial sum on the way to it, for inputs that keep their bounds.

        ``bounds`` (of the inputs' absolute values) and the result are batches, float64.
        """
        absolute = {name: np.abs(value.astype(np.float64)) for name, value in self.coefficients().items()}
        return (replace(self, **absolute) if absolute else self).evaluate(*bounds)


class Rearrangement(LinearMap):
    """A linear map that only moves, repeats or drops elements, and puts zeros."""


class Activation(Operator):
    """A non-linear function that spiking conversion replaces by a neuron population."""

    levels = frozenset({Level.ANN})


class Decision(Operator):
    """A function of the logits at the end (softmax, arg-max) that keeps or takes their order."""

    levels = frozenset({Level.ANN})


def registered_operator(name: str) -> type[Operator]:
    """The operator class of that name; raises GraphError G100 for an unknown one."""
    if name not in _REGISTRY:
        raise GraphError("G100", f"unknown operator {name!r}", remedy="install the package that defines it")
    return _REGISTRY[name]


def misfit(operator: Operator, shapes: tuple[Shape, ...], rule: str) -> GraphError:
    """The error for input shapes that an operator cannot take."""
    given = " and ".join("x".join(map(str, shape)) or "scalar" for shape in shapes)
    return GraphError("G101", f"{type(operator).__name__} cannot take an input of shape {given}: {rule}")


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
