"""A synaptic current that decays, computed by the host for values that it drives neurons with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.errors import GraphError

from .base import SPIKING_LEVELS, Array, LinearMap, Shape


@dataclass(frozen=True, eq=False)
class LowPass(LinearMap):
    """y(t) = (1 - decay) y(t - 1) + x(t), with y = 0 before the first tick.

    It stands for the current of a CurrentLIF population where the host sets a bias instead of sending spikes.
    No population may be in front of it.

    Attributes:
        decay: share lost in a tick, above 0 to 1.
    """

    decay: float

    levels = SPIKING_LEVELS

    def __post_init__(self) -> None:
        if not 0 < self.decay <= 1:
            raise GraphError("G104", f"a low-pass decay is above 0 and at most 1, not {self.decay}")

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return shapes[0]

    def evaluate(self, *inputs: Array) -> Array:
        """The value that it settles at for a constant input, x / decay."""
        return np.asarray(inputs[0] / self.decay)

    def filtered(self, previous: Array, values: Array, ticks: int) -> Array:
        """The values of a stretch of time.

        Args:
            previous: (samples, *shape), the value of the tick before.
            values: (samples, ticks, *shape), or (samples, 1, *shape) if it is the same at all ticks.
            ticks: length of the stretch.

        Returns:
            (samples, ticks, *shape) float64.
        """
        result = np.empty((len(values), ticks, *values.shape[2:]))
        for tick in range(ticks):
            previous = (1 - self.decay) * previous + values[:, tick if values.shape[1] > 1 else 0]
            result[:, tick] = previous
        return result
