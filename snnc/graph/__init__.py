"""One graph for ANN and SNN: nodes, shapes, rules, text and meaning."""

from .evaluate import evaluate, evaluate_nodes
from .graph import Edit, Graph, Node
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
from .operators import *  # noqa: F403
from .operators import __all__ as _operators
from .text import graph_text
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
    "graph_text",
    "verify",
    *_operators,
]
