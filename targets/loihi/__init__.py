"""The Loihi 1 target: limits, legal neurons and synapses, mapping, checks and the core simulator.

Importing it registers the chip's neuron, so that graphs that hold it can be read from files.
"""

from .compartment import LoihiCompartment
from .target import TARGET

__all__ = ["TARGET", "LoihiCompartment"]
