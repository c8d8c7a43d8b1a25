"""Random numbers: those of the kernels are those documented, and their frequencies are those of the equations."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made import population, program
from hypothesis import given
from hypothesis import strategies as st
from plain_truenorth import draw

from snnc.targets import RunOptions
from snnc.targets.truenorth.program import TrueNorthProgram, inert_cores, pack_crossbar
from snnc.targets.truenorth.random import (
    LEAK_DRAW,
    comparison_number,
    output,
    sequences,
)
from snnc.targets.truenorth.simulate import simulate_program

numbers = st.integers(0, 2**40)


@given(st.integers(0, 2**63 - 1), numbers, numbers, st.integers(0, 2**20), st.integers(0, 300))
def test_sequences_are_as_documented(seed: int, sample: int, stream: int, tick: int, number: int) -> None:
    state = sequences(seed, np.array([sample]), np.array([stream]), tick)
    expected = draw(seed, sample, stream, tick, number)
    assert int(output(state, number)[0, 0]) == expected
    assert int(comparison_number(state, number)[0, 0]) == (expected >> 56) + 1


def test_a_sequence_is_splitmix64() -> None:
    # The first outputs for state 0, as in the tables of other implementations.
    found = output(np.zeros(1, np.uint64), np.arange(3))
    assert [hex(value) for value in found.tolist()] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]


TICKS, NEURONS = 1000, 256


def one_core() -> tuple[TrueNorthProgram, np.ndarray]:
    cores = inert_cores(1)
    cores.negative_threshold[:] = 2**18 - 1
    connected = np.zeros((1, 256, 256), bool)
    connected[:, 0] = True
    cores.crossbar[:] = pack_crossbar(connected)
    everyone = population("cells", [(0, n) for n in range(NEURONS)], 1)
    return program(cores, 1, [(0, 0, 0, 1)], [everyone], seed=11), np.ones((1, 1), np.float32)


def within_binomial_error(count: np.ndarray, trials: int, chance: np.ndarray) -> None:
    """All counts within five standard deviations; exact where the chance is 0 or 1."""
    error = np.sqrt(trials * chance * (1 - chance))
    assert (np.abs(count - trials * chance) <= 5 * error).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_frequency_of_stochastic_synapses(sign: int) -> None:
    made, x = one_core()
    chance = np.arange(NEURONS) * (1 if sign > 0 else -1)
    made.cores.weight[0, :, 0] = chance
    made.cores.stochastic_synapse[0, :, 0] = True
    trace = simulate_program(made, x, TICKS, RunOptions(record=("voltage",)))
    within_binomial_error(sign * trace.voltage["cells"][0, -1], TICKS, np.abs(chance) / 256)


def test_frequency_of_stochastic_leak() -> None:
    made, x = one_core()
    chance = np.arange(-128, 128)
    made.cores.leak[0] = chance
    made.cores.leak[0, 0] = -256
    made.cores.stochastic_leak[0] = True
    trace = simulate_program(made, x, TICKS, RunOptions(record=("voltage",)))
    steps = np.diff(trace.voltage["cells"][0], axis=0)
    assert set(np.unique(steps)) == {-1, 0, 1} and (steps[:, 0] == -1).all() and (steps[:, 128] == 0).all()
    taken = (steps * np.sign(chance)).sum(axis=0)
    expected = np.abs(made.cores.leak[0]) / 256
    within_binomial_error(taken, TICKS - 1, expected)


def test_stochastic_threshold_is_uniform() -> None:
    # Potential k stays; threshold 0 plus eta in 0..63: fires where eta <= k.
    made, x = one_core()
    levels = np.arange(NEURONS) % 80
    made.cores.initial_potential[0] = levels
    made.cores.threshold[0] = 0
    made.cores.mask_bits[0] = 6
    made.cores.reset_mode[0] = 2
    trace = simulate_program(made, x, TICKS, RunOptions(record=("spikes",)))
    count = trace.spikes["cells"][0].sum(axis=0)
    within_binomial_error(count, TICKS, np.minimum((levels + 1) / 64, 1))


def test_neurons_ticks_and_samples_are_independent() -> None:
    states = sequences(5, np.arange(40), np.arange(50), 3)
    bits = np.stack([comparison_number(states, number) > 128 for number in range(20)]).astype(float)
    later = (comparison_number(sequences(5, np.arange(40), np.arange(50), 4), LEAK_DRAW) > 128).astype(float)
    now = (comparison_number(states, LEAK_DRAW) > 128).astype(float)
    assert len(np.unique(states)) == states.size
    for first, second in (
        (bits[0], bits[1]), (bits[:, :-1], bits[:, 1:]), (bits[..., :-1], bits[..., 1:]), (now, later),
    ):  # fmt: skip
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 5 / np.sqrt(first.size)
