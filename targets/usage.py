"""What layers take of a chip's limits, from what every core holds; and a trial of what it will be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.pipeline import Context, Pipeline

from .target import CompileOptions, LayerUse, LimitUse, Target, Usage


@dataclass(frozen=True)
class LayerOnCores:
    """What a layer has on the cores.

    Attributes:
        name: of the population.
        neurons, synapses: numbers.
        cores: those that hold a part of it, without repetition.
    """

    name: str
    neurons: int
    synapses: int
    cores: Sequence[int]


def usage_of(
    target: str,
    layers: Iterable[LayerOnCores],
    used: Mapping[str, tuple[Sequence[int] | Array, int]],
    cores: int,
    chips: int,
) -> Usage:
    """What a program takes.

    Args:
        target: name of the chip.
        layers: on the cores.
        used: by name of a limit, what every core uses of it, and what a core has.
        cores: in use.
        chips: in use.
    """
    uses = tuple(
        LayerUse(
            layer.name,
            layer.neurons,
            layer.synapses,
            len(layer.cores),
            tuple(
                LimitUse(limit, max((int(each[core]) for core in layer.cores), default=0), available)
                for limit, (each, available) in used.items()
            ),
        )
        for layer in layers
    )
    neurons, synapses = sum(use.neurons for use in uses), sum(use.synapses for use in uses)
    return Usage(target, cores, chips, neurons, synapses, uses)


def usage_by_compiling(target: Target[Any], graph: Graph, options: CompileOptions) -> Usage:
    """What a network takes, found by compiling it without data; for targets that are quick enough."""
    context = Context()
    passes = target.pipeline(graph, options, context)
    integers, _ = Pipeline(passes, None).run(graph, context)
    return target.usage(target.lower(integers, options, context))
