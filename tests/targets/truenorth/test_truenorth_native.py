"""Networks of steps mapped one to one: equal to onnxruntime with a new sample every tick, on neurons without memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_nets import run

import snnc
from snnc.errors import PassError
from snnc.formats.onnx import export_onnx, read_model
from snnc.graph import (
    Add,
    ArgMax,
    BatchNorm,
    Bias,
    Concat,
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
    Step,
)
from snnc.graph.operators.base import Array
from snnc.graph.operators.step import next_above
from snnc.pipeline import Context, Pipeline
from snnc.simulate import simulate
from snnc.targets.truenorth.check import check_program
from snnc.targets.truenorth.native import MapNative
from snnc.targets.truenorth.neuron import TrueNorthNeuron
from snnc.targets.truenorth.program import TrueNorthProgram
from snnc.targets.truenorth.stream import present_stream

EXAMPLES = Path(__file__).parents[3] / "examples"
HALF = np.array(0.5, np.float32)
QUIET = list(HealthCheck)


def mapped(graph: Graph) -> Graph:
    return Pipeline((MapNative(),))(graph, Context())


def streamed(graph: Graph, x: Array) -> Array:
    """The answers of an integer graph to samples presented one a tick, to two runs of it."""
    ticks = len(x) // 2
    trace = simulate(graph, x.reshape(2, ticks, *x.shape[1:]), ticks, record=("output",))
    means = trace.output_by_tick
    sums = means * np.arange(1, ticks + 1).reshape(1, -1, *(1,) * (means.ndim - 2))
    return np.diff(sums, axis=1, prepend=0).reshape(2 * ticks, *means.shape[2:]).round(6)


def samples(graph: Graph, count: int = 24) -> Array:
    shape = graph.inputs[0].operator.infer_shape()
    return np.random.default_rng(8).random((count, *shape), np.float32)


def assert_native(graph: Graph) -> Graph:
    """The integer graph, after comparing its answers with onnxruntime's of the exported network."""
    x = samples(graph)
    integers = mapped(graph)
    np.testing.assert_allclose(streamed(integers, x), run(export_onnx(graph), x), atol=1e-4)
    return integers


def assert_on_chip(graph: Graph) -> TrueNorthProgram:
    """The program: its spikes are those of the unmapped network at every tick, its answers onnxruntime's."""
    compiled = snnc.compile(graph, "truenorth")
    program, x = compiled.program, samples(graph, 30)
    check_program(program, compiled.graph)
    stream = present_stream(program, x, streams=3)
    np.testing.assert_allclose(stream.output, run(export_onnx(graph), x), atol=1e-4)
    sequences = x.reshape(3, 10, *x.shape[1:])
    expected = simulate(compiled.graph, sequences, 10, record=("spikes", "output"))
    found = compiled.run(sequences, 10, record=("spikes", "output"))
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(found.spikes[name], spikes)
    np.testing.assert_equal(found.outputs_by_tick, expected.outputs_by_tick)
    return program


def trinary(rng: np.random.Generator, *shape: int) -> Array:
    return rng.integers(-1, 2, shape).astype(np.float32)


def planes(levels: Array) -> Graph:
    """An input of one channel and its binary planes."""
    repeat = Conv(np.ones((len(levels), 1, 1, 1), np.float32))
    graph = Graph("net").add("in", Input((1, 6, 6))).add("repeat", repeat, "in")
    return graph.add("planes", Step(levels.reshape(-1, 1, 1).astype(np.float32)), "repeat")


def two_layers(last: Operator, weight: Array | None = None) -> Graph:
    rng = np.random.default_rng(3)
    graph = planes(np.array([0.3, 0.7]))
    graph = graph.add("conv", Conv(trinary(rng, 4, 2, 3, 3) if weight is None else weight), "planes")
    graph = graph.add("hidden", last, "conv").add("flat", Flatten(), "hidden")
    return graph.add("read", Linear(trinary(rng, 3, 64)), "flat").add("out", Output(), "read")


