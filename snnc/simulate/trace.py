"""What a run gives: decoded outputs, spikes, potentials, currents and counts of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snnc.graph.evaluate import only
from snnc.graph.operators.base import Array
from snnc.options import RECORDABLE as RECORDABLE

from .state import RunState, join_states


@dataclass(frozen=True, eq=False)
class EventCounts:
    """What happened on the cores of a chip, summed over samples.

    Attributes:
        axon_events: (cores, ticks) int64, spikes that arrived at an input axon.
        synaptic_operations: (cores, ticks) int64, synapses read.
        neuron_updates: (cores, ticks) int64, compartments updated.
        spikes: (cores, ticks) int64, spikes of compartments that go out or are recorded.
        messages: (cores, ticks) int64, spike messages sent to cores, one a target core's axon.
    """

    axon_events: Array
    synaptic_operations: Array
    neuron_updates: Array
    spikes: Array
    messages: Array

    def __add__(self, other: EventCounts) -> EventCounts:
        names = ("axon_events", "synaptic_operations", "neuron_updates", "spikes", "messages")
        return EventCounts(*(getattr(self, name) + getattr(other, name) for name in names))

    def over_ticks(self) -> EventCounts:
        """The sums over all ticks, (cores, 1) each."""
        return EventCounts(
            self.axon_events.sum(axis=1, keepdims=True),
            self.synaptic_operations.sum(axis=1, keepdims=True),
            self.neuron_updates.sum(axis=1, keepdims=True),
            self.spikes.sum(axis=1, keepdims=True),
            self.messages.sum(axis=1, keepdims=True),
        )


@dataclass(frozen=True, eq=False)
class Trace:
    """One run, in the names of the graph.

    Every population has its own window of ``ticks`` ticks, counted from its own start, so entry ``k`` of a
    spike train is the answer to the ``k``-th presented tick whatever the population's depth.

    Attributes:
        outputs: by Output, (samples, *output shape) float64, the decoded answer in the ANN's units.
        outputs_by_tick: by Output, (samples, ticks, *output shape) float64; empty unless ``output`` was recorded.
        recordings: by what was recorded and then by node: ``spikes``, (samples, ticks, *population shape) bool, and
            state variables after every tick by their names, the same shape, in the graph's own units (integers
            where the graph is one of integers, but for sources of spikes). ``voltage`` is after the tick's reset.
        spike_counts: (samples,) int64 a population, spikes over all ticks.
        counts: events on the cores, None where no chip was simulated.
        latency_ticks: ticks from the first presented tick to the decoded answer, pipeline depth included.
        state: where the run stands after its last tick, if that was asked for.
    """

    outputs: Mapping[str, Array]
    outputs_by_tick: Mapping[str, Array] = field(default_factory=dict)
    recordings: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    spike_counts: Mapping[str, Array] = field(default_factory=dict)
    counts: EventCounts | None = None
    latency_ticks: int = 0
    state: RunState | None = None

    @property
    def output(self) -> Array:
        """The answer of a network with one output; raises UsageError U206 where there are several."""
        return only(self.outputs)

    @property
    def output_by_tick(self) -> Array | None:
        """The answer of a network with one output after every tick, None where it was not recorded."""
        return only(self.outputs_by_tick) if self.outputs_by_tick else None

    def recorded(self, variable: str) -> Mapping[str, Array]:
        """The recordings of ``spikes`` or a state variable by node; empty where it was not recorded."""
        return self.recordings.get(variable, {})

    @property
    def spikes(self) -> Mapping[str, Array]:
        """(samples, ticks, *population shape) bool by recorded population."""
        return self.recorded("spikes")

    @property
    def voltage(self) -> Mapping[str, Array]:
        """Potentials after the tick's reset by recorded population."""
        return self.recorded("voltage")

    @property
    def current(self) -> Mapping[str, Array]:
        """Synaptic currents by recorded population."""
        return self.recorded("current")

    def rows(self, rows: slice) -> Trace:
        """Views of the arrays of some of the samples, without counts of events and state."""
        return Trace(
            outputs={name: array[rows] for name, array in self.outputs.items()},
            outputs_by_tick={name: array[rows] for name, array in self.outputs_by_tick.items()},
            recordings={
                variable: {name: array[rows] for name, array in arrays.items()}
                for variable, arrays in self.recordings.items()
            },
            spike_counts={name: array[rows] for name, array in self.spike_counts.items()},
            latency_ticks=self.latency_ticks,
        )


@dataclass(frozen=True, eq=False)
class Stream:
    """Answers to samples that were presented one a tick.

    Attributes:
        output: (samples, *output shape) float64, the decoded answer of the tick that belongs to the sample.
        spike_counts: spikes of each population for all samples.
        counts: events on the cores, summed over ticks.
        latency_ticks: from a sample's tick to the tick of its answer, that tick included.
    """

    output: Array
    spike_counts: Mapping[str, int]
    counts: EventCounts
    latency_ticks: int

    def followed_by(self, other: Stream) -> Stream:
        """The answers to these samples and then to those of another stream through the same program."""
        spikes = {name: count + other.spike_counts[name] for name, count in self.spike_counts.items()}
        output = np.concatenate([self.output, other.output])
        return Stream(output, spikes, self.counts + other.counts, self.latency_ticks)


def join(traces: Sequence[Trace]) -> Trace:
    """One trace of the samples of several, in order."""
    first = traces[0]

    def stacked(read: Callable[[Trace], Mapping[str, Array]]) -> dict[str, Array]:
        return {name: np.concatenate([read(trace)[name] for trace in traces]) for name in read(first)}

    def recorded(variable: str) -> Callable[[Trace], Mapping[str, Array]]:
        return lambda trace: trace.recordings[variable]

    states = [trace.state for trace in traces if trace.state is not None]
    counts = first.counts
    for trace in traces[1:]:
        if counts is not None and trace.counts is not None:
            counts = counts + trace.counts
    return Trace(
        outputs=stacked(lambda trace: trace.outputs),
        outputs_by_tick=stacked(lambda trace: trace.outputs_by_tick),
        recordings={variable: stacked(recorded(variable)) for variable in first.recordings},
        spike_counts=stacked(lambda trace: trace.spike_counts),
        counts=counts,
        latency_ticks=first.latency_ticks,
        state=join_states(states) if states else None,
    )
