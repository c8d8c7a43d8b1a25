"""Networks drawn from probabilities of connections: as often as these say, and each copy as plain evaluation has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_nets import run

import snnc
from snnc.errors import PassError, UsageError
from snnc.formats.onnx import export_onnx
from snnc.graph import (
    IF,
    Add,
    ArgMax,
    BatchNorm,
    Bias,
    Conv,
    Flatten,
    Graph,
    Input,
    Linear,
    MaxPool,
    Operator,
    Output,
    Relu,
    Scale,
    SparseLinear,
    Step,
    evaluate,
    evaluate_nodes,
)
from snnc.graph.operators.base import Array
from snnc.graph.operators.step import next_above
from snnc.pipeline import Context, Pipeline
from snnc.report.series import sums_together, uses_together
from snnc.simulate import simulate
from snnc.targets.truenorth.native import MapNative
from snnc.targets.truenorth.sample import SampleConnections, probabilistic_maps, probabilities
from snnc.targets.truenorth.steps import simplified

HALF = np.array(0.5, np.float32)
ZERO = np.zeros((), np.float32)
QUIET = list(HealthCheck)


def drawn(graph: Graph, copies: int = 1, seed: int = 0) -> Graph:
    return Pipeline((SampleConnections(copies),))(graph, Context(seed=seed))


def samples(graph: Graph, count: int = 20) -> Array:
    shape = graph.inputs[0].operator.infer_shape()
    return np.random.default_rng(8).random((count, *shape), np.float32)


def uniform(rng: np.random.Generator, *shape: int) -> Array:
    return rng.uniform(-1, 1, shape).astype(np.float32)


def start(shape: tuple[int, ...]) -> Graph:
    return Graph("net").add("in", Input(shape)).add("bits", Step(HALF), "in")


def dense(weight: Array, last: Operator | None = None) -> Graph:
    """Bits, a layer of weights and a readout that tells the class of every neuron."""
    graph = (
        start((weight.shape[1],)).add("sum", Linear(weight), "bits").add("fire", last or Step(ZERO), "sum")
    )
    read = np.eye(4, weight.shape[0], dtype=np.float32)
    return graph.add("read", Linear(read), "fire").add("out", Output(), "read")


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Convolution and batch normalisation, dense and sparse layers, branches, maxima, signs; an arg-max at the end."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    graph = start((2, 5, 5))
    groups = draw(st.sampled_from([1, 2]))
    graph = graph.add("conv", Conv(uniform(rng, 4, 2 // groups, 2, 2), groups=groups), "bits")
    gamma, beta, mean, variance = rng.normal(size=(4, 4)).astype(np.float32)
    norm = BatchNorm(gamma, beta, mean, np.abs(variance) + HALF)
    graph = graph.add("norm", norm, "conv").add("s1", Step(ZERO), "norm")
    tip = "s1"
    between = draw(st.sampled_from(["nothing", "pool", "two values"]))
    if between == "pool":
        graph, tip = graph.add("pool", MaxPool((2, 2), (2, 2)), "s1"), "pool"
    elif between == "two values":
        graph = graph.add("wide", Scale(np.float32(2)), "s1").add("sign", Bias(np.float32(-1)), "wide")
        tip = "sign"
    graph = graph.add("flat", Flatten(), tip)
    size = graph.shapes["flat"][0]
    graph = graph.add("dense", Linear(uniform(rng, 6, size), uniform(rng, 6)), "flat")
    rows, columns = np.nonzero(rng.random((6, size)) < 0.3)
    sparse = SparseLinear(rows, columns, uniform(rng, len(rows)), (size,), (6,))
    graph = graph.add("sparse", sparse, "flat").add("both", Add(), "dense", "sparse")
    graph = graph.add("s2", Step(uniform(rng, 6)), "both").add("s3", Step(HALF), "sparse")
    graph = graph.add("read2", Linear(rng.normal(size=(3, 6)).astype(np.float32)), "s2")
    graph = graph.add("read3", Linear(rng.normal(size=(3, 6)).astype(np.float32)), "s3")
    graph = graph.add("answer", Add(), "read2", "read3")
    if draw(st.booleans()):
        return graph.add("class", ArgMax(0), "answer").add("out", Output(), "class")
    return graph.add("out", Output(), "answer")


@settings(deadline=None, max_examples=25, suppress_health_check=QUIET)
@given(networks(), st.integers(1, 4), st.integers(0, 2**31))
def test_the_answer_is_the_mean_of_single_copies(graph: Graph, copies: int, seed: int) -> None:
    """Each copy's nodes compute what the same graph with that copy's weights computes; the output is their mean."""
    x = samples(graph)
    result = drawn(graph, copies, seed)
    graph = simplified(graph)
    maps = [node.name for node in probabilistic_maps(graph)]
    assert set(maps) - {"pool.count"} == {"conv", "dense", "sparse"}
    total = np.zeros((len(x), 3))
    for number in range(1, copies + 1):
        edit = graph.edit()
        for name in maps:
            edit.set(name, operator=result[f"{name}.copy{number}"].operator)
        alone = evaluate_nodes(edit.done(), x, ["s2", "s3", "answer"])
        beside = evaluate_nodes(result, x, [f"{name}.copy{number}" for name in ("s2", "s3", "answer")])
        for name, value in alone.items():
            np.testing.assert_array_equal(beside[f"{name}.copy{number}"], value)
        total += alone["answer"]
    answer = total / copies
    found = evaluate(result, x)
    if graph.decisions:
        best = np.sort(answer, axis=1)
        clear = best[:, -1] - best[:, -2] > 1e-4
        np.testing.assert_array_equal(found[clear], answer.argmax(axis=1)[clear])
    else:
        np.testing.assert_allclose(found, answer, atol=1e-5)


@settings(deadline=None, max_examples=12, suppress_health_check=QUIET)
@given(networks(), st.integers(1, 3), st.integers(0, 2**31))
def test_every_copy_spikes_on_the_chips_neurons_as_its_ann_does(graph: Graph, copies: int, seed: int) -> None:
    """A new sample every tick; onnxruntime agrees about the whole."""
    x = samples(graph)
    result = drawn(graph, copies, seed)
    integers = Pipeline((MapNative(),))(result, Context())
    trace = simulate(integers, x[None], len(x), record=("spikes",))
    steps = [f"{name}.copy{number}" for name in ("s1", "s2", "s3") for number in range(1, copies + 1)]
    expected = evaluate_nodes(result, x, steps)
    for name in steps:
        np.testing.assert_array_equal(trace.spikes[name][0], expected[name] > 0)
    np.testing.assert_allclose(run(export_onnx(result), x), evaluate(result, x), atol=1e-5)


def frequencies(graph: Graph, name: str, seeds: int, copies: int) -> tuple[Array, int]:
    """How often each connection of a map exists, and of how many draws."""
    count: Array | float = 0.0
    signs = np.sign(graph[name].operator.multipliers and probabilities(graph[name].operator))
    for seed in range(seeds):
        result = drawn(graph, copies, seed)
        for number in range(1, copies + 1):
            weights = probabilities(result[f"{name}.copy{number}"].operator)
            assert (weights * signs >= 0).all()
            assert set(np.unique(weights)) <= {-1.0, 0.0, 1.0}
            count = count + np.abs(weights)
    return np.asarray(count), seeds * copies


@pytest.mark.parametrize("kind", ["dense", "conv", "sparse"])
def test_connections_exist_as_often_as_they_should(kind: str) -> None:
    """Binomial: every single frequency within 5 standard deviations, and their chi-square within 4 of its own."""
    rng = np.random.default_rng(4)
    weight = uniform(rng, 12, 20)
    maps: dict[str, tuple[tuple[int, ...], Operator]] = {
        "dense": ((20,), Linear(weight)),
        "conv": ((5, 4, 4), Conv(weight.reshape(12, 5, 2, 2))),
        "sparse": (
            (20,),
            SparseLinear(
                np.repeat(np.arange(12), 20), np.tile(np.arange(20), 12), weight.ravel(), (20,), (12,)
            ),
        ),
    }
    shape, operator = maps[kind]
    graph = (
        start(shape).add("map", operator, "bits").add("fire", Step(ZERO), "map").add("out", Output(), "fire")
    )
    count, draws = frequencies(graph, "map", 100, 4)
    p = np.abs(weight.astype(np.float64)).reshape(count.shape)
    scores = (count - draws * p) / np.sqrt(draws * p * (1 - p))
    assert np.abs(scores).max() < 5
    chi, freedom = float((scores**2).sum()), scores.size
    assert abs(chi - freedom) < 4 * np.sqrt(2 * freedom)
    pairs = np.corrcoef(scores.reshape(12, -1))
    assert np.abs(pairs[~np.eye(12, dtype=bool)]).max() < 5 / np.sqrt(scores.size / 12)


def test_certain_connections_stay() -> None:
    weight = np.array([[1, 0, -1, 1, 0], [0, 0, -1, -1, 1]], np.float32)
    for seed in range(20):
        np.testing.assert_array_equal(drawn(dense(weight), seed=seed)["sum.copy1"].operator.weight, weight)


def weights_of(graph: Graph) -> Callable[[int], Array]:
    return lambda number: graph[f"sum.copy{number}"].operator.weight


def test_copies_and_seeds_differ_and_a_copy_does_not_depend_on_how_many_there_are() -> None:
    graph = dense(uniform(np.random.default_rng(2), 8, 30))
    four, two, other = (weights_of(drawn(graph, *key)) for key in ((4, 7), (2, 7), (4, 8)))
    again = weights_of(Pipeline((SampleConnections(4, seed=7),))(graph, Context(seed=99)))
    for number in (1, 2):
        np.testing.assert_array_equal(four(number), two(number))
    for number in (1, 2, 3, 4):
        np.testing.assert_array_equal(four(number), again(number))
        assert (four(number) != other(number)).any()
        assert all((four(number) != four(before)).any() for before in range(1, number))


def test_layers_of_the_same_weights_are_drawn_apart() -> None:
    weight = uniform(np.random.default_rng(2), 20, 20)
    graph = start((20,))
    for number, tip in enumerate(("bits", "fire0")):
        graph = graph.add(f"sum{number}", Linear(weight), tip).add(
            f"fire{number}", Step(ZERO), f"sum{number}"
        )
    result = drawn(graph.add("out", Output(), "fire1"))
    assert (result["sum0.copy1"].operator.weight != result["sum1.copy1"].operator.weight).any()


def test_the_host_and_the_readout_are_not_drawn() -> None:
    """Maps of the samples, in front of the first steps, are there once; the readout keeps its real weights."""
    rng = np.random.default_rng(5)
    first = (3 * rng.normal(size=(6, 4))).astype(np.float32)
    graph = (
        Graph("net").add("in", Input((4,))).add("host", Linear(first), "in").add("bits", Step(HALF), "host")
    )
    graph = graph.add("sum", Linear(uniform(rng, 5, 6)), "bits").add("fire", Step(ZERO), "sum")
    read = (3 * rng.normal(size=(2, 5))).astype(np.float32)
    result = drawn(graph.add("read", Linear(read), "fire").add("out", Output(), "read"), 2)
    np.testing.assert_array_equal(result["host"].operator.weight, first)
    np.testing.assert_array_equal(result["read.copy2"].operator.weight, read)
    assert [node.name for node in result if "host" in node.name or "bits" in node.name] == ["host", "bits"]


def notes(graph: Graph, copies: int) -> list[str]:
    context = Context()
    SampleConnections(copies)(graph, context)
    assert all(note.remedy for note in context.diagnostics)
    return [note.code for note in context.diagnostics]


def test_doubts() -> None:
    rng = np.random.default_rng(3)
    weight = uniform(rng, 4, 9)
    assert notes(dense(weight), 2) == []
    assert notes(dense(weight * np.float32(0.1)), 2) == ["W231"]
    assert notes(dense(np.sign(weight)), 2) == ["W232"]
    assert notes(dense(np.sign(weight)), 1) == []


def test_a_layer_of_the_samples_is_said_not_to_be_drawn() -> None:
    rng = np.random.default_rng(3)
    graph = Graph("net").add("in", Input((4,))).add("first", Linear(uniform(rng, 6, 4)), "in")
    graph = graph.add("bits", Step(ZERO), "first").add("sum", Linear(uniform(rng, 5, 6)), "bits")
    assert notes(graph.add("fire", Step(ZERO), "sum").add("out", Output(), "fire"), 2) == ["N231"]


def test_a_network_that_ends_in_steps_answers_by_the_share_of_copies_that_spike() -> None:
    rng = np.random.default_rng(12)
    graph = start((30,)).add("sum", Linear(uniform(rng, 8, 30)), "bits").add("fire", Step(ZERO), "sum")
    graph = graph.add("out", Output(), "fire")
    x = samples(graph)
    compiled = snnc.compile(graph, "truenorth", copies=3, seed=2, ticks=1)
    np.testing.assert_allclose(compiled.run(x).output, evaluate(drawn(graph, 3, 2), x), atol=1e-7)


def test_many_copies_are_one_row_of_a_table(tmp_path: Path) -> None:
    weight = uniform(np.random.default_rng(12), 8, 30)
    graph = start((30,)).add("sum", Linear(weight), "bits").add("fire", Step(ZERO), "sum")
    compiled = snnc.compile(graph.add("out", Output(), "fire"), "truenorth", copies=5, ticks=1)
    compiled.save(tmp_path / "a.snnc")
    for usage in (compiled.usage, snnc.load(tmp_path / "a.snnc").usage):
        assert [use.name for use in uses_together(usage.layers)] == ["fire.copy* (5)"]
    energies = {f"fire.copy{number}": 1.0 for number in range(1, 6)}
    assert sums_together(energies, compiled.graph.groups) == {"fire.copy* (5)": 5.0}


def code_of(graph: Graph) -> str:
    with pytest.raises(PassError) as caught:
        SampleConnections(2)(graph, Context())
    assert caught.value.remedy
    return caught.value.code


def test_what_cannot_be_drawn() -> None:
    rng = np.random.default_rng(6)
    weight = uniform(rng, 4, 9)
    assert code_of(dense(weight, Relu())) == "P230"
    no_steps = Graph("linear").add("in", Input((4,))).add("read", Linear(uniform(rng, 2, 4)), "in")
    assert code_of(no_steps.add("out", Output(), "read")) == "P233"
    spiking = Graph("snn").add("in", Input((4,))).add("w", Linear(uniform(rng, 2, 4)), "in")
    assert code_of(spiking.add("if", IF(np.ones(())), "w").add("out", Output(), "if")) == "P101"
    two = dense(weight)
    edit = two.edit()
    edit.set("fire", inputs=(edit.add("more", Linear(uniform(rng, 4, 4)), "sum"),))
    assert code_of(edit.done()) == "P237"


def test_weights_beyond_one_are_named() -> None:
    weight = uniform(np.random.default_rng(6), 4, 9)
    weight[2, 3], weight[0, 1] = -1.75, 1.25
    graph = dense(weight)
    nodes = [
        replace(node, sources=("layer/MatMul (MatMul)",)) if node.name == "sum" else node for node in graph
    ]
    with pytest.raises(
        PassError, match=r"P236.*2 of its 36 weights, up to 1\.75.*node sum, from layer/MatMul"
    ):
        drawn(Graph("net", nodes))
    assert drawn(dense(np.full((4, 9), 1 + 1e-7, np.float32)))["sum.copy1"].operator.weight.min() == 1


@pytest.mark.parametrize("options", [{"copies": 0}, {"copies": -3}, {"copies": 1, "seed": -1}])
def test_impossible_options(options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="U104"):
        SampleConnections(**options)


def test_straight_through_signs_are_steps() -> None:
    """What training leaves of sign(x), x + (sign(x) - x), is drawn like sign(x) and reaches the chip."""
    rng = np.random.default_rng(11)
    graph = start((30,)).add("sum", Linear(uniform(rng, 8, 30)), "bits")
    graph = graph.add("reached", Step(ZERO), "sum").add("passed", Step(next_above(ZERO)), "sum")
    graph = graph.add("both", Add(), "reached", "passed").add("sign", Bias(np.float32(-1)), "both")
    plain = graph.add("last", Linear(uniform(rng, 5, 8)), "sign").add("fire", Step(HALF), "last")
    plain = plain.add("out", Output(), "fire")
    through = graph.add("minus", Scale(np.float32(-1)), "sum").add("change", Add(), "sign", "minus")
    through = through.add("through", Add(), "sum", "change").add("last", plain["last"].operator, "through")
    through = through.add("fire", Step(HALF), "last").add("out", Output(), "fire")
    x, result = samples(plain), drawn(through, 3)
    np.testing.assert_array_equal(evaluate(result, x), evaluate(drawn(plain, 3), x))
    trace = simulate(MapNative()(result, Context()), x[None], len(x), record=("spikes",))
    np.testing.assert_array_equal(
        trace.spikes["fire.copy3"][0], evaluate_nodes(result, x, ["fire.copy3"])["fire.copy3"]
    )
