"""What neurons do in the ticks before their window opens, when nothing reaches them yet but they run already."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from snnc.graph.operators.base import Array, Shape

from .limits import TRUENORTH
from .neuron import TrueNorthNeuron


@dataclass(frozen=True, eq=False)
class Waited:
    """Neurons after ticks without input.

    Attributes:
        voltage: (*shape) int64, their potentials; one of the possible ones where they are not certain.
        certain: (*shape) bool, whether they are the same whatever random numbers are drawn.
        fired: (*shape) bool, whether a neuron has fired for some random numbers.
    """

    voltage: Array
    certain: Array
    fired: Array


def waited(neuron: TrueNorthNeuron, potential: Array, ticks: int) -> Waited:
    """Neurons of a potential (*shape) after ``ticks`` without input, for all random numbers at once."""
    voltage, shape = np.asarray(potential, np.int64), potential.shape
    certain, fired = np.ones(shape, bool), np.zeros(shape, bool)
    outcomes = _outcomes(neuron)
    for _ in range(ticks):
        after = [neuron.update(voltage, leak, eta) for leak, eta in outcomes]
        for other, spikes in after:
            certain &= other == after[0][0]
            fired |= spikes
        voltage = np.broadcast_to(after[0][0], shape)
    return Waited(voltage, certain, fired)


def _outcomes(neuron: TrueNorthNeuron) -> list[tuple[Array, Array]]:
    """Leak and random part of the threshold in a tick: draws that differ if any draws do.

    Beyond its threshold a neuron fires for the random part 0 if for any. Below a resetting negative threshold, a
    linear reset gives for 0 and 1 the same only where it does for all; any other for 0 and the largest.
    """
    leak = np.asarray(neuron.leak)
    leaks, etas = [leak], [0]
    if neuron.stochastic_leak:
        always = np.abs(leak) == -TRUENORTH.leak[0]
        leaks = [np.sign(leak), np.where(always, np.sign(leak), 0)]
    if neuron.mask_bits:
        etas = [0, 1, 2**neuron.mask_bits - 1]
    return [(leak, np.array(eta)) for leak, eta in product(leaks, etas)]


def start_potential(neuron: TrueNorthNeuron, shape: Shape, ticks: int) -> tuple[Array, Waited]:
    """A potential (*shape) from which the neurons have their initial one, after ``ticks`` without input.

    Without leak reversal that is the initial one less what the leak adds, or where the potential is held (by a negative
    threshold, say) the initial one itself. A leak that follows the sign moves it towards zero or away from it, and
    back and forth around zero, so every potential is tried that is a number of leaks away.

    Returns:
        The potentials, and what becomes of them; where there is none that does it, ``voltage`` is another than the
        initial one, or not certain, or a neuron has fired that does not forget.
    """
    initial = np.broadcast_to(np.asarray(neuron.initial_potential), shape)
    start = _first_trial(neuron, initial, ticks)
    after = waited(neuron, start, ticks)
    trials = [0, *range(-ticks, ticks + 1)] if neuron.leak_reversal else [0]
    for leaks in trials:
        good = arrives(neuron, initial, after)
        if good.all():
            break
        other = _within(initial + leaks * np.asarray(neuron.leak))
        trial = waited(neuron, other, ticks)
        better = arrives(neuron, initial, trial) & ~good
        start = np.where(better, other, start)
        after = Waited(
            np.where(better, trial.voltage, after.voltage),
            np.where(better, trial.certain, after.certain),
            np.where(better, trial.fired, after.fired),
        )
    return start, after


def arrives(neuron: TrueNorthNeuron, initial: Array, after: Waited) -> Array:
    """Which neurons have certainly the potential ``initial``, and have not fired unless they forget it."""
    return np.asarray((after.voltage == initial) & after.certain & (~after.fired | neuron.forgets))


def _first_trial(neuron: TrueNorthNeuron, initial: Array, ticks: int) -> Array:
    if neuron.leak_reversal or neuron.stochastic_leak or neuron.forgets:
        return initial
    return _within(initial - ticks * np.asarray(neuron.leak))


def _within(potential: Array) -> Array:
    return np.clip(potential, *TRUENORTH.potential)
