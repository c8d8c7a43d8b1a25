"""What every spiking neuron population can do: start, and take one tick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from snnc.choices import Reset as Reset
from snnc.errors import GraphError
from snnc.graph.operators.base import SPIKING_LEVELS, Array, Operator, Shape, State, member, misfit

__all__ = ["Neuron", "Reset", "State", "as_reset", "check_threshold", "full"]


@dataclass(frozen=True, eq=False)
class Neuron(Operator):
    """A population of neurons of one model; several inputs are summed.

    ``voltage`` is always one of the state variables that a run can record, and is reported after the reset of
    its tick; its dtype is that of the summed input. A neuron that ``takes_samples`` is given real numbers even in an
    INTEGER graph, because it turns samples into spikes.
    """

    variables: ClassVar[tuple[str, ...]] = ("voltage",)
    takes_samples: ClassVar[bool] = False
    levels = SPIKING_LEVELS
    maximum_inputs = None

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The common shape of the inputs; raises GraphError G101, also for parameters that do not broadcast to it."""
        if len(set(shapes)) != 1:
            raise misfit(self, shapes, "all inputs of a population must have one shape")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray) and not _spreads(value.shape, shapes[0]):
                own = "x".join(map(str, value.shape))
                raise misfit(self, shapes, f"its {field.name}, of shape {own}, does not broadcast to it")
        return shapes[0]

    def evaluate(self, *inputs: Array) -> Array:
        """Not defined: a neuron has a state and is run by a simulator."""
        raise GraphError("G105", f"{type(self).__name__} has a state: run the graph with a simulator")

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """State before the first tick.

        Args:
            shape: shape of the population.
            samples: (samples,) int64, index of each sample in the whole data set, for seeded neurons.
            dtype: dtype of the potentials.
        """
        raise NotImplementedError

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One tick: the new state and the spikes (samples, *shape) bool, for the summed input ``current``."""
        raise NotImplementedError

    def receive(self, state: State, inputs: Sequence[Array]) -> tuple[State, Array]:
        """One tick for what the nodes that the population reads give, in their order: ``step`` of the sum.

        A model that treats some of its inputs apart overrides this; simulators call nothing else.
        """
        current = inputs[0]
        for value in inputs[1:]:
            current = current + value
        return self.step(state, current)

    def converted(self, value: Array, state: State) -> Array:
        """An input in the dtype of the potential, real numbers for a neuron that takes samples."""
        dtype = np.dtype(np.float64) if self.takes_samples else state["voltage"].dtype
        return value.astype(dtype, copy=False)

    def charge(self, spikes: Array, voltage: Array) -> Array:
        """Charge taken up so far: ``voltage`` less its start, plus what ``spikes`` (counts) took away."""
        raise GraphError("G106", f"{type(self).__name__} cannot be read by its potential")


def _spreads(shape: Shape, target: Shape) -> bool:
    """Whether an array of one shape broadcasts to the other."""
    tail = target[len(target) - len(shape) :]
    return len(shape) <= len(target) and all(size in (1, own) for size, own in zip(shape, tail, strict=True))


def full(value: float | Array, shape: Shape, samples: Array, dtype: np.dtype) -> Array:
    """An array (samples, *shape) of a scalar or of an array that broadcasts to ``shape``."""
    filled = np.empty((len(samples), *shape), dtype)
    filled[...] = value
    return filled


def as_reset(neuron: Neuron) -> None:
    """Make the neuron's reset, given as a member of Reset or as text, the member; GraphError G104 if it is none."""
    object.__setattr__(neuron, "reset", member(neuron, "reset", Reset))


def check_threshold(threshold: float | Array) -> None:
    """Raise GraphError G104 unless every threshold is positive: a neuron without input must be silent."""
    if (np.asarray(threshold) <= 0).any():
        lowest = float(np.min(threshold))
        raise GraphError("G104", f"a threshold must be positive, not {lowest:.6g}", remedy="raise it above 0")
