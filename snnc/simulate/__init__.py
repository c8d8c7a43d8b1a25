"""The functional simulator of spiking graphs."""

from .attribution import RateError, attribute_errors
from .functional import simulate
from .trace import RECORDABLE, EventCounts, Stream, Trace, join

__all__ = [
    "RECORDABLE",
    "EventCounts",
    "RateError",
    "Stream",
    "Trace",
    "attribute_errors",
    "join",
    "simulate",
]
