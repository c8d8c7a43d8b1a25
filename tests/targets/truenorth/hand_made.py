"""TrueNorth programs written by hand, and the same for the plain model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from plain_truenorth import PlainCore, PlainNeuron

from snnc.graph import Graph, Input, Output, Readout, SpikeSource
from snnc.graph.operators.base import Array
from snnc.targets.frame import Answer, ReadoutTerm
from snnc.targets.truenorth.program import (
    Cores,
    InputLines,
    TrueNorthPopulation,
    TrueNorthProgram,
    inert_cores,
    pack_crossbar,
)


def chip(plain: list[PlainCore]) -> Cores:
    """Cores with the same contents as those of the plain model; further neurons and axons are inert."""
    cores = inert_cores(len(plain))
    for number, core in enumerate(plain):
        cores.axon_type[number, : len(core.types)] = core.types
        connected = np.zeros((256, 256), bool)
        connected[: len(core.types), : len(core.neurons)] = core.connected
        cores.crossbar[number] = pack_crossbar(connected)
        for index, neuron in enumerate(core.neurons):
            place = (number, index)
            cores.weight[place] = neuron.weights
            cores.stochastic_synapse[place] = neuron.stochastic
            cores.leak[place] = neuron.leak
            cores.leak_reversal[place] = neuron.leak_reversal
            cores.stochastic_leak[place] = neuron.stochastic_leak
            cores.threshold[place] = neuron.alpha
            cores.negative_threshold[place] = neuron.beta
            cores.mask_bits[place] = neuron.mask_bits
            cores.reset_mode[place] = neuron.gamma
            cores.saturates[place] = bool(neuron.kappa)
            cores.reset_potential[place] = neuron.reset
            cores.initial_potential[place] = neuron.v
            cores.stream[place] = neuron.stream
            if neuron.target is not None:
                cores.target_core[place], cores.target_axon[place], cores.target_delay[place] = neuron.target
    return cores


def lines(entries: list[tuple[int, int, int, int]]) -> InputLines:
    """Lines (neuron of population 0 or -1 for always on, core, axon, delay)."""
    rows = np.array(entries, np.int64).reshape(-1, 4)
    always = rows[:, 0] < 0
    return InputLines(
        population=np.where(always, -1, 0).astype(np.int32),
        neuron=np.where(always, 0, rows[:, 0]).astype(np.int32),
        core=rows[:, 1].astype(np.int32),
        axon=rows[:, 2].astype(np.uint8),
        delay=rows[:, 3].astype(np.int32),
    )


def host_population(size: int) -> TrueNorthPopulation:
    none = np.zeros(0, np.int32)
    return TrueNorthPopulation("in", (size,), 0, none, none, source="source")


def population(name: str, places: list[tuple[int, int]], start: int = 0) -> TrueNorthPopulation:
    core, neuron = np.array(places, np.int32).reshape(-1, 2).T.copy()
    return TrueNorthPopulation(name, (len(places),), start, core, neuron)


def program(
    cores: Cores,
    inputs: int,
    entries: list[tuple[int, int, int, int]],
    populations: list[TrueNorthPopulation],
    *,
    readout: Readout = Readout.COUNT,
    readings: tuple[ReadoutTerm, ...] | None = None,
    seed: int = 0,
) -> TrueNorthProgram:
    """A program whose samples are spikes; the last population is read."""
    host = (
        Graph("host")
        .add("x", Input((inputs,)))
        .add("fire", SpikeSource(), "x")
        .add("source", Output(Readout.COUNT), "fire")
    )
    return TrueNorthProgram(
        name="hand made",
        cores=cores,
        lines=lines(entries),
        populations=(host_population(inputs), *populations),
        host=host,
        answers=(
            Answer(
                "out", readings or (ReadoutTerm(len(populations)),), readout, np.array(1.0), np.array(0.0)
            ),
        ),
        seed=seed,
    )


def everything(plain: list[PlainCore]) -> list[TrueNorthPopulation]:
    """A population for the neurons of each core of the plain model."""
    return [
        population(f"core{number}", [(number, index) for index in range(len(core.neurons))])
        for number, core in enumerate(plain)
    ]


def arrivals(x: Array, entries: list[tuple[int, int, int, int]]) -> dict[int, list[tuple[int, int]]]:
    """What arrives when of the spikes x (ticks, inputs), for the plain model."""
    found: dict[int, list[tuple[int, int]]] = {}
    for tick, row in enumerate(x):
        for neuron, core, axon, delay in entries:
            if neuron < 0 or row[neuron] > 0:
                found.setdefault(tick + delay, []).append((core, axon))
    return found


def plain_neuron(**registers: object) -> PlainNeuron:
    return PlainNeuron(**registers)  # type: ignore[arg-type]


def read_otherwise(made: TrueNorthProgram, **changes: Any) -> TrueNorthProgram:
    """The program whose answer is read in another way."""
    return replace(made, answers=(replace(made.answer, **changes),))
