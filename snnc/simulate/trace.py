"""What a run gives: decoded outputs, spikes, potentials, currents and counts of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snnc.graph.operators.base import Array

RECORDABLE = ("spikes", "voltage", "current", "output")
"""What a run can record: three per population, and the decoded output after every tick."""


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
        output: (samples, *output shape) float64, the decoded answer in the ANN's units.
        output_by_tick: (samples, ticks, *output shape) float64 if ``output`` was recorded, else None.
        spikes: (samples, ticks, *population shape) bool a recorded population.
        voltage, current: the same shape, potentials after the tick's reset and synaptic currents, in the
            graph's own units (integers where the graph is one of integers, but for sources of spikes).
        spike_counts: (samples,) int64 a population, spikes over all ticks.
        counts: events on the cores, None where no chip was simulated.
        latency_ticks: ticks from the first presented tick to the decoded answer, pipeline depth included.
    """

    output: Array
    output_by_tick: Array | None = None
    spikes: Mapping[str, Array] = field(default_factory=dict)
    voltage: Mapping[str, Array] = field(default_factory=dict)
    current: Mapping[str, Array] = field(default_factory=dict)
    spike_counts: Mapping[str, Array] = field(default_factory=dict)
    counts: EventCounts | None = None
    latency_ticks: int = 0

    def recorded(self, variable: str) -> Mapping[str, Array]:
        """The recordings of ``spikes``, ``voltage`` or ``current`` by population."""
        return {"spikes": self.spikes, "voltage": self.voltage, "current": self.current}[variable]


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

    def stacked(variable: str) -> dict[str, Array]:
        kept: Mapping[str, Array] = getattr(first, variable)
        return {name: np.concatenate([getattr(trace, variable)[name] for trace in traces]) for name in kept}

    by_tick = [trace.output_by_tick for trace in traces if trace.output_by_tick is not None]
    counts = first.counts
    for trace in traces[1:]:
        if counts is not None and trace.counts is not None:
            counts = counts + trace.counts
    return Trace(
        output=np.concatenate([trace.output for trace in traces]),
        output_by_tick=np.concatenate(by_tick) if by_tick else None,
        spikes=stacked("spikes"),
        voltage=stacked("voltage"),
        current=stacked("current"),
        spike_counts=stacked("spike_counts"),
        counts=counts,
        latency_ticks=first.latency_ticks,
    )
