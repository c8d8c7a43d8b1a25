"""What every spike sends where: messages to cores, and what is read there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.messages import SpikeFanout, Units

from .costs.mesh import Routes


@dataclass(frozen=True, eq=False)
class SpikeTraffic:
    """The events that spikes cause.

    Attributes:
        units: parts of populations on cores, then populations on the host.
        unit_population: population of each unit.
        cores: number of cores; the host's spikes come from core number ``cores``.
        fanout: what each spike sends.
        routes: the ways between cores.
        used: cores in use.
        chips: chips in use.
    """

    units: Units
    unit_population: tuple[str, ...]
    cores: int
    fanout: SpikeFanout
    routes: Routes
    used: int
    chips: int


def traffic_of(
    units: Units,
    names: tuple[str, ...],
    cores: int,
    entries: tuple[Array, Array],
    ways: Callable[[Array, Array], Routes],
    chips: int,
) -> SpikeTraffic:
    """The events that spikes cause.

    Args:
        units: parts of populations on cores, then populations on the host, whose core is number ``cores``.
        names: population of each unit.
        cores: their number.
        entries: one for each message and delay: place (entries,) of the neuron that fires, ascending, and columns
            (entries, 2 + receiver kinds): unit that reads, ticks from the spike to the tick in which it counts, 1 for
            a message or 0 where the entry goes with the one before, and what else the receiver counts.
        ways: the ways between cores ``source`` and ``target``, (pairs,) each.
        chips: in use.
    """
    place, columns = entries
    source = units.core[np.searchsorted(units.first, place, side="right") - 1]
    target = units.core[columns[:, 0]]
    keys, pair = np.unique(source * (cores + 1) + target, return_inverse=True)
    first = np.searchsorted(place, np.arange(int(units.first[-1]) + 1)).astype(np.int64)
    group, group_place = _groups(units, first, columns)
    return SpikeTraffic(
        units=units,
        unit_population=names,
        cores=cores,
        fanout=SpikeFanout(
            first=first,
            unit=columns[:, 0].copy(),
            pair=pair.reshape(-1).astype(np.int64),
            shift=columns[:, 1].copy(),
            messages=columns[:, 2].copy(),
            received=columns[:, 2:].copy(),
            group=group,
            group_place=group_place,
            group_unit=np.searchsorted(units.first, group_place, side="right").astype(np.int64) - 1,
        ),
        routes=ways(keys // (cores + 1), keys % (cores + 1)),
        used=len(np.unique(units.core[units.core < cores])),
        chips=chips,
    )


def _groups(units: Units, first: Array, columns: Array) -> tuple[Array, Array]:
    """Groups of places of one unit with the same entries: (places,) number of each one's, and one place of each."""
    number = np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1) if len(columns) else columns[:, 0]
    lengths = np.diff(first)
    unit = np.repeat(np.arange(len(units.core)), np.diff(units.first))
    group, group_place = np.zeros(len(lengths), np.int64), [np.zeros(0, np.int64)]
    groups = 0
    for length in np.unique(lengths).tolist():
        places = np.flatnonzero(lengths == length)
        sequences = number[first[places][:, None] + np.arange(length)]
        keys = np.concatenate([unit[places][:, None], sequences], axis=1)
        _, first_place, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        group[places] = groups + which.reshape(-1)
        group_place.append(places[first_place])
        groups += len(first_place)
    return group, np.concatenate(group_place)
