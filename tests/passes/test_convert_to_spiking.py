"""ConvertToSpiking and EncodeInput: what the populations fire, against the published equations."""

from __future__ import annotations

import numpy as np
import pytest
from graph_strategies import Menu, ann_graphs, samples_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snnc.errors import PassError
from snnc.graph import (
    IF,
    Activation,
    Clip,
    Flatten,
    Graph,
    Input,
    Linear,
    LinearMap,
    MaxGate,
    MaxPool,
    Operator,
    Output,
    Readout,
    Relu,
    Scale,
    Softmax,
    evaluate,
)
from snnc.passes import (
    BalanceThresholds,
    BalanceWeights,
    ConvertToSpiking,
    EncodeInput,
    FoldBatchNorm,
    ReplaceMaxPool,
)
from snnc.pipeline import Context
from snnc.simulate import simulate

RNG = np.random.default_rng(11)


def one_layer(activation: Operator) -> Graph:
    return Graph("one").add("x", Input((50,))).add("act", activation, "x").add("out", Output(), "act")


def hidden_layer(weight: np.ndarray, softmax: bool = False) -> Graph:
    graph = (
        Graph("hidden")
        .add("x", Input((weight.shape[1],)))
        .add("first", Linear(weight), "x")
        .add("relu", Relu(np.array(2, np.float32)), "first")
        .add("last", Linear(-weight.T), "relu")
    )
    if softmax:
        return graph.add("softmax", Softmax(), "last").add("out", Output(), "softmax")
    return graph.add("out", Output(), "last")


@pytest.mark.parametrize("initial", ["half", "zero"])
@pytest.mark.parametrize("ticks", [1, 7, 32])
def test_a_constant_input_gives_the_clipped_floor(initial: str, ticks: int) -> None:
    """N = clip(floor((v0 + T z) / theta), 0, T) for a constant non-negative z (Rueckauer 2017)."""
    x = RNG.uniform(0, 4, (8, 50)).astype(np.float32)
    graph = ConvertToSpiking(initial=initial)(one_layer(Relu(np.array(2, np.float32))), Context())
    trace = simulate(graph, x, ticks, record=["spikes"])
    start = 1.0 if initial == "half" else 0.0
    expected = np.clip(np.floor((start + ticks * x.astype(np.float64)) / 2), 0, ticks)
    np.testing.assert_array_equal(trace.spikes["act"].sum(axis=1), expected)
    np.testing.assert_allclose(trace.output, expected * 2 / ticks)


@pytest.mark.parametrize(
    ("initial", "coding", "shares"),
    [
        ("half", "rate", (0.5, 0.5)),
        ("zero", "rate", (0.0, 0.0)),
        ("balanced", "current", (0.5, 0.3)),
        ("balanced", "rate", (0.3, 0.3)),
    ],
)
def test_initial_potentials(initial: str, coding: str, shares: tuple[float, float]) -> None:
    graph = (
        Graph("deep")
        .add("x", Input((3,)))
        .add("relu1", Relu(np.array(4, np.float32)), "x")
        .add("relu2", Relu(np.array(2, np.float32)), "relu1")
        .add("out", Output(), "relu2")
    )
    spiking = EncodeInput(coding)(ConvertToSpiking(initial=initial)(graph, Context()), Context())
    for name, share in zip(("relu1", "relu2"), shares, strict=True):
        population = spiking[name].operator
        np.testing.assert_allclose(population.initial_voltage, share * population.threshold, rtol=1e-6)


def test_reset_to_zero_fires_every_so_many_ticks() -> None:
    """The rate is 1 / ceil(theta / z)."""
    x = RNG.uniform(0.1, 4, (8, 50)).astype(np.float32)
    step = ConvertToSpiking(reset="zero", initial="zero")
    trace = simulate(step(one_layer(Relu(np.array(2, np.float32))), Context()), x, 60, record=["spikes"])
    expected = 60 // np.ceil(2 / x.astype(np.float64))
    np.testing.assert_array_equal(trace.spikes["act"].sum(axis=1), expected)


