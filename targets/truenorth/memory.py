"""What a TrueNorth run keeps from one piece of it to the next: potentials, and the spikes that are under way.

Cores run on for some ticks after the last presented one, until all windows are over. What is kept is where they stood
behind the last presented tick: the next piece runs these ticks again, with what is presented in them.
"""

from __future__ import annotations

import numpy as np

from snnc.graph.operators.base import Array
from snnc.targets.simulator import Batch

from .kernel_form import TrueNorthArrays
from .kernels.state import CoreRegisters, Lines
from .limits import NEURONS, TRUENORTH
from .program import TrueNorthProgram
from .random import sample_sequences

LONGEST_DELAY = TRUENORTH.delay[1]
_WORDS = NEURONS // 64


def registers_of(loaded: TrueNorthArrays, batch: Batch[TrueNorthProgram], slots: int) -> CoreRegisters:
    """All cores in their initial state, or where the ticks before left them; ``slots`` of their schedulers."""
    samples, cores, state = batch.samples, len(batch.program.cores), batch.state
    scheduler = np.zeros((cores, samples, slots, _WORDS), np.uint64)
    sequence = sample_sequences(batch.program.seed, batch.numbers)
    if state is None:
        voltage = np.repeat(loaded.initial[:, None], samples, axis=1)
        return CoreRegisters(voltage, scheduler, np.zeros((cores, samples), np.bool_), sequence, 0)
    under_way = state.core("scheduler", (cores, LONGEST_DELAY, _WORDS))
    scheduler[:, :, :LONGEST_DELAY] = under_way.transpose(1, 0, 2, 3)
    # The kernels write into these; the state stays as it is, so that it can be gone on from again.
    voltage = np.array(state.core("voltage", (cores, NEURONS)).transpose(1, 0, 2), order="C")
    resting = np.array(state.core("resting", (cores,)).T, order="C")
    return CoreRegisters(voltage, scheduler, resting, sequence, batch.presented)


def kept_registers(registers: CoreRegisters, tick: int) -> dict[str, Array]:
    """Potentials and schedulers at the beginning of a tick, (samples, cores, ...) each."""
    slots = (tick + np.arange(LONGEST_DELAY)) % registers.scheduler.shape[2]
    return {
        "voltage": registers.voltage.transpose(1, 0, 2).copy(),
        "scheduler": registers.scheduler[:, :, slots].transpose(1, 0, 2, 3).copy(),
        "resting": registers.resting.T.copy(),
    }


def given_before(batch: Batch[TrueNorthProgram], neurons: int) -> Array:
    """(samples, ticks, neurons of the host) bool, spikes of the host that may be under way still."""
    if batch.state is None:
        return np.zeros((batch.samples, 0, neurons), bool)
    ticks = min(_longest_line(batch.program), batch.presented)
    return batch.state.core("host", (ticks, neurons))


def last_given(lines: Lines, program: TrueNorthProgram) -> Array:
    """(samples, ticks, neurons of the host) bool, the last spikes of the host, as far as lines hold them back."""
    length = lines.spikes.shape[1]
    return lines.spikes[:, max(length - _longest_line(program), 0) :].copy()


def _longest_line(program: TrueNorthProgram) -> int:
    return int(program.lines.delay.max(initial=0))
