"""Networks of several inputs and outputs: imported, evaluated, converted, simulated and read from files by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import snnc
from snnc.cli.main import run
from snnc.errors import DataError, PassError, UsageError
from snnc.formats.dataset import load_dataset
from snnc.formats.trace_file import write_trace
from snnc.graph import IF, Delay, Flatten, Graph, Input, Linear, Output, evaluate_nodes
from snnc.graph.evaluate import evaluate, evaluate_outputs
from snnc.graph.operators.base import Array
from snnc.passes import BalanceThresholds, ConvertToSpiking, EncodeInput, ScaleInput
from snnc.pipeline import Pass
from snnc.simulate import simulate


def two_heads() -> onnx.ModelProto:
    """An image and a vector through a shared convolution and a dense layer, with a class head and a box head."""
    rng = np.random.default_rng(0)

    def constant(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array((rng.normal(size=shape) * 0.5).astype(np.float32), name)

    weights = [constant("conv", 3, 1, 3, 3), constant("fc", 8, 48), constant("side", 8, 4)]
    weights += [constant("class", 5, 8), constant("box", 4, 8)]
    nodes = [
        helper.make_node("Conv", ["image", "conv"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Flatten", ["r"], ["f"], name="flat"),
        helper.make_node("Gemm", ["f", "fc"], ["g"], transB=1, name="fc"),
        helper.make_node("Gemm", ["vector", "side"], ["s"], transB=1, name="side"),
        helper.make_node("Add", ["g", "s"], ["a"], name="join"),
        helper.make_node("Relu", ["a"], ["h"], name="hidden"),
        helper.make_node("Gemm", ["h", "class"], ["classes"], transB=1, name="classes"),
        helper.make_node("Gemm", ["h", "box"], ["boxes"], transB=1, name="boxes"),
    ]
    inputs = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 6, 6]),
        helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", 4]),
    ]
    outputs = [
        helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["n", 5]),
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["n", 4]),
    ]
    graph = helper.make_graph(nodes, "detector", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def samples(count: int, seed: int = 1) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {
        "image": rng.random((count, 1, 6, 6), np.float32),
        "vector": rng.random((count, 4), np.float32) * 3,
    }


def original(model: onnx.ModelProto, x: dict[str, Array]) -> dict[str, Array]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(["classes", "boxes"], session.run(["classes", "boxes"], x), strict=True))


def spiking(x: dict[str, Array]) -> Graph:
    graph = snnc.import_onnx(two_heads())
    steps = [ScaleInput(), BalanceThresholds(), ConvertToSpiking(), EncodeInput()]
    return snnc.Pipeline(steps)(graph, snnc.Context(calibration=x))


def test_an_imported_network_has_its_inputs_and_outputs_by_name() -> None:
    model, x = two_heads(), samples(7)
    graph = snnc.import_onnx(model)
    assert [node.name for node in graph.inputs] == ["image", "vector"]
    found, expected = evaluate_outputs(graph, x, batch=3), original(model, x)
    assert list(found) == ["classes", "boxes"]
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)
    with pytest.raises(UsageError, match="U206"):
        evaluate(graph, x)


def test_the_spiking_network_answers_both_and_is_right() -> None:
    x = samples(12)
    trace = simulate(spiking(x), x, 512, record=("output",))
    for name, values in original(two_heads(), x).items():
        assert trace.outputs[name].shape == values.shape
        assert np.abs(trace.outputs[name] - values).max() < 0.05 * np.abs(values).max()
        assert (trace.outputs_by_tick[name][:, -1] == trace.outputs[name]).all()
    with pytest.raises(UsageError, match="classes, boxes") as error:
        _ = trace.output
    assert error.value.code == "U206"


def test_the_bits_depend_on_no_batch_and_pieces_are_the_whole() -> None:
    x = samples(5)
    graph = spiking(x)
    whole = simulate(graph, x, 20, record=("spikes", "output"))
    small = simulate(graph, x, 20, record=("spikes", "output"), batch=2, threads=2)
    first = simulate(graph, x, 8, keep_state=True)
    second = simulate(graph, x, 12, state=first.state)
    for name in ("classes", "boxes"):
        assert (whole.outputs_by_tick[name] == small.outputs_by_tick[name]).all()
        assert (whole.outputs[name] == second.outputs[name]).all()


def test_one_input_may_move_while_the_other_stays() -> None:
    graph = Graph("g").add("a", Input((2,))).add("b", Input((2,))).add("p", IF(1.0), "a", "b")
    graph = (
        graph.add("d", Delay(1), "a")
        .add("q", IF(1.0), "d")
        .add("out", Output(), "p")
        .add("late", Output(), "q")
    )
    moving, still = np.random.default_rng(2).integers(0, 3, (3, 9, 2)) / 4, np.full((3, 2), 0.25)
    trace = simulate(graph, {"a": moving, "b": still}, 9, record=("voltage", "spikes"))
    charge = np.cumsum(moving + 0.25, axis=1)
    assert (trace.voltage["p"] + np.cumsum(trace.spikes["p"], axis=1) == charge).all()
    assert (trace.outputs["out"] == trace.spikes["p"].mean(axis=1)).all()
    assert (trace.outputs["late"] == trace.spikes["q"].mean(axis=1)).all()


def test_a_pass_that_changes_the_second_output_is_caught() -> None:
    graph = Graph("g").add("in", Input((2,))).add("f", Flatten(), "in").add("w", Linear(np.eye(2)), "f")
    graph = graph.add("first", Output(), "w").add("v", Linear(np.eye(2)), "f").add("second", Output(), "v")

    class Spoil(Pass):
        name = "spoil"

        def __call__(self, graph: Graph, context: snnc.Context) -> Graph:
            edit = graph.edit()
            edit.set("v", operator=Linear(2 * np.eye(2)))
            return edit.done()

    class Lose(Pass):
        name = "lose"

        def __call__(self, graph: Graph, context: snnc.Context) -> Graph:
            return Graph("g", [node for node in graph if node.name not in ("v", "second")])

    with pytest.raises(PassError, match="P001"):
        snnc.Pipeline([Spoil()])(graph)
    with pytest.raises(PassError, match="first, second became first") as error:
        snnc.Pipeline([Lose()])(graph)
    assert error.value.code == "P003"


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((2, 1, 6, 6)),
        {"image": np.zeros((2, 1, 6, 6))},
        {"image": np.zeros((2, 1, 6, 6)), "vektor": np.zeros((2, 4))},
        {"image": np.zeros((2, 1, 6, 6)), "vector": np.zeros((2, 5))},
    ],
)
def test_samples_that_are_no_inputs_are_refused_with_the_names(x: Array) -> None:
    graph = snnc.import_onnx(two_heads())
    with pytest.raises(DataError, match="D101"):
        evaluate_nodes(graph, x, ["classes"])


def test_unlike_numbers_of_samples_are_refused() -> None:
    graph = snnc.import_onnx(two_heads())
    with pytest.raises(DataError, match="D105"):
        evaluate_nodes(graph, {**samples(2), "vector": np.zeros((3, 4))}, ["classes"])


def test_a_data_file_holds_an_array_by_each_inputs_name(tmp_path: Path) -> None:
    shapes = {"image": (1, 6, 6), "vector": (4,)}
    x, path = samples(3), tmp_path / "data.npz"
    np.savez(path, **x, y=np.arange(3))
    given = load_dataset(path, shapes, (5,))
    assert len(given) == 3 and given.y is not None and given.y.tolist() == [0, 1, 2]
    assert all((given.x.arrays[name] == values).all() for name, values in x.items())
    np.savez(path, x=x["image"])
    with pytest.raises(DataError, match="no array image, vector") as error:
        load_dataset(path, shapes)
    assert error.value.code == "D113"
    np.savez(path, image=x["image"], vector=x["vector"][:2])
    with pytest.raises(DataError, match="D105"):
        load_dataset(path, shapes)
    np.savez(path, image=x["image"])
    assert (load_dataset(path, {"image": (1, 6, 6)}).x == x["image"]).all()


def test_a_trace_file_names_several_outputs(tmp_path: Path) -> None:
    x = samples(2)
    names = write_trace(tmp_path / "trace.npz", simulate(spiking(x), x, 4))
    assert "output:classes" in names and "output:boxes" in names


@pytest.mark.parametrize(("target", "ticks", "bound"), [("loihi", 128, 0.08), ("truenorth", 256, 0.15)])
def test_a_chip_answers_both_as_the_network_does_and_right(target: str, ticks: int, bound: float) -> None:
    x, model = samples(8), two_heads()
    compiled = snnc.compile(model, target, calibration=samples(64, seed=3), ticks=ticks)
    trace = compiled.run(x, ticks, record=("spikes", "output"))
    expected = simulate(compiled.graph, x, ticks, record=("spikes", "output"))
    assert list(trace.outputs) == ["classes", "boxes"]
    for name, spikes in expected.spikes.items():
        assert (trace.spikes[name] == spikes).all(), name
    for name, values in original(model, x).items():
        assert (trace.outputs[name] == expected.outputs[name]).all()
        assert (trace.outputs_by_tick[name] == expected.outputs_by_tick[name]).all()
        assert np.abs(trace.outputs[name] - values).max() < bound * np.abs(values).max()


def test_an_artefact_keeps_inputs_and_outputs_by_name(tmp_path: Path) -> None:
    x = samples(3)
    compiled = snnc.compile(two_heads(), "loihi", calibration=x, ticks=8)
    compiled.save(tmp_path / "two.snnc")
    again = snnc.load(tmp_path / "two.snnc")
    assert dict(again.input_shapes) == {"image": (1, 6, 6), "vector": (4,)}
    first, second = compiled.run(x), again.run(x)
    for name in ("classes", "boxes"):
        assert (first.outputs[name] == second.outputs[name]).all()


def siamese() -> onnx.ModelProto:
    """One dense layer on both of two inputs, and a layer on what the two give."""
    rng = np.random.default_rng(4)
    weights = [
        numpy_helper.from_array((rng.normal(size=(6, 5)) * 0.6).astype(np.float32), "shared"),
        numpy_helper.from_array((rng.normal(size=(3, 12)) * 0.5).astype(np.float32), "last"),
    ]
    nodes = []
    for side in ("left", "right"):
        nodes.append(
            helper.make_node("Gemm", [side, "shared"], [f"{side}_d"], transB=1, name=f"{side}_dense")
        )
        nodes.append(helper.make_node("Relu", [f"{side}_d"], [f"{side}_r"], name=f"{side}_relu"))
    nodes.append(helper.make_node("Concat", ["left_r", "right_r"], ["both"], axis=1, name="both"))
    nodes.append(helper.make_node("Gemm", ["both", "last"], ["y"], transB=1, name="last"))
    inputs = [helper.make_tensor_value_info(s, TensorProto.FLOAT, ["n", 5]) for s in ("left", "right")]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])]
    graph = helper.make_graph(nodes, "siamese", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(("target", "ticks", "bound"), [("loihi", 128, 0.08), ("truenorth", 256, 0.15)])
def test_weights_shared_by_two_branches(target: str, ticks: int, bound: float) -> None:
    rng = np.random.default_rng(5)
    x = {side: rng.random((6, 5), np.float32) for side in ("left", "right")}
    compiled = snnc.compile(siamese(), target, calibration=x, ticks=ticks)
    trace = compiled.run(x, ticks, record=("spikes",))
    expected = simulate(compiled.graph, x, ticks, record=("spikes",))
    for name, spikes in expected.spikes.items():
        assert (trace.spikes[name] == spikes).all(), name
    assert (trace.output == expected.output).all()
    session = onnxruntime.InferenceSession(siamese().SerializeToString(), providers=["CPUExecutionProvider"])
    (values,) = session.run(None, x)
    assert np.abs(trace.output - values).max() < bound * np.abs(values).max()


def test_shapes_of_several_inputs_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model = two_heads()
    for entry, sizes in zip(model.graph.input, (["n", 1, "h", "w"], ["n", "m"]), strict=True):
        entry.CopyFrom(helper.make_tensor_value_info(entry.name, TensorProto.FLOAT, sizes))
    onnx.save(model, "heads.onnx")
    shapes = ("--input-shape", "image=1,6,6", "--input-shape", "vector=4")
    assert run(["export", "heads.onnx", "-o", "out.onnx", "-q", *shapes]) == 0
    x = samples(3)
    for name, values in original(onnx.load("out.onnx"), x).items():
        np.testing.assert_allclose(values, original(two_heads(), x)[name], rtol=1e-5, atol=1e-6)
    for arguments, code in (
        (("--input-shape", "4"), "M119"),
        ((*shapes, "--input-shape", "other=4"), "M119"),
        (("--input-shape", "1,6,6", "--input-shape", "vector=4"), "U001"),
        (("--input-shape", "image=1,6,6", "--input-shape", "image=1,6,6"), "U001"),
        (("--input-shape", "image=a"), "U001"),
    ):
        assert run(["export", "heads.onnx", "-o", "no.onnx", *arguments]) != 0
        assert f"[{code}]" in capsys.readouterr().err
    assert not Path("no.onnx").exists()
