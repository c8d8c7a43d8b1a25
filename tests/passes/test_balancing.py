"""Weight and threshold balancing: the published choices of scale, and that both give the same spikes."""

from __future__ import annotations

import numpy as np
import pytest
from graph_strategies import Menu, ann_graphs, samples_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from snnc.errors import PassError, UsageError
from snnc.graph import Add, Clip, Concat, Conv, Graph, Input, Linear, Output, Relu, Scale, evaluate_nodes
from snnc.passes import BalanceThresholds, BalanceWeights, ConvertToSpiking, FoldBatchNorm, ReplaceMaxPool
from snnc.passes._histogram import Histogram
from snnc.passes._scales import Balancing
from snnc.pipeline import Context
from snnc.simulate import simulate

RNG = np.random.default_rng(3)
SMALL = settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))


def weights(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def perceptron() -> Graph:
    return (
        Graph("perceptron")
        .add("x", Input((5,)))
        .add("first", Linear(weights(7, 5), weights(7)), "x")
        .add("relu1", Relu(), "first")
        .add("second", Linear(weights(6, 7)), "relu1")
        .add("relu2", Relu(), "second")
        .add("last", Linear(weights(3, 6)), "relu2")
        .add("out", Output(), "last")
    )


def scale(graph: Graph, name: str) -> np.ndarray:
    return graph[name].operator.scale


def test_percentile_of_the_non_zero_activations() -> None:
    graph, x = perceptron(), RNG.random((50, 5), np.float32)
    values = evaluate_nodes(graph, x, ["relu1", "relu2"])
    for percent in (90.0, 99.9, 100.0):
        result = BalanceThresholds("percentile", percent)(graph, Context(calibration=x))
        for name, found in values.items():
            np.testing.assert_allclose(
                scale(result, name), np.percentile(found[found > 0], percent), rtol=0.02
            )


def test_percentile_per_channel() -> None:
    graph, x = perceptron(), RNG.random((50, 5), np.float32)
    values = evaluate_nodes(graph, x, ["relu1"])["relu1"]
    result = BalanceThresholds("percentile", 100, per_channel=True)(graph, Context(calibration=x))
    fires = values.max(axis=0) > 0
    np.testing.assert_allclose(scale(result, "relu1")[fires], values.max(axis=0)[fires], rtol=1e-6)
    np.testing.assert_allclose(scale(result, "relu1")[~fires], values.max(), rtol=1e-6)


@pytest.mark.parametrize(("weight", "share"), [(1 / 100, 1 / 32), (1 / 40, 1 / 32), (1 / 20, 1 / 20)])
def test_a_channel_gets_no_less_than_a_32nd_of_its_layer(weight: float, share: float) -> None:
    graph = (
        Graph("weak")
        .add("x", Input((1,)))
        .add("first", Linear(np.array([[1.0], [weight]], np.float32)), "x")
        .add("relu", Relu(), "first")
        .add("out", Output(), "relu")
    )
    context = Context(calibration=np.full((4, 1), 3, np.float32))
    found = scale(BalanceThresholds("percentile", 100, per_channel=True)(graph, context), "relu")
    np.testing.assert_allclose(found, [3, 3 * share], rtol=0.02)


def test_model_based_is_the_largest_sum_of_positive_weights() -> None:
    """Diehl 2015, normalise by the model: no biases, inputs up to 1."""
    graph = perceptron()
    edit = graph.edit()
    edit.set("first", operator=Linear(graph["first"].operator.weight))
    graph = edit.done()
    first = np.maximum(graph["first"].operator.weight, 0).sum(axis=1).max()
    second = first * np.maximum(graph["second"].operator.weight, 0).sum(axis=1).max()
    result = BalanceThresholds("model")(graph, Context())
    np.testing.assert_allclose([scale(result, "relu1"), scale(result, "relu2")], [first, second], rtol=1e-6)


@SMALL
@given(graph=ann_graphs(Menu(max_pool=False, clip=False)), signed=st.booleans(), per_channel=st.booleans())
def test_model_based_bounds_hold(graph: Graph, signed: bool, per_channel: bool) -> None:
    x = samples_for(graph, 4, signed=signed)
    result = BalanceThresholds("model", per_channel=per_channel)(graph, Context(calibration=x))
    names = [node.name for node in result.activations]
    for name, values in evaluate_nodes(graph, x, names).items():
        channels = values.max(axis=tuple(range(2, values.ndim))).max(axis=0)
        assert (channels <= scale(result, name).ravel() * (1 + 1e-5)).all()


def test_data_based_is_the_larger_of_weight_and_activation() -> None:
    graph, x = perceptron(), RNG.random((50, 5), np.float32) / 100
    edit = graph.edit()
    edit.set("first", operator=Linear(graph["first"].operator.weight))
    graph = edit.done()
    result = BalanceThresholds("data")(graph, Context(calibration=x))
    np.testing.assert_allclose(scale(result, "relu1"), graph["first"].operator.weight.max(), rtol=1e-6)
    large = x * 10000
    result = BalanceThresholds("data")(graph, Context(calibration=large))
    np.testing.assert_allclose(
        scale(result, "relu1"), evaluate_nodes(graph, large, ["relu1"])["relu1"].max(), rtol=1e-6
    )


@pytest.mark.parametrize("per_channel", [False, True])
def test_ticks_loses_least(per_channel: bool) -> None:
    """The formula itself, on a finer grid, finds nothing better."""
    graph, x, ticks = perceptron(), RNG.random((200, 5), np.float32), 8
    values = evaluate_nodes(graph, x, ["relu1"])["relu1"].astype(np.float64)
    found = scale(
        BalanceThresholds("ticks", 99.9, per_channel, ticks)(graph, Context(calibration=x)), "relu1"
    )

    def loss(a: np.ndarray, theta: float) -> float:
        return float(np.mean((a - theta / ticks * np.clip(np.floor(a * ticks / theta + 0.5), 0, ticks)) ** 2))

    columns = list(values.T) if per_channel else [values.ravel()]
    for a, theta in zip(columns, np.atleast_1d(found), strict=True):
        if a.max() > 0:
            best = min(loss(a, part * a.max()) for part in np.linspace(0.01, 1, 400))
            assert loss(a, float(theta)) <= 1.1 * best + 1e-12


def test_a_clip_never_gets_more_than_its_bound() -> None:
    graph = Graph("clip").add("x", Input((3,))).add("clip", Clip(0, 0.5), "x").add("out", Output(), "clip")
    for method in ("model", "percentile", "data", "ticks"):
        result = BalanceThresholds(method)(graph, Context(calibration=np.ones((2, 3), np.float32)))
        assert scale(result, "clip") == 0.5


def test_silent_layers_and_channels_are_reported() -> None:
    weight = np.array([[1, 0], [-1, 0]], np.float32)
    graph = (
        Graph("silent")
        .add("x", Input((2,)))
        .add("first", Linear(weight), "x")
        .add("relu1", Relu(), "first")
        .add("second", Linear(-np.ones((2, 2), np.float32)), "relu1")
        .add("relu2", Relu(), "second")
        .add("out", Output(), "relu2")
    )
    context = Context(calibration=np.full((4, 2), 0.5, np.float32))
    result = BalanceThresholds(per_channel=True)(graph, context)
    np.testing.assert_allclose(scale(result, "relu1"), [0.5, 0.5])
    np.testing.assert_allclose(scale(result, "relu2"), [1, 1])
    assert [(item.code, item.node) for item in context.diagnostics] == [("N101", "relu1"), ("N101", "relu2")]


def test_branches_agree() -> None:
    graph = (
        Graph("branches")
        .add("x", Input((2, 4, 4)))
        .add("left", Conv(weights(3, 2, 3, 3), pads=((1, 1), (1, 1))), "x")
        .add("relu1", Relu(), "left")
        .add("right", Conv(weights(3, 2, 1, 1)), "x")
        .add("relu2", Relu(), "right")
        .add("sum", Add(), "relu1", "relu2")
        .add("concat", Concat(0), "relu1", "sum")
        .add("last", Conv(weights(2, 6, 4, 4)), "concat")
        .add("out", Output(), "last")
    )
    x = RNG.random((8, 2, 4, 4), np.float32)
    result = BalanceWeights("percentile", 100)(graph, Context(calibration=x))
    assert {node.name for node in result.of_type(Scale)} == {"relu1.restore", "relu2.restore"}
    values = evaluate_nodes(result, x, ["relu1", "relu2"])
    for found in values.values():
        np.testing.assert_allclose(found.max(), 1, rtol=1e-5)


def test_two_activations_in_a_row() -> None:
    graph = (
        Graph("row")
        .add("x", Input((3,)))
        .add("relu", Relu(), "x")
        .add("clip", Clip(0, 0.5), "relu")
        .add("out", Output(), "clip")
    )
    x = RNG.random((4, 3), np.float32) * 4
    result = BalanceWeights()(graph, Context(calibration=x))
    np.testing.assert_allclose(evaluate_nodes(result, x, ["out"])["out"], np.minimum(x, 0.5), rtol=1e-6)


def rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every scale be a power of two, so that rescaling by it is exact."""
    choose = Balancing.scales

    def powers(self: Balancing, graph: Graph, context: Context) -> dict[str, np.ndarray]:
        found = choose(self, graph, context)
        return {name: np.exp2(np.floor(np.log2(value))).astype(np.float32) for name, value in found.items()}

    monkeypatch.setattr(Balancing, "scales", powers)


@SMALL
@given(
    graph=ann_graphs(Menu(clip=False, softmax=False, blocks=3)),
    per_channel=st.booleans(),
    reset=st.sampled_from(["subtract", "zero"]),
)
def test_both_balancings_give_the_same_spikes(graph: Graph, per_channel: bool, reset: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        rounded(monkeypatch)
        x = samples_for(graph, 2, signed=True)
        context = Context(calibration=samples_for(graph, 8, seed=1, signed=True))
        graph = ReplaceMaxPool()(FoldBatchNorm()(graph, context), context)
        per_channel = per_channel and not graph.of_type(Clip)
        first, second = (
            simulate(ConvertToSpiking(reset)(balance(graph, context), context), x, 12, record=["spikes"])
            for balance in (
                BalanceThresholds(per_channel=per_channel),
                BalanceWeights(per_channel=per_channel),
            )
        )
    assert first.spikes.keys() == second.spikes.keys()
    for name, spikes in first.spikes.items():
        np.testing.assert_array_equal(spikes, second.spikes[name], err_msg=name)


def test_both_balancings_with_any_scales_decode_alike() -> None:
    graph, x = perceptron(), RNG.random((20, 5), np.float32)
    context = Context(calibration=x)
    first, second = (
        simulate(ConvertToSpiking()(balance(graph, context), context), x, 64, record=["spikes"])
        for balance in (BalanceThresholds(), BalanceWeights())
    )
    for name, spikes in first.spikes.items():
        difference = spikes.sum(axis=1) - second.spikes[name].sum(axis=1)
        assert np.abs(difference).max() <= 1
        assert np.mean(difference != 0) < 0.02


def test_without_samples_the_model_decides_and_says_so() -> None:
    graph, context = perceptron(), Context()
    result = BalanceThresholds("percentile")(graph, context)
    assert context.diagnostics[0].code == "W102"
    assert scale(result, "relu1") > 0


@pytest.mark.parametrize("percentile", [0.0, -1.0, 100.5])
def test_percentiles_out_of_range_are_refused(percentile: float) -> None:
    with pytest.raises(UsageError) as caught:
        BalanceThresholds(percentile=percentile)
    assert caught.value.code == "U104"


def test_a_raw_clip_is_refused() -> None:
    graph = Graph("clip").add("x", Input((3,))).add("clip", Clip(-1, 1), "x").add("out", Output(), "clip")
    with pytest.raises(PassError) as caught:
        BalanceThresholds("model")(graph, Context())
    assert (caught.value.code, caught.value.node) == ("P105", "clip")


def test_a_percentile_of_exact_rank_stays_in_front_of_a_gap() -> None:
    """Half of the values are 1 and half are 100: the median is in the bin of 1, not behind the empty ones."""
    histogram = Histogram(1)
    histogram.add(np.array([[1.0] * 5 + [100.0] * 5]))
    slack = 128 / histogram.bins
    assert 1 <= histogram.percentile(50)[0] <= 1 + slack
    assert 100 - slack <= histogram.percentile(51)[0] <= 100


@settings(deadline=None, max_examples=60)
@given(
    values=hnp.arrays(np.float32, (3, 40), elements=st.floats(0, 1e4, width=32, allow_subnormal=False)),
    cut=st.integers(1, 39),
    percent=st.floats(1, 100),
)
def test_histogram(values: np.ndarray, cut: int, percent: float) -> None:
    """Counts do not depend on batches; a percentile lies between the neighbouring order statistics."""
    whole, parts = Histogram(3), Histogram(3)
    whole.add(values)
    for part in (values[:, cut:], values[:, :cut]):
        parts.add(part)
    np.testing.assert_array_equal(whole.counts, parts.counts)
    np.testing.assert_array_equal(whole.percentile(percent), parts.percentile(percent))
    for row, found in zip(values, whole.percentile(percent), strict=True):
        positive = np.sort(row[row > 0])
        if not len(positive):
            assert found == 0
            continue
        rank = percent / 100 * len(positive)
        low = positive[max(int(np.floor(rank)) - 1, 0)]
        high = positive[min(int(np.ceil(rank)) - 1, len(positive) - 1)]
        slack = 4 * positive[-1] / whole.bins
        assert low - slack <= found <= high + slack
