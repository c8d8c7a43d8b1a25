"""The functional simulator of spiking graphs."""

from .attribution import RateError, attribute_errors
from .functional import simulate
from .trace import RECORDABLE, EventCounts, Trace, join

__all__ = ["RECORDABLE", "EventCounts", "RateError", "Trace", "attribute_errors", "join", "simulate"]
