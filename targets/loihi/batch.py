"""Run one batch of samples on a Loihi program, component by component, and write its results down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from snnc.errors import MappingError
from snnc.graph.operators.base import Array
from snnc.kernels.loihi import (
    AXON_EVENTS,
    MESSAGES,
    SPIKES,
    SYNAPTIC_OPERATIONS,
    Recording,
    Registers,
    run_tile,
)
from snnc.simulate.exact import check_whole
from snnc.simulate.readout import readings
from snnc.simulate.trace import Trace
from snnc.targets.host import host_signals

from .limits import LOIHI
from .loading import Decoder, Loaded
from .program import LoihiPopulation, LoihiProgram


@dataclass(frozen=True, eq=False)
class Activity:
    """What every neuron did in a batch, in its own window.

    Attributes:
        rows: the samples, at most 64.
        spikes: (ticks, neurons) uint64: bit s of a word is sample s, a neuron's place in a row is ``Loaded.places``.
        active: as ``spikes``, whether input, bias, potential or current (if any of it is kept) was not 0 when the
            neuron was updated.
    """

    rows: slice
    spikes: Array
    active: Array

    @property
    def samples(self) -> int:
        """Number of samples."""
        return int(self.rows.stop - self.rows.start)


Observer = Callable[[Activity], None]


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch on its way through the program.

    Attributes:
        program, loaded, ticks: of the run.
        rows: where the samples belong in ``trace``.
        trace: the whole run's trace, written in place.
        host: what the host computed, (samples, ticks or 1, *shape) by name.
        spikes: (ticks, neurons) uint64, all spikes so far: bit s of a word is sample s, a neuron's place in a row
            is ``Loaded.places``.
        active: as ``spikes``, neurons that had something to integrate; of size 0 where that is not wanted.
        tallies: (5, cores, chip ticks) int64, in the order of ``EventCounts``.
    """

    program: LoihiProgram
    loaded: Loaded
    ticks: int
    rows: slice
    trace: Trace
    host: Mapping[str, Array]
    spikes: Array
    active: Array
    tallies: Array

    @property
    def samples(self) -> int:
        """Number of samples."""
        return int(self.rows.stop - self.rows.start)

    def population_of(self, tile: int) -> LoihiPopulation:
        """The population that a tile is a part of."""
        return self.program.populations[self.program.tiles[tile].population]


@dataclass(frozen=True, eq=False)
class RunningTile:
    """What a tile changes while it runs, and its bias.

    Attributes:
        number: of the tile.
        registers, recording: see the kernel.
        bias: (samples or 1, ticks or 1, neurons) int32, the host's current included.
    """

    number: int
    registers: Registers
    recording: Recording
    bias: Array


def run_batch(
    program: LoihiProgram,
    loaded: Loaded,
    x: Array,
    rows: slice,
    first_sample: int,
    trace: Trace,
    ticks: int,
    observe: Observer | None = None,
) -> Array:
    """Run the samples ``rows`` (at most 64) of ``x``, whose row 0 is ``first_sample`` of the data set.

    ``observe`` is told what every neuron did, which makes the simulator write it down.

    Returns:
        (5, cores, chip ticks) int64, counts in the order of ``EventCounts``.
    """
    host = host_signals(program.host, x[rows], ticks, first_sample=first_sample + rows.start)
    tallies = np.zeros((5, loaded.cores, program.depth + ticks), np.int64)
    spikes = np.zeros((ticks, loaded.neurons), np.uint64)
    active = np.zeros(spikes.shape if observe is not None else (0, 0), np.uint64)
    batch = Batch(program, loaded, ticks, rows, trace, host, spikes, active, tallies)
    for component in program.components:
        _run_component(batch, component)
    if observe is not None:
        observe(Activity(rows, spikes, active))
    return tallies


def _run_component(batch: Batch, component: tuple[int, ...]) -> None:
    tiles: list[int] = []
    for number in component:
        population = batch.program.populations[number]
        tiles += batch.loaded.tiles_of[number]
        if population.source is not None:
            _take_host_spikes(batch, number, batch.host[population.source])
    if _wait_for_each_other(batch.loaded, set(tiles)):
        recordings = _run_together(batch, [_start(batch, tile) for tile in tiles])
    else:
        recordings = {tile: _run_alone(batch, _start(batch, tile)) for tile in tiles}
    for number in component:
        _record(batch, number, {tile: recordings[tile] for tile in batch.loaded.tiles_of[number]})


def _wait_for_each_other(loaded: Loaded, tiles: set[int]) -> bool:
    """Whether a tile takes spikes of another one; its own it finds by itself, since they take a tick or more."""
    return any((tiles - {tile}) & loaded.tiles[tile].sources for tile in tiles)


def _run_alone(batch: Batch, tile: RunningTile) -> Recording:
    _advance(batch, tile, 0, batch.ticks)
    return tile.recording


def _run_together(batch: Batch, running: list[RunningTile]) -> dict[int, Recording]:
    """Tick by tick; a component's populations may have different windows."""
    starts = {tile.number: batch.population_of(tile.number).start for tile in running}
    for chip_tick in range(min(starts.values()), max(starts.values()) + batch.ticks):
        for tile in running:
            tick = chip_tick - starts[tile.number]
            if 0 <= tick < batch.ticks:
                _advance(batch, tile, tick, tick + 1)
    return {tile.number: tile.recording for tile in running}


