"""Populations that turn the samples into spikes on the host: given spikes, evenly spaced and Poisson spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.errors import GraphError
from snnc.graph.operators.base import Array, Shape

from .base import Neuron, State, full


@dataclass(frozen=True, eq=False)
class SpikeSource(Neuron):
    """A spike where the input is positive: for samples that are spike trains already."""

    takes_samples = True

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """No memory; the potential is always 0."""
        return {"voltage": full(0, shape, samples, np.dtype(np.float64))}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """Spikes as given."""
        return state, current > 0


@dataclass(frozen=True, eq=False)
class RateSource(Neuron):
    """Evenly spaced spikes, x / scale of them a tick, made by the host: an integrate-and-fire neuron of reals.

    v <- v + x; a spike where v >= scale, which is taken away from v. For chips whose neurons take spikes alone.

    Attributes:
        scale: input at which the source fires at every tick, scalar or array like the input.
        initial_voltage: before the first tick, like ``scale``.
    """

    scale: float | Array = 1.0
    initial_voltage: float | Array = 0.5

    takes_samples = True

    def __post_init__(self) -> None:
        if not np.all(np.asarray(self.scale) > 0):
            raise GraphError("G104", "the scale of a RateSource must be positive")

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """The initial potential."""
        return {"voltage": full(self.initial_voltage, shape, samples, np.dtype(np.float64))}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """Integrate, compare, take away."""
        voltage = state["voltage"] + current
        spikes = voltage >= self.scale
        return {"voltage": voltage - spikes * np.asarray(self.scale, np.float64)}, spikes


@dataclass(frozen=True, eq=False)
class PoissonSource(Neuron):
    """A spike with probability clip(x / scale, 0, 1) in every tick (Bernoulli approximation of Poisson).

    Each sample has its own generator (Philox, keyed by the seed and the sample's index in the data set), so
    the spikes depend on neither batch size nor order.

    Attributes:
        scale: input at which the source fires at every tick, scalar or array like the input.
        seed: of the generator.
    """

    scale: float | Array = 1.0
    seed: int = 0

    takes_samples = True

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise GraphError("G104", f"a seed is a whole number from 0, not {self.seed}")
        if not np.all(np.asarray(self.scale) > 0):
            raise GraphError("G104", "the scale of a PoissonSource must be positive")

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """The samples' indices and the tick count; the potential is always 0."""
        return {
            "voltage": full(0, shape, samples, np.dtype(np.float64)),
            "sample": np.asarray(samples, np.int64),
            "tick": np.zeros(len(samples), np.int64),
        }

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One draw a neuron; draw number ``tick`` of the sample's stream."""
        shape = current.shape[1:]
        tick = int(state["tick"][0])
        draws = np.stack([self._draw(int(sample), tick, shape) for sample in state["sample"]])
        return {**state, "tick": state["tick"] + 1}, draws < np.clip(current / self.scale, 0.0, 1.0)

    def _draw(self, sample: int, tick: int, shape: Shape) -> Array:
        bits = np.random.Philox(key=np.array([self.seed, sample], np.uint64), counter=[0, tick, 0, 0])
        return np.random.Generator(bits).random(shape, dtype=np.float32)
