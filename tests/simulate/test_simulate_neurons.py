"""Every neuron model against its own equations in fractions, step by step; sources by their statistics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_neurons import plain_steps

from snnc.errors import GraphError
from snnc.graph import (
    IF,
    LIF,
    CurrentLIF,
    Graph,
    Input,
    Integrator,
    Neuron,
    Output,
    PoissonSource,
    Readout,
    Reset,
    SpikeSource,
)
from snnc.simulate import simulate

TICKS = 10
SHARES = st.sampled_from([0.0, 0.25, 0.5, 1.0])
EIGHTHS = st.integers(-12, 24).map(lambda number: number / 8)
THRESHOLDS = st.integers(1, 16).map(lambda number: number / 8)
RESETS = st.sampled_from(Reset)


def alone(neuron: Neuron, size: int) -> Graph:
    graph = Graph("alone").add("in", Input((size,))).add("neurons", neuron, "in")
    return graph.add("out", Output(), "neurons")


@st.composite
def current_lif(draw: st.DrawFn) -> CurrentLIF:
    reset = draw(RESETS)
    return CurrentLIF(
        threshold=draw(THRESHOLDS),
        current_decay=draw(SHARES),
        voltage_decay=draw(SHARES),
        bias=draw(EIGHTHS),
        refractory=1 if reset is Reset.SUBTRACT else draw(st.integers(1, 4)),
        reset=reset,
        initial_voltage=draw(EIGHTHS),
    )


NEURONS = st.one_of(
    st.builds(IF, threshold=THRESHOLDS, reset=RESETS, initial_voltage=EIGHTHS),
    st.builds(LIF, threshold=THRESHOLDS, voltage_decay=SHARES, reset=RESETS, initial_voltage=EIGHTHS),
    current_lif(),
    st.just(Integrator()),
    st.just(SpikeSource()),
)


@settings(deadline=None, max_examples=150)
@given(NEURONS, st.lists(st.lists(EIGHTHS, min_size=TICKS, max_size=TICKS), min_size=1, max_size=3))
def test_every_tick_is_that_of_the_equations(neuron: Neuron, currents: list[list[float]]) -> None:
    x = np.array(currents).T[None]
    trace = simulate(alone(neuron, len(currents)), x, TICKS, record=("spikes", "voltage", "current"))
    for index, inputs in enumerate(currents):
        steps = plain_steps(neuron, inputs)
        assert trace.spikes["neurons"][0, :, index].tolist() == [spike for spike, _, _ in steps]
        assert trace.voltage["neurons"][0, :, index].tolist() == [float(v) for _, v, _ in steps]
        if "current" in neuron.variables:
            assert trace.current["neurons"][0, :, index].tolist() == [float(u) for _, _, u in steps]


def test_parameters_may_be_arrays_that_broadcast() -> None:
    neuron = IF(np.array([[1.0], [2.0]]), initial_voltage=np.array([0.0, 0.5]))
    graph = Graph("g").add("in", Input((2, 2))).add("p", neuron, "in").add("out", Output(), "p")
    trace = simulate(graph, np.full((1, 2, 2), 0.5), 4, record=("spikes",))
    assert trace.spikes["p"][0].sum(axis=0).tolist() == [[2, 2], [1, 1]]
    assert trace.spikes["p"][0, 0].tolist() == [[False, True], [False, False]]


@settings(deadline=None, max_examples=50)
@given(
    st.integers(1, 40),
    st.floats(0.1, 3),
    st.lists(st.floats(-2, 2), min_size=1, max_size=30),
    st.floats(-1, 1),
)
def test_spikes_times_threshold_is_the_charge_less_what_is_left(
    seed: int, threshold: float, currents: list[float], initial: float
) -> None:
    neuron = IF(threshold, initial_voltage=initial)
    x = np.random.default_rng(seed).permutation(currents)[None, :, None]
    trace = simulate(alone(neuron, 1), x, len(currents), record=("spikes", "voltage"))
    count, last = trace.spikes["neurons"].sum(), trace.voltage["neurons"][0, -1, 0]
    assert count * threshold == pytest.approx(sum(currents) - (last - initial), abs=1e-9)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 40), st.integers(1, 16), st.integers(0, 15), st.integers(1, 20))
def test_constant_input_gives_the_clipped_floor(z: int, threshold: int, initial: int, ticks: int) -> None:
    initial = min(initial, threshold - 1)
    trace = simulate(alone(IF(threshold / 8, initial_voltage=initial / 8), 1), np.array([[z / 8]]), ticks)
    assert trace.spike_counts["neurons"][0] == min((initial + ticks * z) // threshold, ticks)


def test_a_reset_to_zero_gives_the_staircase() -> None:
    z = np.array([[0.3, 0.5, 0.7, 1.5]])
    trace = simulate(alone(IF(1.0, Reset.ZERO), 4), z, 60, record=("spikes",))
    assert trace.spikes["neurons"][0].sum(axis=0).tolist() == [60 // 4, 60 // 2, 60 // 2, 60]


def test_poisson_rates_are_the_probabilities() -> None:
    x = np.linspace(-0.2, 1.2, 8)[None] * 2.0
    trace = simulate(alone(PoissonSource(scale=2.0, seed=3), 8), np.repeat(x, 20, 0), 500, record=("spikes",))
    rates, expected = trace.spikes["neurons"].mean(axis=(0, 1)), np.clip(x[0] / 2, 0, 1)
    deviation = np.sqrt(expected * (1 - expected) / 10_000)
    assert (np.abs(rates - expected) <= 5 * deviation).all()
    assert (rates[x[0] <= 0] == 0).all() and (rates[x[0] >= 2] == 1).all()


def test_poisson_draws_are_independent_over_ticks_samples_and_neurons() -> None:
    trace = simulate(alone(PoissonSource(), 50), np.full((40, 50), 0.5), 50, record=("spikes",))
    signs = trace.spikes["neurons"] * 2.0 - 1
    for axis in range(3):
        first, second = np.moveaxis(signs, axis, 0)[:-1], np.moveaxis(signs, axis, 0)[1:]
        assert abs((first * second).mean()) < 5 / np.sqrt(first.size)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 7), st.integers(1, 3), st.integers(0, 5), st.integers(0, 2**32))
def test_poisson_spikes_belong_to_the_sample(batch: int, threads: int, skipped: int, seed: int) -> None:
    graph, x = alone(PoissonSource(seed=seed), 5), np.full((7, 5), 0.5)
    whole = simulate(graph, x, 9, record=("spikes",), batch=7, threads=1).spikes["neurons"]
    part = simulate(
        graph, x[skipped:], 9, record=("spikes",), batch=batch, threads=threads, first_sample=skipped
    )
    assert (part.spikes["neurons"] == whole[skipped:]).all()


def test_another_seed_gives_other_spikes() -> None:
    x = np.full((1, 200), 0.5)
    first, second = (
        simulate(alone(PoissonSource(seed=seed), 200), x, 5, record=("spikes",)).spikes["neurons"]
        for seed in (0, 1)
    )
    assert 0.3 < (first == second).mean() < 0.7


@pytest.mark.parametrize(
    "make",
    [
        lambda: IF(threshold=0.0),
        lambda: LIF(threshold=np.array([1.0, -1.0])),
        lambda: CurrentLIF(threshold=0.0),
        lambda: LIF(voltage_decay=1.5),
        lambda: CurrentLIF(current_decay=-0.1),
        lambda: CurrentLIF(voltage_decay=2.0),
        lambda: CurrentLIF(refractory=0),
        lambda: CurrentLIF(refractory=2, reset=Reset.SUBTRACT),
        lambda: PoissonSource(seed=-1),
        lambda: PoissonSource(scale=0.0),
    ],
)
def test_impossible_parameters_are_refused(make: object) -> None:
    with pytest.raises(GraphError) as error:
        make()  # type: ignore[operator]
    assert error.value.code == "G104"


def test_the_charge_of_a_neuron_that_keeps_its_excess_is_all_that_arrived() -> None:
    """Whatever potential it began with."""
    arriving = np.random.default_rng(8).uniform(-0.5, 1.5, (20, 3, 5))
    neuron = IF(2.0, Reset.SUBTRACT, 0.7)
    state, count = neuron.start((5,), np.arange(3), np.dtype(np.float64)), np.zeros((3, 5))
    for current in arriving:
        state, spikes = neuron.step(state, current)
        count += spikes
    assert count.max() > 0
    np.testing.assert_allclose(neuron.charge(count, state["voltage"]), arriving.sum(axis=0), atol=1e-12)


def test_a_neuron_is_not_evaluated_and_not_every_one_has_a_charge() -> None:
    with pytest.raises(GraphError) as error:
        IF().evaluate(np.zeros((1, 1)))
    assert error.value.code == "G105"
    graph = Graph("g").add("in", Input((1,))).add("p", LIF(), "in").add("out", Output(Readout.POTENTIAL), "p")
    with pytest.raises(GraphError) as error:
        simulate(graph, np.zeros((1, 1)), 1)
    assert error.value.code == "G106"
    assert error.value.node == "p"


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([IF(0.5, initial_voltage=0.25), Integrator()]),
    st.lists(EIGHTHS, min_size=1, max_size=12),
)
def test_the_potential_reading_is_the_mean_input(neuron: Neuron, currents: list[float]) -> None:
    graph = Graph("g").add("in", Input((1,))).add("p", neuron, "in")
    graph = graph.add("out", Output(Readout.POTENTIAL, scale=2.0, offset=-1.0), "p")
    trace = simulate(graph, np.array(currents)[None, :, None], len(currents), record=("output",))
    means = np.cumsum(currents) / np.arange(1, len(currents) + 1)
    assert trace.output_by_tick is not None
    assert np.allclose(trace.output_by_tick[0, :, 0], 2 * means - 1)
    assert trace.output[0, 0] == trace.output_by_tick[0, -1, 0]


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(2, 4))
def test_arrays_of_decays_pauses_and_thresholds_are_each_neurons_own(data: st.DataObject, size: int) -> None:
    def each(values: st.SearchStrategy[float]) -> list[float]:
        return data.draw(st.lists(values, min_size=size, max_size=size))

    thresholds, currents, voltages = each(THRESHOLDS), each(SHARES), each(SHARES)
    pauses, biases = each(st.integers(1, 4)), each(EIGHTHS)
    inputs = data.draw(
        st.lists(st.lists(EIGHTHS, min_size=TICKS, max_size=TICKS), min_size=size, max_size=size)
    )
    together = CurrentLIF(*(np.array(given) for given in (thresholds, currents, voltages, biases, pauses)))
    trace = simulate(
        alone(together, size), np.array(inputs).T[None], TICKS, record=("spikes", "voltage", "current")
    )
    leaky = LIF(np.array(thresholds), np.array(voltages))
    leaky_trace = simulate(alone(leaky, size), np.array(inputs).T[None], TICKS, record=("voltage",))
    for place in range(size):
        own = CurrentLIF(
            thresholds[place], currents[place], voltages[place], biases[place], int(pauses[place])
        )
        steps = plain_steps(own, inputs[place])
        assert trace.spikes["neurons"][0, :, place].tolist() == [spike for spike, _, _ in steps]
        assert trace.voltage["neurons"][0, :, place].tolist() == [float(v) for _, v, _ in steps]
        assert trace.current["neurons"][0, :, place].tolist() == [float(u) for _, _, u in steps]
        steps = plain_steps(LIF(thresholds[place], voltages[place]), inputs[place])
        assert leaky_trace.voltage["neurons"][0, :, place].tolist() == [float(v) for _, v, _ in steps]


def test_decays_a_channel_spread_over_space() -> None:
    x = np.random.default_rng(0).integers(0, 9, (1, 12, 2, 3)) / 8
    decays = np.array([[0.25], [0.5]])
    graph = Graph("g").add("in", Input((2, 3))).add("p", LIF(1.0, decays), "in").add("out", Output(), "p")
    trace = simulate(graph, x, 12, record=("voltage",))
    for channel in range(2):
        for place in range(3):
            steps = plain_steps(LIF(1.0, float(decays[channel, 0])), x[0, :, channel, place])
            assert trace.voltage["p"][0, :, channel, place].tolist() == [float(v) for _, v, _ in steps]


@pytest.mark.parametrize(
    "neuron",
    [
        IF(np.ones(3)),
        LIF(1.0, np.full(3, 0.5)),
        CurrentLIF(1.0, np.full((2, 2), 0.5)),
        CurrentLIF(1.0, refractory=np.ones((1, 2), int)),
        IF(np.ones(0)),
    ],
)
def test_arrays_that_do_not_broadcast_to_the_population_are_refused(neuron: Neuron) -> None:
    with pytest.raises(GraphError, match="G101"):
        _ = alone(neuron, 2).shapes


@pytest.mark.parametrize("kind", [IF, LIF, CurrentLIF])
def test_a_reset_may_be_text_and_nonsense_is_refused(kind: type[IF] | type[LIF] | type[CurrentLIF]) -> None:
    x = np.full((1, 1), 0.75)
    by_text, by_member, other = (
        simulate(alone(kind(1.0, reset=reset), 1), x, 9, record=("voltage",)).voltage["neurons"]  # type: ignore[arg-type]
        for reset in ("subtract", Reset.SUBTRACT, "zero")
    )
    assert (by_text == by_member).all() and (by_text != other).any()
    with pytest.raises(GraphError, match="'nonsense'") as error:
        kind(1.0, reset="nonsense")  # type: ignore[arg-type]
    assert error.value.code == "G104" and "'subtract'" in str(error.value)


def test_a_readout_may_be_text_and_nonsense_is_refused() -> None:
    assert Output("count").readout is Readout.COUNT  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="G104"):
        Output("spikes")  # type: ignore[arg-type]


@pytest.mark.parametrize("pause", [0, 1.5, np.array([1, 0])])
def test_pauses_are_whole_ticks_from_1(pause: float) -> None:
    with pytest.raises(GraphError, match="G104"):
        CurrentLIF(refractory=pause)  # type: ignore[arg-type]
