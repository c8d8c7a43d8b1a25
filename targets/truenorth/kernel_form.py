"""Bring a TrueNorth program into the form that the kernels run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snnc.graph.operators.base import Array

from . import program as programs
from .kernels import state as kernels
from .kernels.crossbar import transpose
from .limits import AXON_TYPES, AXONS, TRUENORTH
from .neuron import NegativeMode, ResetMode, TrueNorthNeuron
from .opening import waited
from .program import TrueNorthProgram

_WORDS = AXONS // 64


@dataclass(frozen=True, eq=False)
class TrueNorthArrays:
    """A program as the kernels take it.

    Attributes:
        cores: all cores.
        initial: (cores, 256) int32.
        source: (lines,) int32, see the kernel's ``Lines``.
        windows: neurons of populations by core, and windows: ``first``, ``population``, ``mask`` and ``start`` of
            the kernel's ``Watch``.
    """

    cores: kernels.PackedCores
    initial: Array
    source: Array
    windows: Mapping[str, Array]


def to_kernel_arrays(program: TrueNorthProgram) -> TrueNorthArrays:
    """The program as the kernels take it; it must have passed ``validity.check_arrays``."""
    return TrueNorthArrays(
        cores=loaded_cores(program.cores),
        initial=program.cores.initial_potential.astype(np.int32),
        source=_sources(program),
        windows=_windows(program),
    )


def loaded_cores(cores: programs.Cores) -> kernels.PackedCores:
    """Cores as the kernels take them."""
    reaching = reaching_axons(cores)
    kinds = cores.axon_type[:, None, :] == np.arange(AXON_TYPES)[:, None]
    weight = np.where(cores.stochastic_synapse, 0, cores.weight).transpose(0, 2, 1)
    target = (cores.target_core, cores.target_axon, cores.target_delay)
    random, order = _randomness(cores), core_order(cores)
    draws = np.asarray((random.leak | (cores.mask_bits > 0)).any(axis=1))
    return kernels.PackedCores(
        reaching=reaching,
        type_axons=as_words(kinds),
        weight=np.ascontiguousarray(weight, np.int32),
        rules=_rules(cores),
        target=np.stack(target, axis=1, dtype=np.int32, casting="same_kind"),
        neurons=_neurons_in_use(cores, reaching),
        draws_synapses=np.asarray(random.synapses.any(axis=1)),
        draws_updates=draws,
        plain=~(draws | cores.leak_reversal.any(axis=1)),
        quiet=~draws & (cores.leak == 0).all(axis=1),
        random=random,
        order=order.cores,
        together=np.array(order.together, np.int64),
    )


@dataclass(frozen=True, eq=False)
class Order:
    """An order of cores in which spikes go to cores behind, as far as there is one.

    Attributes:
        cores: (cores,) int32, all of them.
        together: first place, and the one behind the last, of the cores in cycles or between cycles.
    """

    cores: Array
    together: tuple[int, int]


def core_order(cores: programs.Cores) -> Order:
    """The order of a program's cores: in front those that no cycle leads to, at the end those that lead to none."""
    source, neuron = np.nonzero(cores.target_core != programs.NO_TARGET)
    # numpy's unique puts numbers into a hash table, which takes 40 times as long as sorting them.
    edges = np.sort(source * len(cores) + cores.target_core[source, neuron])
    source, target = np.divmod(edges[np.diff(edges, prepend=-1) != 0], len(cores))
    front = _peeled(source, target, np.ones(len(cores), bool))
    left = np.ones(len(cores), bool)
    left[front] = False
    back = _peeled(target, source, left)[::-1]
    left[back] = False
    order = np.concatenate([front, np.flatnonzero(left), back])
    return Order(order.astype(np.int32), (len(front), len(order) - len(back)))


def _peeled(source: Array, target: Array, among: Array) -> Array:
    """Cores of ``among`` (cores,) bool that no edge from others of it leads to, then those only these lead to, ..."""
    rounds, left = [np.zeros(0, np.int64)], among.copy()
    while True:
        inner = left[source] & left[target]
        source, target = source[inner], target[inner]
        free = left.copy()
        free[target] = False
        if not free.any():
            return np.concatenate(rounds)
        rounds.append(np.flatnonzero(free))
        left &= ~free


