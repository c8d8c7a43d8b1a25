"""What a run cost: counted events with their energies, and the length of every tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from snnc.graph.operators.base import Array

from .trace import Trace

PICO, NANO = 1e-12, 1e-9


@dataclass(frozen=True, eq=False)
class RunCosts:
    """Time and energy of samples that are presented one after the other.

    Attributes:
        cost_set: name of the set that times and energies are from.
        kinds: kinds of events that are counted.
        picojoules: (kinds,) float64, energy of one event.
        events: (kinds, units, chip ticks) int64, sums over samples; a unit is a part of a population on a core.
        unit_population: population of each unit.
        unit_core: (units,) int64; -1 for spikes of the host.
        dynamic_picojoules: (samples,) float64, energy of all events.
        message_source, message_target: (pairs,) int64 cores; -1 for the host.
        messages: (pairs, chip ticks) int32 or int64, sums over samples.
        nanoseconds: (samples, chip ticks) float64, length of every tick.
        critical: for each element that a tick waited for, how many ticks of all samples did.
        static_watts: of all chips in use.
        used_share: share of these chips' cores that the program uses.
        ticks: how long a sample was presented.
        cycle_ns: nanoseconds of a clock cycle; None for a design without a clock.
    """

    cost_set: str
    kinds: tuple[str, ...]
    picojoules: Array
    events: Array
    unit_population: tuple[str, ...]
    unit_core: Array
    dynamic_picojoules: Array
    message_source: Array
    message_target: Array
    messages: Array
    nanoseconds: Array
    critical: Mapping[str, int]
    static_watts: float
    used_share: float
    ticks: int
    cycle_ns: float | None = None

    @property
    def dynamic_joules(self) -> Array:
        """(samples,) float64, energy of all events."""
        return self.dynamic_picojoules * PICO

    @property
    def static_joules(self) -> Array:
        """(samples,) float64, energy of chips that do nothing, over the time of the sample."""
        return self.latency_seconds * self.static_watts

    @property
    def cycles(self) -> Array | None:
        """(samples, chip ticks) float64, length of every tick in clock cycles; None without a clock."""
        return None if self.cycle_ns is None else in_cycles(self.nanoseconds, self.cycle_ns)

    @property
    def latency_seconds(self) -> Array:
        """(samples,) float64, from the first presented tick to the end of the last."""
        return np.asarray(self.nanoseconds.sum(axis=1) * NANO)

    @property
    def period_seconds(self) -> Array:
        """(samples,) float64, time between samples when each layer takes the next one as soon as it is free.

        An estimate: ``ticks`` times the mean of the ticks in which all layers' windows are open; where there are
        none, the longest tick.
        """
        depth = self.nanoseconds.shape[1] - self.ticks
        full = self.nanoseconds[:, depth : self.ticks]
        tick = full.mean(axis=1) if full.shape[1] else self.nanoseconds.max(axis=1)
        return np.asarray(tick * self.ticks * NANO)

    def joules_by_kind(self) -> dict[str, float]:
        """Dynamic energy of each kind of event, over all samples."""
        joules = self.events.sum(axis=(1, 2)) * self.picojoules * PICO
        return dict(zip(self.kinds, joules.tolist(), strict=True))

    def joules_by_population(self) -> dict[str, float]:
        """Dynamic energy of each population, over all samples; a message belongs to its sender until it arrives."""
        return self._grouped(self.unit_population)

    def joules_by_core(self) -> dict[str, float]:
        """Dynamic energy of each core, over all samples."""
        return self._grouped(["host" if core < 0 else str(core) for core in self.unit_core.tolist()])

    def _grouped(self, groups: Sequence[str]) -> dict[str, float]:
        joules = np.einsum("kut,k->u", self.events, self.picojoules) * PICO
        total = dict.fromkeys(groups, 0.0)
        for group, value in zip(groups, joules.tolist(), strict=True):
            total[group] += value
        return total


@dataclass(frozen=True, eq=False)
class CostedTrace:
    """A run and what it cost.

    Attributes:
        trace: what came out.
        costs: time and energy.
    """

    trace: Trace
    costs: RunCosts


@dataclass(frozen=True, eq=False)
class Timeline:
    """When everything happens in the ticks of one sample; nanoseconds, those of cores from the start of their tick.

    Attributes:
        cores: names of the cores.
        updated: (ticks, cores) float64, when a core is done with its neurons; 0 where it has none to update.
        begun: (ticks, cores) float64, when it takes its first message; infinite where none comes.
        done: (ticks, cores) float64, when it has read the synapses of the last one.
        links: names of the links that have messages, by number.
        link_messages: (ticks, all links) int64.
        nanoseconds: (ticks,) float64, length of each tick.
        barrier: its last part.
        critical: what each tick waited for.
        stages: names of a core's two stages, that which is done at ``updated`` and that at ``done``.
        counts: events of some kinds, (ticks, cores) int64 each, where a chip's cost set may give them no time.
        cycle_ns: nanoseconds of a clock cycle; None for a design without a clock.
        order: the cores as they are shown from top to bottom; by number if empty.
    """

    cores: tuple[str, ...]
    updated: Array
    begun: Array
    done: Array
    links: Mapping[int, str]
    link_messages: Array
    nanoseconds: Array
    barrier: float
    critical: tuple[str, ...]
    stages: tuple[str, str] = ("neurons", "synapses")
    counts: Mapping[str, Array] = field(default_factory=dict)
    cycle_ns: float | None = None
    order: tuple[int, ...] = ()

    @property
    def starts(self) -> Array:
        """(ticks,) float64, start of each tick."""
        return np.asarray(np.cumsum(self.nanoseconds) - self.nanoseconds)


def in_cycles(nanoseconds: Array, cycle_ns: float) -> Array:
    """Nanoseconds as clock cycles; a millionth is as far as sums of times that are no binary fractions go."""
    return np.asarray(np.round(nanoseconds / cycle_ns, 6))


def join_costs(parts: Sequence[RunCosts]) -> RunCosts:
    """The costs of the samples of several runs of one program, in order."""
    critical: dict[str, int] = {}
    for part in parts:
        for element, ticks in part.critical.items():
            critical[element] = critical.get(element, 0) + ticks
    return replace(
        parts[0],
        events=sum((part.events for part in parts[1:]), parts[0].events),
        messages=sum((part.messages for part in parts[1:]), parts[0].messages),
        dynamic_picojoules=np.concatenate([part.dynamic_picojoules for part in parts]),
        nanoseconds=np.concatenate([part.nanoseconds for part in parts]),
        critical=critical,
    )
