"""The Loihi 1 target: limits, legal neurons and synapses, mapping, checks and the core simulator."""

from .target import TARGET

__all__ = ["TARGET"]
