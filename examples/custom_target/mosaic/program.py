"""What the chips hold, how it is made from a graph of integers, and how it is run."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from snnc.errors import MappingError
from snnc.formats.packed import Packed
from snnc.graph.operators.base import Array
from snnc.simulate import EventCounts, Trace
from snnc.targets.frame import Frame
from snnc.targets.layers import Layer, Synapses
from snnc.targets.packing import packed

from .chip import MOSAIC, MosaicNeuron


@dataclass(frozen=True, eq=False)
class Core:
    """Neurons (flat indices into a population); axons, each a source and a delay; weights (axons, neurons)."""

    population: int
    neurons: Array
    source: Array
    delay: Array
    weight: Array
    threshold: Array
    bias: Array
    initial: Array

    @property
    def neuron(self) -> MosaicNeuron:
        """Its neurons, (neurons, 1)."""
        return MosaicNeuron(*(values[:, None] for values in (self.threshold, self.bias, self.initial)))


@dataclass(frozen=True, eq=False)
class MosaicProgram:
    """Everything that a run needs."""

    frame: Frame
    cores: tuple[Core, ...]
    target: str = "mosaic"

    def pack(self) -> Packed:
        """As plain data."""
        return packed(self)


def cores_of(number: int, layer: Layer, synapses: Synapses) -> Iterator[Core]:
    """A layer cut into as few pieces as axons allow; raises MappingError T901 for what does not fit."""
    order, axon = layer.channel_last, synapses.source * (MOSAIC.delay + 1) + synapses.delay
    rank, lead = np.argsort(order)[synapses.target], np.bincount(synapses.target, minlength=1)
    _require(layer, "ticks of delay", synapses.delay, MOSAIC.delay, "shorten what runs beside it")
    _require(layer, "as a weight", np.abs(synapses.weight), MOSAIC.weight, "--weight-bits 7")
    _require(layer, "axons a neuron", lead, MOSAIC.axons, "fewer inputs, or groups in its convolution")
    for size in (64, 32, 16, 8, 4, 2, 1):
        pairs = np.unique(np.stack([rank // size, axon]), axis=1)
        if np.bincount(pairs[0], minlength=1).max() <= MOSAIC.axons:
            break
    for start in range(0, layer.size, size):
        held, part = order[start : start + size], np.flatnonzero(rank // size == start // size)
        axons, row = np.unique(axon[part], return_inverse=True)
        weight = np.zeros((len(axons), len(held)), np.int8)
        weight[row, rank[part] - start] = synapses.weight[part]
        neuron = layer.neuron
        assert isinstance(neuron, MosaicNeuron)
        registers = (
            np.broadcast_to(values, layer.shape).ravel()[held].astype(np.int32)
            for values in (neuron.threshold, neuron.bias, neuron.initial)
        )
        yield Core(number, held, *np.divmod(axons, MOSAIC.delay + 1), weight, *registers)


def _require(layer: Layer, what: str, values: Array, limit: int, remedy: str) -> None:
    most = int(values.max(initial=0))
    if most > limit:
        text = f"it needs {most} {what}, {most - limit} more than the {limit} that Mosaic has"
        raise MappingError("T901", text, node=layer.node.name, source=layer.node.source, remedy=remedy)


def run(program: MosaicProgram, x: Array, ticks: int, record: Collection[str], first_sample: int) -> Trace:
    """Every core takes in every tick of its window what came on the bus, as much earlier as its axons say."""
    frame, before, samples = program.frame, MOSAIC.delay, len(x)
    fired = frame.raster(x, ticks, first_sample, before)
    kept = [
        n
        for n, p in enumerate(frame.populations)
        if p.host is None and ("voltage" in record or n == frame.read)
    ]
    voltage = {n: np.zeros((ticks, frame.populations[n].size, samples), np.int64) for n in kept}
    counts = np.zeros((4, len(program.cores), frame.depth + ticks), np.int64)
    states = [
        core.neuron.start((1,), np.arange(len(core.neurons)), np.dtype(np.int64)) for core in program.cores
    ]
    loaded = [(core, core.neuron, core.weight.T.astype(np.float32)) for core in program.cores]
    for tick in range(frame.depth + ticks):
        for number, (core, neuron, weight) in enumerate(loaded):
            population = frame.populations[core.population]
            if not 0 <= tick - population.start < ticks:
                continue
            arrived = fired[before + tick - core.delay, core.source]
            states[number], spikes = neuron.step(
                states[number], (weight @ arrived.astype(np.float32)).astype(np.int64)
            )
            fired[before + tick, population.first + core.neurons] = spikes
            if core.population in voltage:
                voltage[core.population][tick - population.start, core.neurons] = states[number]["voltage"]
            events = np.count_nonzero(arrived)
            counts[:, number, tick] = (
                events,
                events * len(core.neurons),
                spikes.size,
                np.count_nonzero(spikes),
            )
    registers = [np.zeros(frame.populations[frame.read].shape, np.int64) for _ in range(3)]
    for core in program.cores:
        if core.population == frame.read:
            for register, values in zip(registers, (core.threshold, core.bias, core.initial), strict=True):
                register.ravel()[core.neurons] = values
    events = EventCounts(*counts, counts[3])
    return frame.trace(fired, voltage, MosaicNeuron(*registers), ticks, record, events)
