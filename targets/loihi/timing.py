"""What every event of a Loihi program costs in time and energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array
from snnc.kernels.messages import Ways
from snnc.simulate.costs import CostedTrace
from snnc.targets.cost_model import run_with_costs
from snnc.targets.costs.mesh import Mesh
from snnc.targets.run_options import DEFAULT, RunOptions
from snnc.targets.spike_costs import SpikeModel
from snnc.targets.spike_traffic import SpikeTraffic

from .costs import KINDS, LoihiCosts, LoihiEvents
from .program import LoihiProgram
from .simulate import SIMULATOR
from .traffic import MESH, tiles_in_use, traffic


def simulate_with_costs(
    program: LoihiProgram, x: Array, ticks: int, costs: LoihiCosts, options: RunOptions = DEFAULT
) -> CostedTrace:
    """Run a program, and count, time and weigh its events.

    Ticks are timed by ``estimate_ticks``, or ``detailed`` by simulating every sample's queues (``simulate_sample``).
    The spikes of the host are sent like those of a core beside core 0. Compartments are updated in the window of
    their population only, as they are counted by the simulator.
    """
    return run_with_costs(SIMULATOR, program, x, ticks, LoihiCostModel.of(program, costs), options)


@dataclass(frozen=True, eq=False)
class LoihiCostModel(SpikeModel):
    """A program's traffic with the costs of one set.

    Attributes:
        traffic: what each spike sends where.
        costs: the set.
        ways: the ways of messages with their times.
        barrier: nanoseconds.
    """

    traffic: SpikeTraffic
    costs: LoihiCosts
    ways: Ways
    barrier: float

    @staticmethod
    def of(program: LoihiProgram, costs: LoihiCosts) -> LoihiCostModel:
        """The model of a program."""
        spike_traffic = traffic(program)
        return LoihiCostModel(
            spike_traffic,
            costs,
            _ways(spike_traffic, costs),
            costs.barrier.nanoseconds(tiles_in_use(program), spike_traffic.chips),
        )

    kinds = KINDS
    idle = "barrier"

    @property
    def set(self) -> LoihiCosts:
        """The costs."""
        return self.costs

    @property
    def energy(self) -> Array:
        """Picojoules of an event."""
        return by_kind(self.costs.energy)

    @property
    def time(self) -> Array:
        """Nanoseconds of an event."""
        return by_kind(self.costs.time)

    @property
    def mesh(self) -> Mesh:
        """Of all chips."""
        return MESH

    @property
    def links(self) -> int:
        """As many as the chips up to the last one in use have."""
        return MESH.links(-(-max(self.traffic.cores, 1) // MESH.chip_cores))

    @property
    def chip_cores(self) -> int:
        """128."""
        return MESH.chip_cores


def by_kind(costs: LoihiEvents) -> Array:
    """(kinds,) float64, in the order of ``KINDS``; axon events cost nothing by themselves."""
    return np.array([getattr(costs, kind, 0.0) for kind in KINDS])


def _ways(spike_traffic: SpikeTraffic, costs: LoihiCosts) -> Ways:
    """The ways with the times of their hops; the border of a chip counts with the hop that crosses it."""
    routes, time = spike_traffic.routes, costs.time
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
