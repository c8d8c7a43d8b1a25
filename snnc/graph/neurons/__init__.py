"""Neuron models that are no chip's own, a model (or a close family) a file."""

from .base import Neuron, Reset, State, full
from .integrate_and_fire import IF, Integrator
from .leaky import LIF, CurrentLIF
from .max_gate import MaxGate
from .sources import PoissonSource, RateSource, SpikeSource

__all__ = [
    "IF",
    "LIF",
    "CurrentLIF",
    "Integrator",
    "MaxGate",
    "Neuron",
    "PoissonSource",
    "RateSource",
    "Reset",
    "SpikeSource",
    "State",
    "full",
]
