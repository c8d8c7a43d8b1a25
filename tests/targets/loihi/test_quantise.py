"""Quantisation keeps rates, fills the formats of Loihi and never leaves them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import snnc
from snnc.errors import PassError, UsageError
from snnc.graph import (
    IF,
    LIF,
    Conv,
    CurrentLIF,
    Flatten,
    Gather,
    Graph,
    Input,
    Integrator,
    Level,
    Linear,
    Output,
    QuantiseCurrent,
    RateSource,
    Readout,
    Reset,
    SpikeSource,
    verify,
)
from snnc.graph.neurons import MaxGate
from snnc.graph.projections import drives
from snnc.passes import MergeLinearMaps
from snnc.pipeline import Context
from snnc.simulate import simulate
from snnc.targets import CompileOptions
from snnc.targets.loihi import TARGET
from snnc.targets.loihi.compartment import LoihiCompartment
from snnc.targets.loihi.grid import bias_on_grid, charge_on_grid
from snnc.targets.loihi.quantise import LoihiQuantise
from snnc.targets.loihi.synapses import encode


def network(seed: int, *, reset: Reset = Reset.SUBTRACT, per_channel: bool = True) -> Graph:
    """Spikes through a convolution and a fully connected layer, with weights of very different sizes."""
    rng = np.random.default_rng(seed)
    spread = 2.0 ** rng.uniform(-6, 0, (6, 1, 1, 1))
    conv = Conv(rng.normal(size=(6, 2, 3, 3)) * spread, rng.normal(size=6) * 0.1, pads=((1, 1), (1, 1)))
    threshold = rng.uniform(0.5, 2, (6, 1, 1)) if per_channel else 1.0
    graph = Graph("net").add("in", Input((2, 5, 5))).add("s", SpikeSource(), "in").add("conv", conv, "s")
    graph = graph.add("if", IF(threshold, reset, np.asarray(threshold) / 2), "conv").add(
        "flat", Flatten(), "if"
    )
    graph = graph.add("fc", Linear(rng.normal(size=(4, 150)), rng.normal(size=4)), "flat")
    return graph.add("v", Integrator(), "fc").add("out", Output(Readout.POTENTIAL, 2.0, 1.0), "v")


def train(seed: int, samples: int = 6, ticks: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (samples, ticks, 2, 5, 5)).astype(np.float64)


@pytest.mark.parametrize("factor", [2.0**-12, 2.0**9])
def test_the_unit_of_weights_and_thresholds_does_not_matter(factor: float) -> None:
    """What counts is their ratio; by a power of two floating point is exact."""

    def quantised(unit: float) -> Graph:
        weight = np.array([[0.3, -0.9, 0.5], [0.2, 0.7, -0.1]]) * unit
        graph = Graph("units").add("in", Input((3,))).add("s", SpikeSource(), "in")
        graph = graph.add("fc", Linear(weight, np.array([0.1, -0.2]) * unit), "s")
        graph = graph.add("if", IF(1.5 * unit, Reset.SUBTRACT, 0.5 * unit), "fc")
        graph = graph.add("answer", Linear(weight[:, :2] * 0.1), "if").add("v", Integrator(), "answer")
        return LoihiQuantise()(graph.add("out", Output(Readout.POTENTIAL), "v"), Context())

    def integers(graph: Graph) -> list[np.ndarray]:
        values = [value for node in graph for value in vars(node.operator).values()]
        return [value for value in values if isinstance(value, np.ndarray) and value.dtype.kind == "i"]

    scaled, plain = integers(quantised(factor)), integers(quantised(1.0))
    assert len(plain) > 3
    for first, second in zip(scaled, plain, strict=True):
        np.testing.assert_array_equal(first, second)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.sampled_from([2, 3, 4, 5, 6, 8]), st.booleans())
def test_every_list_fits_a_format_and_every_register_its_range(
    seed: int, bits: int, per_channel: bool
) -> None:
    graph = LoihiQuantise(bits)(network(seed, per_channel=per_channel), Context())
    verify(graph, Level.INTEGER)
    for name, drive in drives(graph).items():
        operator = graph[name].operator
        if not isinstance(operator, LoihiCompartment):
            continue
        formats = set()
        for projection in drive.projections:
            weight = projection.operator.weight  # type: ignore[union-attr]
            for channel in range(weight.shape[1]):
                found = encode(weight[:, channel], weight_bits=bits)
                assert found is not None
                formats.add(found[1].exponent)
        assert len(set(np.ravel(operator.threshold))) <= 3
        assert (operator.bias == bias_on_grid(operator.bias)).all()  # type: ignore[arg-type]
        for charge in np.unique(operator.reset_charge):  # type: ignore[arg-type]
            assert encode(np.array([-charge])) is not None


def test_eight_bits_keep_rates_and_answers() -> None:
    graph, x = network(1), train(2)
    whole = LoihiQuantise(8)(graph, Context())
    before, after = (simulate(g, x, 32, record=("spikes",)) for g in (graph, whole))
    rates, integer_rates = (t.spikes["if"].mean(axis=1) for t in (before, after))
    assert np.abs(rates - integer_rates).max() <= 2 / 32
    largest = np.abs(before.output).max()
    assert np.abs(before.output - after.output).max() <= 0.05 * largest


def test_more_bits_round_less() -> None:
    graph = network(3)
    scale = {}
    thresholds = np.reshape(graph["if"].operator.threshold, (-1, 1, 1, 1))  # type: ignore[attr-defined]
    for bits in (2, 4, 8):
        whole = LoihiQuantise(bits)(graph, Context())
        membrane = whole["if"].operator
        units = (membrane.threshold + 64).reshape(-1, 1, 1, 1) / thresholds  # type: ignore[attr-defined]
        scale[bits] = np.abs(whole["conv"].operator.weight / units - graph["conv"].operator.weight).max()  # type: ignore[attr-defined]
    assert scale[8] < scale[4] < scale[2]
    assert scale[8] < 0.01


def test_small_channels_get_finer_units() -> None:
    weight = np.ones((2, 1, 1, 1))
    weight[1] = 0.2
    graph = (
        Graph("gain").add("in", Input((1, 2, 2))).add("s", SpikeSource(), "in").add("c", Conv(weight), "s")
    )
    graph = graph.add("if", IF(1.0), "c").add("out", Output(Readout.COUNT), "if")
    threshold = LoihiQuantise()(graph, Context())["if"].operator.threshold + 64  # type: ignore[attr-defined]
    assert threshold.reshape(2, -1)[1, 0] == 4 * threshold.reshape(2, -1)[0, 0]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32))
def test_the_charges_of_all_channels_fit_one_format(seed: int) -> None:
    """Whatever the units of its channels, a core needs one format for the resets of a population."""
    graph = LoihiQuantise()(network(seed), Context())
    charge = graph["if"].operator.reset_charge  # type: ignore[attr-defined]
    assert encode(-charge) is not None


def test_leaks_and_refractory_periods_become_registers() -> None:
    graph = (
        Graph("leaky").add("in", Input((3,))).add("s", SpikeSource(), "in").add("w", Linear(np.eye(3)), "s")
    )
    neuron = CurrentLIF(1.5, current_decay=0.25, voltage_decay=0.1, bias=0.05, refractory=3)
    graph = graph.add("n", neuron, "w").add("out", Output(), "n")
    compartment = LoihiQuantise()(graph, Context())["n"].operator
    assert isinstance(compartment, LoihiCompartment)
    assert (compartment.current_decay, compartment.voltage_decay, compartment.refractory) == (1024, 410, 3)
    assert compartment.reset is Reset.ZERO
    unit = (int(compartment.threshold) + 64) / 1.5
    assert abs(int(compartment.bias) - 0.05 * unit) <= 1  # type: ignore[arg-type]


@pytest.mark.parametrize("decay", [0.1, 0.25, 0.3, 0.7, 0.9999, 1.0])
def test_decays_are_the_nearest_share_of_4096(decay: float) -> None:
    graph = Graph("n").add("in", Input((3,))).add("s", SpikeSource(), "in").add("w", Linear(np.eye(3)), "s")
    neuron = CurrentLIF(1.5, current_decay=decay, voltage_decay=decay)
    compartment = LoihiQuantise()(graph.add("n", neuron, "w").add("out", Output(), "n"), Context())[
        "n"
    ].operator
    assert isinstance(compartment, LoihiCompartment)
    assert abs(compartment.current_decay - 4096 * decay) <= 0.5
    assert abs(min(4095.5, 4096 * decay) - compartment.voltage_decay) <= 0.5


def test_start_potentials_are_the_nearest_integers() -> None:
    start = np.linspace(-0.9, 0.9, 16)
    graph = Graph("start").add("in", Input((16,))).add("s", SpikeSource(), "in")
    graph = graph.add("w", Linear(np.eye(16)), "s").add("n", IF(1.5, initial_voltage=start), "w")
    compartment = LoihiQuantise()(graph.add("out", Output(), "n"), Context())["n"].operator
    assert isinstance(compartment, LoihiCompartment)
    exact = start * (int(compartment.threshold) + 64) / 1.5  # type: ignore[arg-type]
    assert ((exact - np.floor(exact)) > 0.5).any() and ((exact - np.floor(exact)) < 0.5).any()
    assert (np.abs(compartment.initial_voltage - exact) <= 0.5).all()


def test_a_leaky_neuron_with_subtraction_loses_no_more_than_rounding() -> None:
    graph = Graph("leaky").add("in", Input((4,))).add("s", SpikeSource(), "in")
    graph = graph.add("w", Linear(np.diag([0.2, 0.4, 0.6, 0.9])), "s").add(
        "n", LIF(1.0, 0.05, Reset.SUBTRACT), "w"
    )
    graph = graph.add("out", Output(Readout.COUNT), "n")
    whole = LoihiQuantise()(graph, Context())
    x = np.random.default_rng(0).integers(0, 2, (5, 100, 4))
    before, after = (simulate(g, x, 100).output for g in (graph, whole))
    assert np.abs(before - after).max() <= 2 / 100


def test_a_recurrent_population_takes_the_samples_as_a_current_of_the_host() -> None:
    rng = np.random.default_rng(0)
    graph = (
        Graph("recurrent").add("in", Input((4,))).add("w", Linear(rng.normal(size=(6, 4)), np.ones(6)), "in")
    )
    graph = graph.add("n", CurrentLIF(4.0, 0.5, 0.1), "rec", "w").add(
        "rec", Linear(rng.normal(size=(6, 6))), "n"
    )
    graph = graph.add("out", Output(), "n")
    whole = LoihiQuantise()(graph, Context())
    verify(whole, Level.INTEGER)
    compartment = whole["n"].operator
    assert isinstance(compartment, LoihiCompartment)
    assert compartment.driven
    assert isinstance(whole[whole["n"].inputs[-1]].operator, QuantiseCurrent)
    x = rng.random((3, 4))
    before, after = (simulate(g, x, 40, record=("spikes",)).spikes["n"] for g in (graph, whole))
    assert np.abs(before.mean(axis=1) - after.mean(axis=1)).max() <= 0.1


def test_what_loihi_has_no_neuron_for_is_refused_with_a_remedy() -> None:
    graph = Graph("gate").add("in", Input((1, 4, 4))).add("s", SpikeSource(), "in")
    graph = graph.add("g", MaxGate((2, 2), (1, 4, 4), (2, 2)), "s").add("out", Output(), "g")
    with pytest.raises(PassError, match="P210"):
        LoihiQuantise()(graph, Context())
    graph = (
        Graph("slow").add("in", Input((2,))).add("s", SpikeSource(), "in").add("w", Linear(np.eye(2)), "s")
    )
    graph = graph.add("n", CurrentLIF(1.0, 0.5, reset=Reset.SUBTRACT), "w").add("out", Output(), "n")
    with pytest.raises(PassError, match="P212"):
        LoihiQuantise()(graph, Context())
    with pytest.raises(UsageError, match="U104"):
        LoihiQuantise(7)
    threshold = np.linspace(1, 2, 8).reshape(1, 8)
    graph = Graph("uneven").add("in", Input((1, 8))).add("s", SpikeSource(), "in")
    graph = (
        graph.add("c", Conv(np.ones((1, 1, 1))), "s").add("n", IF(threshold), "c").add("out", Output(), "n")
    )
    with pytest.raises(PassError, match="P213"):
        LoihiQuantise()(graph, Context())


@settings(deadline=None)
@given(st.floats(-500_000, 500_000))
def test_biases_are_rounded_to_twelve_bits(bias: float) -> None:
    rounded = int(bias_on_grid(np.array([bias]))[0])
    assert abs(rounded - bias) <= max(0.5, abs(bias) / 4095)


@settings(deadline=None)
@given(st.integers(64, 255 * 2**13))
def test_charges_fit_one_synapse(charge: int) -> None:
    rounded = charge_on_grid(np.array([charge]))
    assert encode(-rounded) is not None
    assert abs(int(rounded[0]) - charge) <= max(32, charge / 255)


def test_a_cropped_convolution_keeps_one_threshold_a_channel() -> None:
    conv = Conv(np.random.default_rng(0).normal(size=(3, 2, 1, 1)), np.array([0.1, 0.2, 0.3]))
    rows = np.arange(48).reshape(3, 4, 4)[:, ::2, 1:]
    graph = Graph("cropped").add("in", Input((2, 4, 4))).add("s", SpikeSource(), "in").add("c", conv, "s")
    graph = graph.add("part", Gather(rows, (3, 4, 4)), "c")
    graph = graph.add("n", IF(np.array([0.1, 1.0, 3.0]).reshape(3, 1, 1)), "part").add("out", Output(), "n")
    graph = MergeLinearMaps()(graph, Context())
    whole = LoihiQuantise()(graph, Context())
    x = np.random.default_rng(1).integers(0, 2, (4, 64, 2, 4, 4))
    before, after = (simulate(g, x, 64).output for g in (graph, whole))
    assert np.abs(before - after).max() <= 2 / 64


def test_a_network_that_stays_silent_is_still_quantised() -> None:
    graph = Graph("silent").add("in", Input((3,))).add("s", SpikeSource(), "in")
    graph = graph.add("w", Linear(np.full((4, 3), -1.0)), "s").add("n", IF(1.0), "w")
    graph = graph.add("fc", Linear(np.array([[0.5, -2.0, 1.0, 0.25]])), "n").add("v", Integrator(), "fc")
    graph = graph.add("out", Output(Readout.POTENTIAL), "v")
    whole = LoihiQuantise()(graph, Context())
    assert np.abs(whole["fc"].operator.weight).max() <= whole["v"].operator.threshold + 64  # type: ignore[attr-defined]
    assert np.abs(simulate(whole, np.ones((2, 20, 3)), 20).output).max() < 1e-3


def test_evenly_spaced_spikes_of_the_host_reach_the_chip() -> None:
    """A RateSource in front of the network, as any other source: the program equals the integer network."""
    graph = Graph("rates").add("in", Input((4,))).add("rate", RateSource(2.0, 0.5), "in")
    graph = graph.add("dense", Linear(np.array([[1.0, -0.5, 0.25, 1], [0.5, 1, -1, 0.5]])), "rate")
    graph = graph.add("fire", IF(1.0), "dense").add("out", Output(Readout.COUNT), "fire")
    compiled = snnc.compile(graph, "loihi", ticks=16)
    x = np.random.default_rng(0).random((5, 4), np.float32) * 2
    trace = compiled.run(x, 16, record=("spikes",))
    expected = simulate(compiled.graph, x, 16, record=("spikes",))
    assert trace.spikes["fire"].any()
    np.testing.assert_array_equal(trace.spikes["rate"].sum(axis=1), np.floor((x * 16 + 0.5) / 2).astype(int))
    for name in ("rate", "fire"):
        np.testing.assert_array_equal(trace.spikes[name], expected.spikes[name])
    assert TARGET.estimate(graph, CompileOptions()).neurons == compiled.usage.neurons


def of_decays(neuron: CurrentLIF, size: int) -> Graph:
    """Spikes of the host, a population that drives itself, a count."""
    random = np.random.default_rng(8)
    graph = Graph("g").add("in", Input((4,))).add("s", SpikeSource(), "in")
    graph = graph.add("w", Linear(random.random((size, 4))), "s").add("p", neuron, "w", "back")
    graph = graph.add("back", Linear(random.normal(0, 0.1, (size, size))), "p")
    return graph.add("out", Output(Readout.COUNT), "p")


@pytest.mark.parametrize(
    ("name", "values", "registers"),
    [
        ("current_decay", np.array([0.5, 0.5, 0.25, 1.0]), [2048, 2048, 1024, 4096]),
        ("voltage_decay", np.array([0.0, 0.5, 0.25, 1.0]), [0, 2048, 1024, 4095]),
        ("refractory", np.array([2, 2, 3, 1]), [2, 2, 3, 1]),
    ],
)
def test_decays_and_pauses_of_each_neuron(name: str, values: np.ndarray, registers: list[int]) -> None:
    def quantised(array: np.ndarray) -> LoihiCompartment:
        graph = MergeLinearMaps()(of_decays(CurrentLIF(1.0, **{name: array}), 4), Context())
        operator = LoihiQuantise()(graph, Context())["p"].operator
        assert isinstance(operator, LoihiCompartment)
        return operator

    assert getattr(quantised(values), name).tolist() == registers
    one, array = quantised(values[:1]), quantised(np.full(4, values[0]))
    assert getattr(one, name) == getattr(array, name) == registers[0]


def test_a_core_holds_32_profiles() -> None:
    decays, pauses = np.linspace(0.1, 0.9, 20), np.arange(1, 4)
    neuron = CurrentLIF(1.0, np.repeat(decays, 3), np.tile(decays, 3), refractory=np.tile(pauses, 20))
    compiled = snnc.compile(of_decays(neuron, 60), "loihi", ticks=20)
    (layer,) = [layer for layer in compiled.usage.layers if layer.name == "p"]
    used = {use.limit: (use.used, use.available) for use in layer.limits}["compartment profiles"]
    assert layer.cores == 2 and used[0] <= used[1] == 32
    x = np.random.default_rng(1).integers(0, 2, (3, 20, 4)).astype(np.float32)
    record = ("spikes", "voltage", "current", "pause")
    trace, expected = compiled.run(x, record=record), simulate(compiled.graph, x, 20, record=record)
    for variable in record:
        np.testing.assert_array_equal(
            trace.recordings[variable]["p"], expected.recordings[variable]["p"], variable
        )
    assert trace.spikes["p"].any()


def test_the_host_filters_currents_that_decay_unlike() -> None:
    decays = np.array([0.2, 0.5, 1.0])
    graph = Graph("g").add("in", Input((3,))).add("w", Linear(np.eye(3)), "in")
    graph = graph.add("p", CurrentLIF(2.0, decays, 0.1, refractory=2), "w").add(
        "v", Output(Readout.COUNT), "p"
    )
    compiled = snnc.compile(graph, "loihi", ticks=30)
    x = np.random.default_rng(2).random((4, 30, 3), np.float32)
    spikes = compiled.run(x, record=("spikes",)).spikes["p"]
    assert (spikes == simulate(graph, x, 30, record=("spikes",)).spikes["p"]).mean() > 0.98
    assert spikes.any()
