"""Leaky integrate-and-fire neurons with instantaneous (LIF) and with decaying current (CurrentLIF)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.errors import GraphError
from snnc.graph.operators.base import Array, Shape

from .base import Neuron, Reset, State, as_reset, check_threshold, full


def _check_shares(name: str, shares: float | Array) -> None:
    for share in np.asarray(shares, np.float64).ravel():
        if not 0.0 <= share <= 1.0:
            raise GraphError("G104", f"{name} is the share lost in a tick, 0 to 1, not {share:.6g}")


def _kept(decay: float | Array, dtype: np.dtype) -> Array:
    """The share that a decay leaves."""
    return np.asarray(1 - np.asarray(decay, np.float64), dtype)


@dataclass(frozen=True, eq=False)
class CurrentLIF(Neuron):
    """Leaky integrate-and-fire with a decaying synaptic current, in ticks.

    u <- (1 - current_decay) u + z;  v <- (1 - voltage_decay) v + u + bias;  v = 0 while refractory;
    spike where v >= threshold; then reset. NIR's CubaLIF with decay = dt / tau (forward Euler).

    Attributes:
        threshold: scalar or array that broadcasts to the population's shape, positive.
        current_decay: share of the current lost in a tick, 0 to 1 (1: no memory), like ``threshold``.
        voltage_decay: share of the potential lost in a tick, 0 to 1 (0: no leak), like ``threshold``.
        bias: current added to the potential in every tick, like ``threshold``.
        refractory: whole ticks from a spike until the neuron can fire again, at least 1 (1: no pause), like
            ``threshold``; the potential is held at 0 meanwhile and the current goes on.
        reset: to zero or by subtraction (subtraction only without a refractory pause), a Reset or its text.
        initial_voltage: potential before the first tick, like ``threshold``.
    """

    threshold: float | Array = 1.0
    current_decay: float | Array = 1.0
    voltage_decay: float | Array = 0.0
    bias: float | Array = 0.0
    refractory: int | Array = 1
    reset: Reset = Reset.ZERO
    initial_voltage: float | Array = 0.0

    variables = ("voltage", "current", "refractory")

    def __post_init__(self) -> None:
        as_reset(self)
        check_threshold(self.threshold)
        _check_shares("current_decay", self.current_decay)
        _check_shares("voltage_decay", self.voltage_decay)
        pauses = np.asarray(self.refractory)
        if (pauses < 1).any() or (pauses != np.rint(pauses)).any():
            wrong = pauses[(pauses < 1) | (pauses != np.rint(pauses))].flat[0]
            raise GraphError("G104", f"refractory counts whole ticks from 1, not {wrong:.6g}")
        if self.reset is Reset.SUBTRACT and (pauses > 1).any():
            raise GraphError("G104", "a refractory pause holds the potential at 0: use reset to zero with it")

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """No current, the initial potential, not refractory."""
        return {
            "voltage": full(self.initial_voltage, shape, samples, dtype),
            "current": full(0, shape, samples, dtype),
            "refractory": full(0, shape, samples, np.dtype(np.int64)),
        }

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """Current, potential, hold while refractory, compare, reset."""
        kind = current.dtype.type
        u = state["current"] * _kept(self.current_decay, current.dtype) + current
        leaked = state["voltage"] * _kept(self.voltage_decay, current.dtype)
        voltage = leaked + u + np.asarray(self.bias, current.dtype)
        held = state["refractory"] > 0
        voltage = np.where(held, kind(0), voltage)
        spikes = (voltage >= self.threshold) & ~held
        if self.reset is Reset.SUBTRACT:
            voltage = voltage - spikes * np.asarray(self.threshold, voltage.dtype)
        else:
            voltage = np.where(spikes, kind(0), voltage)
        paused = np.asarray(self.refractory, np.int64) - 1
        pause = np.where(spikes, paused, np.maximum(state["refractory"] - 1, 0))
        return {"voltage": voltage, "current": u, "refractory": pause}, spikes


@dataclass(frozen=True, eq=False)
class LIF(Neuron):
    """Leaky integrate-and-fire: v <- (1 - voltage_decay) v + z; spike where v >= threshold; then reset.

    Attributes:
        threshold, reset, initial_voltage: as in IF.
        voltage_decay: share of the potential lost in a tick, 0 to 1, like ``threshold``; NIR's LIF with
            decay = dt / tau.
    """

    threshold: float | Array = 1.0
    voltage_decay: float | Array = 0.0
    reset: Reset = Reset.ZERO
    initial_voltage: float | Array = 0.0

    variables = ("voltage", "current")

    def __post_init__(self) -> None:
        as_reset(self)
        check_threshold(self.threshold)
        _check_shares("voltage_decay", self.voltage_decay)

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """The initial potential, no current."""
        return {
            "voltage": full(self.initial_voltage, shape, samples, dtype),
            "current": full(0, shape, samples, dtype),
        }

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """Leak, integrate, compare, reset."""
        voltage = state["voltage"] * _kept(self.voltage_decay, current.dtype) + current
        spikes = voltage >= self.threshold
        if self.reset is Reset.SUBTRACT:
            voltage = voltage - spikes * np.asarray(self.threshold, voltage.dtype)
        else:
            voltage = np.where(spikes, voltage.dtype.type(0), voltage)
        return {"voltage": voltage, "current": current}, spikes
