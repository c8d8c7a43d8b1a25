"""Run one batch of samples on a TrueNorth program, block of ticks by block, and write its results down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Readout
from snnc.kernels import truenorth as kernels
from snnc.simulate.readout import decode, taken_up
from snnc.simulate.trace import Trace
from snnc.targets.host import host_signals

from .limits import NEURONS, TRUENORTH
from .loading import Loaded
from .program import TrueNorthPopulation, TrueNorthProgram
from .random import sample_sequences

_BLOCK_BYTES, _SCHEDULER_BYTES = 2**26, 2**27
_WORDS = NEURONS // 64


@dataclass(frozen=True, eq=False)
class Activity:
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


Observer = Callable[[Activity], None]


@dataclass(frozen=True, eq=False)
class Run:
    """A whole run.

    Attributes:
        program, loaded: what runs.
        x: all samples.
        ticks: presented.
        first_sample: index of the first sample in the data set.
        trace: written in place.
        observe: told what all cores did, block by block of a batch, from the thread of the batch; or None.
    """

    program: TrueNorthProgram
    loaded: Loaded
    x: Array
    ticks: int
    first_sample: int
    trace: Trace
    observe: Observer | None = None

    @property
    def chip_ticks(self) -> int:
        """Ticks that the cores run."""
        return self.program.depth + self.ticks


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
            found = part[:, core, :, neuron]
        else:
            shift = (neuron % 64).astype(np.uint64)[:, None, None]
            found = (part[:, core, :, neuron // 64] >> shift) & np.uint64(1)
        self.into[:, low - start : high - start] = found.transpose(2, 1, 0)


@dataclass(frozen=True, eq=False)
class _Targets:
    """What is written down of one variable.

    Attributes:
        targets: every population that is wanted, some perhaps twice.
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


def run_batch(run: Run, rows: slice) -> Array:
    """Run the samples ``rows``.

    Returns:
        (5, cores, chip ticks) int64, counts in the order of ``EventCounts``.
    """
    samples, trace = rows.stop - rows.start, run.trace
    read = [run.program.populations[part.population] for part in run.program.readings]
    spikes = [_Target(population, _room(run, population, samples, bool)) for population in read]
    voltage = (
        [_Target(population, _room(run, population, samples, np.int32)) for population in read]
        if run.program.readout is Readout.POTENTIAL
        else []
    )
    tally = _run_cores(
        run,
        rows,
        _targets(run, (*spikes, *_recorded(run, trace.spikes, rows)), every_core=run.observe is not None),
        _targets(run, (*voltage, *_recorded(run, trace.voltage, rows))),
    )
    _decode(run, rows, [target.into for target in spikes], [target.into for target in voltage])
    return tally


def _room(run: Run, population: TrueNorthPopulation, samples: int, dtype: type) -> Array:
    return np.zeros((samples, run.ticks, int(np.prod(population.shape))), dtype)


def _recorded(run: Run, arrays: Mapping[str, Array], rows: slice) -> list[_Target]:
    """The trace's arrays of populations on the chip, for these samples."""
    samples = rows.stop - rows.start
    return [
        _Target(population, arrays[population.name][rows].reshape(samples, run.ticks, -1))
        for population in run.program.populations
        if population.source is None and population.name in arrays
    ]


def _targets(run: Run, targets: tuple[_Target, ...], every_core: bool = False) -> _Targets:
    held = np.full(len(run.program.cores), every_core)
    for target in targets:
        held[target.population.core] = True
    return _Targets(targets, np.where(held, np.cumsum(held) - 1, -1).astype(np.int32))


