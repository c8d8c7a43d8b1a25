"""Count, time and weigh events where neurons are updated in windows and each core that listens gets a message."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.counting import UnitEventCounts, count_events, weigh_samples
from snnc.kernels.estimate import estimate_ticks
from snnc.kernels.event_driven import EventTimes, simulate_sample
from snnc.kernels.messages import Lengths, Ways
from snnc.simulate.costs import RunCosts

from .cost_model import CostModel, EventSites, Tally
from .costs.mesh import Mesh
from .spike_traffic import SpikeTraffic


@dataclass(frozen=True, eq=False)
class SpikeActivity:
    """What every neuron did in a batch, in its own window.

    Attributes:
        rows: the samples, at most 64.
        spikes: (ticks, neurons) uint64: bit s of a word is sample s, as neurons stand in a row.
        active: as ``spikes``, whether input, bias, potential or current (if any of it is kept) was not 0 when the
            neuron was updated.
    """

    rows: slice
    spikes: Array
    active: Array

    @property
    def samples(self) -> int:
        """Number of samples."""
        return int(self.rows.stop - self.rows.start)


class SpikeModel(CostModel[SpikeActivity]):
    """A program's traffic with the costs of one set; a chip gives both.

    Ticks are timed by ``estimate_ticks``, or ``detailed`` by simulating every sample's queues (``simulate_sample``).

    Attributes:
        traffic: what each spike sends where.
        ways: the ways of messages with their times.
    """

    traffic: SpikeTraffic
    ways: Ways
    intake = "synapses"
    stages = ("neurons", "synapses")

    @property
    @abstractmethod
    def time(self) -> Array:
        """(kinds,) float64, nanoseconds of an event."""

    @property
    @abstractmethod
    def mesh(self) -> Mesh:
        """Where links are."""

    @property
    @abstractmethod
    def links(self) -> int:
        """One more than the largest number of a link."""

    @property
    @abstractmethod
    def chip_cores(self) -> int:
        """Cores of a chip."""

    def tally(self, samples: int, ticks: int, chip_ticks: int, detailed: bool) -> SpikeTally:
        """Nothing counted yet."""
        return SpikeTally(self, samples, ticks, chip_ticks, detailed)

    def estimated(self, activity: SpikeActivity, chip_ticks: int) -> Lengths:
        """The ticks of a batch, by ``estimate_ticks``."""
        lengths = _lengths(activity.samples, chip_ticks)
        if activity.samples:
            estimate_ticks(
                activity.spikes, activity.active, self.traffic.units, self.traffic.fanout, self.ways,
                self.time, self.set.link, self.barrier, lengths,
            )  # fmt: skip
        return lengths

    def simulated(self, activity: SpikeActivity, chip_ticks: int) -> Lengths:
        """The ticks of a batch, by ``simulate_sample``."""
        lengths = _lengths(activity.samples, chip_ticks)
        for sample in range(activity.samples):
            schedule = self.schedule(activity, sample, chip_ticks)
            lengths.nanoseconds[sample] = schedule.nanoseconds
            lengths.element[sample], lengths.place[sample] = schedule.element, schedule.place
        return lengths

    def simulate(self, activity: SpikeActivity, sample: int, schedule: EventTimes) -> None:
        """What happens when in the ticks of one sample of a batch, by ``simulate_sample``."""
        simulate_sample(
            activity.spikes, activity.active, sample, self.traffic.units, self.traffic.fanout, self.ways,
            self.time, self.set.link, self.barrier, schedule,
        )  # fmt: skip

    def schedule(self, activity: SpikeActivity, sample: int, chip_ticks: int) -> EventTimes:
        """The same in a schedule of its own."""
        schedule = self.empty_schedule(chip_ticks)
        self.simulate(activity, sample, schedule)
        return schedule

    def count(self, activity: SpikeActivity, chip_ticks: int) -> UnitEventCounts:
        """The events of a batch."""
        kinds, units, pairs = len(self.kinds), len(self.traffic.unit_population), len(self.ways.target)
        tally = UnitEventCounts(
            events=np.zeros((units, kinds, chip_ticks), np.int64),
            messages=np.zeros((pairs, chip_ticks), np.int64),
            each=np.zeros((len(self.traffic.fanout.group_place), len(activity.spikes))),
            samples=activity.samples,
        )
        if activity.samples:
            count_events(
                activity.spikes, activity.active, self.traffic.units, self.traffic.fanout, self.ways,
                self.energy, tally,
            )  # fmt: skip
        return tally

    def weigh(self, activity: SpikeActivity, tally: UnitEventCounts) -> Array:
        """(samples,) float64, picojoules of a batch's samples, whose events were counted."""
        picojoules = np.zeros(activity.samples)
        if activity.samples:
            weigh_samples(
                activity.spikes, activity.active, self.traffic.units, self.traffic.fanout,
                self.energy, tally, picojoules,
            )  # fmt: skip
        return picojoules

    def core_order(self) -> tuple[int, ...]:
        """The host first, then cores in dataflow order."""
        return tuple(dict.fromkeys([self.traffic.cores, *self.traffic.units.core.tolist()]))

    @cached_property
    def sites(self) -> EventSites:
        """Parts of populations on cores, then populations on the host."""
        traffic = self.traffic
        return EventSites(
            cores=traffic.cores,
            core_names=self._core_names(),
            unit_population=traffic.unit_population,
            unit_core=traffic.units.core,
            source=traffic.routes.source,
            target=traffic.routes.target,
            mesh=self.mesh,
            links=self.links,
            chips=traffic.chips,
            used_share=traffic.used / (traffic.chips * self.chip_cores),
        )

    def _core_names(self) -> tuple[str, ...]:
        """Every core with the populations on it, the host last."""
        held: dict[int, list[str]] = {core: [] for core in range(self.traffic.cores)}
        for core, population in zip(
            self.traffic.units.core.tolist(), self.traffic.unit_population, strict=True
        ):
            if core < self.traffic.cores and population not in held[core]:
                held[core].append(population)
        return (*(f"core {core}: {', '.join(names)}" for core, names in held.items()), "host")


@dataclass(eq=False)
class SpikeTally(Tally[SpikeActivity]):
    """What is counted and timed of one batch, whose activity comes in one piece.

    Attributes:
        model: of the program.
        samples, ticks, chip_ticks: of the batch.
        detailed: whether every sample's queues are simulated.
        run_costs: the costs, once the activity was added.
    """

    model: SpikeModel
    samples: int
    ticks: int
    chip_ticks: int
    detailed: bool
    run_costs: RunCosts | None = None

    def add(self, activity: SpikeActivity) -> None:
        """Count and time the batch."""
        model = self.model
        lengths = (model.simulated if self.detailed else model.estimated)(activity, self.chip_ticks)
        counts = model.count(activity, self.chip_ticks)
        picojoules = model.weigh(activity, counts)
        events = counts.events.transpose(1, 0, 2)
        self.run_costs = model.costs_of(events, counts.messages, picojoules, lengths, self.ticks)

    def costs(self) -> RunCosts:
        """The costs of the batch."""
        if self.run_costs is None:
            nothing = np.zeros((self.ticks, 0), np.uint64)
            self.add(SpikeActivity(slice(0, 0), nothing, nothing))
        assert self.run_costs is not None
        return self.run_costs


def _lengths(samples: int, chip_ticks: int) -> Lengths:
    size = (samples, chip_ticks)
    return Lengths(np.zeros(size), np.zeros(size, np.int64), np.zeros(size, np.int64))
