"""What counting and timing share between chips: a tally a batch, the costs of a run, the timeline of a sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.event_driven import EventTimes
from snnc.kernels.messages import IDLE, LINK, NEURONS, SYNAPSES, WAY, Lengths
from snnc.simulate.costs import CostedTrace, RunCosts, Timeline, join_costs

from .costs.cost_set import CostSet
from .costs.mesh import Mesh
from .frame import ProgramShell
from .run_options import DEFAULT, RunOptions
from .simulator import Simulator


class Activity(Protocol):
    """What a chip's simulator tells of some ticks of a batch."""

    @property
    def rows(self) -> slice:
        """The samples."""


A = TypeVar("A", bound=Activity)
F = TypeVar("F", bound=ProgramShell[Any])


@dataclass(frozen=True, eq=False)
class EventSites:
    """Whose events are counted, and where messages go.

    Attributes:
        cores: number of cores; the host is one more, behind them.
        core_names: every core with what is on it, the host last.
        unit_population: population of each unit; a unit is a part of a population on a core, or the host's.
        unit_core: (units,) int64 cores.
        source, target: (pairs,) int64, cores that messages go between.
        mesh: where links are.
        links: one more than the largest number of a link.
        chips: in use.
        used_share: share of these chips' cores that the program uses.
    """

    cores: int
    core_names: tuple[str, ...]
    unit_population: tuple[str, ...]
    unit_core: Array
    source: Array
    target: Array
    mesh: Mesh
    links: int
    chips: int
    used_share: float


class Tally(ABC, Generic[A]):
    """What is counted and timed of one batch."""

    @abstractmethod
    def add(self, activity: A) -> None:
        """Count and time what happened."""

    @abstractmethod
    def costs(self) -> RunCosts:
        """The costs of the batch, of which everything was added."""


class CostModel(ABC, Generic[A]):
    """A program's messages with the costs of one set.

    Attributes:
        kinds: of events.
        idle: what a tick is called that waits for nothing.
        intake: what takes messages at a core.
        stages: see ``Timeline``.
        barrier: nanoseconds at the end of every tick.
    """

    kinds: tuple[str, ...]
    idle: str
    intake: str
    stages: tuple[str, str]
    barrier: float = 0.0

    @property
    @abstractmethod
    def set(self) -> CostSet[Any]:
        """The costs."""

    @property
    @abstractmethod
    def sites(self) -> EventSites:
        """Units, and where messages go."""

    @property
    @abstractmethod
    def energy(self) -> Array:
        """(kinds,) float64, picojoules of an event."""

    @abstractmethod
    def tally(self, samples: int, ticks: int, chip_ticks: int, detailed: bool) -> Tally[A]:
        """Nothing counted yet; ``detailed`` times every sample by ``simulate``."""

    @abstractmethod
    def simulate(self, activity: A, sample: int, schedule: EventTimes) -> None:
        """What happens when in the activity's ticks for one of its samples, event by event."""

    def timeline_counts(self, costs: RunCosts) -> Mapping[str, Array]:
        """Events that a timeline shows beside times, see ``Timeline.counts``."""
        return {}

    def core_order(self) -> tuple[int, ...]:
        """The cores as a timeline shows them."""
        return ()

    def empty_schedule(self, chip_ticks: int) -> EventTimes:
        """Room for what happens in the ticks of a sample."""
        updated, begun, done = np.zeros((3, chip_ticks, self.sites.cores + 1))
        links = np.zeros((chip_ticks, self.sites.links), np.int64)
        element, place = np.zeros((2, chip_ticks), np.int64)
        return EventTimes(updated, begun, done, links, np.zeros(chip_ticks), element, place)

    def element_name(self, element: int, place: int) -> str:
        """What a tick waited for, in words."""
        core = "host" if place == self.sites.cores else f"core {place}"
        if element == LINK:
            return f"link {self.sites.mesh.link_name(place)}"
        return {
            IDLE: self.idle,
            NEURONS: f"neurons of {core}",
            SYNAPSES: f"{self.intake} of {core}",
            WAY: f"last message to {core}",
        }[element]

    def costs_of(
        self, events: Array, messages: Array, picojoules: Array, lengths: Lengths, ticks: int
    ) -> RunCosts:
        """The costs of a batch.

        Args:
            events: (kinds, units, chip ticks) int64.
            messages: (pairs, chip ticks).
            picojoules: (samples,) float64.
            lengths: of all ticks.
            ticks: how long a sample was presented.
        """
        sites, cores = self.sites, self.sites.cores
        largest = 1 + int(lengths.place.max(initial=0))
        elements, waits = np.unique(lengths.element * largest + lengths.place, return_counts=True)
        return RunCosts(
            cost_set=self.set.name,
            kinds=self.kinds,
            picojoules=self.energy,
            events=events,
            unit_population=sites.unit_population,
            unit_core=np.where(sites.unit_core == cores, -1, sites.unit_core),
            dynamic_picojoules=picojoules,
            message_source=np.where(sites.source == cores, -1, sites.source),
            message_target=sites.target,
            messages=messages,
            nanoseconds=lengths.nanoseconds,
            critical={
                self.element_name(*divmod(element, largest)): number
                for element, number in zip(elements.tolist(), waits.tolist(), strict=True)
            },
            static_watts=self.set.static_watts * sites.chips,
            used_share=sites.used_share,
            ticks=ticks,
            cycle_ns=self.set.cycle_ns,
        )


