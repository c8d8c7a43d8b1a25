"""Decoding a population's spikes and potentials to the answer."""

from __future__ import annotations

import numpy as np

from snnc.graph.neurons.base import Neuron
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Output, Readout


def readings(output: Output, population: Neuron, spikes: Array, voltage: Array | None) -> Array:
    """The decoded answer after every tick, (samples, ticks, *shape) float64.

    Args:
        output: how to read and in what unit; a population is read by ``VALUE`` as by ``COUNT``.
        population: the population that is read.
        spikes: (samples, ticks, *shape) bool, from the first tick on.
        voltage: the same shape, needed for ``Readout.POTENTIAL``.
    """
    totals = taken_up(output, population, np.cumsum(spikes, axis=1, dtype=np.int64), voltage)
    return decode(output, totals, 1)


def taken_up(output: Output, population: Neuron, counts: Array, voltage: Array | None) -> Array:
    """What is decoded, summed from the first tick to each tick: spikes, or charge.

    Args:
        output: how to read.
        population: the population that is read.
        counts: (samples, ticks, *shape) int64, spikes so far.
        voltage: the same shape, needed for ``Readout.POTENTIAL``.
    """
    if output.readout is Readout.POTENTIAL:
        assert voltage is not None
        return population.charge(counts, voltage)
    return counts


def decode(output: Output, totals: Array, first_tick: int) -> Array:
    """Mean over the ticks presented so far, in the ANN's units: (samples, ticks, *shape) float64.

    Args:
        output: the units.
        totals: (samples, ticks, *shape), sums from the run's first tick to each tick.
        first_tick: number of the first of these ticks, from 1.
    """
    ticks = totals.shape[1]
    presented = np.arange(first_tick, first_tick + ticks).reshape(1, -1, *(1,) * (totals.ndim - 2))
    scaled = totals.astype(np.float64) / presented * np.asarray(output.scale, np.float64)
    return np.asarray(scaled + np.asarray(output.offset, np.float64))
