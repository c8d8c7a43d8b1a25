"""Quantised networks: legal integers, and decisions that stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import snnc
from snnc.errors import PassError, UsageError
from snnc.graph.graph import Graph
from snnc.graph.neurons import IF, LIF, Integrator, PoissonSource, RateSource, Reset, SpikeSource
from snnc.graph.operators import (
    Add,
    Bias,
    Conv,
    Flatten,
    Gather,
    Input,
    Linear,
    MaxPool,
    Operator,
    Output,
    Readout,
    Reshape,
    Scale,
)
from snnc.graph.operators.base import Array, Level, Shape
from snnc.graph.samples import Samples
from snnc.graph.verify import verify
from snnc.pipeline import Context
from snnc.simulate import simulate
from snnc.targets.rounding import Observed, compensated
from snnc.targets.truenorth import quantise
from snnc.targets.truenorth.axon_types import subset_sums
from snnc.targets.truenorth.neuron import ResetMode, TrueNorthNeuron
from snnc.targets.truenorth.quantise import LEVELS, LINE_AXONS, TrueNorthQuantise
from snnc.targets.truenorth.rounding import Observations, Single, best_steps


def test_the_error_of_single_weights_is_the_mean_square_of_what_they_lose() -> None:
    """Weights 0.3, -0.9 and 0.5 in steps of 0.2 and 0.5 with levels -2 to 1 become 0.2, -0.4 and 0.5."""
    single = Single(np.array([0.3, -0.9, 0.5]), np.array([0, 0, 1]), np.array([2.0, 3.0, 7.0]))
    errors = single.errors(np.array([0.2, 0.5, 1.0]), (-2, 1))
    assert errors == pytest.approx([(2 * 0.1**2 + 3 * 0.5**2) / 2, 0, 0])


def network(*operators: Operator, shape: Shape = (8,)) -> Graph:
    """Evenly spaced spikes of the samples, the operators in a row, read by the last one's potential."""
    graph = Graph("net").add("in", Input(shape)).add("rate", IF(1.0, Reset.SUBTRACT, 0.5), "in")
    last = "rate"
    for number, operator in enumerate(operators):
        graph, last = graph.add(f"n{number}", operator, last), f"n{number}"
    potential = isinstance(operators[-1], Integrator)
    return graph.add("out", Output(Readout.POTENTIAL if potential else Readout.COUNT), last)


def two_layers(seed: int = 0) -> Graph:
    random = np.random.default_rng(seed)
    return network(
        Linear(random.normal(0, 0.4, (12, 8)), random.normal(0, 0.1, 12)),
        IF(1.0, Reset.SUBTRACT, 0.3),
        Linear(random.normal(0, 0.4, (4, 12)), random.normal(0, 0.1, 4)),
        Integrator(),
    )


def samples(count: int = 64, shape: Shape = (8,)) -> Array:
    return np.random.default_rng(7).random((count, *shape), np.float32)


@pytest.mark.parametrize("bits", LEVELS)
def test_registers_hold_it(bits: int) -> None:
    graph = TrueNorthQuantise(bits)(two_layers(), Context(samples()))
    verify(graph)
    assert graph.level is Level.INTEGER
    assert isinstance(graph["rate"].operator, RateSource)
    for name in ("n0", "n2"):
        weight = graph[name].operator.weight  # type: ignore[attr-defined]
        rows, columns = np.nonzero(weight)
        sums = subset_sums(rows, weight[rows, columns], len(weight))
        assert sums.possible.all() and sums.bits.max() <= LINE_AXONS[bits]


def test_more_bits_lose_less() -> None:
    x, graph = samples(), two_layers()
    exact = simulate(graph, x, 64).output
    errors = [
        np.abs(simulate(TrueNorthQuantise(bits)(graph, Context(x)), x, 64).output - exact).mean()
        for bits in LEVELS
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[2] < 0.05 * np.abs(exact).max()
    assert errors[-1] < 0.005 * np.abs(exact).max()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(list(LEVELS)))
def test_compensation_keeps_sums(seed: int, bits: int) -> None:
    """On correlated inputs the sums are nearer than with every weight rounded by itself at any of the same steps."""
    random = np.random.default_rng(seed)
    inputs = np.clip(random.random((300, 3)) @ random.random((3, 20)), 0, None)
    weight = random.normal(0, 1, (5, 20))
    step, found = best_steps(weight, Observed.of(inputs), LEVELS[bits], np.zeros(5))
    assert found.code.min() >= LEVELS[bits][0] and found.code.max() <= LEVELS[bits][1]
    near = inputs @ (found.code * step[:, None] - weight).T + found.shift
    plain = np.clip(np.rint(weight / step[:, None]), *LEVELS[bits]) * step[:, None]
    assert (near**2).mean() < ((inputs @ (plain - weight).T) ** 2).mean()


