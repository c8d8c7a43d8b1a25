"""Run one batch of samples on a Loihi program, component by component."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from snnc.errors import MappingError
from snnc.graph.operators.base import Array
from snnc.simulate.exact import check_whole
from snnc.targets import simulator
from snnc.targets.spike_costs import SpikeActivity

from .kernel_form import LoihiArrays
from .kernels.tile import (
    AXON_EVENTS,
    MESSAGES,
    SPIKES,
    SYNAPTIC_OPERATIONS,
    Recording,
    TileRegisters,
    run_tile,
)
from .limits import LOIHI
from .memory import REGISTERS, empty_registers, keep_registers, last_spikes, put_spikes, registers_of
from .program import LoihiPopulation, LoihiProgram

Observer = Callable[[SpikeActivity], None]


@dataclass(frozen=True, eq=False)
class LoihiBatch:
    """One batch on its way through the program.

    Attributes:
        shared: what all chips' batches have.
        loaded: of the run.
        before: ticks of an earlier run in front of the first, so that delays can look back.
        spikes: (before + ticks, neurons) uint64, all spikes so far: bit s of a word is sample s, a neuron's place in a
            row is ``LoihiArrays.places``.
        active: as ``spikes``, neurons that had something to integrate; of size 0 where that is not wanted.
    """

    shared: simulator.Batch[LoihiProgram]
    loaded: LoihiArrays
    before: int
    spikes: Array
    active: Array

    @property
    def program(self) -> LoihiProgram:
        """What runs."""
        return self.shared.program

    @property
    def ticks(self) -> int:
        """Presented."""
        return self.shared.ticks

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.shared.samples

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
    registers: TileRegisters
    recording: Recording
    bias: Array


def run_batch(loaded: LoihiArrays, shared: simulator.Batch[LoihiProgram], observe: Observer | None) -> None:
    """Run some samples, at most 64; ``observe`` is told what every neuron did, which makes the kernel write it down."""
    before = 0 if shared.state is None else loaded.history
    spikes = np.zeros((before + shared.ticks, loaded.neurons), np.uint64)
    active = np.zeros(spikes.shape if observe is not None else (0, 0), np.uint64)
    batch = LoihiBatch(shared, loaded, before, spikes, active)
    if shared.state is not None:
        put_spikes(spikes[:before], shared.state.core("spikes", (before, loaded.neurons)))
    if shared.kept is not None:
        shared.kept.update(empty_registers(loaded, shared.samples))
    for component in shared.program.components:
        _run_component(batch, component)
    if observe is not None:
        observe(SpikeActivity(shared.rows, spikes[before:], active[before:]))
    if shared.kept is not None:
        shared.kept["spikes"] = last_spikes(spikes, loaded.history, shared.samples)


def _run_component(batch: LoihiBatch, component: tuple[int, ...]) -> None:
    tiles: list[int] = []
    for number in component:
        tiles += batch.loaded.tiles_of[number]
        if batch.program.populations[number].source is not None:
            _take_host_spikes(batch, number)
    if _wait_for_each_other(batch.loaded, set(tiles)):
        running = [_start(batch, tile) for tile in tiles]
        _run_together(batch, running)
        for tile in running:
            _record(batch, tile)
    else:
        for number in tiles:
            tile = _start(batch, number)
            _advance(batch, tile, 0, batch.ticks)
            _record(batch, tile)


def _wait_for_each_other(loaded: LoihiArrays, tiles: set[int]) -> bool:
    """Whether a tile takes spikes of another one; its own it finds by itself, since they take a tick or more."""
    return any((tiles - {tile}) & loaded.tiles[tile].sources for tile in tiles)


def _run_together(batch: LoihiBatch, running: list[RunningTile]) -> None:
    """Tick by tick; a component's populations may have different windows."""
    starts = {tile.number: batch.population_of(tile.number).start for tile in running}
    for chip_tick in range(min(starts.values()), max(starts.values()) + batch.ticks):
        for tile in running:
            tick = chip_tick - starts[tile.number]
            if 0 <= tick < batch.ticks:
                _advance(batch, tile, tick, tick + 1)


