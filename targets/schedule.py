"""When each population's window opens on a chip where a spike takes a tick from core to core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


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
