"""A graph of integers as TrueNorth sees it."""

from __future__ import annotations

from typing import TypeAlias

from snnc.graph.graph import Graph
from snnc.targets import layers

from .limits import TRUENORTH
from .neuron import TrueNorthNeuron

Layer: TypeAlias = layers.Layer[TrueNorthNeuron]
Layers: TypeAlias = layers.Layers[TrueNorthNeuron]

LONGEST = TRUENORTH.delay[1]
"""Ticks that a spike can be underway."""


def layers_of(graph: Graph) -> Layers:
    """The populations of a graph; raises MappingError T002 for a neuron that the chip has not."""
    return layers.Layers.of(graph, TrueNorthNeuron, "TrueNorth", LONGEST)
