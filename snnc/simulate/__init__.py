"""The functional simulator of spiking graphs."""

from .attribution import RateError, attribute_errors
from .functional import recordable, simulate
from .state import RunState
from .trace import RECORDABLE, EventCounts, Stream, Trace, join

__all__ = [
    "RECORDABLE",
    "EventCounts",
    "RateError",
    "RunState",
    "Stream",
    "Trace",
    "attribute_errors",
    "join",
    "recordable",
    "simulate",
]
