"""The random parts of thresholds that a run drew, for those who record them."""

from __future__ import annotations

import numpy as np

from snnc.graph.operators.base import Array
from snnc.targets.simulator import Batch

from .neuron import RANDOM_THRESHOLD
from .program import TrueNorthProgram
from .random import THRESHOLD_DRAW, output, sequences


def has_random_thresholds(program: TrueNorthProgram, population: int) -> bool:
    """Whether a neuron of a population on the chip draws a part of its threshold."""
    return bool(_mask_bits(program, population).any())


def record_random_thresholds(batch: Batch[TrueNorthProgram]) -> None:
    """Write down what was added to thresholds in every tick of the windows, as the seed, neuron and tick give it."""
    for number, into in batch.recorded.get(RANDOM_THRESHOLD, {}).items():
        population, bits = batch.program.populations[number], _mask_bits(batch.program, number)
        streams = batch.program.cores.stream[population.core, population.neuron]
        unused = np.uint64(64) - np.maximum(bits, 1).astype(np.uint64)
        first = batch.presented + population.start
        for tick in range(batch.ticks):
            states = sequences(batch.program.seed, batch.numbers, streams, first + tick)
            into[:, tick] = np.where(bits > 0, output(states, THRESHOLD_DRAW) >> unused, np.uint64(0))


def _mask_bits(program: TrueNorthProgram, population: int) -> Array:
    """(neurons,) uint8, the width of each neuron's random part, 0 for none."""
    held = program.populations[population]
    return np.asarray(program.cores.mask_bits[held.core, held.neuron])
