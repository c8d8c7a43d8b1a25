"""Decoding a population's spikes and potentials to the answer."""

from __future__ import annotations

import numpy as np

from snnc.graph.neurons.base import Neuron
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Output, Readout


def readings(output: Output, population: Neuron, spikes: Array, voltage: Array | None) -> Array:
    """The decoded answer after every tick, (samples, ticks, *shape) float64.

    Args:
        output: how to read and in what unit.
        population: the population that is read.
        spikes: (samples, ticks, *shape) bool.
        voltage: the same shape, needed for ``Readout.POTENTIAL``.
    """
    counts = np.cumsum(spikes, axis=1, dtype=np.int64)
    if output.readout is Readout.POTENTIAL:
        assert voltage is not None
        total = np.asarray(population.charge(counts, voltage), np.float64)
    else:
        total = counts.astype(np.float64)
    presented = np.arange(1, spikes.shape[1] + 1).reshape(1, -1, *(1,) * (spikes.ndim - 2))
    scaled = total / presented * np.asarray(output.scale, np.float64)
    return np.asarray(scaled + np.asarray(output.offset, np.float64))
