"""A synaptic current that decays, computed by the host for values that it drives neurons with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snnc.errors import GraphError

from .base import SPIKING_LEVELS, Array, LinearMap, Shape, State


@dataclass(frozen=True, eq=False)
class LowPass(LinearMap):
    """y(t) = (1 - decay) y(t - 1) + x(t), with y = 0 before the first tick.

    It stands for the current of a CurrentLIF population where the host sets a bias instead of sending spikes.
    No population may be in front of it.

    Attributes:
        decay: share lost in a tick, above 0 to 1; scalar or array that broadcasts to the input's shape.
    """

    decay: float | Array

    levels = SPIKING_LEVELS
    by_host = True

    def __post_init__(self) -> None:
        shares = np.asarray(self.decay, np.float64)
        wrong = shares[~((shares > 0) & (shares <= 1))]
        if wrong.size:
            raise GraphError("G104", f"a low-pass decay is above 0 and at most 1, not {wrong.flat[0]}")

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return shapes[0]

    def evaluate(self, *inputs: Array) -> Array:
        """The value that it settles at for a constant input, x / decay."""
        return np.asarray(inputs[0] / self.decay)

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """The value of the tick before, in real numbers: 0."""
        return {"value": np.zeros((len(samples), *shape))}

    def receive(self, state: State, inputs: Sequence[Array]) -> tuple[State, Array]:
        """Decay and add."""
        value = (1 - self.decay) * state["value"] + inputs[0]
        return {"value": value}, value