@pytest.mark.parametrize("ticks", [1, 5, 64])
def test_relu6_saturates_at_six(ticks: int) -> None:
    graph = BalanceThresholds()(one_layer(Clip(0, 6)), Context(calibration=np.full((1, 50), 9, np.float32)))
    trace = simulate(ConvertToSpiking()(graph, Context()), np.full((2, 50), 20, np.float32), ticks)
    np.testing.assert_allclose(trace.output, 6)


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(graph=ann_graphs(Menu(clip=False, blocks=3)), seed=st.integers(0, 9))
def test_spikes_times_threshold_is_the_charge_taken_up(graph: Graph, seed: int) -> None:
    """N theta = Z - (v(T) - v0) in every population, for any arrival order."""
    context = Context(calibration=samples_for(graph, 4, seed=1))
    graph = ReplaceMaxPool()(FoldBatchNorm()(graph, context), context)
    spiking = ConvertToSpiking()(BalanceThresholds()(graph, context), context)
    x = samples_for(graph, 2, seed=seed).astype(np.float64)
    trace = simulate(spiking, x, 16, record=["spikes", "voltage"])
    means = {spiking.inputs[0].name: x}
    for node in spiking.ordered:
        inputs = [means[name] for name in node.inputs if name in means]
        if isinstance(node.operator, IF):
            counts, voltage = trace.spikes[node.name].sum(axis=1), trace.voltage[node.name][:, -1]
            threshold = np.asarray(node.operator.threshold, np.float64)
            taken_up = counts * threshold + voltage - node.operator.initial_voltage
            np.testing.assert_allclose(taken_up, 16 * sum(inputs), atol=1e-3)
            means[node.name] = counts / 16
        elif isinstance(node.operator, LinearMap):
            means[node.name] = node.operator.evaluate(*inputs)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    graph=ann_graphs(Menu(clip=False, blocks=3)),
    coding=st.sampled_from(["current", "rate"]),
    readout=st.sampled_from(["potential", "count"]),
)
def test_rates_converge(graph: Graph, coding: str, readout: str) -> None:
    """The error of residual, concatenated and pooled networks falls like 1 / ticks."""
    x = samples_for(graph, 3, seed=2)
    context = Context(calibration=x)
    graph = ReplaceMaxPool()(FoldBatchNorm()(graph, context), context)
    graph = BalanceThresholds("percentile", 100)(graph, context)
    spiking = EncodeInput(coding)(ConvertToSpiking(readout=readout)(graph, context), context)
    edit = graph.edit()
    for node in graph.decisions:
        edit.bypass(node.name)
    expected = evaluate(edit.done(), x)
    by_tick = simulate(spiking, x, 1024, record=["output"]).output_by_tick
    assert by_tick is not None
    size = max(np.abs(expected).max(), 0.1)
    early, late = (np.abs(by_tick[:, ticks - 1] - expected).max() / size for ticks in (64, 1024))
    assert late < 0.05
    assert late < max(early / 3, 0.01)


def test_a_decision_is_left_out_with_a_note() -> None:
    context = Context()
    graph = ConvertToSpiking()(hidden_layer(RNG.random((3, 4), np.float32), softmax=True), context)
    assert "softmax" not in graph
    assert [(item.code, item.node) for item in context.diagnostics] == [("N102", "softmax")]


@pytest.mark.parametrize("samples", [True, False])
def test_counting_spikes_reads_negative_answers(samples: bool) -> None:
    x = RNG.random((20, 4), np.float32)
    graph = hidden_layer(RNG.random((3, 4), np.float32) / 2)
    spiking = ConvertToSpiking(readout="count")(graph, Context(calibration=x if samples else None))
    output = simulate(spiking, x, 512).output
    assert output.max() <= 0.05
    np.testing.assert_allclose(output, evaluate(graph, x), atol=0.06)


def test_a_network_that_ends_in_an_activation_is_counted() -> None:
    graph = one_layer(Relu())
    x = RNG.random((4, 50), np.float32) * 3
    context = Context(calibration=x)
    for balance in (BalanceThresholds("percentile", 100), BalanceWeights("percentile", 100)):
        spiking = ConvertToSpiking()(balance(graph, context), context)
        assert [type(node.operator) for node in spiking.populations] == [IF]
        assert spiking.outputs[0].operator.readout is Readout.COUNT
        np.testing.assert_allclose(simulate(spiking, x, 256).output, x, atol=0.01)


def test_other_activations_are_listed_all_at_once() -> None:
    class Wave(Activation):
        def infer_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
            return shapes[0]

    graph = (
        Graph("waves")
        .add("x", Input((1, 4)))
        .add("wave1", Wave(), "x", sources=("w1 (Sin)",))
        .add("pool", MaxPool((2,)), "wave1")
        .add("wave2", Wave(), "pool")
        .add("out", Output(), "wave2")
    )
    with pytest.raises(PassError) as caught:
        ConvertToSpiking()(graph, Context())
    assert caught.value.code == "P107"
    assert caught.value.details == ("wave1: Wave from w1 (Sin)", "pool: MaxPool", "wave2: Wave")