def _start(batch: LoihiBatch, number: int) -> RunningTile:
    """A tile in its initial state, or where the ticks before left it."""
    loaded, tile, population = (
        batch.loaded.tiles[number],
        batch.program.tiles[number],
        batch.population_of(number),
    )
    neurons = len(loaded.bias)
    room, none = (batch.samples, len(batch.spikes), neurons), (0, 0, 0)
    registers = registers_of(batch.loaded, number, batch.samples, batch.shared.state)
    recorded = batch.shared.recorded
    recording = Recording(
        **{
            name: np.zeros(room if tile.population in recorded.get(name, ()) else none, kind)
            for name, kind in REGISTERS.items()
        }
    )
    bias = loaded.bias[None, None]
    if population.drive is not None:
        drive = batch.shared.host[population.drive]
        check_whole(batch.program.host[population.drive], drive)
        drive = _checked_drive(population, drive.reshape(*drive.shape[:2], -1)[:, :, tile.neurons])
        if batch.before and drive.shape[1] > 1:
            drive = np.concatenate([np.repeat(drive[:, :1], batch.before, axis=1), drive], axis=1)
        bias = bias + drive
    return RunningTile(number, registers, recording, np.ascontiguousarray(bias))


def _checked_drive(population: LoihiPopulation, drive: Array) -> Array:
    """The host's current as int32; raises MappingError T451 where the bias register cannot hold it."""
    largest = LOIHI.bias_mantissa << LOIHI.bias_exponent
    current = int(np.abs(drive).max(initial=0))
    if current > largest:
        raise MappingError(
            "T451",
            f"the host gives a current of {current}, but a bias register holds at most {largest}",
            node=population.name,
            remedy="scale the input down",
        )
    return drive.astype(np.int32)


def _advance(batch: LoihiBatch, tile: RunningTile, first_tick: int, last_tick: int) -> None:
    loaded = batch.loaded.tiles[tile.number]
    whole = np.zeros((4, len(batch.spikes)), np.int64)
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
        whole,
        batch.shared.spike_counts[batch.program.tiles[tile.number].population],
        batch.before + first_tick,
        batch.before + last_tick,
    )
    tally = whole[:, batch.before :]
    updates = np.zeros(batch.ticks, np.int64)
    updates[first_tick:last_tick] = batch.samples * loaded.updates
    start = batch.population_of(tile.number).start
    rows = (tally[AXON_EVENTS], tally[SYNAPTIC_OPERATIONS], updates, tally[SPIKES], tally[MESSAGES])
    core = batch.program.tiles[tile.number].core
    batch.shared.counts[:, core, start : start + batch.ticks] += np.stack(rows)


def _take_host_spikes(batch: LoihiBatch, number: int) -> None:
    """Put the spikes of a population on the host among the others."""
    places = batch.loaded.places[number]
    for sample, train in enumerate(batch.shared.host_spikes(number)):
        batch.spikes[batch.before :, places] |= train.astype(np.uint64) << np.uint64(sample)


def _record(batch: LoihiBatch, tile: RunningTile) -> None:
    """Write down what a tile did."""
    held, shared = batch.program.tiles[tile.number], batch.shared
    if held.population in shared.spikes:
        place = batch.loaded.tiles[tile.number].place
        words = batch.spikes[batch.before :, place : place + len(held.neurons)]
        into = shared.spikes[held.population]
        for sample in range(batch.samples):
            into[sample][:, held.neurons] = words >> np.uint64(sample) & np.uint64(1)
    for name, arrays in shared.recorded.items():
        if held.population in arrays:
            values = getattr(tile.recording, name)[:, batch.before :]
            arrays[held.population][:, :, held.neurons] = values
    if shared.kept is not None:
        keep_registers(shared.kept, batch.loaded, tile.number, tile.registers)
