"""When each population's window opens on a chip where a spike takes a tick from core to core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from snnc.graph.graph import Graph
from snnc.graph.projections import Drive, Projection


@dataclass(frozen=True)
class Schedule:
    """Windows of all populations.

    Attributes:
        starts: chip tick at which a population's window opens, by name.
        components: strongly connected component of each population, by name.
    """

    starts: Mapping[str, int]
    components: Mapping[str, int]

    @staticmethod
    def of(graph: Graph, driven_by: Mapping[str, Drive], longest: int | None = None) -> Schedule:
        """The windows of a graph.

        They open as early as spikes can be there, or later where all that read a population are more than the
        longest delay behind it. Spikes made by the host start at 0: the host can hold them back.

        Args:
            graph: of populations.
            driven_by: what drives them.
            longest: delay, in ticks, that a spike can have; None for no bound.
        """
        names = [node.name for node in graph.populations]
        index = {name: number for number, name in enumerate(names)}
        held = [[name for name in component if name in index] for component in graph.components]
        held = [component for component in held if component]
        edges = [(index[p.source], index[name]) for name in names for p in driven_by[name].projections]
        starts = window_starts([[index[name] for name in component] for component in held], edges)
        begins = dict(zip(names, starts, strict=True))
        if longest is not None:
            _hold_back(graph, driven_by, held, begins, longest)
        return Schedule(begins, {name: number for number, members in enumerate(held) for name in members})

    def window_ticks(self, projection: Projection, target: str) -> int:
        """Ticks of window time from a spike of the projection's source to its integration by ``target``.

        They are the projection's own delay, and one inside a strongly connected component.
        """
        return projection.delay + (self.components[projection.source] == self.components[target])

    def delay(self, projection: Projection, target: str) -> int:
        """Chip ticks from a spike of the projection's source to its integration by the population ``target``."""
        shift = self.starts[target] - self.starts[projection.source]
        return shift + self.window_ticks(projection, target)


def _hold_back(
    graph: Graph,
    driven_by: Mapping[str, Drive],
    components: Sequence[Sequence[str]],
    begins: dict[str, int],
    longest: int,
) -> None:
    """Let populations begin later that would be more than ``longest`` ticks ahead of all that read them."""
    needed: dict[str, int] = {}
    for members in reversed(components):
        later = [needed[name] for name in members if name in needed]
        on_chip = not any(getattr(graph[name].operator, "takes_samples", False) for name in members)
        earliest = min(later) - longest if later and on_chip else 0
        for name in members:
            begins[name] = max(begins[name], earliest)
            for projection in driven_by[name].projections:
                if projection.source not in members:
                    arrival = begins[name] + projection.delay
                    needed[projection.source] = min(needed.get(projection.source, arrival), arrival)


def window_starts(components: Sequence[Sequence[int]], edges: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """The chip tick at which each population's window opens.

    A population opens one tick after the latest of the populations that it listens to outside of its own
    strongly connected component, so that their first spikes can be there; one component opens as a whole.

    Args:
        components: populations by strongly connected component, in dataflow order; together 0, 1, ... n - 1.
        edges: (source, target) of every projection.

    Returns:
        A start for each population.
    """
    component_of = {member: number for number, members in enumerate(components) for member in members}
    sources: Mapping[int, set[int]] = {number: set() for number in range(len(components))}
    for source, target in edges:
        if component_of[source] != component_of[target]:
            sources[component_of[target]].add(component_of[source])
    starts: list[int] = []
    for number in range(len(components)):
        starts.append(max((starts[source] + 1 for source in sources[number]), default=0))
    return tuple(starts[component_of[member]] for member in range(len(component_of)))
