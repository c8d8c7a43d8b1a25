"""The functional simulator of spiking graphs."""

from .functional import simulate
from .trace import RECORDABLE, EventCounts, Trace, join

__all__ = ["RECORDABLE", "EventCounts", "Trace", "join", "simulate"]
