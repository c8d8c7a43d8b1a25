"""Networks of dense synapses, run by recursion over ticks in fractions: the oracle of the timing."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np

from snnc.graph import IF, Delay, Graph, Input, Linear, Output, Reset
from snnc.graph.operators.base import Array


@dataclass(frozen=True, eq=False)
class Synapses:
    """One weight matrix from a population to several, after some ticks.

    ``delay_first`` says whether the Delay node stands in front of the weights or behind them.
    """

    source: int
    targets: tuple[int, ...]
    weight: Array
    bias: Array
    delay: int
    delay_first: bool


@dataclass(frozen=True, eq=False)
class Net:
    """Populations of IF neurons of one size, each with its own weights from the input."""

    drives: tuple[Array, ...]
    resets: tuple[Reset, ...]
    synapses: tuple[Synapses, ...]

    def graph(self) -> Graph:
        size = len(self.drives[0])
        graph = Graph("net").add("in", Input((size,)))
        reads: list[list[str]] = [[f"drive{p}"] for p in range(len(self.drives))]
        for p, drive in enumerate(self.drives):
            graph = graph.add(f"drive{p}", Linear(np.diag(drive)), "in")
        for number, s in enumerate(self.synapses):
            weight, delay = f"w{number}", f"d{number}"
            first, second = (delay, weight) if s.delay_first else (weight, delay)
            operators = {weight: Linear(s.weight, s.bias), delay: Delay(s.delay)}
            graph = graph.add(first, operators[first], f"p{s.source}").add(second, operators[second], first)
            for target in s.targets:
                reads[target].append(second)
        for p, reset in enumerate(self.resets):
            graph = graph.add(f"p{p}", IF(1.0, reset), *reads[p]).add(f"out{p}", Output(), f"p{p}")
        return graph

    def together(self, first: int, second: int) -> bool:
        """Whether two populations are on a common cycle, or are the same one."""
        return first == second or (self._reaches(first, second) and self._reaches(second, first))

    def _reaches(self, first: int, second: int) -> bool:
        seen, waiting = set(), [first]
        while waiting:
            here = waiting.pop()
            for s in self.synapses:
                if s.source == here:
                    waiting += [target for target in s.targets if target not in seen]
                    seen.update(s.targets)
        return second in seen

    def run(self, x: Array, ticks: int) -> tuple[Array, Array]:
        """(spikes, potentials) for one sample of shape (ticks, size): (populations, ticks, size)."""
        size = x.shape[1]

        @cache
        def state(p: int, tick: int) -> tuple[tuple[bool, ...], tuple[Fraction, ...]]:
            if tick < 0:
                return (False,) * size, (Fraction(0),) * size
            v = [
                old + Fraction(w) * Fraction(z)
                for old, w, z in zip(state(p, tick - 1)[1], self.drives[p], x[tick], strict=True)
            ]
            for s in self.synapses:
                if p in s.targets:
                    sent = state(s.source, tick - s.delay - self.together(s.source, p))[0]
                    for i in range(size):
                        v[i] += Fraction(s.bias[i])
                        v[i] += sum(Fraction(s.weight[i, j]) for j in range(size) if sent[j])
            fired = tuple(value >= 1 for value in v)
            lost = [value - 1 if self.resets[p] is Reset.SUBTRACT else Fraction(0) for value in v]
            return fired, tuple(after if f else value for f, after, value in zip(fired, lost, v, strict=True))

        grid = [[state(p, tick) for tick in range(ticks)] for p in range(len(self.drives))]
        spikes = np.array([[fired for fired, _ in row] for row in grid])
        return spikes, np.array([[[float(v) for v in values] for _, values in row] for row in grid])
