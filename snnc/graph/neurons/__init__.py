"""Neuron models that are no chip's own, a model (or a close family) a file."""

from importlib import import_module
from pkgutil import iter_modules

from .base import Neuron, Reset, State, full
from .integrate_and_fire import IF, Integrator
from .leaky import LIF, CurrentLIF
from .max_gate import MaxGate
from .sources import PoissonSource, RateSource, SpikeSource

for _module in iter_modules(
    __path__
):  # every file registers its neurons, by which graphs are read from files
    import_module(f"{__name__}.{_module.name}")

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
