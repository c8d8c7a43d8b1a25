"""What layers take, from what every core holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array

from .target import LayerUse, LimitUse, Usage


@dataclass(frozen=True, eq=False)
class Held:
    """What a layer has on the cores.

    Attributes:
        name: of the population.
        neurons, synapses: numbers.
        cores: of those that hold a part of it, without repetition.
    """

    name: str
    neurons: int
    synapses: int
    cores: Array


def usage_of(
    target: str,
    layers: Iterable[Held],
    used: Mapping[str, tuple[Array, int]],
    cores: int,
    cores_per_chip: int,
) -> Usage:
    """What a program takes.

    Args:
        target: name of the chip.
        layers: on the cores.
        used: by name of a limit, what every core uses of it, (cores,), and what a core has.
        cores: in use.
        cores_per_chip: what a chip has.
    """
    uses = tuple(
        LayerUse(
            layer.name,
            int(layer.neurons),
            int(layer.synapses),
            len(layer.cores),
            tuple(
                LimitUse(limit, int(np.max(each[layer.cores], initial=0)), available)
                for limit, (each, available) in used.items()
            ),
        )
        for layer in layers
    )
    neurons, synapses = (sum(getattr(use, name) for use in uses) for name in ("neurons", "synapses"))
    return Usage(target, cores, -(-cores // cores_per_chip), neurons, synapses, uses)
