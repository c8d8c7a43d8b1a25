"""The TrueNorth target: limits, the chip's neuron, programs, checks and the core simulator."""

from .neuron import TrueNorthNeuron
from .target import TARGET

__all__ = ["TARGET", "TrueNorthNeuron"]
