"""Run one batch of samples on a TrueNorth program, block of ticks by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array
from snnc.targets.simulator import Batch

from .kernel_form import TrueNorthArrays
from .kernels import state as kernels
from .kernels.cores import run_ticks
from .limits import NEURONS
from .memory import LONGEST_DELAY, given_before, kept_registers, last_given, registers_of
from .program import TrueNorthPopulation, TrueNorthProgram
from .random_thresholds import record_random_thresholds

_BLOCK_BYTES, _SCHEDULER_BYTES = 2**26, 2**27
_WORDS = NEURONS // 64


@dataclass(frozen=True, eq=False)
class TrueNorthActivity:
    """What all cores did in a block of ticks of a batch.

    Attributes:
        rows: the samples.
        first: the block's first chip tick.
        arrived: (block ticks, cores, samples, 4) uint64, the axons with a spike as bits.
        synapses: (block ticks, cores, samples) int32, how many each core read.
        fired: (block ticks, cores, samples, 4) uint64, the neurons that fired as bits.
        lines: the host's lines, with all its spikes.
    """

    rows: slice
    first: int
    arrived: Array
    synapses: Array
    fired: Array
    lines: kernels.Lines


Observer = Callable[[TrueNorthActivity], None]


@dataclass(frozen=True, eq=False)
class _Target:
    """Where a population's spikes or potentials are written.

    Attributes:
        population: whose.
        into: (samples, ticks, neurons) bool or int32.
    """

    population: TrueNorthPopulation
    into: Array

    def put(self, block: Array, places: Array, first: int) -> None:
        """Write what a block of chip ticks from ``first`` on shares with the window.

        Args:
            block: (block ticks, places, samples, 4) uint64 bits or (block ticks, places, samples, 256) int32.
            places: (cores,) place of each core.
            first: the block's first chip tick.
        """
        start = self.population.start
        low, high = max(first, start), min(first + len(block), start + self.into.shape[1])
        if low >= high:
            return
        core, neuron = places[self.population.core], self.population.neuron
        part = block[low - first : high - first]
        if block.shape[-1] == NEURONS:
            values = part[:, core, :, neuron]
        else:
            shift = (neuron % 64).astype(np.uint64)[:, None, None]
            values = (part[:, core, :, neuron // 64] >> shift) & np.uint64(1)
        self.into[:, low - start : high - start] = values.transpose(2, 1, 0)


@dataclass(frozen=True, eq=False)
class _Targets:
    """What is written down of one variable.

    Attributes:
        targets: every population that is wanted.
        places: (cores,) int32, the place in a block of each core that holds a neuron of these, -1 for the others.
    """

    targets: tuple[_Target, ...]
    places: Array

    @property
    def count(self) -> int:
        """Number of places."""
        return int(self.places.max(initial=-1)) + 1

    def put(self, block: Array, first: int) -> None:
        """Write a block down, see ``_Target``."""
        for target in self.targets:
            target.put(block, self.places, first)


def run_batch(loaded: TrueNorthArrays, batch: Batch[TrueNorthProgram], observe: Observer | None) -> None:
    """Run some samples; ``observe`` is told what all cores did, block by block, from this thread."""
    spikes = _targets(batch, batch.spikes, every_core=observe is not None)
    voltage = _targets(batch, batch.voltage)
    _run_cores(loaded, batch, spikes, voltage, observe)
    record_random_thresholds(batch)


def _targets(
    batch: Batch[TrueNorthProgram], arrays: Mapping[int, Array], every_core: bool = False
) -> _Targets:
    """Those of the populations on the chip."""
    held = np.full(len(batch.program.cores), every_core)
    targets = []
    for number, into in arrays.items():
        population = batch.program.populations[number]
        if population.source is None:
            targets.append(_Target(population, into))
            held[population.core] = True
    return _Targets(tuple(targets), np.where(held, np.cumsum(held) - 1, -1).astype(np.int32))


def _run_cores(
    loaded: TrueNorthArrays,
    batch: Batch[TrueNorthProgram],
    spikes: _Targets,
    voltage: _Targets,
    observe: Observer | None,
) -> None:
    program, samples = batch.program, batch.samples
    lines = _lines(loaded, batch)
    counts = np.zeros((len(program.populations), samples), np.int64)
    tally = np.zeros((len(program.cores), batch.chip_ticks, 4), np.int64)
    observed = len(program.cores) if observe is not None else 0
    step = _block_ticks(batch, spikes.count, voltage.count, observed)
    registers = registers_of(loaded, batch, step + LONGEST_DELAY)
    for first, last in _blocks(batch, step):
        if first == batch.ticks and batch.kept is not None:
            batch.kept.update(kept_registers(registers, first))
        watch = kernels.Watch(
            fired_place=spikes.places,
            voltage_place=voltage.places,
            fired=np.zeros((last - first, spikes.count, samples, _WORDS), np.uint64),
            voltage=np.zeros((last - first, voltage.count, samples, NEURONS), np.int32),
            **loaded.windows,
            counts=counts,
            arrived=np.zeros((last - first, observed, samples, _WORDS), np.uint64),
            synapses=np.zeros((last - first if observed else 0, observed, samples), np.int32),
        )
        run_ticks(loaded.cores, lines, registers, watch, tally, first, last)
        if observe is not None:
            observe(TrueNorthActivity(batch.rows, first, watch.arrived, watch.synapses, watch.fired, lines))
        spikes.put(watch.fired, first)
        voltage.put(watch.voltage, first)
    if batch.kept is not None:
        if batch.chip_ticks == batch.ticks:
            batch.kept.update(kept_registers(registers, batch.ticks))
        batch.kept["host"] = last_given(lines, program)
    batch.spike_counts[:] += counts
    events, operations, fired, messages = np.moveaxis(tally, -1, 0)
    updates = np.full(fired.shape, samples * NEURONS)
    batch.counts[:] = np.stack([events, operations, updates, fired, messages])


def _block_ticks(batch: Batch[TrueNorthProgram], spikes: int, voltage: int, observed: int) -> int:
    """Ticks that are run at once, as far as memory goes; spikes and potentials are kept of so many cores."""
    each = batch.samples * (8 * _WORDS * (spikes + observed) + 4 * observed + 4 * NEURONS * voltage)
    slot = batch.samples * 8 * _WORDS * len(batch.program.cores)
    fitting = min(_BLOCK_BYTES // max(each, 1), _SCHEDULER_BYTES // slot)
    return min(max(1, fitting), batch.chip_ticks)


def _blocks(batch: Batch[TrueNorthProgram], step: int) -> Iterator[tuple[int, int]]:
    """First ticks of blocks and those behind the last; one begins behind the last presented tick if that is kept."""
    ends = {batch.chip_ticks, *([] if batch.kept is None else [batch.ticks])}
    first = 0
    for end in sorted(ends):
        while first < end:
            yield first, min(first + step, end)
            first = min(first + step, end)


def _lines(loaded: TrueNorthArrays, batch: Batch[TrueNorthProgram]) -> kernels.Lines:
    """What the host fires."""
    program, lines = batch.program, batch.program.lines
    parts = [
        batch.host_spikes(number)
        for number, population in enumerate(program.populations)
        if population.source is not None
    ]
    now = np.concatenate([np.zeros((batch.samples, batch.ticks, 0), bool), *parts], axis=2)
    before = given_before(batch, now.shape[2])
    return kernels.Lines(
        source=loaded.source,
        core=lines.core.astype(np.int32),
        axon=lines.axon.astype(np.int32),
        delay=lines.delay.astype(np.int32),
        spikes=np.concatenate([before, now], axis=1),
        ticks=batch.ticks,
        before=before.shape[1],
    )