@st.composite
def native_graphs(draw: st.DrawFn) -> Graph:
    """Random networks of trinary layers, thresholds between sums, in many spellings."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    graph, tip = planes(rng.random(draw(st.integers(1, 3)))), "planes"
    falling = draw(st.booleans())
    for number in range(draw(st.integers(1, 3))):
        inputs, outputs = graph.shapes[tip][0], draw(st.integers(1, 4))
        groups = inputs if draw(st.booleans()) and outputs % inputs == 0 else 1
        weight = trinary(rng, outputs, inputs // groups, 3, 3)
        bias = (rng.integers(-3, 3, outputs) + 0.5).astype(np.float32)
        conv = Conv(weight, bias if draw(st.booleans()) else None, pads=((1, 1), (1, 0)), groups=groups)
        graph = graph.add(f"conv{number}", conv, tip)
        tip = f"conv{number}"
        for kind in draw(st.lists(st.sampled_from(["norm", "scale", "pool"]), max_size=2, unique=True)):
            graph = graph.add(f"{kind}{number}", _between(kind, outputs, rng, falling), tip)
            tip = f"{kind}{number}"
        graph, tip = _fired(draw, graph, tip, number, rng)
    graph = graph.add("flat", Flatten(), tip)
    size = graph.shapes["flat"][0]
    weight = trinary(rng, 3, size) if draw(st.booleans()) else rng.normal(size=(3, size)).astype(np.float32)
    bias = rng.normal(size=3).astype(np.float32) if draw(st.booleans()) else None
    return graph.add("read", Linear(weight, bias), "flat").add("out", Output(), "read")


def _between(kind: str, channels: int, rng: np.random.Generator, falling: bool) -> Operator:
    if kind == "pool":
        return MaxPool((2, 2), (1, 1), ((0, 1), (0, 1)))
    if kind == "scale":
        return Scale(
            rng.choice([3, -2, -0.3, 0.7] if falling else [0.23, 3], (channels, 1, 1)).astype(np.float32)
        )
    gamma, beta, mean, variance = rng.normal(size=(4, channels)).astype(np.float32)
    return BatchNorm(gamma if falling else np.abs(gamma) + HALF, beta, mean, np.abs(variance) + HALF)


def _fired(
    draw: st.DrawFn, graph: Graph, tip: str, number: int, rng: np.random.Generator
) -> tuple[Graph, str]:
    """A step or a sign, and perhaps two other values than 0 and 1."""
    threshold = np.asarray(rng.integers(-2, 2) + draw(st.sampled_from([0.0, 0.26])), np.float32)
    graph = graph.add(f"step{number}", Step(threshold), tip)
    if draw(st.booleans()):
        graph = graph.add(f"passed{number}", Step(next_above(threshold)), tip)
        graph = graph.add(f"both{number}", Add(), f"step{number}", f"passed{number}")
        return graph.add(f"sign{number}", Bias(np.float32(-1)), f"both{number}"), f"sign{number}"
    if draw(st.booleans()):
        graph = graph.add(f"wide{number}", Scale(np.float32(-2)), f"step{number}")
        return graph.add(f"two{number}", Bias(np.float32(1)), f"wide{number}"), f"two{number}"
    return graph, f"step{number}"


@settings(deadline=None, max_examples=60, suppress_health_check=QUIET)
@given(native_graphs())
def test_random_networks_answer_as_onnxruntime_does(graph: Graph) -> None:
    """Maxima in front of falling maps, which are minima of steps, included."""
    assert_native(graph)


@pytest.mark.parametrize("threshold", [-9.0, -0.5, 0.0, 0.5, 2.0, 30.0])
def test_neurons_forget(threshold: float) -> None:
    """Whatever arrives, the potential is 0 after the tick, and the spike is the step's."""
    graph = mapped(two_layers(Step(np.array(threshold, np.float32))))
    neuron = graph["hidden"].operator
    assert isinstance(neuron, TrueNorthNeuron)
    sums = np.arange(-18, 19).reshape(-1, 1, 1, 1) * np.ones(graph.shapes["hidden"], np.int64)
    state = neuron.start(graph.shapes["hidden"], np.arange(len(sums)), np.dtype(np.int64))
    state, spikes = neuron.step(state, sums)
    assert not state["voltage"].any()
    inputs = graph["conv"].operator.weight.astype(bool).reshape(4, -1).sum(axis=1)
    possible = np.abs(sums) <= inputs.reshape(1, 4, 1, 1)
    np.testing.assert_array_equal(spikes[possible], (sums >= threshold)[possible])


def test_a_strict_step_at_a_whole_bias() -> None:
    """Sum - 3 > 0 needs a sum of 4, though 3 plus the least positive float32 is 3 in floating point."""
    graph = two_layers(Step(next_above(np.zeros((), np.float32))))
    edit = graph.edit()
    edit.set("conv", operator=Conv(graph["conv"].operator.weight, np.full(4, -3, np.float32)))
    integers = assert_native(edit.done())
    assert np.asarray(integers["hidden"].operator.leak) == -4


