"""What every event of a TrueNorth program costs in time and energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import cached_property

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.event_driven import EventTimes
from snnc.kernels.messages import IDLE, Lengths, Ways
from snnc.simulate.costs import CostedTrace, RunCosts
from snnc.targets.cost_model import CostModel, EventSites, Tally, run_with_costs
from snnc.targets.run_options import DEFAULT, RunOptions

from . import batch as batches
from .costs import TrueNorthCosts
from .kernel_form import as_words, reaching_axons
from .kernels.counting import count_block, count_host, count_host_samples
from .kernels.estimate import estimate_block
from .kernels.event_driven import simulate_block
from .kernels.events import DIGITS, HOPS, KINDS, CoreActivity, CoreEventCounts, HostLines, Sends
from .limits import TRUENORTH
from .program import TrueNorthProgram
from .simulate import SIMULATOR
from .traffic import TrueNorthTraffic, traffic, ways


def simulate_with_costs(
    program: TrueNorthProgram, x: Array, ticks: int, costs: TrueNorthCosts, options: RunOptions = DEFAULT
) -> CostedTrace:
    """Run a program, and count, time and weigh its events.

    Ticks are timed by ``estimate_block``, or ``detailed`` by simulating every sample's queues (``simulate_block``).
    Where the set gives no times, all ticks are the shortest. A spike is sent, goes its way and is taken by a scheduler
    in the tick that fires it; its axon and synapses are events of the tick in which they are read.
    """
    model = TrueNorthCostModel.of(program, costs, detailed=options.detailed)
    return run_with_costs(SIMULATOR, program, x, ticks, model, options)


@dataclass(frozen=True, eq=False)
class TrueNorthCostModel(CostModel[batches.TrueNorthActivity]):
    """A program's traffic with the costs of one set.

    Attributes:
        traffic: what each spike sends where.
        costs: the set.
        sends: where spikes go.
        ways: the ways of messages with their times.
        reaching: (cores, 4, 256) uint64, the axons that reach each neuron; of size 0 where they are not needed.
        joules, time: (kinds,) float64, picojoules and nanoseconds of an event.
    """

    traffic: TrueNorthTraffic
    costs: TrueNorthCosts
    sends: Sends
    ways: Ways
    reaching: Array
    joules: Array
    time: Array

    kinds = KINDS
    idle = "shortest tick"
    intake = "scheduler"
    stages = ("neurons", "scheduler")

    @staticmethod
    def of(program: TrueNorthProgram, costs: TrueNorthCosts, *, detailed: bool) -> TrueNorthCostModel:
        """The model of a program; ``detailed`` with what ``simulate`` needs."""
        spike_traffic = traffic(program)
        return TrueNorthCostModel(
            spike_traffic,
            costs,
            Sends(spike_traffic.pair, as_words(spike_traffic.pair >= 0)),
            ways(spike_traffic, costs.time, detailed),
            reaching_axons(program.cores) if detailed else np.zeros((0, 0, 0), np.uint64),
            np.array(astuple(costs.energy)),
            np.array(astuple(costs.time)),
        )

    @property
    def set(self) -> TrueNorthCosts:
        """The costs."""
        return self.costs

    @property
    def energy(self) -> Array:
        """Picojoules of an event."""
        return self.joules

    @property
    def weighs_hops(self) -> bool:
        """Whether the set gives an energy to hops."""
        return bool(self.energy[HOPS : HOPS + 3].any())

    @property
    def timed(self) -> bool:
        """Whether the set gives a time to any event."""
        return bool(self.time.any()) or self.costs.link > 0

    def host(self, activity: batches.TrueNorthActivity) -> HostLines:
        """What the host sends in a batch."""
        lines = activity.lines
        return HostLines(
            lines.source, self.traffic.line_hold, self.traffic.line_pair, lines.spikes[:, lines.before :]
        )

    def estimate(self, activity: batches.TrueNorthActivity, lengths: Lengths) -> None:
        """The ticks of a block, by ``estimate_block``."""
        estimate_block(
            block_of(activity), self.sends, self.host(activity), self.ways, self.traffic.ends,
            self.traffic.mesh.height, self.time, self.costs.link, self.costs.shortest_tick, lengths,
        )  # fmt: skip

    def simulate(self, activity: batches.TrueNorthActivity, sample: int, schedule: EventTimes) -> None:
        """The ticks of a block for one of its samples, by ``simulate_block``."""
        simulate_block(
            block_of(activity), sample, self.reaching, self.sends.pair, self.host(activity), self.ways,
            self.time, self.costs.link, self.costs.shortest_tick, schedule,
        )  # fmt: skip

    def timeline_counts(self, costs: RunCosts) -> Mapping[str, Array]:
        """Events that the published set gives no time, (chip ticks, cores + 1) each."""
        events = dict(zip(KINDS, costs.events.transpose(0, 2, 1), strict=True))
        return {kind: events[kind] for kind in ("axon_event", "synaptic_event", "spike", "message_out")}

    @cached_property
    def sites(self) -> EventSites:
        """All cores, and the host."""
        spike_traffic = self.traffic
        return EventSites(
            cores=spike_traffic.cores,
            core_names=(
                *(f"core {core}: {name}" for core, name in enumerate(spike_traffic.populations)),
                "host",
            ),
            unit_population=(*spike_traffic.populations, "host"),
            unit_core=np.arange(spike_traffic.cores + 1),
            source=spike_traffic.source,
            target=spike_traffic.target,
            mesh=spike_traffic.mesh,
            links=spike_traffic.mesh.links(1),
            chips=spike_traffic.chips,
            used_share=spike_traffic.cores / (spike_traffic.chips * TRUENORTH.cores),
        )

    def tally(self, samples: int, ticks: int, chip_ticks: int, detailed: bool) -> TrueNorthTally:
        """Nothing counted yet."""
        spike_traffic = self.traffic
        counts = CoreEventCounts(
            events=np.zeros((chip_ticks, spike_traffic.cores + 1, len(KINDS)), np.int64),
            messages=np.zeros((len(spike_traffic.source), chip_ticks), np.int32),
            each=np.zeros((samples, len(KINDS)), np.int64),
        )
        size = (samples, chip_ticks)
        nanoseconds = np.full(size, self.costs.shortest_tick)
        lengths = Lengths(nanoseconds, np.full(size, IDLE), np.zeros(size, np.int64))
        return TrueNorthTally(self, counts, lengths, ticks, detailed)


@dataclass(frozen=True, eq=False)
class TrueNorthTally(Tally[batches.TrueNorthActivity]):
    """What is counted and timed of one batch, block by block; arrays are written in place.

    Attributes:
        model: of the program.
        counts: events.
        lengths: of ticks.
        ticks: how long a sample is presented.
        detailed: whether every sample's queues are simulated.
    """

    model: TrueNorthCostModel
    counts: CoreEventCounts
    lengths: Lengths
    ticks: int
    detailed: bool

    def add(self, activity: batches.TrueNorthActivity) -> None:
        """Count and time a block; the host's messages with the first one."""
        model = self.model
        digits = np.zeros((DIGITS, activity.fired.shape[-1]), np.uint64)
        count_block(block_of(activity), model.sends, model.ways, model.weighs_hops, digits, self.counts)
        if activity.first == 0:
            self._add_host(model.host(activity))
        if model.timed and not self.detailed:
            model.estimate(activity, self.lengths)
        if model.timed and self.detailed:
            self._simulate(activity)

    def _add_host(self, host: HostLines) -> None:
        """Count the host's messages of all ticks, and those of each sample."""
        spikes = np.zeros((host.spikes.shape[1], host.spikes.shape[2] + 1), np.int64)
        ways = self.model.ways
        count_host_samples(host, ways, len(self.counts.events), spikes, self.counts.each)
        count_host(spikes, host, ways, self.counts)

    def _simulate(self, activity: batches.TrueNorthActivity) -> None:
        block = slice(activity.first, activity.first + len(activity.synapses))
        for sample in range(activity.synapses.shape[2]):
            schedule = self.model.empty_schedule(block.stop)
            self.model.simulate(activity, sample, schedule)
            self.lengths.nanoseconds[sample, block] = schedule.nanoseconds[block]
            self.lengths.element[sample, block] = schedule.element[block]
            self.lengths.place[sample, block] = schedule.place[block]

    def costs(self) -> RunCosts:
        """The costs of the batch, of which all blocks were added."""
        picojoules = (self.counts.each * self.model.energy).sum(axis=1)
        events = self.counts.events.transpose(2, 1, 0)
        return self.model.costs_of(events, self.counts.messages, picojoules, self.lengths, self.ticks)


def block_of(activity: batches.TrueNorthActivity) -> CoreActivity:
    """A block as the kernels take it."""
    return CoreActivity(activity.arrived, activity.synapses, activity.fired, activity.first)
