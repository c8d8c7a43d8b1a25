"""Run a Loihi program and say what every event of it costs in time and energy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.event_driven import Schedule, simulate_sample
from snnc.kernels.timing import (
    IDLE,
    KINDS,
    LINK,
    NEURONS,
    SYNAPSES,
    WAY,
    Lengths,
    Tally,
    Ways,
    count_events,
    estimate_ticks,
    weigh_samples,
)
from snnc.simulate.costs import CostedTrace, RunCosts, Timeline, join_costs

from .batch import Activity
from .costs import LoihiCosts, LoihiEvents
from .program import LoihiProgram
from .simulate import simulate_program
from .traffic import MESH, Traffic, traffic


def simulate_with_costs(
    program: LoihiProgram,
    x: Array,
    ticks: int,
    costs: LoihiCosts,
    *,
    record: Iterable[str] = (),
    first_sample: int = 0,
    batch: int | None = None,
    threads: int | None = None,
    detailed: bool = False,
) -> CostedTrace:
    """Run a program as ``simulate_program`` does, and count, time and weigh its events.

    Ticks are timed by ``estimate_ticks``, or ``detailed`` by simulating every sample's queues (``simulate_sample``).

    The spikes of the host are sent like those of a core beside core 0. Compartments are updated in the window of
    their population only, as they are counted by the simulator.
    """
    model = Model.of(program, costs)
    found: list[tuple[int, RunCosts]] = []

    def observe(activity: Activity) -> None:
        found.append((activity.rows.start, model.costs_of(activity, program.depth, detailed)))

    trace = simulate_program(
        program, x, ticks, record=record, first_sample=first_sample, batch=batch, threads=threads,
        observe=observe,
    )  # fmt: skip
    if not found:
        observe(Activity(slice(0, 0), np.zeros((ticks, 0), np.uint64), np.zeros((ticks, 0), np.uint64)))
    return CostedTrace(trace, join_costs([part for _, part in sorted(found, key=itemgetter(0))]))


def timeline_of(
    program: LoihiProgram, x: Array, ticks: int, costs: LoihiCosts, *, first_sample: int = 0
) -> Timeline:
    """When everything happens for the first of some samples, by ``simulate_sample``."""
    model = Model.of(program, costs)
    found: list[Activity] = []
    simulate_program(program, x[:1], ticks, first_sample=first_sample, threads=1, observe=found.append)
    schedule = model.schedule(found[0], 0, program.depth + ticks)
    used = np.flatnonzero(schedule.links.any(axis=0)).tolist()
    elements = zip(schedule.element.tolist(), schedule.place.tolist(), strict=True)
    return Timeline(
        cores=model.core_names,
        updated=schedule.updated,
        begun=schedule.begun,
        done=schedule.done,
        links={link: MESH.link_name(link) for link in used},
        link_messages=schedule.links,
        nanoseconds=schedule.nanoseconds,
        barrier=model.barrier,
        critical=tuple(model.element_name(*pair) for pair in elements),
        cycle_ns=costs.cycle_ns,
        order=tuple(dict.fromkeys([model.traffic.cores, *model.traffic.units.core.tolist()])),
    )


@dataclass(frozen=True, eq=False)
class Model:
    """A program's traffic with the costs of one set.

    Attributes:
        traffic: what each spike sends where.
        costs: the set.
        ways: the ways of messages with their times.
        barrier: nanoseconds.
    """

    traffic: Traffic
    costs: LoihiCosts
    ways: Ways
    barrier: float

    @staticmethod
    def of(program: LoihiProgram, costs: LoihiCosts) -> Model:
        """The model of a program."""
        found = traffic(program)
        return Model(found, costs, _ways(found, costs), costs.barrier.nanoseconds(found.tiles, found.chips))

    def costs_of(self, activity: Activity, depth: int, detailed: bool = False) -> RunCosts:
        """The costs of a batch of a program of that depth."""
        ticks = len(activity.spikes)
        lengths = (self.simulated if detailed else self.estimated)(activity, depth + ticks)
        tally = self.count(activity, depth + ticks)
        return self._result(tally, self.weigh(activity, tally), lengths, ticks)

    def estimated(self, activity: Activity, chip_ticks: int) -> Lengths:
        """The ticks of a batch, by ``estimate_ticks``."""
        lengths = _lengths(activity.samples, chip_ticks)
        if activity.samples:
            estimate_ticks(
                activity.spikes, activity.active, self.traffic.units, self.traffic.fanout, self.ways,
                by_kind(self.costs.time), self.costs.link, self.barrier, lengths,
            )  # fmt: skip
        return lengths

    def simulated(self, activity: Activity, chip_ticks: int) -> Lengths:
        """The ticks of a batch, by ``simulate_sample``."""
        lengths = _lengths(activity.samples, chip_ticks)
        for sample in range(activity.samples):
            schedule = self.schedule(activity, sample, chip_ticks)
            lengths.nanoseconds[sample] = schedule.nanoseconds
            lengths.element[sample], lengths.place[sample] = schedule.element, schedule.place
        return lengths

    def schedule(self, activity: Activity, sample: int, chip_ticks: int) -> Schedule:
        """What happens when in the ticks of one sample of a batch."""
        updated, begun, done = np.zeros((3, chip_ticks, self.traffic.cores + 1))
        links = np.zeros((chip_ticks, MESH.links(self.traffic.span)), np.int64)
        element, place = np.zeros((2, chip_ticks), np.int64)
        schedule = Schedule(updated, begun, done, links, np.zeros(chip_ticks), element, place)
        simulate_sample(
            activity.spikes, activity.active, sample, self.traffic.units, self.traffic.fanout, self.ways,
            by_kind(self.costs.time), self.costs.link, self.barrier, schedule,
        )  # fmt: skip
        return schedule

    def count(self, activity: Activity, chip_ticks: int) -> Tally:
        """The events of a batch."""
        kinds, units, pairs = len(KINDS), len(self.traffic.unit_population), len(self.ways.target)
        tally = Tally(
            events=np.zeros((units, kinds, chip_ticks), np.int64),
            messages=np.zeros((pairs, chip_ticks), np.int64),
            each=np.zeros((len(self.traffic.fanout.group_place), len(activity.spikes))),
            samples=activity.samples,
        )
        if activity.samples:
            count_events(
                activity.spikes, activity.active, self.traffic.units, self.traffic.fanout, self.ways,
                by_kind(self.costs.energy), tally,
            )  # fmt: skip
        return tally

    def weigh(self, activity: Activity, tally: Tally) -> Array:
        """(samples,) float64, picojoules of a batch's samples, whose events were counted."""
        picojoules = np.zeros(activity.samples)
        if activity.samples:
            weigh_samples(
                activity.spikes, activity.active, self.traffic.units, self.traffic.fanout,
                by_kind(self.costs.energy), tally, picojoules,
            )  # fmt: skip
        return picojoules

    def _result(self, tally: Tally, picojoules: Array, lengths: Lengths, ticks: int) -> RunCosts:
        found, cores = self.traffic, self.traffic.cores
        elements = Counter(zip(lengths.element.ravel().tolist(), lengths.place.ravel().tolist(), strict=True))
        return RunCosts(
            cost_set=self.costs.name,
            kinds=KINDS,
            picojoules=by_kind(self.costs.energy),
            events=tally.events.transpose(1, 0, 2),
            unit_population=found.unit_population,
            unit_core=np.where(found.units.core == cores, -1, found.units.core),
            dynamic_picojoules=picojoules,
            message_source=np.where(found.routes.source == cores, -1, found.routes.source),
            message_target=found.routes.target,
            messages=tally.messages,
            nanoseconds=lengths.nanoseconds,
            critical={self.element_name(*key): number for key, number in sorted(elements.items())},
            static_watts=self.costs.static_watts * found.chips,
            used_share=found.used / (found.chips * MESH.chip_cores),
            ticks=ticks,
            cycle_ns=self.costs.cycle_ns,
        )

    @property
    def core_names(self) -> tuple[str, ...]:
        """Every core with the populations on it, the host last."""
        held: dict[int, list[str]] = {core: [] for core in range(self.traffic.cores)}
        for core, population in zip(
            self.traffic.units.core.tolist(), self.traffic.unit_population, strict=True
        ):
            if core < self.traffic.cores and population not in held[core]:
                held[core].append(population)
        return (*(f"core {core}: {', '.join(names)}" for core, names in held.items()), "host")

    def element_name(self, element: int, place: int) -> str:
        """What a tick waited for, in words."""
        core = "host" if place == self.traffic.cores else f"core {place}"
        if element == LINK:
            return f"link {MESH.link_name(place)}"
        return {
            IDLE: "barrier",
            NEURONS: f"neurons of {core}",
            SYNAPSES: f"synapses of {core}",
            WAY: f"last message to {core}",
        }[element]