def test_signs_that_are_never_zero_are_one_neuron() -> None:
    """At sums of half-whole numbers both steps of a sign are one, then the next layer's are one, too."""
    rng = np.random.default_rng(9)
    graph, tip = planes(np.array([0.2, 0.6])), "planes"
    for layer in range(2):
        channels = graph.shapes[tip][0]
        conv = Conv(trinary(rng, 4, channels, 2, 2), np.full(4, 0.5, np.float32))
        graph = graph.add(f"conv{layer}", conv, tip)
        graph = graph.add(f"reached{layer}", Step(np.zeros((), np.float32)), f"conv{layer}")
        graph = graph.add(f"passed{layer}", Step(next_above(np.zeros(()))), f"conv{layer}")
        graph = graph.add(f"both{layer}", Add(), f"reached{layer}", f"passed{layer}")
        tip = f"sign{layer}"
        graph = graph.add(tip, Bias(np.float32(-1)), f"both{layer}")
    graph = graph.add("flat", Flatten(), tip).add("read", Linear(trinary(rng, 3, 64)), "flat")
    integers = assert_native(graph.add("out", Output(), "read"))
    assert [node.name for node in integers.populations] == ["planes", "reached0", "reached1"]


def test_a_maximum_behind_steps_is_a_step_behind_their_sum() -> None:
    graph = planes(np.array([0.4]))
    graph = graph.add("pool", MaxPool((2, 2), (2, 2)), "planes").add("flat", Flatten(), "pool")
    graph = graph.add("read", Linear(np.eye(9, dtype=np.float32)), "flat").add("out", Output(), "read")
    integers = assert_native(graph)
    assert [node.name for node in integers.populations] == ["planes", "pool"]


def test_a_decision_at_the_end_is_left_out() -> None:
    graph = two_layers(Step(HALF))
    edit = graph.edit()
    edit.set("out", inputs=(edit.add("class", ArgMax(0), "read"),))
    x = samples(graph)
    found = streamed(mapped(edit.done()), x).argmax(axis=1)
    np.testing.assert_array_equal(found, run(export_onnx(edit.done()), x))


def test_a_network_that_ends_in_steps_is_read_by_its_spikes() -> None:
    rng = np.random.default_rng(5)
    graph = planes(np.array([0.5])).add("flat", Flatten(), "planes")
    graph = graph.add("read", Linear(trinary(rng, 5, 36)), "flat").add("fire", Step(HALF), "read")
    integers = assert_native(graph.add("out", Output(), "fire"))
    assert integers.outputs[0].inputs == ("fire",)


def code_of(graph: Graph) -> str:
    with pytest.raises(PassError) as caught:
        MapNative()(graph, Context())
    assert caught.value.remedy
    return caught.value.code


def test_what_cannot_be_mapped() -> None:
    rng = np.random.default_rng(6)
    assert code_of(two_layers(Relu())) == "P230"
    assert code_of(two_layers(Step(HALF), rng.normal(size=(4, 2, 3, 3)).astype(np.float32))) == "P231"
    no_steps = Graph("linear").add("in", Input((4,))).add("read", Linear(trinary(rng, 2, 4)), "in")
    assert code_of(no_steps.add("out", Output(), "read")) == "P233"
    mixed = planes(np.array([0.5])).add("sum", Add(), "planes", "in")
    mixed = mixed.add("fire", Step(HALF), "sum").add("out", Output(), "fire")
    assert code_of(mixed) == "P234"
    answer = planes(np.array([0.5])).add("repeated", Add(), "planes", "in")
    assert code_of(answer.add("out", Output(), "repeated")) == "P234"


@pytest.mark.parametrize("inputs", [255, 256])
def test_the_largest_fan_in(inputs: int) -> None:
    """Of the 256 axons of a core one carries the constant input."""
    graph = Graph("wide").add("in", Input((inputs,))).add("bits", Step(HALF), "in")
    graph = graph.add("sum", Linear(np.ones((2, inputs), np.float32)), "bits")
    for name, threshold in (("never", inputs + 9.0), ("all", float(inputs)), ("always", -1.0)):
        fired = graph.add("fire", Step(np.array(threshold, np.float32)), "sum").add("out", Output(), "fire")
        if inputs == 256:
            assert code_of(fired) == "P232"
            continue
        x = np.stack([np.ones(inputs), np.zeros(inputs), np.r_[0.0, np.ones(inputs - 1)], np.ones(inputs)])
        expected = {"never": [0, 0, 0, 0], "all": [1, 0, 0, 1], "always": [1, 1, 1, 1]}[name]
        found = streamed(mapped(fired), x.astype(np.float32))
        np.testing.assert_array_equal(found, np.repeat(np.array(expected)[:, None], 2, axis=1))