def _neurons_in_use(cores: programs.Cores, reaching: Array) -> Array:
    """For every core a multiple of 64; the neurons from there on have no synapses, and stay as they are without."""
    start, low = cores.initial_potential, -cores.negative_threshold
    random = (cores.mask_bits > 0) | cores.stochastic_leak
    still = (cores.leak == 0) & ~random & (start < cores.threshold) & (start >= low)
    used = ~still | (reaching != 0).any(axis=1)
    behind = np.argmax(used[:, ::-1], axis=1)
    count = np.where(used.any(axis=1), TRUENORTH.neurons - behind, 0)
    return (-(-count // 64) * 64).astype(np.int32)


def reaching_axons(cores: programs.Cores) -> Array:
    """(cores, 4, 256) uint64, the axons that reach each neuron."""
    reaching = np.zeros((len(cores), _WORDS, TRUENORTH.neurons), np.uint64)
    transpose(cores.crossbar, reaching)
    return reaching


def _randomness(cores: programs.Cores) -> kernels.Randomness:
    chance = np.where(cores.stochastic_synapse, cores.weight, 0).astype(np.int32)
    return kernels.Randomness(
        axon_type=cores.axon_type,
        chance=chance,
        synapses=(chance != 0).any(axis=2),
        leak=cores.stochastic_leak & (cores.leak != 0),
        mask_bits=cores.mask_bits,
        stream=cores.stream.astype(np.uint64),
    )


def as_words(members: Array) -> Array:
    """Sets (..., 256) bool as (..., 4) uint64, the lowest bit first."""
    packed = np.ascontiguousarray(np.packbits(members, axis=-1, bitorder="little"))
    return packed.view(np.dtype("<u8")).astype(np.uint64)


def _rules(cores: programs.Cores) -> Array:
    """Registers, and the reset table, gamma by kappa, as factors and summands: the kernel's rules."""
    normal, linear = (cores.reset_mode == mode.value for mode in (ResetMode.NORMAL, ResetMode.LINEAR))
    alpha, beta, reset = cores.threshold, cores.negative_threshold, cores.reset_potential
    rows = {
        kernels.LEAK: cores.leak,
        kernels.REVERSAL: cores.leak_reversal,
        kernels.ALPHA: alpha,
        kernels.BETA: beta,
        kernels.SPIKE_KEEP: ~normal,
        kernels.SPIKE_ADD: np.where(normal, reset, np.where(linear, -alpha, 0)),
        kernels.SPIKE_ETA: linear,
        kernels.LOW_TEST_ETA: ~cores.saturates,
        kernels.LOW_KEEP: ~cores.saturates & ~normal,
        kernels.LOW_ADD: np.where(
            cores.saturates, -beta, np.where(normal, -reset, np.where(linear, beta, 0))
        ),
        kernels.LOW_ETA: ~cores.saturates & linear,
    }
    rules = np.zeros((len(cores), len(rows), TRUENORTH.neurons), np.int32)
    for row, values in rows.items():
        rules[:, row] = values
    return rules


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


def read_neuron(program: TrueNorthProgram, number: int) -> TrueNorthNeuron:
    """Charge of a population: what a linear reset takes, nothing for others; and where its window starts."""
    population, cores = program.populations[number], program.cores
    place = (population.core, population.neuron)
    linear = cores.reset_mode[place] == ResetMode.LINEAR.value
    return TrueNorthNeuron(
        threshold=np.where(linear, cores.threshold[place], 0).reshape(population.shape),
        negative=NegativeMode.SATURATE,
        initial_potential=_opening(cores, place, population.start).reshape(population.shape),
    )


def _opening(cores: programs.Cores, place: tuple[Array, Array], ticks: int) -> Array:
    """Potentials after ``ticks`` without input of neurons at (core, neuron), each with modes of its own."""
    voltage = np.asarray(cores.initial_potential[place], np.int64)
    modes = ("reset_mode", "saturates", "leak_reversal", "stochastic_leak", "mask_bits")
    kinds, kind = np.unique(
        np.stack([getattr(cores, name)[place] for name in modes]), axis=1, return_inverse=True
    )
    for number, (reset, saturates, reversal, stochastic, bits) in enumerate(kinds.T.tolist()):
        of_the_kind = np.flatnonzero(kind.ravel() == number)
        core, neuron = place[0][of_the_kind], place[1][of_the_kind]
        operator = TrueNorthNeuron(
            threshold=cores.threshold[core, neuron],
            negative_threshold=cores.negative_threshold[core, neuron],
            reset=ResetMode(reset),
            negative=NegativeMode.SATURATE if saturates else NegativeMode.RESET,
            reset_potential=cores.reset_potential[core, neuron],
            leak=cores.leak[core, neuron],
            leak_reversal=bool(reversal),
            stochastic_leak=bool(stochastic),
            mask_bits=bits,
        )
        voltage[of_the_kind] = waited(operator, voltage[of_the_kind], ticks).voltage
    return voltage