def by_kind(costs: LoihiEvents) -> Array:
    """(kinds,) float64, in the order of ``KINDS``; axon events cost nothing by themselves."""
    return np.array([getattr(costs, kind, 0.0) for kind in KINDS])


def _lengths(samples: int, chip_ticks: int) -> Lengths:
    size = (samples, chip_ticks)
    return Lengths(np.zeros(size), np.zeros(size, np.int64), np.zeros(size, np.int64))


def _ways(found: Traffic, costs: LoihiCosts) -> Ways:
    """The ways with the times of their hops; the border of a chip counts with the hop that crosses it."""
    routes, time = found.routes, costs.time
    hops = np.stack([routes.east_west, routes.north_south, routes.crossings], axis=1)
    place, direction = np.divmod(routes.link, 4)
    column = place // MESH.height % MESH.width
    crosses = ((direction == 0) & (column == MESH.width - 1)) | ((direction == 1) & (column == 0))
    hop = np.where(direction < 2, time.hop_east_west, time.hop_north_south) + crosses * time.chip_crossing
    return Ways(
        target=routes.target.astype(np.int64),
        first_link=routes.first_link,
        link=routes.link,
        hops=hops,
        nanoseconds=hops @ np.array([time.hop_east_west, time.hop_north_south, time.chip_crossing]),
        link_hop=hop.astype(np.float64),
    )
