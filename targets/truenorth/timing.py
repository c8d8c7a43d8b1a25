"""Run a TrueNorth program and say what every event of it costs in time and energy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.event_driven import Schedule
from snnc.kernels.timing import IDLE, LINK, NEURONS, SYNAPSES, WAY, Lengths, Ways
from snnc.kernels.truenorth_costs import (
    DIGITS,
    HOPS,
    KINDS,
    Activity,
    HostLines,
    Sends,
    Tally,
    count_block,
    count_host,
    count_host_samples,
    estimate_block,
    simulate_block,
)
from snnc.simulate.costs import CostedTrace, RunCosts, Timeline, join_costs

from . import batch as batches
from .costs import TrueNorthCosts
from .limits import TRUENORTH
from .loading import as_words, reaching_axons
from .program import TrueNorthProgram
from .simulate import simulate_program
from .traffic import Traffic, traffic, ways


def simulate_with_costs(
    program: TrueNorthProgram,
    x: Array,
    ticks: int,
    costs: TrueNorthCosts,
    *,
    record: Iterable[str] = (),
    first_sample: int = 0,
    batch: int | None = None,
    threads: int | None = None,
    detailed: bool = False,
) -> CostedTrace:
    """Run a program as ``simulate_program`` does, and count, time and weigh its events.

    Ticks are timed by ``estimate_block``, or ``detailed`` by simulating every sample's queues (``simulate_block``).
    Where the set gives no times, all ticks are the shortest. A spike is sent, goes its way and is taken by a scheduler
    in the tick that fires it; its axon and synapses are events of the tick in which they are read.
    """
    model = Model.of(program, costs, detailed=detailed)
    chip_ticks = program.depth + ticks
    found: dict[int, Count] = {}

    def observe(activity: batches.Activity) -> None:
        start = activity.rows.start
        if start not in found:
            found[start] = Count.empty(model, activity.rows.stop - start, chip_ticks)
        found[start].add(model, activity, detailed)

    trace = simulate_program(
        program, x, ticks, record=record, first_sample=first_sample, batch=batch, threads=threads,
        observe=observe,
    )  # fmt: skip
    counts = [found[start] for start in sorted(found)] or [Count.empty(model, 0, chip_ticks)]
    return CostedTrace(trace, join_costs([count.costs(model, ticks) for count in counts]))


def timeline_of(
    program: TrueNorthProgram, x: Array, ticks: int, costs: TrueNorthCosts, *, first_sample: int = 0
) -> Timeline:
    """When everything happens for the first of some samples, by ``simulate_block``."""
    model = Model.of(program, costs, detailed=True)
    chip_ticks = program.depth + ticks
    schedule, count = model.empty_schedule(chip_ticks), Count.empty(model, 1, chip_ticks)

    def observe(activity: batches.Activity) -> None:
        model.simulate(activity, 0, schedule)
        count.add(model, activity, False)

    simulate_program(program, x[:1], ticks, first_sample=first_sample, threads=1, observe=observe)
    elements = zip(schedule.element.tolist(), schedule.place.tolist(), strict=True)
    events = dict(zip(KINDS, count.tally.events.transpose(2, 0, 1), strict=True))
    return Timeline(
        cores=(*(f"core {core}: {name}" for core, name in enumerate(model.traffic.populations)), "host"),
        updated=schedule.updated,
        begun=schedule.begun,
        done=schedule.done,
        links={
            link: model.traffic.mesh.link_name(link)
            for link in np.flatnonzero(schedule.links.any(axis=0)).tolist()
        },
        link_messages=schedule.links,
        nanoseconds=schedule.nanoseconds,
        barrier=0.0,
        critical=tuple(model.element_name(*pair) for pair in elements),
        stages=("neurons", "scheduler"),
        counts={kind: events[kind] for kind in ("axon_event", "synaptic_event", "spike", "message_out")},
        cycle_ns=costs.cycle_ns,
    )


@dataclass(frozen=True, eq=False)
class Model:
    """A program's traffic with the costs of one set.

    Attributes:
        traffic: what each spike sends where.
        costs: the set.
        sends: where spikes go.
        ways: the ways of messages with their times.
        reaching: (cores, 4, 256) uint64, the axons that reach each neuron; of size 0 where they are not needed.
        energy, time: (kinds,) float64, picojoules and nanoseconds of an event.
    """

    traffic: Traffic
    costs: TrueNorthCosts
    sends: Sends
    ways: Ways
    reaching: Array
    energy: Array
    time: Array

    @staticmethod
    def of(program: TrueNorthProgram, costs: TrueNorthCosts, *, detailed: bool) -> Model:
        """The model of a program; ``detailed`` with what ``simulate`` needs."""
        found = traffic(program)
        return Model(
            found,
            costs,
            Sends(found.pair, as_words(found.pair >= 0)),
            ways(found, costs.time, detailed),
            reaching_axons(program.cores) if detailed else np.zeros((0, 0, 0), np.uint64),
            np.array(astuple(costs.energy)),
            np.array(astuple(costs.time)),
        )

    @property
    def weighs_hops(self) -> bool:
        """Whether the set gives an energy to hops."""
        return bool(self.energy[HOPS : HOPS + 3].any())

    @property
    def timed(self) -> bool:
        """Whether the set gives a time to any event."""
        return bool(self.time.any()) or self.costs.link > 0

    def host(self, activity: batches.Activity) -> HostLines:
        """What the host sends in a batch."""
        lines = activity.lines
        return HostLines(lines.source, self.traffic.line_hold, self.traffic.line_pair, lines.spikes)

    def estimate(self, activity: batches.Activity, lengths: Lengths) -> None:
        """The ticks of a block, by ``estimate_block``."""
        estimate_block(
            block_of(activity), self.sends, self.host(activity), self.ways, self.traffic.ends,
            self.traffic.mesh.height, self.time, self.costs.link, self.costs.shortest_tick, lengths,
        )  # fmt: skip

    def simulate(self, activity: batches.Activity, sample: int, schedule: Schedule) -> None:
        """The ticks of a block for one of its samples, by ``simulate_block``."""
        simulate_block(
            block_of(activity), sample, self.reaching, self.sends.pair, self.host(activity), self.ways,
            self.time, self.costs.link, self.costs.shortest_tick, schedule,
        )  # fmt: skip

    def empty_schedule(self, chip_ticks: int) -> Schedule:
        """Room for what happens in the ticks of a sample."""
        updated, begun, done = np.zeros((3, chip_ticks, self.traffic.cores + 1))
        links = np.zeros((chip_ticks, self.traffic.mesh.links(1)), np.int64)
        element, place = np.zeros((2, chip_ticks), np.int64)
        return Schedule(updated, begun, done, links, np.zeros(chip_ticks), element, place)

    def element_name(self, element: int, place: int) -> str:
        """What a tick waited for, in words."""
        core = "host" if place == self.traffic.cores else f"core {place}"
        if element == LINK:
            return f"link {self.traffic.mesh.link_name(place)}"
        return {
            IDLE: "shortest tick",
            NEURONS: f"neurons of {core}",
            SYNAPSES: f"scheduler of {core}",
            WAY: f"last message to {core}",
        }[element]


@dataclass(frozen=True, eq=False)
class Count:
    """What is counted and timed of one batch, block by block; arrays are written in place.

    Attributes:
        tally: events.
        lengths: of ticks.
    """

    tally: Tally
    lengths: Lengths

    @staticmethod
    def empty(model: Model, samples: int, chip_ticks: int) -> Count:
        """Nothing counted yet."""
        found = model.traffic
        tally = Tally(
            events=np.zeros((chip_ticks, found.cores + 1, len(KINDS)), np.int64),
            messages=np.zeros((len(found.source), chip_ticks), np.int32),
            each=np.zeros((samples, len(KINDS)), np.int64),
        )
        size = (samples, chip_ticks)
        nanoseconds = np.full(size, model.costs.shortest_tick)
        return Count(tally, Lengths(nanoseconds, np.full(size, IDLE), np.zeros(size, np.int64)))

    def add(self, model: Model, activity: batches.Activity, detailed: bool) -> None:
        """Count and time a block; the host's messages with the first one."""
        digits = np.zeros((DIGITS, activity.fired.shape[-1]), np.uint64)
        count_block(block_of(activity), model.sends, model.ways, model.weighs_hops, digits, self.tally)
        if activity.first == 0:
            self._add_host(model, model.host(activity))
        if model.timed and not detailed:
            model.estimate(activity, self.lengths)
        if model.timed and detailed:
            self._simulate(model, activity)

    def _add_host(self, model: Model, host: HostLines) -> None:
        """Count the host's messages of all ticks, and those of each sample."""
        counts = np.zeros((host.spikes.shape[1], host.spikes.shape[2] + 1), np.int64)
        count_host_samples(host, model.ways, len(self.tally.events), counts, self.tally.each)
        count_host(counts, host, model.ways, self.tally)

    def _simulate(self, model: Model, activity: batches.Activity) -> None:
        block = slice(activity.first, activity.first + len(activity.synapses))
        for sample in range(activity.synapses.shape[2]):
            schedule = model.empty_schedule(block.stop)
            model.simulate(activity, sample, schedule)
            self.lengths.nanoseconds[sample, block] = schedule.nanoseconds[block]
            self.lengths.element[sample, block] = schedule.element[block]
            self.lengths.place[sample, block] = schedule.place[block]

    def costs(self, model: Model, ticks: int) -> RunCosts:
        """The costs of the batch, of which all blocks were added."""
        found, lengths = model.traffic, self.lengths
        largest = 1 + int(lengths.place.max(initial=0))
        elements, waits = np.unique(lengths.element * largest + lengths.place, return_counts=True)
        return RunCosts(
            cost_set=model.costs.name,
            kinds=KINDS,
            picojoules=model.energy,
            events=self.tally.events.transpose(2, 1, 0),
            unit_population=(*found.populations, "host"),
            unit_core=np.append(np.arange(found.cores), -1),
            dynamic_picojoules=(self.tally.each * model.energy).sum(axis=1),
            message_source=np.where(found.source == found.cores, -1, found.source),
            message_target=found.target,
            messages=self.tally.messages,
            nanoseconds=lengths.nanoseconds,
            critical={
                model.element_name(*divmod(element, largest)): number
                for element, number in zip(elements.tolist(), waits.tolist(), strict=True)
            },
            static_watts=model.costs.static_watts * found.chips,
            used_share=found.cores / (found.chips * TRUENORTH.cores),
            ticks=ticks,
            cycle_ns=model.costs.cycle_ns,
        )


def block_of(activity: batches.Activity) -> Activity:
    """A block as the kernels take it."""
    return Activity(activity.arrived, activity.synapses, activity.fired, activity.first)
