"""The checker: programs made by hand from a graph pass, and every single change to one is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hand_made import lines

from snnc.errors import MappingError, SnncError
from snnc.graph import Bias, Delay, Graph, Input, Linear, Output, Readout, SpikeSource
from snnc.simulate import simulate
from snnc.targets.truenorth.check import check_limits, check_program
from snnc.targets.truenorth.neuron import ResetMode, TrueNorthNeuron
from snnc.targets.truenorth.program import (
    InputLines,
    Reading,
    TrueNorthPopulation,
    TrueNorthProgram,
    inert_cores,
    pack_crossbar,
)
from snnc.targets.truenorth.simulate import simulate_program

RNG = np.random.default_rng(8)
FIRST = RNG.integers(-3, 4, (5, 4))
"""Weights -4 + 1 + 2 of three axons an input: -4..3."""
RECURRENT = RNG.integers(-1, 2, (5, 5))
LAST = np.array([[1, -1, 1, -1, 1], [-1, 1, 0, 0, 1]])
BIAS = np.array([1, 0, 2, -1, 1])


def network() -> Graph:
    """Spikes of samples, a recurrent layer with a bias, a delay, and a layer behind it with a leak."""
    return (
        Graph("small")
        .add("x", Input((4,)))
        .add("in", SpikeSource(), "x")
        .add("w1", Linear(FIRST), "in")
        .add("b1", Bias(BIAS), "w1")
        .add("h", TrueNorthNeuron(np.array(3), np.array(6)), "b1", "w2")
        .add("w2", Linear(RECURRENT), "h")
        .add("d", Delay(2), "h")
        .add("w3", Linear(LAST), "d")
        .add("o", TrueNorthNeuron(np.array(2), np.array(40), leak=np.array(-1)), "w3")
        .add("out", Output(Readout.COUNT, 0.5, 1.0), "o")
    )


def subset(value: int, parts: tuple[int, ...]) -> list[int]:
    """Which parts sum to the value."""
    for code in range(2 ** len(parts)):
        chosen = [code >> place & 1 for place in range(len(parts))]
        if sum(c * p for c, p in zip(chosen, parts, strict=True)) == value:
            return chosen
    raise AssertionError(value)


def mapped() -> TrueNorthProgram:
    """Core 0 holds h: axons 0..11 its inputs by three types, 12..21 itself by two, 22 to 25 the bias.

    Neurons 0..4 send to core 1, which holds o; 5..9 and 10..14 are their twins and send to the core itself, for
    +1 and for -1.
    """
    cores = inert_cores(2)
    connected = np.zeros((2, 256, 256), bool)
    parts = (-4, 1, 2, -1)
    twins = np.arange(15) % 5
    cores.axon_type[0, :12] = np.tile([0, 1, 2], 4)
    cores.axon_type[0, 12:22] = np.tile([1, 3], 5)
    cores.axon_type[0, 22:26] = [0, 1, 2, 3]
    for neuron, row in enumerate(twins):
        own = [subset(int(w), (-4, 1, 2)) for w in FIRST[row]]
        back = [[int(w == 1), int(w == -1)] for w in RECURRENT[row]]
        connected[0, :12, neuron] = np.ravel(own)
        connected[0, 12:22, neuron] = np.ravel(back)
        connected[0, 22:26, neuron] = subset(int(BIAS[row]), parts)
    cores.weight[0, :15] = parts
    cores.threshold[0, :15], cores.negative_threshold[0, :15] = 3, 6
    cores.target_core[0, :5], cores.target_core[0, 5:15] = 1, 0
    cores.target_axon[0, :15] = [*range(5), *(12 + 2 * np.arange(5)), *(13 + 2 * np.arange(5))]
    # One tick within the component; o opens three ticks later and the Delay adds two.
    cores.target_delay[0, :15] = [5] * 5 + [1] * 10
    cores.weight[1, :2, 0] = 1
    # o has both signs by two axons... its minus by another neuron's type: one axon a source, weights by neuron.
    cores.axon_type[1, :5] = [0, 1, 2, 2, 3]
    cores.weight[1, 0] = [1, -1, 0, 1]
    cores.weight[1, 1] = [-1, 1, 0, 1]
    connected[1, :5, :2] = True
    cores.threshold[1, :2], cores.negative_threshold[1, :2], cores.leak[1, :2] = 2, 40, -1
    cores.initial_potential[1, :2] = 4
    cores.crossbar[:] = pack_crossbar(connected)
    entries = [(n, 0, 3 * n + kind, 1) for n in range(4) for kind in range(3)]
    entries += [(-1, 0, axon, 1) for axon in range(22, 26)]
    none = np.zeros(0, np.int32)
    both = np.arange(2, dtype=np.int32)
    host = (
        Graph("host").add("x", Input((4,))).add("in", SpikeSource(), "x").add("spikes", Output(), "in")
    )
    return TrueNorthProgram(
        name="small",
        cores=cores,
        lines=lines(entries),
        populations=(
            TrueNorthPopulation("in", (4,), 0, none, none, "spikes"),
            TrueNorthPopulation("h", (5,), 1, np.zeros(5, np.int32), np.arange(5, dtype=np.int32)),
            TrueNorthPopulation("o", (2,), 4, np.ones(2, np.int32), both),
        ),
        host=host,
        readings=(Reading(2),),
        readout=Readout.COUNT,
        scale=np.array(0.5),
        offset=np.array(1.0),
    )
