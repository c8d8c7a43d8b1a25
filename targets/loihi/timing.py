"""What every event of a Loihi program costs in time and energy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.counting import Tally as Counts
from snnc.kernels.counting import count_events, weigh_samples
from snnc.kernels.estimate import estimate_ticks
from snnc.kernels.event_driven import Schedule, simulate_sample
from snnc.kernels.messages import Lengths, Ways
from snnc.simulate.costs import CostedTrace, RunCosts
from snnc.targets.cost_model import CostModel, Sites, Tally, run_with_costs
from snnc.targets.run_options import DEFAULT, RunOptions

from .batch import Activity
from .costs import KINDS, LoihiCosts, LoihiEvents
from .program import LoihiProgram
from .simulate import SIMULATOR
from .traffic import MESH, Traffic, traffic


def simulate_with_costs(
    program: LoihiProgram, x: Array, ticks: int, costs: LoihiCosts, options: RunOptions = DEFAULT
) -> CostedTrace:
    """Run a program, and count, time and weigh its events.

    Ticks are timed by ``estimate_ticks``, or ``detailed`` by simulating every sample's queues (``simulate_sample``).
    The spikes of the host are sent like those of a core beside core 0. Compartments are updated in the window of
    their population only, as they are counted by the simulator.
    """
    return run_with_costs(SIMULATOR, program, x, ticks, Model.of(program, costs), options)


@dataclass(frozen=True, eq=False)
class Model(CostModel[Activity]):
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

    kinds = KINDS
    idle = "barrier"
    intake = "synapses"
    stages = ("neurons", "synapses")

    @property
    def set(self) -> LoihiCosts:
        """The costs."""
        return self.costs

    @property
    def energy(self) -> Array:
        """Picojoules of an event."""
        return by_kind(self.costs.energy)

    def tally(self, samples: int, ticks: int, chip_ticks: int, detailed: bool) -> LoihiTally:
        """Nothing counted yet."""
        return LoihiTally(self, samples, ticks, chip_ticks, detailed)

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

    def simulate(self, activity: Activity, sample: int, schedule: Schedule) -> None:
        """What happens when in the ticks of one sample of a batch, by ``simulate_sample``."""
        simulate_sample(
            activity.spikes, activity.active, sample, self.traffic.units, self.traffic.fanout, self.ways,
            by_kind(self.costs.time), self.costs.link, self.barrier, schedule,
        )  # fmt: skip

    def schedule(self, activity: Activity, sample: int, chip_ticks: int) -> Schedule:
        """The same in a schedule of its own."""
        schedule = self.empty_schedule(chip_ticks)
        self.simulate(activity, sample, schedule)
        return schedule

    def count(self, activity: Activity, chip_ticks: int) -> Counts:
        """The events of a batch."""
        kinds, units, pairs = len(KINDS), len(self.traffic.unit_population), len(self.ways.target)
        tally = Counts(
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

    def weigh(self, activity: Activity, tally: Counts) -> Array:
        """(samples,) float64, picojoules of a batch's samples, whose events were counted."""
        picojoules = np.zeros(activity.samples)
        if activity.samples:
            weigh_samples(
                activity.spikes, activity.active, self.traffic.units, self.traffic.fanout,
                by_kind(self.costs.energy), tally, picojoules,
            )  # fmt: skip
        return picojoules

    def core_order(self) -> tuple[int, ...]:
        """The host first, then cores in dataflow order."""
        return tuple(dict.fromkeys([self.traffic.cores, *self.traffic.units.core.tolist()]))

    @cached_property
    def sites(self) -> Sites:
        """The program's tiles, then its populations on the host."""
        found = self.traffic
        return Sites(
            cores=found.cores,
            core_names=self._core_names(),
            unit_population=found.unit_population,
            unit_core=found.units.core,
            source=found.routes.source,
            target=found.routes.target,
            mesh=MESH,
            links=MESH.links(found.span),
            chips=found.chips,
            used_share=found.used / (found.chips * MESH.chip_cores),
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
class LoihiTally(Tally[Activity]):
    """What is counted and timed of one batch, whose activity comes in one piece.

    Attributes:
        model: of the program.
        samples, ticks, chip_ticks: of the batch.
        detailed: whether every sample's queues are simulated.
        found: the costs, once the activity was added.
    """

    model: Model
    samples: int
    ticks: int
    chip_ticks: int
    detailed: bool
    found: RunCosts | None = None

    def add(self, activity: Activity) -> None:
        """Count and time the batch."""
        model = self.model
        lengths = (model.simulated if self.detailed else model.estimated)(activity, self.chip_ticks)
        counts = model.count(activity, self.chip_ticks)
        picojoules = model.weigh(activity, counts)
        events = counts.events.transpose(1, 0, 2)
        self.found = model.costs_of(events, counts.messages, picojoules, lengths, self.ticks)

    def costs(self) -> RunCosts:
        """The costs of the batch."""
        if self.found is None:
            nothing = np.zeros((self.ticks, 0), np.uint64)
            self.add(Activity(slice(0, 0), nothing, nothing))
        assert self.found is not None
        return self.found


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
