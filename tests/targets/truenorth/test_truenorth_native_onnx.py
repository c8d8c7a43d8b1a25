"""Networks of steps as files, in the spellings of exporters and people: decided as onnxruntime does, on the chip."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto
from onnx_nets import OnnxNet, run
from small_models import small_data, small_model

import snnc
from snnc.cli.main import run as command
from snnc.errors import DataError, PassError, UsageError
from snnc.graph import Step
from snnc.graph.evaluate import evaluate_nodes
from snnc.graph.operators.base import Array
from snnc.targets.target import CompileOptions, target_named
from snnc.targets.truenorth import TARGET

SHAPE = (1, 9, 9)
SAMPLES = 40


@dataclass
class Style:
    """How a network is written down."""

    net: OnnxNet
    rng: np.random.Generator
    act: Callable[[Style], None]
    binary: bool = False
    scaled: bool = False

    def constant(self, value: object) -> str:
        return self.net.constant(value)

    def weight(self, *shape: int) -> Array:
        values = self.rng.choice([-1, 1], shape) if self.binary else self.rng.integers(-1, 2, shape)
        scale = self.rng.uniform(0.2, 2, (shape[0], *(1,) * (len(shape) - 1))) if self.scaled else 1
        return (values * scale).astype(np.float32)

    def conv(
        self, outputs: int, kernel: int = 3, *, groups: int = 1, pad: int = 0, bias: bool = True
    ) -> None:
        weight = self.weight(outputs, self.net.shape[0] // groups, kernel, kernel)
        unit = np.abs(weight).reshape(outputs, -1).max(axis=1)
        terms = [self.constant(weight)]
        if bias:
            terms.append(
                self.constant((self.rng.integers(-3, 3, outputs) + 0.3) * np.where(unit > 0, unit, 1))
            )
        self.net.step("Conv", self.net.tip, *terms, group=groups, pads=[pad] * 4)

    def norm(self, falling: bool = False) -> None:
        channels = self.net.shape[0]
        gamma, beta, mean, variance = self.rng.normal(size=(4, channels))
        gamma = gamma if falling else np.abs(gamma) + 0.2
        parts = (gamma, beta * 0.5, mean, np.abs(variance) + 0.5)
        self.net.step("BatchNormalization", self.net.tip, *(self.constant(part) for part in parts))

    def planes(self) -> None:
        self.net.step("GreaterOrEqual", "x", self.constant(np.array([0.2, 0.5, 0.8]).reshape(3, 1, 1)))
        self.net.step("Cast", to=TensorProto.FLOAT)

    def read(self, norm: bool = False) -> onnx.ModelProto:
        self.net.step("Flatten")
        size = self.net.values[self.net.tip].shape[1]
        self.net.step("Gemm", self.net.tip, self.constant(self.weight(4, size)), transB=1)
        if norm:
            scale = self.constant(self.rng.uniform(0.5, 2, 4))
            self.net.step("Mul", self.net.tip, scale)
            self.net.step("Add", self.net.tip, self.constant(self.rng.normal(size=4)))
        return self.net.model()


def gate(kind: str, swapped: bool = False) -> Callable[[Style], None]:
    def act(style: Style) -> None:
        names = (style.net.tip, style.constant(0.0))
        style.net.step(kind, *(names[::-1] if swapped else names))
        style.net.step("Cast", to=TensorProto.FLOAT)

    return act


def sign(style: Style) -> None:
    style.net.step("Sign")


def where(style: Style) -> None:
    style.net.step("GreaterOrEqual", style.net.tip, style.constant(0.0))
    style.net.step("Where", style.net.tip, style.constant(1.0), style.constant(-1.0))


def heaviside(style: Style) -> None:
    signal, zero = style.net.tip, style.constant(0.0)
    below = style.net.step("Less", signal, zero)
    inner = style.net.step("Where", below, zero, style.constant(1.0))
    equal = style.net.step("Equal", signal, zero)
    style.net.step("Where", equal, style.constant(0.0), inner)


def hard_tanh_and_sign(style: Style) -> None:
    style.net.step("Clip", style.net.tip, style.constant(-1.0), style.constant(1.0))
    style.net.step("Sign")


def relu_and_sign(style: Style) -> None:
    style.net.step("Relu")
    style.net.step("Sign")


def sign_and_relu(style: Style) -> None:
    style.net.step("Sign")
    style.net.step("Relu")


def straight_through(style: Style) -> None:
    """As ``soft + (hard - soft).detach()`` is exported."""
    soft = style.net.step("Clip", style.net.tip, style.constant(-1.0), style.constant(1.0))
    where(style)
    style.net.step("Sub", style.net.tip, soft)
    style.net.step("Add", soft, style.net.tip)


def straight_through_identity(style: Style) -> None:
    signal = style.net.tip
    gate("Greater")(style)
    style.net.step("Sub", style.net.tip, signal)
    style.net.step("Add", signal, style.net.tip)


def twice_minus_one(style: Style) -> None:
    gate("GreaterOrEqual")(style)
    style.net.step("Mul", style.net.tip, style.constant(2.0))
    style.net.step("Sub", style.net.tip, style.constant(1.0))


def two_signs(style: Style) -> None:
    """As tf2onnx writes Larq's sign."""
    style.net.step("Sign")
    style.net.step("Add", style.net.tip, style.constant(0.1))
    style.net.step("Sign")