def _run_cores(run: Run, rows: slice, spikes: _Targets, voltage: _Targets) -> Array:
    samples = rows.stop - rows.start
    lines = _lines(run, rows)
    counts = np.zeros((len(run.program.populations), samples), np.int64)
    tally = np.zeros((len(run.program.cores), run.chip_ticks, 4), np.int64)
    observed = len(run.program.cores) if run.observe is not None else 0
    each = samples * (8 * _WORDS * (spikes.count + observed) + 4 * observed + 4 * NEURONS * voltage.count)
    slot = samples * 8 * _WORDS * len(run.program.cores)
    fitting = min(_BLOCK_BYTES // max(each, 1), _SCHEDULER_BYTES // slot)
    step = min(max(1, fitting), run.chip_ticks)
    registers = _registers(run, rows, step + TRUENORTH.delay[1])
    for first in range(0, run.chip_ticks, step):
        last = min(first + step, run.chip_ticks)
        watch = kernels.Watch(
            fired_place=spikes.places,
            voltage_place=voltage.places,
            fired=np.zeros((last - first, spikes.count, samples, _WORDS), np.uint64),
            voltage=np.zeros((last - first, voltage.count, samples, NEURONS), np.int32),
            **run.loaded.windows,
            counts=counts,
            arrived=np.zeros((last - first, observed, samples, _WORDS), np.uint64),
            synapses=np.zeros((last - first if observed else 0, observed, samples), np.int32),
        )
        kernels.run_ticks(run.loaded.cores, lines, registers, watch, tally, first, last)
        if run.observe is not None:
            run.observe(Activity(rows, first, watch.arrived, watch.synapses, watch.fired, lines))
        spikes.put(watch.fired, first)
        voltage.put(watch.voltage, first)
    for population, count in zip(run.program.populations, counts, strict=True):
        if population.source is None:
            run.trace.spike_counts[population.name][rows] = count
    events, operations, fired, messages = np.moveaxis(tally, -1, 0)
    return np.stack([events, operations, np.full(fired.shape, samples * NEURONS), fired, messages])


def _registers(run: Run, rows: slice, slots: int) -> kernels.Registers:
    samples, cores = rows.stop - rows.start, len(run.program.cores)
    numbers = np.arange(rows.start, rows.stop) + run.first_sample
    return kernels.Registers(
        voltage=np.repeat(run.loaded.initial[:, None], samples, axis=1),
        scheduler=np.zeros((cores, samples, slots, _WORDS), np.uint64),
        resting=np.zeros((cores, samples), np.bool_),
        sequence=sample_sequences(run.program.seed, numbers),
    )


def _lines(run: Run, rows: slice) -> kernels.Lines:
    """What the host fires, written into the trace as well."""
    samples, lines = rows.stop - rows.start, run.program.lines
    first_sample = run.first_sample + rows.start
    potentials = {
        run.program.host[population.source].inputs[0]: run.trace.voltage[population.name][rows]
        for population in run.program.populations
        if population.source is not None and population.name in run.trace.voltage
    }
    signals = host_signals(
        run.program.host, run.x[rows], run.ticks, first_sample=first_sample, potentials=potentials
    )
    parts = [np.zeros((samples, run.ticks, 0), bool)]
    for population in run.program.populations:
        if population.source is not None:
            spikes = np.broadcast_to(signals[population.source], (samples, run.ticks, *population.shape))
            parts.append(np.asarray(spikes, bool).reshape(samples, run.ticks, -1))
            run.trace.spike_counts[population.name][rows] = np.count_nonzero(parts[-1], axis=(1, 2))
            if population.name in run.trace.spikes:
                run.trace.spikes[population.name][rows] = spikes
    return kernels.Lines(
        source=run.loaded.source,
        core=lines.core.astype(np.int32),
        axon=lines.axon.astype(np.int32),
        delay=lines.delay.astype(np.int32),
        spikes=np.concatenate(parts, axis=2),
        ticks=run.ticks,
    )


def _decode(run: Run, rows: slice, spikes: list[Array], voltage: list[Array]) -> None:
    """The answer after every tick: its parts are summed before they are scaled."""
    shape = run.trace.output.shape[1:]
    total = np.zeros((rows.stop - rows.start, run.ticks, *shape))
    for number, part in enumerate(run.loaded.decoders):
        full = (*total.shape[:2], *run.program.populations[part.reading.population].shape)
        counts = np.cumsum(spikes[number], axis=1, dtype=np.int64).reshape(full)
        potentials = voltage[number].reshape(full) if voltage else None
        total += part.reading.weighted(taken_up(run.loaded.output, part.neuron, counts, potentials))
    by_tick = decode(run.loaded.output, total, 1)
    run.trace.output[rows] = by_tick[:, -1]
    if run.trace.output_by_tick is not None:
        run.trace.output_by_tick[rows] = by_tick