def test_many_inputs_are_looked_at_in_blocks() -> None:
    """A sum of 2,500 inputs, whose products would be a matrix too large, keeps its value better than plain rounding."""
    random = np.random.default_rng(5)
    inputs = np.clip(random.random((300, 5)) @ random.random((5, 2500)), 0, None)
    weight, step = random.normal(0, 1, (4, 2500)), np.full((4, 1), 0.5)
    observed = Observed.of(inputs)
    assert [len(block.order) for block in observed.blocks] == [834, 833, 833]
    found = compensated(weight, observed, step, (-8, 7))
    near = inputs @ (found.code * step - weight).T + found.shift
    plain = np.clip(np.rint(weight / step), -8, 7) * step
    assert (near**2).mean() < 0.1 * ((inputs @ (plain - weight).T) ** 2).mean()


def test_weights_make_up_for_what_their_inputs_have_lost() -> None:
    """Inputs that are a fifth too small and one too large by a constant; with fine steps the sums are right again."""
    random = np.random.default_rng(4)
    wanted = random.random((400, 12)).astype(np.float32)
    lost = (wanted * 0.8 + 0.05 * (np.arange(12) == 3)).astype(np.float32)
    weight = random.normal(size=(5, 12))
    rounded = compensated(weight, Observed.of(lost, wanted), np.full((5, 1), 1e-3), (-(10**4), 10**4))
    error = lost @ (rounded.code * 1e-3).T + rounded.shift - wanted @ weight.T
    assert (error**2).mean() < 0.1 * (((lost - wanted) @ weight.T) ** 2).mean()


