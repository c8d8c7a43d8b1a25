"""One graph for ANN and SNN: nodes, shapes, rules, text and meaning."""

from .evaluate import evaluate, evaluate_nodes
from .graph import Edit, Graph
from .neurons import (
    IF,
    LIF,
    CurrentLIF,
    Integrator,
    MaxGate,
    Neuron,
    PoissonSource,
    RateSource,
    Reset,
    SpikeSource,
    State,
)
from .node import Node
from .operators import *  # noqa: F403
from .operators import __all__ as _operators
from .verify import verify

__all__ = [
    "IF",
    "LIF",
    "CurrentLIF",
    "Edit",
    "Graph",
    "Integrator",
    "MaxGate",
    "Neuron",
    "Node",
    "PoissonSource",
    "RateSource",
    "Reset",
    "SpikeSource",
    "State",
    "evaluate",
    "evaluate_nodes",
    "verify",
    *_operators,
]
