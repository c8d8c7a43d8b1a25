"""Where a run stands between two ticks, so that it can go on from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np

from snnc.errors import UsageError
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array, Shape, State

_REMEDY = "go on with the network and samples of the run that gave the state"


@dataclass(frozen=True, eq=False)
class RunState:
    """What a run keeps from one tick to the next; it can be pickled.

    The first axis of every array is that of the samples.

    Attributes:
        network: name of the graph that was run.
        samples: how many samples.
        ticks: presented so far.
        nodes: state of every node with memory, seen from outside of its cycle.
        inner: of those in a cycle that are no populations, seen from inside of it.
        fired: (samples, *shape) bool, spikes of the last tick of the populations in cycles.
        totals: by Output, sum over the ticks of what is decoded; on a chip by population that is read, its spikes.
        cores: what a chip's cores keep, in the chip's own terms; the other fields are then the host's.
    """

    network: str
    samples: int
    ticks: int = 0
    nodes: Mapping[str, State] = field(default_factory=dict)
    inner: Mapping[str, State] = field(default_factory=dict)
    fired: Mapping[str, Array] = field(default_factory=dict)
    totals: Mapping[str, Array] = field(default_factory=dict)
    cores: Mapping[str, Array] = field(default_factory=dict)

    def rows(self, rows: slice) -> RunState:
        """The state of some of the samples."""
        return self._mapped(len(range(self.samples)[rows]), lambda array, *_: array[rows], [self])

    def check(self, graph: Graph, samples: int) -> None:
        """Raise UsageError U205 unless the state is of this network and of as many samples."""
        nothing = np.zeros(0, np.int64)
        fresh = {
            node.name: node.operator.start(graph.shapes[node.name], nothing, np.dtype(np.float64))
            for node in graph
            if node.operator.has_memory
        }
        self.check_samples(samples)
        if samples and {name: _layout(state) for name, state in self.nodes.items()} != {
            name: _layout(state or {}) for name, state in fresh.items()
        }:
            message = f"a state of network {self.network!r} does not fit the nodes of {graph.name!r}"
            raise UsageError("U205", message, remedy=_REMEDY)

    def check_samples(self, samples: int) -> None:
        """Raise UsageError U205 unless the state is of as many samples."""
        if self.samples != samples:
            message = f"a state of {self.samples} samples was given to a run of {samples}"
            raise UsageError("U205", message, remedy=_REMEDY)

    def check_read(self, names: AbstractSet[str]) -> None:
        """Raise UsageError U205 unless the state is of a chip's run that reads these populations."""
        if self.totals.keys() != names:
            message = f"a state of network {self.network!r} is none of a program that reads {sorted(names)}"
            raise UsageError("U205", message, remedy=_REMEDY)

    def core(self, name: str, shape: Shape) -> Array:
        """What a chip's cores kept, (samples, *shape); raises UsageError U205 where it is another's."""
        kept = self.cores.get(name)
        if kept is None or kept.shape != (self.samples, *shape):
            message = f"a state of network {self.network!r} does not fit the cores of this program"
            raise UsageError("U205", message, remedy=_REMEDY)
        return kept

    def _mapped(self, samples: int, function: Callable[..., Array], states: Sequence[RunState]) -> RunState:
        def over(read: Callable[[RunState], Mapping[str, Array]]) -> dict[str, Array]:
            return {name: function(*(read(state)[name] for state in states)) for name in read(self)}

        def over_nodes(read: Callable[[RunState], Mapping[str, State]]) -> dict[str, State]:
            return {
                node: {name: function(*(read(state)[node][name] for state in states)) for name in kept}
                for node, kept in read(self).items()
            }

        return RunState(
            self.network,
            samples,
            self.ticks,
            over_nodes(lambda state: state.nodes),
            over_nodes(lambda state: state.inner),
            over(lambda state: state.fired),
            over(lambda state: state.totals),
            over(lambda state: state.cores),
        )


def join_states(states: Sequence[RunState]) -> RunState:
    """One state of the samples of several, in order."""
    first = states[0]
    samples = sum(state.samples for state in states)
    return first._mapped(samples, lambda *arrays: np.concatenate(arrays), states)


def _layout(state: State) -> Mapping[str, Shape]:
    """Shapes of the variables, without samples."""
    return {name: array.shape[1:] for name, array in state.items()}