def test_a_layer_is_rounded_for_the_rates_of_the_rounded_layers_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two bits change the rates of the first layer; the second makes up for some of it."""
    random = np.random.default_rng(5)
    graph = network(
        Linear(random.normal(0.1, 0.3, (24, 16))),
        IF(1.0, Reset.SUBTRACT, 0.5),
        Linear(random.normal(size=(6, 24))),
        IF(8.0, Reset.SUBTRACT, 4.0),
        shape=(16,),
    )
    shown = samples(200, shape=(16,))
    wanted = simulate(graph, shown, 256).output

    def error() -> float:
        found = simulate(TrueNorthQuantise(2)(graph, Context(shown)), shown, 256).output
        return float(((found - wanted) ** 2).mean())

    followed = error()
    monkeypatch.setattr(Observations, "follow", lambda *_: None)
    assert followed < error()


@pytest.mark.parametrize("bits", list(LEVELS))
def test_shortcuts_are_not_cut_off(bits: int) -> None:
    """A shortcut is one large weight beside many small ones; the smaller step of these must not cut it off."""
    small = np.random.default_rng(2).normal(0, 0.05, (3, 3, 3, 3))
    graph = Graph("net").add("in", Input((3, 4, 4))).add("s", PoissonSource(1.0, 3), "in")
    graph = graph.add("conv", Conv(small, pads=((1, 1), (1, 1))), "s").add("skip", Scale(np.array(0.9)), "s")
    graph = graph.add("sum", Add(), "conv", "skip").add("n", IF(1.0), "sum")
    graph = graph.add("out", Output(Readout.COUNT), "n")
    quantised = TrueNorthQuantise(bits)(graph, Context(samples(shape=(3, 4, 4))))
    neuron, written = quantised["n"].operator, quantised["skip"].operator
    assert isinstance(neuron, TrueNorthNeuron) and isinstance(written, Scale)
    ratio = np.broadcast_to(written.factor / np.asarray(neuron.threshold), (3, 4, 4))
    np.testing.assert_allclose(ratio, 0.9, rtol=0.25)


def test_constant_currents_become_leaks() -> None:
    graph = network(
        Linear(np.array([[0.5], [0.5]])), Bias(np.array([0.25, -0.5])), IF(1.0, Reset.ZERO, 0.0), shape=(1,)
    )
    quantised = TrueNorthQuantise(4)(graph, Context())
    neuron = quantised["n2"].operator
    assert isinstance(neuron, TrueNorthNeuron) and neuron.reset is ResetMode.NORMAL
    assert "n1" not in quantised
    np.testing.assert_allclose(np.asarray(neuron.leak) / neuron.threshold, [0.25, -0.5], atol=0.01)


def test_large_currents_make_steps_coarser() -> None:
    graph = network(Linear(np.array([[0.01, 0.004]])), Bias(np.array([5.0])), IF(1.0), shape=(2,))
    neuron = TrueNorthQuantise(4)(graph, Context())["n2"].operator
    assert isinstance(neuron, TrueNorthNeuron)
    assert int(neuron.leak) == pytest.approx(5 * int(neuron.threshold), rel=0.02)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [PoissonSource(1.0, 3), SpikeSource()])
def test_sources_stay(source: Operator) -> None:
    graph = Graph("net").add("in", Input((2,))).add("s", source, "in").add("w", Linear(np.eye(2)), "s")
    graph = graph.add("n", IF(1.0), "w").add("out", Output(Readout.COUNT), "n")
    assert TrueNorthQuantise(4)(graph, Context())["s"].operator is source


def test_channels_have_their_own_units() -> None:
    random = np.random.default_rng(1)
    conv = Conv(random.normal(0, 0.5, (3, 2, 2, 2)) * np.array([1, 0.1, 10]).reshape(3, 1, 1, 1))
    graph = network(conv, IF(np.array([1.0, 0.2, 5.0]).reshape(3, 1, 1)), shape=(2, 4, 4))
    quantised = TrueNorthQuantise(4)(graph, Context(samples(shape=(2, 4, 4))))
    neuron, written = quantised["n1"].operator, quantised["n0"].operator
    assert isinstance(neuron, TrueNorthNeuron) and isinstance(written, Conv)
    ratio = written.weight / np.asarray(neuron.threshold).reshape(3, 1, 1, 1)
    wanted = conv.weight / np.array([1.0, 0.2, 5.0]).reshape(3, 1, 1, 1)
    assert np.abs(ratio - wanted).max() < 0.35 * np.abs(wanted).max()


def test_a_network_all_on_the_host_is_refused() -> None:
    graph = Graph("net").add("in", Input((2,))).add("n", IF(1.0), "in").add("out", Output(Readout.COUNT), "n")
    with pytest.raises(PassError, match=r"P222.*nothing is left for TrueNorth"):
        TrueNorthQuantise(4)(graph, Context())


def test_refused() -> None:
    with pytest.raises(UsageError, match="U104"):
        TrueNorthQuantise(7)
    with pytest.raises(PassError, match=r"P220.*LIF"):
        TrueNorthQuantise(4)(network(Linear(np.eye(8)), LIF()), Context())
    current = Graph("net").add("in", Input((2,))).add("n", IF(1.0, Reset.ZERO), "in")
    with pytest.raises(PassError, match="P222"):
        TrueNorthQuantise(4)(current.add("out", Output(Readout.COUNT), "n"), Context())
    read = (
        Graph("net").add("in", Input((2,))).add("n", IF(1.0), "in").add("out", Output(Readout.POTENTIAL), "n")
    )
    with pytest.raises(PassError, match="P214"):
        TrueNorthQuantise(4)(read, Context())


def test_widths_are_compared_on_samples_that_rounding_has_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 30 samples the last 10, whatever the samples in front of them are."""
    seen: list[Array] = []
    real = quantise.simulate

    def watched(graph: Graph, samples: Samples | Array, *rest: object, **options: object) -> object:
        seen.append(samples.plain() if isinstance(samples, Samples) else samples)
        return real(graph, samples, *rest, **options)

    monkeypatch.setattr(quantise, "simulate", watched)
    calibration = np.random.default_rng(0).random((30, 6), np.float32)
    weight = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    graph = network(Linear(weight), IF(2.0, Reset.SUBTRACT, 0.5), shape=(6,))
    context = Context(calibration=calibration)
    TrueNorthQuantise()(graph, context)
    observed, *compared = seen
    np.testing.assert_array_equal(observed, calibration[:20])
    assert len(compared) >= 2
    for samples in compared:
        np.testing.assert_array_equal(samples, calibration[20:])
    assert "N221" in [diagnostic.code for diagnostic in context.diagnostics]


