"""Populations that a pass made of one, by number, taken together as one row of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from snnc.targets.target import LayerUse, LimitUse

_SERIES = re.compile(r"\.(part|copy|sum)\d+(?=\.|$)")
"""How passes number the relays of a large sum's parts and the copies of a network that are drawn."""

_LONG = 4
"""Members from which a series is one row."""


def _series(names: Iterable[str]) -> dict[str, list[str]]:
    """The names of each series of at least four by what stands for it, all others by themselves."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_SERIES.sub(r".\1*", name), []).append(name)
    rows: dict[str, list[str]] = {}
    for pattern, members in found.items():
        if len(members) < _LONG:
            rows |= {name: [name] for name in members}
        else:
            rows[f"{pattern} ({len(members)})"] = members
    return rows


def uses_together(layers: Iterable[LayerUse]) -> tuple[LayerUse, ...]:
    """Series as one layer each: numbers added up, every limit as in the member that uses it most."""
    by_name = {layer.name: layer for layer in layers}
    return tuple(_together(name, [by_name[one] for one in names]) for name, names in _series(by_name).items())


def _together(name: str, layers: list[LayerUse]) -> LayerUse:
    most: dict[str, LimitUse] = {}
    for use in (use for layer in layers for use in layer.limits):
        most[use.limit] = max(most.get(use.limit, use), use, key=lambda one: one.share)
    return LayerUse(
        name=name,
        neurons=sum(layer.neurons for layer in layers),
        synapses=sum(layer.synapses for layer in layers),
        cores=sum(layer.cores for layer in layers),
        limits=tuple(most.values()),
    )


def sums_together(values: Mapping[str, float]) -> dict[str, float]:
    """Values by name, those of a series added up."""
    return {name: sum(values[one] for one in names) for name, names in _series(values).items()}