def test_a_threshold_that_rounding_decides_is_reported() -> None:
    graph = two_layers(Step(np.array(0.3, np.float32)))
    edit = graph.edit()
    edit.set("conv", operator=Conv(graph["conv"].operator.weight * np.float32(0.1)))
    context = Context()
    MapNative()(edit.done(), context)
    assert [diagnostic.code for diagnostic in context.diagnostics] == ["W230"]


def test_a_step_that_is_read_much_later() -> None:
    """Its spikes are repeated where they would be underway for more than 15 ticks."""
    rng = np.random.default_rng(5)
    graph, tip = Graph("deep").add("in", Input((9,))).add("bits", Step(HALF), "in"), "bits"
    for layer in range(19):
        graph = graph.add(f"map{layer}", Linear(trinary(rng, 9, 9)), tip)
        tip = f"step{layer}"
        graph = graph.add(tip, Step(HALF), f"map{layer}")
    graph = graph.add("both", Concat(), "step0", tip).add("last", Linear(trinary(rng, 5, 18)), "both")
    graph = graph.add("fire", Step(HALF), "last").add("read", Linear(trinary(rng, 3, 5)), "fire")
    assert assert_on_chip(graph.add("out", Output(), "read")).depth == 20


def test_an_answer_of_steps_that_the_host_computes() -> None:
    """Neurons of the chip repeat them, whether there are further steps or not."""
    weight = trinary(np.random.default_rng(1), 3, 72)
    graph = planes(np.array([0.3, 0.7])).add("flat", Flatten(), "planes").add("read", Linear(weight), "flat")
    program = assert_on_chip(graph.add("out", Output(), "read"))
    assert [population.name for population in program.populations] == ["planes", "planes.again"]
    graph = graph.add("more", Linear(trinary(np.random.default_rng(2), 3, 72)), "flat")
    graph = graph.add("hidden", Step(HALF), "more").add("both", Add(), "read", "hidden")
    assert assert_on_chip(graph.add("out", Output(), "both")).depth == 2


def test_an_answer_of_two_populations() -> None:
    graph = two_layers(Step(HALF)).add("twice", Step(np.array(1.5, np.float32)), "conv")
    edit = graph.edit()
    edit.set("flat", inputs=(edit.add("both", Add(), "hidden", "twice"),))
    assert_on_chip(edit.done())


@settings(deadline=None, max_examples=12, suppress_health_check=QUIET)
@given(native_graphs())
def test_programs_of_random_networks(graph: Graph) -> None:
    """On simulated cores, a new sample every tick; the check compares every synapse and register."""
    assert_on_chip(graph)


def test_a_neuron_that_more_cores_listen_to_than_its_own_has_neurons() -> None:
    """Splitters are used where they are needed, and forget as well; they take a tick."""
    rng = np.random.default_rng(4)
    graph = Graph("wide").add("in", Input((250,))).add("bits", Step(HALF), "in")
    graph = graph.add("few", Linear(trinary(rng, 4, 250), np.full(4, 0.5, np.float32)), "bits")
    graph = graph.add("hidden", Step(np.zeros((), np.float32)), "few")
    graph = graph.add("many", Linear(np.ones((70000, 4), np.float32)), "hidden")
    graph = graph.add("wide", Step(np.array(1.5, np.float32)), "many")
    pairs = np.zeros((2, 70000), np.float32)
    pairs[0, :35000] = pairs[1, 35000:] = 1
    graph = graph.add("read", Linear(pairs), "wide").add("out", Output(), "read")
    compiled = snnc.compile(graph, "truenorth")
    check_program(compiled.program, compiled.graph)
    x = samples(graph, 6)
    stream = compiled.stream(x)
    np.testing.assert_array_equal(stream.output, run(export_onnx(graph), x))
    assert stream.latency_ticks == 4


def test_the_trained_example() -> None:
    """All test images that come with the examples; a few of them on the simulated cores."""
    path = EXAMPLES / "trinary_convnet" / "trinary_convnet.onnx"
    data = np.load(EXAMPLES / "data" / "fashion_test.npz")
    x, labels = data["x"], data["y"]
    expected = run_all(path, x)
    integers = mapped(read_model(path).graph)
    found = streamed(integers, x)
    np.testing.assert_array_equal(found, expected)
    assert (found.argmax(axis=1) == labels).mean() > 0.86
    stream = present_stream(snnc.compile(path, "truenorth").program, x[:60], streams=4)
    assert stream.latency_ticks == 5
    np.testing.assert_array_equal(stream.output, expected[:60])


def run_all(path: Path, x: Array) -> Array:
    model = onnx.load(path)
    return np.concatenate([run(model, part) for part in np.array_split(x, 8)])