def _start(batch: Batch, number: int) -> RunningTile:
    """A tile in its initial state."""
    loaded, tile, population = (
        batch.loaded.tiles[number],
        batch.program.tiles[number],
        batch.population_of(number),
    )
    neurons = len(loaded.bias)
    size, room, none = (batch.samples, neurons), (batch.samples, batch.ticks, neurons), (0, 0, 0)
    registers = Registers(
        voltage=np.broadcast_to(loaded.initial_voltage, size).copy(),
        current=np.zeros(size, np.int32),
        pause=np.zeros(size, np.int32),
        fired=np.zeros(size, np.uint8),
    )
    read = tile.population == batch.program.output
    recording = Recording(
        voltage=np.zeros(room if read or population.name in batch.trace.voltage else none, np.int32),
        current=np.zeros(room if population.name in batch.trace.current else none, np.int32),
    )
    bias = loaded.bias[None, None]
    if population.drive is not None:
        drive = batch.host[population.drive]
        check_whole(batch.program.host[population.drive], drive)
        bias = bias + _checked_drive(population, drive.reshape(*drive.shape[:2], -1)[:, :, tile.neurons])
    return RunningTile(number, registers, recording, np.ascontiguousarray(bias))


def _checked_drive(population: LoihiPopulation, drive: Array) -> Array:
    """The host's current as int32; raises MappingError T451 where the bias register cannot hold it."""
    largest = LOIHI.bias_mantissa << LOIHI.bias_exponent
    found = int(np.abs(drive).max(initial=0))
    if found > largest:
        raise MappingError(
            "T451",
            f"the host gives a current of {found}, but a bias register holds at most {largest}",
            node=population.name,
            remedy="scale the input down",
        )
    return drive.astype(np.int32)


def _advance(batch: Batch, tile: RunningTile, first_tick: int, last_tick: int) -> None:
    loaded = batch.loaded.tiles[tile.number]
    tally = np.zeros((4, batch.ticks), np.int64)
    run_tile(
        loaded.place,
        loaded.compartments,
        loaded.synapses,
        loaded.axons,
        tile.bias,
        tile.registers,
        batch.spikes,
        batch.active,
        tile.recording,
        tally,
        batch.trace.spike_counts[batch.population_of(tile.number).name][batch.rows],
        first_tick,
        last_tick,
    )
    updates = np.zeros(batch.ticks, np.int64)
    updates[first_tick:last_tick] = batch.samples * loaded.updates
    start = batch.population_of(tile.number).start
    rows = (tally[AXON_EVENTS], tally[SYNAPTIC_OPERATIONS], updates, tally[SPIKES], tally[MESSAGES])
    core = batch.program.tiles[tile.number].core
    batch.tallies[:, core, start : start + batch.ticks] += np.stack(rows)


def _take_host_spikes(batch: Batch, number: int, spikes: Array) -> None:
    """Put the spikes of a population on the host, (samples, ticks, *shape) bool, among the others."""
    flat = spikes.reshape(batch.samples, batch.ticks, -1)
    places = batch.loaded.places[number]
    for sample, train in enumerate(flat):
        batch.spikes[:, places] |= train.astype(np.uint64) << np.uint64(sample)
    name = batch.program.populations[number].name
    batch.trace.spike_counts[name][batch.rows] = flat.sum(axis=(1, 2), dtype=np.int64)


def _record(batch: Batch, number: int, recordings: Mapping[int, Recording]) -> None:
    """Write a population's results into the trace."""
    trace, rows, population = batch.trace, batch.rows, batch.program.populations[number]
    name = population.name
    voltages = {tile: recording.voltage for tile, recording in recordings.items()}
    if name in trace.spikes:
        trace.spikes[name][rows] = _dense(batch, number)
    if name in trace.voltage:
        _gather(batch, voltages, trace.voltage[name][rows])
    if name in trace.current:
        currents = {tile: recording.current for tile, recording in recordings.items()}
        _gather(batch, currents, trace.current[name][rows])
    if number == batch.program.output:
        voltage = np.zeros((batch.samples, batch.ticks, *population.shape), np.int32)
        _gather(batch, voltages, voltage)
        _decode(batch, batch.loaded.decoder, _dense(batch, number), voltage)


def _gather(batch: Batch, parts: Mapping[int, Array], into: Array) -> None:
    """Write the values of tiles (samples, ticks, neurons) into (samples, ticks, *population shape)."""
    flat = into.reshape(batch.samples, batch.ticks, -1)
    for tile, values in parts.items():
        flat[:, :, batch.program.tiles[tile].neurons] = values


def _dense(batch: Batch, number: int) -> Array:
    """The spikes of a population, (samples, ticks, *shape) bool."""
    words = batch.spikes[:, batch.loaded.places[number]]
    found = np.empty((batch.samples, *words.shape), np.bool_)
    for sample in range(batch.samples):
        found[sample] = words >> np.uint64(sample) & np.uint64(1)
    return found.reshape(batch.samples, batch.ticks, *batch.program.populations[number].shape)


def _decode(batch: Batch, decoder: Decoder, spikes: Array, voltage: Array) -> None:
    by_tick = readings(decoder.output, decoder.compartment, spikes, voltage)
    batch.trace.output[batch.rows] = by_tick[:, -1]
    if batch.trace.output_by_tick is not None:
        batch.trace.output_by_tick[batch.rows] = by_tick
