"""What a Loihi run keeps from one piece of it to the next: registers, and the spikes that are still under way."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snnc.graph.operators.base import Array
from snnc.simulate.state import RunState

from .kernel_form import LoihiArrays
from .kernels.tile import TileRegisters

REGISTERS: Mapping[str, np.dtype] = {
    "voltage": np.dtype(np.int32),
    "current": np.dtype(np.int32),
    "pause": np.dtype(np.int32),
    "fired": np.dtype(np.uint8),
}
"""State variables of a compartment, as ``LoihiCompartment`` names them, and how they are kept."""


def registers_of(loaded: LoihiArrays, number: int, samples: int, state: RunState | None) -> TileRegisters:
    """The registers of a tile: initial ones, or those of a state."""
    tile = loaded.tiles[number]
    size = samples, len(tile.bias)
    if state is None:
        voltage = np.broadcast_to(tile.initial_voltage, size).copy()
        return TileRegisters(
            voltage, np.zeros(size, np.int32), np.zeros(size, np.int32), np.zeros(size, np.uint8)
        )
    own = slice(tile.place, tile.place + len(tile.bias))
    kept = {name: state.core(name, (loaded.neurons,)) for name in REGISTERS}
    return TileRegisters(**{name: np.array(array[:, own], order="C") for name, array in kept.items()})


def empty_registers(loaded: LoihiArrays, samples: int) -> dict[str, Array]:
    """Room for the registers of all tiles, (samples, neurons) as neurons stand in a row of spikes."""
    return {name: np.zeros((samples, loaded.neurons), kind) for name, kind in REGISTERS.items()}


def keep_registers(
    kept: dict[str, Array], loaded: LoihiArrays, number: int, registers: TileRegisters
) -> None:
    """Write down the registers of a tile."""
    tile = loaded.tiles[number]
    for name in REGISTERS:
        kept[name][:, tile.place : tile.place + len(tile.bias)] = getattr(registers, name)


def last_spikes(words: Array, ticks: int, samples: int) -> Array:
    """(samples, ticks, neurons) bool, the spikes of the last ticks; what would be before the first is silent.

    Args:
        words: (all ticks, neurons) uint64, a bit a sample.
        ticks: that delays can look back.
        samples: of the batch.
    """
    spikes = np.zeros((samples, ticks, words.shape[1]), np.bool_)
    last = words[max(len(words) - ticks, 0) :]
    for sample in range(samples):
        spikes[sample, ticks - len(last) :] = last >> np.uint64(sample) & np.uint64(1)
    return spikes


def put_spikes(words: Array, spikes: Array) -> None:
    """Set words (ticks, neurons) uint64, a bit a sample, to spikes (samples, ticks, neurons) bool."""
    for sample, train in enumerate(spikes):
        words |= train.astype(np.uint64) << np.uint64(sample)