def three_values(style: Style) -> None:
    signal = style.net.tip
    high = style.net.step(
        "Cast", style.net.step("Greater", signal, style.constant(1.0)), to=TensorProto.FLOAT
    )
    low = style.net.step("Cast", style.net.step("Less", signal, style.constant(-1.0)), to=TensorProto.FLOAT)
    style.net.step("Sub", high, low)


ACTIVATIONS = {
    "greater": gate("Greater"),
    "at least": gate("GreaterOrEqual"),
    "below": gate("Less"),
    "swapped": gate("LessOrEqual", swapped=True),
    "sign": sign,
    "where": where,
    "heaviside": heaviside,
    "hard tanh, sign": hard_tanh_and_sign,
    "relu, sign": relu_and_sign,
    "sign, relu": sign_and_relu,
    "straight-through": straight_through,
    "straight-through identity": straight_through_identity,
    "twice minus one": twice_minus_one,
    "two signs": two_signs,
    "three values": three_values,
}


def plain(style: Style) -> None:
    style.planes()
    for channels in (8, 6):
        style.conv(channels)
        style.act(style)


def normalised(style: Style) -> None:
    style.planes()
    for channels in (8, 6):
        style.conv(channels, bias=False)
        style.norm(falling=True)
        style.act(style)


def pooled_before(style: Style) -> None:
    """Maximum, normalisation with factors of both signs, step: the usual order of binary networks."""
    style.planes()
    style.conv(6, bias=False)
    style.net.step("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    style.norm(falling=True)
    style.act(style)
    style.conv(5, 2)
    style.act(style)


def pooled_after(style: Style) -> None:
    style.planes()
    style.conv(6)
    style.act(style)
    style.net.step("MaxPool", kernel_shape=[2, 2], strides=[1, 1], pads=[0, 1, 0, 0])
    style.net.step("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    style.conv(5, 2)
    style.act(style)


def averaged(style: Style) -> None:
    style.planes()
    style.conv(6)
    style.act(style)
    style.net.step("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    style.conv(5, 1, groups=1)
    style.act(style)


def residual(style: Style) -> None:
    """A sum of two layers' steps, and a concatenation, read by a layer of groups."""
    style.planes()
    style.conv(6)
    style.act(style)
    first = style.net.tip
    style.conv(6, pad=1)
    style.act(style)
    both = style.net.step("Add", first, style.net.tip)
    style.net.step("Concat", both, first, axis=1)
    style.conv(4, groups=2)
    style.act(style)


def on_the_host(style: Style) -> None:
    """Steps of real numbers and a pool of them: the first layer reads the samples."""
    style.net.step("Sub", "x", style.constant(0.4))
    style.conv(5)
    style.norm()
    style.act(style)
    style.net.step("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    style.conv(4, 2)
    style.act(style)


LAYERS = [plain, normalised, pooled_before, pooled_after, averaged, residual, on_the_host]


def samples(seed: int = 1) -> Array:
    return np.random.default_rng(seed).random((SAMPLES, *SHAPE), np.float32)


def made(
    layers: Callable[[Style], None], act: Callable[[Style], None], seed: int, **how: bool
) -> onnx.ModelProto:
    style = Style(OnnxNet(SHAPE), np.random.default_rng(seed), act, **how)
    layers(style)
    return style.read(norm=seed % 2 == 1)


def clear(answers: Array) -> Array:
    """Where the two largest answers differ by more than rounding, or all are whole numbers and there is none."""
    last, first = np.sort(answers, axis=1)[:, -2:].T
    return (first - last > 1e-4) | bool((answers == np.rint(answers)).all())


def assert_same_decisions(model: onnx.ModelProto, path: Path) -> None:
    """From the file to the chip: the answers are onnxruntime's, and the spikes are the steps of the ANN."""
    onnx.save(model, path)
    compiled = snnc.compile(path, target="truenorth")
    x = samples()
    trace, expected = compiled.run(x, record=("spikes",)), run(model, x)
    np.testing.assert_allclose(trace.output, expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(
        trace.output.argmax(axis=1)[clear(expected)], expected.argmax(axis=1)[clear(expected)]
    )
    assert compiled.ann is not None
    names = [name for name in trace.spikes if name in compiled.ann]
    names = [name for name in names if compiled.ann.shapes[name] == compiled.graph.shapes[name]]
    steps = [name for name in names if isinstance(compiled.ann[name].operator, Step)]
    values = evaluate_nodes(compiled.ann, x, steps)
    for name in steps:
        np.testing.assert_array_equal(trace.spikes[name][:, 0], values[name] > 0, name)


def test_signs_that_may_be_zero_beside_signs_that_may_not(tmp_path: Path) -> None:
    """The first are two steps and the second one of twice their strength; a residual sum has both."""
    style = Style(OnnxNet(SHAPE), np.random.default_rng(3), sign)
    style.net.step("Conv", style.net.tip, style.constant(style.rng.normal(size=(4, 1, 3, 3))), pads=[1] * 4)
    style.net.step("Sign")
    shortcut = style.net.tip
    style.conv(4, pad=1)
    style.net.step("Sign")
    style.net.step("Add", style.net.tip, shortcut)
    style.net.step("Sign")
    assert_same_decisions(style.read(), tmp_path / "signs.onnx")


@pytest.mark.parametrize("layers", LAYERS, ids=lambda layers: layers.__name__)
@pytest.mark.parametrize("act", ACTIVATIONS.values(), ids=ACTIVATIONS.keys())
def test_every_activation_in_every_order(
    layers: Callable[[Style], None], act: Callable[[Style], None], tmp_path: Path
) -> None:
    assert_same_decisions(made(layers, act, 2), tmp_path / "net.onnx")


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    layers=st.sampled_from(LAYERS),
    act=st.sampled_from(list(ACTIVATIONS.values())),
    seed=st.integers(0, 2**16),
    binary=st.booleans(),
    scaled=st.booleans(),
)
def test_drawn_networks(
    tmp_path_factory: pytest.TempPathFactory,
    layers: Callable[[Style], None],
    act: Callable[[Style], None],
    seed: int,
    binary: bool,
    scaled: bool,
) -> None:
    """Weights -1 and 1 or -1, 0 and 1, times a number of each neuron where that is allowed."""
    scaled = scaled and layers is not residual
    model = made(layers, act, seed, binary=binary, scaled=scaled)
    assert_same_decisions(model, tmp_path_factory.mktemp("drawn") / "net.onnx")


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model of steps and labelled data."""
    monkeypatch.chdir(tmp_path)
    model = made(pooled_before, sign, 4)
    onnx.save(model, "net.onnx")
    x = samples(3)
    np.savez("data.npz", x=x, y=run(model, x).argmax(axis=1))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert command(arguments) == 0
    return capsys.readouterr().out


def test_from_the_command_line(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tick an image, every decision the ANN's, after a tick as after many."""
    text = said(capsys, "compile", "net.onnx", "--target", "truenorth", "--print-passes")
    assert text.strip() == "map-native,split-fan-out{only-needed=true}"
    compiled = json.loads(said(capsys, "compile", "net.onnx", "--target", "truenorth", "--json"))
    assert [step["name"] for step in compiled["passes"]] == [
        "simplify",
        "map-native",
        "split-fan-out",
        "lower",
    ]
    assert compiled["passes"][1]["error"] == 0
    assert compiled["notes"] == compiled["warnings"] == []
    inspected = json.loads(said(capsys, "inspect", "net.onnx", "--target", "truenorth", "--json"))
    for count in ("cores", "neurons", "synapses"):
        assert inspected[count] == compiled[count]
    found = json.loads(said(capsys, "eval", "net.snnc", "--data", "data.npz", "--json"))
    assert (found["ticks"], found["accuracy"], found["agreement"]) == (1, 1.0, 1.0)
    assert found["pipelined_samples_per_second"] == pytest.approx(1000)
    many = json.loads(said(capsys, "eval", "net.snnc", "--data", "data.npz", "--ticks", "5", "--json"))
    assert many["accuracy_by_tick"] == [1.0] * 5
    assert many["latency_ticks"] == found["latency_ticks"] + 4
    assert "map-native" in said(capsys, "passes")


def test_a_stream_from_the_command_line(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A new image every tick: the same decisions and spikes, for the static energy of one tick."""
    said(capsys, "compile", "net.onnx", "--target", "truenorth")
    found = json.loads(said(capsys, "eval", "net.snnc", "--data", "data.npz", "--stream", "--json"))
    alone = json.loads(said(capsys, "eval", "net.snnc", "--data", "data.npz", "--json"))
    for figure in ("samples", "ticks", "accuracy", "agreement", "spikes_per_sample", "latency_ticks"):
        assert found[figure] == alone[figure], figure
    assert found["accuracy_by_tick"] == [1.0]
    assert found["pipelined_samples_per_second"] == pytest.approx(1000)
    assert found["throughput_samples_per_second"] is None
    assert found["latency_seconds_per_sample"] == pytest.approx(alone["latency_seconds_per_sample"])
    static = found["static_joules_per_sample"]
    assert static * found["latency_ticks"] == pytest.approx(alone["static_joules_per_sample"])
    many = np.concatenate([samples(seed) for seed in range(4)])[:131]
    compiled = snnc.load("net.snnc")
    for count in (1, 131):
        figures = snnc.evaluate(compiled, many[:count], stream=True)
        assert figures.agreement == 1
        assert figures.energy_joules_per_sample == pytest.approx(found["energy_joules_per_sample"], rel=0.2)


def test_streams_that_cannot_be(workplace: Path) -> None:
    x = samples()
    compiled = snnc.compile("net.onnx", "truenorth")
    with pytest.raises(DataError, match="D101"):
        compiled.stream(x[None])
    with pytest.raises(UsageError, match="U212"):
        snnc.evaluate(compiled, x, ticks=2, stream=True)
    rates = snnc.compile(small_model(), "truenorth", calibration=small_data(16, 2)[0])
    with pytest.raises(UsageError, match="U211"):
        rates.stream(small_data(2)[0])
    with pytest.raises(UsageError, match="U211"):
        snnc.compile(small_model(), "loihi").stream(small_data(2)[0])


@pytest.mark.parametrize("count", [0, 1, 33, 70])
def test_a_stream_of_any_length(workplace: Path, count: int) -> None:
    compiled = snnc.compile("net.onnx", "truenorth")
    x = np.concatenate([samples(6), samples(7)])[:count]
    stream, trace = compiled.stream(x), compiled.run(x)
    np.testing.assert_equal(stream.output, trace.output)
    assert stream.spike_counts == {name: counts.sum() for name, counts in trace.spike_counts.items()}
    assert stream.latency_ticks == trace.latency_ticks


def test_the_ticks_of_a_network_of_steps(workplace: Path) -> None:
    assert snnc.compile("net.onnx", "truenorth").options.ticks == 1
    assert snnc.compile("net.onnx", "truenorth", ticks=3).options.ticks == 3


@pytest.mark.parametrize(
    ("choices", "code"),
    [
        ({"input": "poisson"}, "U313"),
        ({"max_pool": "average"}, "U313"),
        ({"max_pool": "gate"}, "U313"),
        ({"weight_bits": 1}, "U104"),
    ],
)
def test_choices_that_contradict_steps(workplace: Path, choices: dict[str, object], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        snnc.compile("net.onnx", "truenorth", **choices)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert caught.value.remedy


def test_choices_that_change_nothing(workplace: Path) -> None:
    plain = TARGET.pack(snnc.compile("net.onnx", "truenorth").program)
    choices = {"reset": "zero", "input": "host", "weight_bits": 2, "balance": "model", "readout": "count"}
    other = TARGET.pack(snnc.compile("net.onnx", "truenorth", **choices).program)  # type: ignore[arg-type]
    assert plain.header == other.header
    for name, array in plain.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name])


def test_steps_and_other_activations_do_not_mix(workplace: Path) -> None:
    style = Style(OnnxNet(SHAPE), np.random.default_rng(0), sign)
    style.planes()
    style.conv(4)
    style.net.step("Relu")
    style.conv(4)
    sign(style)
    with pytest.raises(PassError) as caught:
        snnc.compile(style.read(), "truenorth")
    assert caught.value.code == "P230"
    assert caught.value.node == "relu3"


def test_an_artefact_holds_the_map_behind_the_spikes(workplace: Path) -> None:
    compiled = snnc.compile("net.onnx", "truenorth")
    compiled.save("kept.snnc")
    x = samples(5)
    np.testing.assert_array_equal(snnc.load("kept.snnc").run(x).output, compiled.run(x).output)


def test_estimates_are_the_cores_of_the_program() -> None:
    chip = target_named("truenorth")
    for number, layers in enumerate(LAYERS):
        graph = snnc.import_onnx(made(layers, sign, number))
        usage, compiled = chip.estimate(graph, CompileOptions()), snnc.compile(graph, "truenorth")
        assert (usage.cores, usage.neurons, usage.synapses) == (
            compiled.usage.cores,
            compiled.usage.neurons,
            compiled.usage.synapses,
        )
        assert {layer.name for layer in usage.layers} == {layer.name for layer in compiled.usage.layers}
