"""Populations that a pass made of one, many of them, taken together as one row of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from snnc.targets.target import LayerUse, LimitUse

_LONG = 4
"""Members from which a group is one row."""


def _rows(names: Iterable[str], groups: Mapping[str, str]) -> dict[str, list[str]]:
    """The names of each group of at least four by what stands for it, all others by themselves."""
    members: dict[str, list[str]] = {}
    for name in names:
        members.setdefault(groups.get(name, name), []).append(name)
    rows: dict[str, list[str]] = {}
    for group, together in members.items():
        if len(together) < _LONG:
            rows |= {name: [name] for name in together}
        else:
            rows[f"{group} ({len(together)})"] = together
    return rows


def uses_together(layers: Iterable[LayerUse]) -> tuple[LayerUse, ...]:
    """Groups as one layer each: numbers added up, every limit as in the member that uses it most."""
    by_name = {layer.name: layer for layer in layers}
    groups = {layer.name: layer.group for layer in by_name.values() if layer.group is not None}
    rows = _rows(by_name, groups)
    return tuple(_together(row, [by_name[name] for name in names]) for row, names in rows.items())


def _together(name: str, layers: list[LayerUse]) -> LayerUse:
    most: dict[str, LimitUse] = {}
    for use in (use for layer in layers for use in layer.limits):
        most[use.limit] = max(most.get(use.limit, use), use, key=lambda candidate: candidate.share)
    return LayerUse(
        name=name,
        neurons=sum(layer.neurons for layer in layers),
        synapses=sum(layer.synapses for layer in layers),
        cores=sum(layer.cores for layer in layers),
        limits=tuple(most.values()),
    )


def sums_together(values: Mapping[str, float], groups: Mapping[str, str]) -> dict[str, float]:
    """Values by name, those of a group added up; ``groups`` gives the group of each name that has one."""
    return {row: sum(values[name] for name in names) for row, names in _rows(values, groups).items()}
