"""The neuron models once more, one neuron in exact fractions: the oracle of the arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from snnc.graph import IF, LIF, CurrentLIF, Integrator, Neuron, Reset, SpikeSource

Steps = list[tuple[bool, Fraction, Fraction]]
"""(spike, potential after the reset, current) of every tick."""


def plain_steps(neuron: Neuron, currents: Sequence[float]) -> Steps:
    """What a neuron with scalar parameters does for the summed input of each tick."""
    inputs = [Fraction(current) for current in currents]
    if isinstance(neuron, IF):
        return _leaky(inputs, neuron.threshold, neuron.reset, neuron.initial_voltage)
    if isinstance(neuron, LIF):
        keep = 1 - Fraction(neuron.voltage_decay)
        return _leaky(inputs, neuron.threshold, neuron.reset, neuron.initial_voltage, keep)
    if isinstance(neuron, CurrentLIF):
        return _current_leaky(neuron, inputs)
    if isinstance(neuron, Integrator):
        return [(False, sum(inputs[: tick + 1], Fraction(0)), z) for tick, z in enumerate(inputs)]
    assert isinstance(neuron, SpikeSource)
    return [(current > 0, Fraction(0), Fraction(0)) for current in inputs]


def _leaky(
    inputs: list[Fraction], threshold: float, reset: Reset, start: float, keep: Fraction = Fraction(1)
) -> Steps:
    steps: Steps = []
    v = Fraction(start)
    for z in inputs:
        v = keep * v + z
        fired = v >= Fraction(threshold)
        if fired:
            v = v - Fraction(threshold) if reset is Reset.SUBTRACT else Fraction(0)
        steps.append((fired, v, z))
    return steps


def _current_leaky(neuron: CurrentLIF, inputs: list[Fraction]) -> Steps:
    steps: Steps = []
    u, v, last_spike = Fraction(0), Fraction(neuron.initial_voltage), None
    for tick, z in enumerate(inputs):
        u = (1 - Fraction(neuron.current_decay)) * u + z
        v = (1 - Fraction(neuron.voltage_decay)) * v + u + Fraction(neuron.bias)
        if last_spike is not None and tick - last_spike < neuron.refractory:
            v = Fraction(0)
            fired = False
        else:
            fired = v >= Fraction(neuron.threshold)
        if fired:
            last_spike = tick
            v = v - Fraction(neuron.threshold) if neuron.reset is Reset.SUBTRACT else Fraction(0)
        steps.append((fired, v, u))
    return steps
