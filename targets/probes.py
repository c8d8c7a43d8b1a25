"""Random numbers in place of spikes, by which checks of programs compare sums of synapses with a network's.

A synapse that is missing, doubled, wrong, foreign or at a wrong delay changes the sum of its target by a multiple of a
random number that is not 0, so it is always seen; errors of several synapses that cancel are missed with probability
2^-31 at most (Schwartz 1980, Zippel 1979). What a network makes of the numbers says ``snnc.graph.linear_parts``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from snnc.graph.operators.base import Array

_CERTAINTY = 31
"""Bits: errors that cancel are missed with probability 2 to minus this."""

_LARGEST = 2**15
"""Numbers are at most so large; several of them are as good as one that is larger, and sums stay exact."""

_EXACT = 2**52
"""Sums of whole numbers below it are exact in float64, in any order."""

_SEED = 20_090
"""Of all numbers: the same program is checked in the same way."""


class Probes:
    """Random whole numbers, none of them 0, for the spikes of all neurons at every age.

    Args:
        sizes: neurons of each population, by its name.
        largest_sum: that numbers of at most 1 give, see ``LinearParts``.
        twin: (all neurons + extra,) int64, for every neuron the one whose numbers it shares; itself if None.
        heard: (all neurons + extra,) bool, whether a neuron's number is 0 after all; all are heard if None.
        extra: numbers behind those of the neurons, e.g. for a line that is always on.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        largest_sum: float,
        twin: Array | None = None,
        heard: Array | None = None,
        extra: int = 0,
    ) -> None:
        self.largest = int(np.clip(_EXACT / max(largest_sum, 1.0), 1, _LARGEST))
        self.count = -(-_CERTAINTY // (self.largest.bit_length()))
        self._bounds = np.cumsum([0, *sizes.values()])
        self._number = {name: at for at, name in enumerate(sizes)}
        self._size = int(self._bounds[-1]) + extra
        self._twin, self._heard = twin, heard
        self._tables: dict[int, Array] = {}

    def of(self, population: str, age: int) -> Array:
        """(count, neurons) float64 for a population's spikes that take so many ticks."""
        at = self._number[population]
        return self.table(age)[:, self._bounds[at] : self._bounds[at + 1]]

    def table(self, age: int) -> Array:
        """(count, all neurons + extra) float64 of an age."""
        if age not in self._tables:
            random = np.random.default_rng([_SEED, age & 0xFFFFFFFF])
            shape = (self.count, self._size)
            numbers = random.integers(1, self.largest, shape, endpoint=True) * random.choice([-1, 1], shape)
            numbers = numbers if self._twin is None else numbers[:, self._twin]
            self._tables[age] = (numbers if self._heard is None else numbers * self._heard).astype(np.float64)
        return self._tables[age]


def responsible(size: int, differs: Callable[[Array], bool]) -> int | None:
    """A number below ``size`` that alone makes a difference, by halving; None where halves make none.

    Args:
        size: of the masks.
        differs: whether there is a difference where only the neurons of a mask, (size,) bool, are heard.
    """
    low, high = 0, size
    while high - low > 1:
        middle = (low + high) // 2
        mask = np.zeros(size, bool)
        mask[low:middle] = True
        low, high = (low, middle) if differs(mask) else (middle, high)
    mask = np.zeros(size, bool)
    mask[low:high] = True
    return low if size and differs(mask) else None
