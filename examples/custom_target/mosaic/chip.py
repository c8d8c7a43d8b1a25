"""What the chip can hold, and its neuron."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from snnc.graph.neurons import Neuron
from snnc.graph.neurons.base import State, full
from snnc.graph.operators.base import Array, Level, Shape


@dataclass(frozen=True)
class MosaicLimits:
    """Numbers of a chip, made up: 8 x 8 cores with dense weights, on a bus that every core hears."""

    cores: int = 64
    neurons: int = 64
    axons: int = 2048
    weight_bits: int = 8
    weight: int = 127
    delay: int = 16
    potential: int = 2**19


MOSAIC = MosaicLimits()


@dataclass(frozen=True, eq=False)
class MosaicNeuron(Neuron):
    """v <- v + z + bias, saturating at 20 bits; a spike where v >= threshold, which is taken away from v."""

    threshold: int | Array
    bias: int | Array = 0
    initial: int | Array = 0

    levels = frozenset({Level.INTEGER})

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """The initial potential."""
        return {"voltage": full(self.initial, shape, samples, np.dtype(np.int64))}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """Integrate, saturate, compare, take away."""
        v = np.clip(state["voltage"] + current + self.bias, -MOSAIC.potential, MOSAIC.potential - 1)
        spikes = v >= self.threshold
        return {"voltage": v - spikes * np.asarray(self.threshold)}, spikes

    def charge(self, spikes: Array, voltage: Array) -> Array:
        """All that was taken up, as far as the potential did not saturate."""
        return np.asarray(spikes * np.asarray(self.threshold) + voltage - self.initial)