def test_rows_that_go_nowhere_belong_to_no_neuron() -> None:
    """Of a dense layer's rows two are placed: the others' weights, a hundred times as large, change no step."""
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(5, 6))
    graphs = []
    for large in (0.0, 100.0):
        rows = np.concatenate([weight[:2], large * weight[2:]]).astype(np.float32)
        graph = Graph("rows").add("in", Input((6,))).add("spikes", SpikeSource(), "in")
        graph = graph.add("dense", Linear(rows), "spikes").add("taken", Gather(np.array([1]), (5,)), "dense")
        graph = graph.add("fire", IF(np.array([1.0])), "taken").add("out", Output(Readout.COUNT), "fire")
        graphs.append(TrueNorthQuantise(4)(graph, Context()))
    first, second = (graph["dense"].operator.weight[1] for graph in graphs)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(graphs[0]["fire"].operator.threshold, graphs[1]["fire"].operator.threshold)


def test_the_largest_of_all_features_compiles() -> None:
    """Rows of a dense layer that go to populations of one neuron, max and keepdims: one answer a sample."""
    graph = Graph("largest").add("in", Input((8,)))
    weight = np.random.default_rng(0).normal(0, 0.3, (12, 8)).astype(np.float32)
    graph = graph.add("dense", Linear(weight, None), "in").add("row", Reshape((1, 12)), "dense")
    graph = graph.add("max", MaxPool((12,)), "row").add("flat", Flatten(), "max").add("out", Output(), "flat")
    x = samples(40)
    wanted = (x @ weight.T).max(axis=1, keepdims=True)
    found = snnc.compile(graph, "truenorth", calibration=x, weight_bits=4).run(x, 128).output
    assert found.shape == (40, 1)
    assert np.corrcoef(found[:, 0], wanted[:, 0])[0, 1] > 0.9


def regression(answers: Array) -> Graph:
    """Two layers that read 8 inputs; the answer's weights are given."""
    random = np.random.default_rng(5)
    return network(
        Linear(random.normal(0, 0.4, (24, 8)), random.normal(0, 0.2, 24)),
        IF(1.0, Reset.SUBTRACT, 0.5),
        Linear(answers),
        Integrator(),
    )


def values_of(graph: Graph) -> tuple[str, float]:
    """What is said of the width, and the largest error of new samples' answers by range."""
    context = Context(samples(300))
    chosen = TrueNorthQuantise()(graph, context)
    x = np.random.default_rng(8).random((100, 8), np.float32)
    wanted, found = (simulate(each, x, 64).output for each in (graph, chosen))
    (note,) = (each.message for each in context.diagnostics if each.code == "N221")
    return note, float((np.abs(wanted - found).max(axis=0) / np.ptp(wanted, axis=0)).max())


def test_the_width_of_one_number_is_that_of_its_error() -> None:
    """The largest of one number is always the same one; two bits would miss it by a tenth of its range."""
    graph = regression(np.random.default_rng(6).normal(0, 0.3, (1, 24)))
    note, error = values_of(graph)
    assert "the values to" in note and "2 bits" not in note
    assert error < 0.05
    two_bits = TrueNorthQuantise(2)(graph, Context(samples(300)))
    x = samples(100)
    wanted = simulate(graph, x, 64).output
    assert np.abs(simulate(two_bits, x, 64).output - wanted).max() > 0.08 * np.ptp(wanted)


def test_several_values_of_which_one_is_always_the_largest() -> None:
    weight = np.random.default_rng(6).normal(0, 0.3, (2, 24))
    graph = regression(weight)
    edit = graph.edit()
    edit.set("n2", operator=Linear(weight, np.array([0.0, 50.0])))
    assert "the values to" in values_of(edit.done())[0]


@pytest.mark.parametrize("weight", [1e-3, 1e-6, 1e-9, 0.0])
def test_weights_far_below_a_threshold(weight: float) -> None:
    """A neuron with hardly any input is as good as silent, and its registers hold its start."""
    weights = np.array([[1.0, -0.5, 0.3, 0.2] * 2, [weight] * 8])
    graph = network(
        Linear(weights), IF(1.0, Reset.SUBTRACT, 0.5), Linear(np.eye(2)), IF(1.0, Reset.SUBTRACT, 0.0)
    )
    chosen = TrueNorthQuantise(4)(graph, Context(samples()))
    wanted, found = (
        simulate(each, samples(), 64, record=("spikes",)).spikes["n1"] for each in (graph, chosen)
    )
    assert not found[..., 1].any() or weight == 1e-3
    assert np.abs(wanted.mean(axis=1) - found.mean(axis=1)).max() < 0.1
