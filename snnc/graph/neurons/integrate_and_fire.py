"""The integrate-and-fire neuron (IF) and the integrator that never fires."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array, Shape

from .base import Neuron, Reset, State, as_reset, check_threshold, full


@dataclass(frozen=True, eq=False)
class IF(Neuron):
    """Integrate and fire: v <- v + z; spike where v >= threshold; then reset.

    With reset by subtraction the number of spikes N obeys, exactly, N * threshold = sum of z - (v_end - v_0).

    Attributes:
        threshold: scalar or array that broadcasts to the population's shape, positive.
        reset: by subtraction or to zero.
        initial_voltage: potential before the first tick, like ``threshold``.
    """

    threshold: float | Array = 1.0
    reset: Reset = Reset.SUBTRACT
    initial_voltage: float | Array = 0.0

    variables = ("voltage", "current")

    def __post_init__(self) -> None:
        as_reset(self)
        check_threshold(self.threshold)

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """The initial potential, no current."""
        return {
            "voltage": full(self.initial_voltage, shape, samples, dtype),
            "current": full(0, shape, samples, dtype),
        }

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """Integrate, compare, reset."""
        voltage = state["voltage"] + current
        spikes = voltage >= self.threshold
        if self.reset is Reset.SUBTRACT:
            voltage = voltage - spikes * np.asarray(self.threshold, voltage.dtype)
        else:
            voltage = np.where(spikes, voltage.dtype.type(0), voltage)
        return {"voltage": voltage, "current": current}, spikes

    def charge(self, spikes: Array, voltage: Array) -> Array:
        """Exact for reset by subtraction; a reset to zero loses the excess over the threshold."""
        return np.asarray(spikes * np.asarray(self.threshold) + voltage - self.initial_voltage)


@dataclass(frozen=True, eq=False)
class Integrator(Neuron):
    """v <- v + z, without threshold: read by its potential."""

    variables = ("voltage", "current")

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """Zero potential, no current."""
        return {"voltage": full(0, shape, samples, dtype), "current": full(0, shape, samples, dtype)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """Integrate."""
        voltage = state["voltage"] + current
        return {"voltage": voltage, "current": current}, np.zeros(voltage.shape, bool)

    def charge(self, spikes: Array, voltage: Array) -> Array:
        """The potential."""
        return voltage