def run_with_costs(
    simulator: Simulator[F, Any, A],
    program: F,
    x: Array,
    ticks: int,
    model: CostModel[A],
    options: RunOptions = DEFAULT,
) -> CostedTrace:
    """Run a program as its simulator does, and count, time and weigh its events."""
    chip_ticks = program.depth + ticks
    tallies: dict[int, Tally[A]] = {}

    def observe(activity: A) -> None:
        start = activity.rows.start
        if start not in tallies:
            samples = activity.rows.stop - start
            tallies[start] = model.tally(samples, ticks, chip_ticks, options.detailed)
        tallies[start].add(activity)

    trace = simulator.run(program, x, ticks, options, observe)
    in_order = [tally for _, tally in sorted(tallies.items(), key=itemgetter(0))]
    in_order = in_order or [model.tally(0, ticks, chip_ticks, options.detailed)]
    return CostedTrace(trace, join_costs([tally.costs() for tally in in_order]))


def timeline_of(
    simulator: Simulator[F, Any, A],
    program: F,
    x: Array,
    ticks: int,
    model: CostModel[A],
    options: RunOptions = DEFAULT,
) -> Timeline:
    """When everything happens for the first of some samples, event by event."""
    chip_ticks = program.depth + ticks
    schedule, tally = model.empty_schedule(chip_ticks), model.tally(1, ticks, chip_ticks, False)

    def observe(activity: A) -> None:
        model.simulate(activity, 0, schedule)
        tally.add(activity)

    state = None if options.state is None else options.state.rows(slice(0, 1))
    alone = RunOptions(first_sample=options.first_sample, threads=1, state=state)
    simulator.run(program, x[:1], ticks, alone, observe)
    used = np.flatnonzero(schedule.links.any(axis=0)).tolist()
    elements = zip(schedule.element.tolist(), schedule.place.tolist(), strict=True)
    return Timeline(
        cores=model.sites.core_names,
        updated=schedule.updated,
        begun=schedule.begun,
        done=schedule.done,
        links={link: model.sites.mesh.link_name(link) for link in used},
        link_messages=schedule.links,
        nanoseconds=schedule.nanoseconds,
        barrier=model.barrier,
        critical=tuple(model.element_name(*pair) for pair in elements),
        stages=model.stages,
        counts=model.timeline_counts(tally.costs()),
        cycle_ns=model.set.cycle_ns,
        order=model.core_order(),
    )
