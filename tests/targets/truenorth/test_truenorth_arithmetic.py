"""The core's arithmetic: kernels, operator and published equations agree at every tick, in every mode."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hand_made import arrivals, chip, everything, population, program
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_truenorth import PlainCore, PlainNeuron, run

from snnc.errors import UsageError
from snnc.graph import Graph, Input, Linear, Output, SpikeSource
from snnc.graph.operators.base import Array
from snnc.simulate import simulate
from snnc.targets import RunOptions
from snnc.targets.truenorth.kernel_form import core_order, loaded_cores
from snnc.targets.truenorth.neuron import NegativeMode, ResetMode, TrueNorthNeuron
from snnc.targets.truenorth.program import inert_cores
from snnc.targets.truenorth.simulate import simulate_program

weights = st.sampled_from([-256, -255, -1, 0, 1, 255]) | st.integers(-256, 255) | st.integers(-9, 9)
thresholds = st.sampled_from([0, 1, 2**18 - 1]) | st.integers(0, 60) | st.integers(0, 2**18 - 1)
resets = st.builds(
    lambda e, s: s * (2**e - 1), st.integers(0, 8) | st.integers(0, 19), st.sampled_from([-1, 1])
)
starts = st.sampled_from([0, -(2**19), 2**19 - 1]) | st.integers(-100, 100)


@st.composite
def neurons(
    draw: st.DrawFn, cores: int, axons: int, stochastic: bool, first: int = 0, reversal: bool = True
) -> PlainNeuron:
    """A neuron that sends to cores from ``first`` on, if there are any."""
    random = st.booleans() if stochastic else st.just(False)
    target: st.SearchStrategy = st.none()
    if first < cores:
        target = st.tuples(st.integers(first, cores - 1), st.integers(0, axons - 1), st.integers(1, 15))
    return PlainNeuron(
        weights=draw(st.lists(weights, min_size=4, max_size=4)),
        stochastic=draw(st.lists(random, min_size=4, max_size=4)),
        leak=draw(st.just(0) | weights),
        leak_reversal=reversal and draw(st.booleans()),
        stochastic_leak=draw(random),
        alpha=draw(thresholds),
        beta=draw(thresholds),
        mask_bits=draw(st.integers(0, 18) | st.integers(0, 6)) if draw(random) else 0,
        gamma=draw(st.integers(0, 2)),
        kappa=draw(st.integers(0, 1)),
        reset=draw(resets),
        v=draw(starts),
        stream=draw(st.integers(0, 2**40)),
        target=draw(st.none() | target | target),
    )


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[PlainCore], list, Array, int]:
    """Cores with up to 8 neurons each, lines with delays, and the spikes of one sample.

    Two cores send to each other and to themselves; of up to four, each sends to those behind it, to itself as well, or
    to any. A core has random numbers, only leak reversal, or neither: each is a loop of its own in the kernels.
    """
    axons, ticks = draw(st.integers(1, 9)), draw(st.integers(1, 22))
    cores = draw(st.just(2) | st.integers(1, 4))
    made: list[PlainCore] = []
    for number in range(cores):
        size, kind = draw(st.integers(1, 8)), draw(st.integers(0, 2))
        first = draw(st.just(0) | st.sampled_from([0, number, number + 1])) if cores != 2 else 0
        bits = draw(st.integers(0, 2 ** (axons * size) - 1))
        connected = [[bits >> (axon * size + index) & 1 for index in range(size)] for axon in range(axons)]
        types = draw(st.lists(st.integers(0, 3), min_size=axons, max_size=axons))
        cells = [draw(neurons(cores, axons, kind == 0, first, kind < 2)) for _ in range(size)]
        made.append(PlainCore(types, connected, cells))
    inputs = draw(st.integers(1, 5))
    line = st.tuples(
        st.integers(-1, inputs - 1), st.integers(0, cores - 1), st.integers(0, axons - 1), st.integers(1, 20)
    )
    entries = draw(st.lists(line, max_size=12))
    spikes = draw(st.lists(st.booleans(), min_size=ticks * inputs, max_size=ticks * inputs))
    return made, entries, np.array(spikes, np.float32).reshape(ticks, inputs), draw(st.integers(0, 2**63 - 1))


def compare(plain: list[PlainCore], entries: list, x: Array, seed: int, sample: int = 0) -> None:
    """Every potential and spike of every tick."""
    made = program(chip(plain), x.shape[1], entries, everything(plain), seed=seed)
    trace = simulate_program(
        made, x[None], len(x), RunOptions(record=("spikes", "voltage"), first_sample=sample)
    )
    potentials, spikes = run(copy.deepcopy(plain), arrivals(x, entries), len(x), seed, sample)
    for number in range(len(plain)):
        name = f"core{number}"
        np.testing.assert_array_equal(trace.spikes[name][0], [row[number] for row in spikes])
        np.testing.assert_array_equal(trace.voltage[name][0], [row[number] for row in potentials])
        assert trace.spike_counts[name][0] == sum(map(sum, (row[number] for row in spikes)))


@settings(deadline=None, max_examples=400)
@given(networks(), st.sampled_from([0, 1, 10**6]))
def test_cores_follow_the_published_equations(network: tuple, sample: int) -> None:
    compare(*network, sample=sample)


def test_an_input_that_the_reset_undoes_is_no_rest() -> None:
    # Fires in every tick but tick 3, where the input takes it below beta and the reset back to 0.
    cell = PlainNeuron([-256, 0, 0, 0], alpha=0, beta=0, gamma=0, kappa=0)
    x = np.zeros((5, 1), np.float32)
    x[2] = 1
    compare([PlainCore([0], [[1]], [cell])], [(0, 0, 0, 1)], x, 0)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans(), st.booleans())
def test_full_cores_follow_the_published_equations(
    seed: int, stochastic: bool, reversal: bool, cyclic: bool
) -> None:
    """All 256 axons and neurons of two cores, every mode at once, busy; in a cycle, or one behind the other."""
    rng = np.random.default_rng(seed)
    plain = []
    for number in range(2):
        made = []
        for index in range(256):
            to = (int(rng.integers(2)) if cyclic else 1, int(rng.integers(256)), int(rng.integers(1, 16)))
            made.append(
                PlainNeuron(
                    weights=rng.integers(-256, 256, 4).tolist(),
                    stochastic=(rng.random(4) < (0.4 if stochastic else 0)).tolist(),
                    leak=int(rng.integers(-256, 256)),
                    leak_reversal=reversal and bool(rng.integers(2)),
                    stochastic_leak=stochastic and bool(rng.integers(2)),
                    alpha=int(rng.integers(0, 3000)),
                    beta=int(rng.integers(0, 3000)),
                    mask_bits=int(rng.integers(0, 12)) if stochastic else 0,
                    gamma=int(rng.integers(3)),
                    kappa=int(rng.integers(2)),
                    reset=int(rng.choice([-1, 1])) * (2 ** int(rng.integers(0, 11)) - 1),
                    v=int(rng.integers(-2000, 2000)),
                    stream=index * 1000,
                    target=to if rng.random() < 0.9 and (cyclic or number == 0) else None,
                )
            )
        connected = (rng.random((256, 256)) < 0.5).astype(int).tolist()
        plain.append(PlainCore(rng.integers(0, 4, 256).tolist(), connected, made))
    entries = [(int(rng.integers(-1, 9)), int(rng.integers(2)), int(rng.integers(256)), 1) for _ in range(60)]
    compare(plain, entries, (rng.random((6, 9)) < 0.5).astype(np.float32), seed)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_the_operator_is_the_same_arithmetic(data: st.DataObject) -> None:
    """Populations of a graph, run by the functional simulator, random leaks and thresholds included."""
    stochastic = data.draw(st.booleans())
    one = data.draw(neurons(1, 1, stochastic))
    size, inputs, ticks = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6)), 12
    first = one.stream
    members = []
    for index in range(size):
        other = data.draw(neurons(1, 1, stochastic))
        # What is one number for a population is the first neuron's; what is an array is each neuron's own.
        members.append(
            copy.copy(one) if index == 0 else PlainNeuron(
                other.weights, [False] * 4, other.leak, one.leak_reversal, one.stochastic_leak, other.alpha,
                other.beta, one.mask_bits, one.gamma, one.kappa, other.reset, other.v, first + index,
            )
        )  # fmt: skip
    for member in members:
        member.target, member.stochastic = None, [False] * 4
    types = data.draw(st.lists(st.integers(0, 3), min_size=inputs, max_size=inputs))
    plain = [PlainCore(types, [[1] * size] * inputs, members)]
    spikes = data.draw(st.lists(st.booleans(), min_size=ticks * inputs, max_size=ticks * inputs))
    x = np.array(spikes, np.float32).reshape(1, ticks, inputs)
    entries = [(index, 0, index, 1) for index in range(inputs)]
    # A spike takes a tick on the chip and none between populations of a graph, so the graph starts where the chip
    # is after its first tick, in which nothing arrives.
    made = program(
        chip(plain), inputs, entries, [population("cells", [(0, i) for i in range(size)], 1)], seed=7
    )
    late = simulate_program(made, x, ticks, RunOptions(record=("spikes", "voltage"), first_sample=3))
    run(plain, {}, 1, 7, 3)

    def each(name: str) -> Array:
        return np.array([getattr(member, name) for member in members])

    neuron = TrueNorthNeuron(
        threshold=each("alpha"),
        negative_threshold=each("beta"),
        reset=ResetMode(one.gamma),
        negative=NegativeMode(one.kappa),
        reset_potential=each("reset"),
        leak=each("leak"),
        leak_reversal=one.leak_reversal,
        stochastic_leak=one.stochastic_leak,
        mask_bits=one.mask_bits,
        initial_potential=each("v"),
        seed=7,
        stream=first,
        phase=1,
    )
    matrix = np.array([[member.weights[kind] for kind in types] for member in members])
    graph = (
        Graph("one population")
        .add("x", Input((inputs,)))
        .add("in", SpikeSource(), "x")
        .add("synapses", Linear(matrix), "in")
        .add("cells", neuron, "synapses")
        .add("out", Output(), "cells")
    )
    expected = simulate(graph, x, ticks, record=("spikes", "voltage"), first_sample=3)
    np.testing.assert_array_equal(late.spikes["cells"], expected.spikes["cells"])
    np.testing.assert_array_equal(late.voltage["cells"], expected.voltage["cells"])


@pytest.mark.parametrize("weight", [-256, 255])
@pytest.mark.parametrize("cyclic", [False, True])
def test_sums_of_all_axons_are_exact(weight: int, cyclic: bool) -> None:
    """256 weights of 9 bits need 17 bits."""
    cell = PlainNeuron([weight, weight, 0, 0], beta=100000, target=(0, 0, 15) if cyclic else None)
    core = PlainCore([0, 1] * 128, [[1]] * 256, [cell])
    entries = [(-1, 0, axon, 1) for axon in range(256)]
    compare([core], entries, np.zeros((4, 1), np.float32), 0)


def test_the_order_of_cores_puts_cycles_between_what_leads_to_them_and_what_they_lead_to() -> None:
    # 5 -> 0 -> (1 <-> 4) -> 2, (1 <-> 4) -> (3 -> 3); 6 is by itself.
    cores = inert_cores(7)
    for source, targets in {5: [0], 0: [1], 1: [4, 2], 4: [1, 3], 3: [3]}.items():
        cores.target_core[source, : len(targets)] = targets
    order = core_order(cores)
    first, last = order.together
    assert set(order.cores[first:last]) == {1, 4, 3} and sorted(order.cores) == list(range(7))
    at = {int(core): place for place, core in enumerate(order.cores)}
    assert at[5] < at[0] < first and at[2] >= last


def test_neurons_that_stay_as_they_are_need_no_update() -> None:
    """Those behind the last one that can change are left out, but for one that fires or falls without input."""
    cores = inert_cores(6)
    cores.crossbar[1, 0, 8] = 1  # neuron 64
    cores.leak[2, 130] = -1
    cores.threshold[3, 255] = 0
    cores.initial_potential[4, 1], cores.negative_threshold[4, 1] = -5, 4
    cores.mask_bits[5, 64] = 1
    np.testing.assert_array_equal(loaded_cores(cores).neurons, [0, 128, 192, 256, 64, 128])


def test_modes_by_name_and_number_and_unknown_ones() -> None:
    neuron = TrueNorthNeuron(np.array(3), reset="none", negative=0)  # type: ignore[arg-type]
    assert neuron.reset is ResetMode.NONE and neuron.negative is NegativeMode.RESET
    for wrong in ({"reset": "subtract"}, {"negative": 2}, {"reset": None}):
        with pytest.raises(UsageError, match="U302") as caught:
            TrueNorthNeuron(np.array(3), **wrong)  # type: ignore[arg-type]
        assert repr(next(iter(wrong.values()))) in str(caught.value)


def test_a_flag_is_true_or_false() -> None:
    with pytest.raises(UsageError, match=r"U302.*leak_reversal is True or False"):
        TrueNorthNeuron(np.array(5), leak_reversal="maybe")  # type: ignore[arg-type]
