"""Bring a TrueNorth program into the form that the kernels run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Output
from snnc.kernels import truenorth as kernels

from . import program as programs
from .limits import AXON_TYPES, AXONS, TRUENORTH
from .neuron import NegativeMode, ResetMode, TrueNorthNeuron
from .program import TrueNorthProgram

_WORDS = AXONS // 64


@dataclass(frozen=True, eq=False)
class Decoder:
    """How a part of the answer is read.

    Attributes:
        population: index of the population.
        factor: of its reading.
        neuron: charge and initial potential of the population.
    """

    population: int
    factor: float
    neuron: TrueNorthNeuron


@dataclass(frozen=True, eq=False)
class Loaded:
    """A program as the kernels take it.

    Attributes:
        cores: all cores.
        initial: (cores, 256) int32.
        source: (lines,) int32, see the kernel's ``Lines``.
        windows: neurons of populations by core, and windows: ``first``, ``population``, ``mask`` and ``start`` of
            the kernel's ``Watch``.
        output: readout and units.
        decoders: parts of the answer.
    """

    cores: kernels.Cores
    initial: Array
    source: Array
    windows: Mapping[str, Array]
    output: Output
    decoders: tuple[Decoder, ...]


def load(program: TrueNorthProgram) -> Loaded:
    """The program as the kernels take it; it must have passed ``validity.check_arrays``."""
    return Loaded(
        cores=loaded_cores(program.cores),
        initial=program.cores.initial_potential.astype(np.int32),
        source=_sources(program),
        windows=_windows(program),
        output=Output(program.readout, program.scale, program.offset),
        decoders=tuple(
            Decoder(part.population, part.factor, _read_neuron(program, part.population))
            for part in program.readings
        ),
    )


def loaded_cores(cores: programs.Cores) -> kernels.Cores:
    """Cores as the kernels take them."""
    rows = np.zeros((len(cores), _WORDS, TRUENORTH.neurons), np.uint64)
    kernels.transpose(cores.crossbar, rows)
    kinds = cores.axon_type[:, None, :] == np.arange(AXON_TYPES)[:, None]
    whole = cores.weight.astype(np.int32)
    chance = np.where(cores.stochastic_synapse, whole, 0)
    weight = np.where(cores.stochastic_synapse, 0, whole).transpose(0, 2, 1)
    random_leak = cores.stochastic_leak & (cores.leak != 0)
    draws = (random_leak | (cores.mask_bits > 0)).any(axis=1)
    return kernels.Cores(
        rows=rows,
        type_axons=as_words(kinds),
        axon_type=cores.axon_type,
        weight=np.ascontiguousarray(weight),
        draws_synapses=(chance != 0).any(axis=2),
        chance=chance,
        leak=cores.leak.astype(np.int32),
        leak_reversal=cores.leak_reversal.astype(np.int32),
        stochastic_leak=random_leak,
        alpha=cores.threshold.astype(np.int32),
        beta=cores.negative_threshold.astype(np.int32),
        mask_bits=cores.mask_bits,
        **_resets(cores),
        stream=cores.stream.astype(np.uint64),
        draws_updates=draws,
        quiet=~draws & (cores.leak == 0).all(axis=1),
        target_core=cores.target_core.astype(np.int32),
        target_axon=cores.target_axon.astype(np.int32),
        target_delay=cores.target_delay.astype(np.int32),
    )


def as_words(members: Array) -> Array:
    """Sets (..., 256) bool as (..., 4) uint64, the lowest bit first."""
    packed = np.ascontiguousarray(np.packbits(members, axis=-1, bitorder="little"))
    return packed.view(np.dtype("<u8")).astype(np.uint64)


def _resets(cores: programs.Cores) -> Mapping[str, Array]:
    """The reset table, gamma by kappa, as factors and summands of the kernel's ``Cores``."""
    normal, linear = (cores.reset_mode == mode.value for mode in (ResetMode.NORMAL, ResetMode.LINEAR))
    saturates = cores.saturates
    alpha, beta, reset = (
        values.astype(np.int32)
        for values in (cores.threshold, cores.negative_threshold, cores.reset_potential)
    )
    tables = {
        "spike_keep": ~normal,
        "spike_add": np.where(normal, reset, np.where(linear, -alpha, 0)),
        "spike_eta": linear,
        "low_test_eta": ~saturates,
        "low_keep": ~saturates & ~normal,
        "low_add": np.where(saturates, -beta, np.where(normal, -reset, np.where(linear, beta, 0))),
        "low_eta": ~saturates & linear,
    }
    return {name: table.astype(np.int32) for name, table in tables.items()}


def _sources(program: TrueNorthProgram) -> Array:
    """Numbers of the lines' sources; the neurons of populations on the host count on in the program's order."""
    sizes = [int(np.prod(p.shape)) if p.source is not None else 0 for p in program.populations]
    base, lines = np.cumsum(sizes) - sizes, program.lines
    numbers = base[lines.population] + lines.neuron
    return np.where(lines.population == programs.ALWAYS_ON, -1, numbers).astype(np.int32)


def _windows(program: TrueNorthProgram) -> Mapping[str, Array]:
    owners, masks, numbers = [], [], []
    for number, population in enumerate(program.populations):
        cores, where = np.unique(population.core, return_inverse=True)
        members = np.zeros((len(cores), TRUENORTH.neurons), bool)
        members[where.reshape(-1), population.neuron] = True
        owners.append(cores)
        masks.append(as_words(members))
        numbers.append(np.full(len(cores), number, np.int32))
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return {
        "first": np.searchsorted(owner[order], np.arange(len(program.cores) + 1)).astype(np.int64),
        "population": np.concatenate(numbers)[order],
        "mask": np.concatenate(masks)[order],
        "start": np.array([population.start for population in program.populations], np.int64),
    }


def _read_neuron(program: TrueNorthProgram, number: int) -> TrueNorthNeuron:
    """Charge of a population: what a linear reset takes, nothing for others, and the initial potential."""
    population, cores = program.populations[number], program.cores
    place = (population.core, population.neuron)
    linear = cores.reset_mode[place] == ResetMode.LINEAR.value
    return TrueNorthNeuron(
        threshold=np.where(linear, cores.threshold[place], 0).reshape(population.shape),
        negative=NegativeMode.SATURATE,
        initial_potential=cores.initial_potential[place].reshape(population.shape),
    )