def test_spiking_graphs_are_refused() -> None:
    graph = ConvertToSpiking()(one_layer(Relu()), Context())
    for step in (ConvertToSpiking(), BalanceThresholds(), ReplaceMaxPool()):
        if isinstance(step, ReplaceMaxPool):
            assert step(graph, Context()) is graph
            continue
        with pytest.raises(PassError) as caught:
            step(graph, Context())
        assert (caught.value.code, caught.value.node) == ("P101", "act")
    with pytest.raises(PassError) as caught:
        EncodeInput()(one_layer(Relu()), Context())
    assert caught.value.code == "P102"


def test_max_gate_follows_the_most_active_input() -> None:
    """Against a loop that is written from the definition."""
    spikes = RNG.random((2, 30, 3, 5, 6)) < RNG.random((2, 1, 3, 5, 6))
    gate = MaxGate((3, 2), (3, 5, 6), (2, 2), ((1, 0), (0, 0)))
    pool = MaxPool((3, 2), (2, 2), ((1, 0), (0, 0)))
    shape = pool.infer_shape((3, 5, 6))
    state = gate.start(shape, np.arange(2), np.dtype(np.float64))
    for tick in range(30):
        state, passed = gate.step(state, spikes[:, tick].astype(np.float64))
        counts = spikes[:, : tick + 1].sum(axis=1)
        for n, c, i, j in np.ndindex(2, *shape):
            window = [(r, k) for r in range(2 * i - 1, 2 * i + 2) for k in (2 * j, 2 * j + 1) if 0 <= r < 5]
            leader = max(window, key=lambda place: counts[n, c, place[0], place[1]])
            assert passed[n, c, i, j] == spikes[n, tick, c, leader[0], leader[1]]


def test_gating_gives_about_the_maximum() -> None:
    graph = (
        Graph("gated")
        .add("x", Input((2, 6, 6)))
        .add("pool", MaxPool((2, 2), (2, 2)), "x")
        .add("relu", Relu(), "pool")
        .add("flat", Flatten(), "relu")
        .add("last", Linear(RNG.random((3, 18), np.float32)), "flat")
        .add("out", Output(), "last")
    )
    x = RNG.random((8, 2, 6, 6), np.float32)
    context = Context(calibration=x)
    spiking = ConvertToSpiking()(
        BalanceThresholds()(ReplaceMaxPool("gate")(graph, context), context), context
    )
    assert len(spiking.of_type(MaxGate)) == 1
    np.testing.assert_allclose(simulate(spiking, x, 256).output, evaluate(graph, x), rtol=0.1)


@pytest.mark.parametrize("signed", [False, True])
def test_rate_coding_of_the_input(signed: bool) -> None:
    x = RNG.uniform(-3 if signed else 0, 3, (4, 4)).astype(np.float32)
    context = Context(calibration=x)
    graph = hidden_layer(RNG.uniform(-1, 1, (3, 4)).astype(np.float32))
    spiking = EncodeInput("rate")(ConvertToSpiking()(graph, context), context)
    names = {node.name for node in spiking.populations} - {"relu", "last.readout"}
    assert names == ({"x.on", "x.off"} if signed else {"x.on"})
    counts = {
        name: spikes.sum(axis=1)
        for name, spikes in simulate(spiking, x, 32, record=["spikes"]).spikes.items()
    }
    largest = np.abs(x).max()
    expected = np.floor(np.maximum(x, 0) / largest * 32 + 0.5)
    assert np.abs(counts["x.on"] - expected).max() <= 1
    if signed:
        assert not (counts["x.on"] * counts["x.off"]).any()


def test_poisson_spikes_depend_on_the_seed_alone() -> None:
    x = RNG.random((6, 4), np.float32)
    graph = ConvertToSpiking()(hidden_layer(RNG.random((3, 4), np.float32)), Context())
    context = Context(calibration=x)
    runs = []
    for seed, batch in ((1, 6), (1, 2), (2, 6)):
        spiking = EncodeInput("poisson", seed=seed)(graph, context)
        runs.append(simulate(spiking, x, 400, record=["spikes"], batch=batch))
    spikes = [run.spikes["x.on"] for run in runs]
    np.testing.assert_array_equal(spikes[0], spikes[1])
    assert (spikes[0] != spikes[2]).any()
    np.testing.assert_allclose(spikes[0].mean(axis=1), x / x.max(), atol=0.12)


def test_without_samples_the_input_is_taken_as_unit_and_said_so() -> None:
    graph = ConvertToSpiking()(hidden_layer(RNG.random((3, 4), np.float32)), Context())
    context = Context()
    spiking = EncodeInput("rate")(graph, context)
    assert [item.code for item in context.diagnostics] == ["N103"]
    assert [node.operator.factor.item() for node in spiking.of_type(Scale)] == [1.0, 2.0]
