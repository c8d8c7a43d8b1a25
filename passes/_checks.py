"""Preconditions that several passes share."""

from __future__ import annotations

from snnc.errors import PassError
from snnc.graph.graph import Graph
from snnc.graph.operators import Level
from snnc.graph.operators.activation import Rectifier
from snnc.pipeline import Pass


def require_ann(step: Pass, graph: Graph) -> None:
    """Raise PassError P101 if the graph is one of spiking neurons already."""
    if not graph.is_ann:
        first = graph.populations[0] if graph.populations else None
        raise PassError(
            "P101",
            f"{step.name} works on an ANN, but this graph has spiking neurons",
            node=first.name if first else None,
            source=first.source if first else None,
            remedy=f"put {step.name} before convert-to-spiking",
        )


def require_snn(step: Pass, graph: Graph) -> None:
    """Raise PassError P102 if the graph has not been converted yet."""
    if not graph.populations or graph.level is not Level.SNN:
        raise PassError(
            "P102",
            f"{step.name} works on a spiking network with real weights, but this graph is at level"
            f" {graph.level.value}",
            remedy=f"put {step.name} after convert-to-spiking and before quantisation",
        )


def require_normal_clips(step: Pass, graph: Graph) -> None:
    """Raise PassError P105 if a Clip has a lower bound other than 0, which no firing rate stands for."""
    for node in graph.of_type(Rectifier):
        clip = node.operator
        assert isinstance(clip, Rectifier)
        if not clip.is_normal:
            raise PassError(
                "P105",
                f"{step.name} needs Clip bounds from 0 to a finite value, not {clip.low:g} to {clip.high:g}",
                node=node.name,
                source=node.source,
                remedy="put normalise-clip before it",
            )
