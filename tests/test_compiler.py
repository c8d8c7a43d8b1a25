from __future__ import annotations

import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from fake_target import FakeTarget
from small_models import SHAPE, small_data, small_model, write_small

import snnc
from snnc.choices import BalancingMethod, InputMode
from snnc.compiled import Compiled
from snnc.compiler import planned_passes, transformed_ann
from snnc.errors import (
    ArtifactError,
    DataError,
    MappingError,
    ModelError,
    UsageError,
)
from snnc.formats.artifact import ArtefactContents, read_artifact, write_artifact
from snnc.graph import ArgMax, CurrentLIF, Graph, Input, Integrator, Level, Linear, Output, Readout, Softmax
from snnc.pass_text import parse_passes
from snnc.passes import FoldBatchNorm
from snnc.pipeline import Guarantee
from snnc.targets import target as registry

X, Y = small_data()
CALIBRATION, _ = small_data(16, 2)


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "targets", lambda: {"fake": FakeTarget()})


def compiled_small(**changes: Any) -> Compiled:
    return snnc.compile(small_model(), "fake", **{"calibration": CALIBRATION, "ticks": 16, **changes})


@pytest.fixture(scope="module")
def small() -> Compiled:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "targets", lambda: {"fake": FakeTarget()})
        return compiled_small()


def test_the_result(small: Compiled) -> None:
    assert small.target == "fake"
    assert small.graph.level is Level.INTEGER
    assert small.ann is not None and small.ann.level is Level.ANN
    assert [row.node for row in small.ledger] == ["conv", "relu", "flatten", "dense"]
    assert small.records[0].name == "simplify"
    assert small.options.ticks == 16
    assert small.input_shape == SHAPE
    assert not [item for item in small.diagnostics if item.code == "N301"]


@pytest.mark.parametrize("kind", ["path", "text", "model", "graph"])
def test_every_kind_of_model_gives_the_same_program(small: Compiled, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(small_model(), path)
    model: Any = {"path": path, "text": str(path), "model": small_model(), "graph": snnc.import_onnx(path)}[
        kind
    ]
    result = snnc.compile(model, "fake", calibration=CALIBRATION, ticks=16)
    assert (result.run(X).output == small.run(X).output).all()
    assert (result.file, bool(result.ledger)) == {
        "path": ("m.onnx", True),
        "text": ("m.onnx", True),
        "model": (None, True),
        "graph": (None, False),
    }[kind]


def test_calibration_from_a_file(small: Compiled, tmp_path: Path) -> None:
    write_small(tmp_path)
    result = compiled_small(calibration=tmp_path / "calibration.npz")
    assert (result.run(X).output == small.run(X).output).all()


def test_without_calibration_a_note_says_what_it_would_improve() -> None:
    notes = [item for item in compiled_small(calibration=None).diagnostics if item.code == "N301"]
    assert len(notes) == 1 and "--calibration" in str(notes[0])


def test_runs_do_not_depend_on_progress(small: Compiled) -> None:
    x, _ = small_data(260)
    seen: list[tuple[str, int, int]] = []
    whole = small.run(x, 8, ("spikes", "output"))
    parts = small.run(x, 8, ("spikes", "output"), progress=lambda *call: seen.append(call))
    assert seen == [("run", 125, 260), ("run", 250, 260), ("run", 260, 260)]
    assert (whole.output_by_tick == parts.output_by_tick).all()
    assert all((whole.spikes[name] == parts.spikes[name]).all() for name in whole.spikes)


def test_hand_written_recurrent_network() -> None:
    rng = np.random.default_rng(0)
    graph = (
        Graph("hand-written")
        .add("in", Input((4,)))
        .add("w", Linear(rng.normal(0, 1, (5, 4))), "in")
        .add("lif", CurrentLIF(voltage_decay=0.1, refractory=2), "w", "back")
        .add("back", Linear(rng.normal(0, 0.3, (5, 5))), "lif")
        .add("out", Output(Readout.COUNT), "lif")
    )
    result = snnc.compile(graph, "fake", ticks=12)
    assert result.ann is None
    trace = result.run(rng.random((3, 4)), record=("spikes", "voltage"))
    assert trace.spikes["lif"].shape == (3, 12, 5)
    assert snnc.evaluate(result, rng.random((3, 4))).agreement is None


class TestChoices:
    def test_texts_become_choices(self) -> None:
        options = compiled_small(input="host", balance="data").options
        assert (options.input, options.balance) == (InputMode.HOST, BalancingMethod.DATA)

    @pytest.mark.parametrize(
        ("choice", "value", "code"),
        [
            ("ticks", 0, "U303"),
            ("ticks", 1.5, "U303"),
            ("ticks", "64", "U303"),
            ("weight_bits", 0, "U303"),
            ("max_chips", -1, "U303"),
            ("percentile", 0, "U303"),
            ("percentile", 100.5, "U303"),
            ("percentile", float("nan"), "U303"),
            ("reset", "maybe", "U302"),
            ("input", "radio", "U302"),
            ("initial", "full", "U302"),
            ("max_pool", "median", "U302"),
            ("readout", "tea-leaves", "U302"),
            ("balance", "astrology", "U302"),
            ("placement", "random", "U302"),
            ("per_channel", "perhaps", "U303"),
        ],
    )
    def test_wrong_values(self, choice: str, value: Any, code: str) -> None:
        with pytest.raises(UsageError) as caught:
            compiled_small(**{choice: value})
        assert caught.value.code == code
        assert choice in caught.value.message

    def test_wrong_seed(self) -> None:
        with pytest.raises(UsageError) as caught:
            compiled_small(seed=-1)
        assert caught.value.code == "U303"

    def test_unknown_target(self) -> None:
        with pytest.raises(UsageError) as caught:
            snnc.compile(small_model(), "abacus")
        assert caught.value.code == "U301" and "fake" in str(caught.value)


class TestPasses:
    def test_the_planned_passes_are_those_that_run(self, small: Compiled) -> None:
        steps = planned_passes(small_model(), "fake", ticks=16, calibration=CALIBRATION)
        assert [record.text for record in small.records] == [
            "simplify",
            *(step.text for step in steps),
            "lower",
        ]

    def test_a_pipeline_as_passes(self, small: Compiled) -> None:
        steps = planned_passes(small_model(), "fake", ticks=16)
        again = compiled_small(passes=(FoldBatchNorm(), *steps[1:]))
        assert (again.run(X).output == small.run(X).output).all()

    def test_passes_that_end_too_early(self) -> None:
        with pytest.raises(UsageError) as caught:
            compiled_small(passes="fold-batch-norm")
        assert caught.value.code == "U304"

    def test_observed_graphs(self) -> None:
        seen: list[str] = []
        compiled_small(observe=lambda step, graph: seen.append(f"{step.name} {graph.level.value}"))
        assert seen[:2] == ["simplify ann", "fold-batch-norm ann"] and seen[-1].endswith("integer")


class TestFit:
    def test_a_network_too_large_is_refused_before_calibration(self, tmp_path: Path) -> None:
        """The calibration file is absent, which would be an error if it came to that."""
        model = small_model()
        big = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 1, 40, 40])
        del model.graph.input[:]
        model.graph.input.append(big)
        del model.graph.node[2:]
        model.graph.node[1].output[0] = "y"
        del model.graph.output[0].type.tensor_type.shape.dim[:]
        with pytest.raises(MappingError) as caught:
            snnc.compile(model, "fake", calibration=tmp_path / "absent.npz", max_chips=1)
        text = str(caught.value)
        assert caught.value.code == "T001"
        assert "29 cores on 8 chips" in text and "relu: 29 cores" in text and "--reset zero" in text

    def test_a_network_that_fits(self) -> None:
        assert compiled_small(max_chips=1).usage.chips == 1


class TestBadData:
    @pytest.mark.parametrize(
        ("x", "code"),
        [
            (np.zeros((2, 6, 6)), "D101"),
            (np.zeros(()), "D101"),
            (np.full((1, *SHAPE), np.nan), "D102"),
            (np.full((1, *SHAPE), np.inf), "D102"),
            (np.full((1, *SHAPE), "a"), "D102"),
            (np.full((1, *SHAPE), None), "D102"),
            (np.zeros((1, *SHAPE), complex), "D102"),
        ],
    )
    def test_samples(self, small: Compiled, x: Any, code: str) -> None:
        for use in (small.run, lambda x: snnc.evaluate(small, x), lambda x: compiled_small(calibration=x)):
            with pytest.raises(DataError) as caught:
                use(x)
            assert caught.value.code == code

    def test_integers_are_samples(self, small: Compiled) -> None:
        assert small.run(np.ones((1, *SHAPE), np.uint8)).output.shape == (1, 3)

    def test_no_samples(self, small: Compiled) -> None:
        empty = np.zeros((0, *SHAPE))
        with pytest.raises(DataError):
            snnc.evaluate(small, empty)
        with pytest.raises(DataError):
            compiled_small(calibration=empty)

    def test_labels(self, small: Compiled) -> None:
        with pytest.raises(DataError) as caught:
            snnc.evaluate(small, X, Y[:-1])
        assert caught.value.code == "D103"

    def test_ticks_and_recordings(self, small: Compiled) -> None:
        with pytest.raises(UsageError):
            small.run(X, 0)
        with pytest.raises(UsageError):
            small.run(X, record=("dreams",))

    def test_no_model(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError) as caught:
            snnc.compile(tmp_path / "absent.onnx", "fake")
        assert caught.value.code == "M101"


class TestEvaluation:
    def test_figures(self, small: Compiled) -> None:
        result = snnc.evaluate(small, X, Y)
        trace = small.run(X, record=("output",))
        assert small.ann is not None and trace.output_by_tick is not None
        chip = trace.output.argmax(axis=1)
        ann = _ann_outputs().argmax(axis=1)
        assert (result.samples, result.ticks) == (20, 16)
        assert result.accuracy == np.mean(chip == Y)
        assert result.ann_accuracy == np.mean(ann == Y)
        assert result.agreement == np.mean(chip == ann)
        assert result.spikes_per_sample == sum(int(c.sum()) for c in trace.spike_counts.values()) / 20
        assert len(result.accuracy_by_tick) == 16 and result.accuracy_by_tick[-1] == result.accuracy
        assert result.accuracy_by_tick[3] == np.mean(trace.output_by_tick[:, 3].argmax(axis=1) == Y)
        assert result.energy_joules_per_sample is None and result.latency_seconds_per_sample is None

    def test_batches_add_up(self, small: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = snnc.evaluate(small, X, Y)
        monkeypatch.setattr("snnc.report.evaluation.SAMPLES_AT_ONCE", 7)
        parts = snnc.evaluate(small, X, Y)
        others = {"synaptic_operations_per_sample": None, "errors_to_ann": None}
        assert replace(parts, **others) == replace(whole, **others)
        # The ANN's float32 products are rounded otherwise in batches of another size.
        assert asdict(parts.errors_to_ann) == pytest.approx(asdict(whole.errors_to_ann), rel=1e-5)

    def test_without_labels(self, small: Compiled) -> None:
        result = snnc.evaluate(small, X)
        assert result.accuracy is None and result.ann_accuracy is None and result.accuracy_by_tick == ()
        assert result.agreement is not None

    @pytest.mark.parametrize("decision", ["Softmax", "ArgMax"])
    def test_a_decision_at_the_end_changes_nothing(self, small: Compiled, decision: str) -> None:
        result = snnc.compile(small_model(decision=decision), "fake", calibration=CALIBRATION, ticks=16)
        assert result.ann is not None and result.ann.of_type(Softmax, ArgMax)
        assert snnc.evaluate(result, X, Y) == snnc.evaluate(small, X, Y)

    def test_a_network_of_one_output_makes_no_decision(self) -> None:
        graph = (
            Graph("one")
            .add("in", Input((4,)))
            .add("w", Linear(np.ones((1, 4))), "in")
            .add("i", Integrator(), "w")
            .add("out", Output(Readout.POTENTIAL), "i")
        )
        result = snnc.evaluate(snnc.compile(graph, "fake", ticks=4), np.ones((2, 4)), [0, 0])
        assert result.accuracy is None and result.agreement is None and result.accuracy_by_tick == ()


class TestArtefact:
    def test_it_comes_back_as_it_was(self, small: Compiled, tmp_path: Path) -> None:
        small.save(tmp_path / "a.snnc")
        again = snnc.load(tmp_path / "a.snnc")
        assert (
            again.run(X, record=("output",)).output_by_tick == small.run(X, record=("output",)).output_by_tick
        ).all()
        for name in ("target", "ledger", "diagnostics", "usage", "options", "seed", "file", "digest"):
            assert getattr(again, name) == getattr(small, name)
        assert [record.text for record in again.records] == [record.text for record in small.records]
        assert str(again.graph) == str(small.graph) and str(again.ann) == str(small.ann)
        assert snnc.evaluate(again, X, Y) == snnc.evaluate(small, X, Y)

    def test_same_compilation_same_bytes(self, small: Compiled, tmp_path: Path) -> None:
        small.save(tmp_path / "a.snnc")
        compiled_small().save(tmp_path / "b.snnc")
        snnc.load(tmp_path / "b.snnc").save(tmp_path / "c.snnc")
        assert (tmp_path / "a.snnc").read_bytes() == (tmp_path / "b.snnc").read_bytes()
        assert (tmp_path / "a.snnc").read_bytes() == (tmp_path / "c.snnc").read_bytes()

    def test_another_seed_is_noted(self, small: Compiled, tmp_path: Path) -> None:
        compiled_small(seed=5).save(tmp_path / "a.snnc")
        assert snnc.load(tmp_path / "a.snnc").seed == 5

    def test_an_artefact_without_its_target(
        self, small: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        small.save(tmp_path / "a.snnc")
        monkeypatch.setattr(registry, "targets", dict)
        with pytest.raises(UsageError) as caught:
            snnc.load(tmp_path / "a.snnc")
        assert caught.value.code == "U301"

    @pytest.mark.parametrize(
        "path",
        [
            ("target",),
            ("parts",),
            ("parts", "graph"),
            ("parts", "graph", "nodes"),
            ("parts", "program"),
            ("passes",),
            ("usage", "cores"),
            ("options", "ticks"),
            ("ledger",),
            ("seed",),
            ("model",),
        ],
    )
    @pytest.mark.parametrize("value", [None, [], {}, "x", 3.5, [[]]])
    def test_senseless_manifests(
        self, small: Compiled, tmp_path: Path, path: tuple[str, ...], value: Any
    ) -> None:
        if path in (("ledger",), ("passes",)) and value == []:
            pytest.skip("there may be none")
        small.save(tmp_path / "a.snnc")
        contents = read_artifact(tmp_path / "a.snnc")
        manifest = json.loads(json.dumps(contents.manifest))
        place = manifest
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        write_artifact(tmp_path / "b.snnc", ArtefactContents(manifest, contents.arrays))
        with pytest.raises((ArtifactError, UsageError)):
            snnc.load(tmp_path / "b.snnc")

    def test_missing_arrays(self, small: Compiled, tmp_path: Path) -> None:
        small.save(tmp_path / "a.snnc")
        contents = read_artifact(tmp_path / "a.snnc")
        for name in contents.arrays:
            rest = {key: array for key, array in contents.arrays.items() if key != name}
            write_artifact(tmp_path / "b.snnc", ArtefactContents(contents.manifest, rest))
            with pytest.raises(ArtifactError) as caught:
                snnc.load(tmp_path / "b.snnc")
            assert caught.value.file == str(tmp_path / "b.snnc")


class TestExport:
    def test_from_a_model_and_from_an_artefact(self, small: Compiled, tmp_path: Path) -> None:
        onnx.save(small_model(), tmp_path / "m.onnx")
        small.save(tmp_path / "a.snnc")
        for path in (tmp_path / "m.onnx", tmp_path / "a.snnc"):
            graph, _ = transformed_ann(path, "fold-batch-norm")
            assert str(graph) == str(small.ann)

    def test_spiking_networks_cannot_be_exported(self, tmp_path: Path) -> None:
        onnx.save(small_model(), tmp_path / "m.onnx")
        with pytest.raises(UsageError) as caught:
            transformed_ann(tmp_path / "m.onnx", "balance-thresholds,convert-to-spiking")
        assert caught.value.code == "U305"


def test_names_of_the_package() -> None:
    for name in snnc.__all__:
        assert getattr(snnc, name) is not None
    assert set(snnc.__all__) <= set(dir(snnc))
    with pytest.raises(AttributeError):
        _ = snnc.no_such_name


def test_a_compiled_network_can_be_sent_to_another_process(small: Compiled) -> None:
    again = pickle.loads(pickle.dumps(small))
    assert (again.run(X).output == small.run(X).output).all()


def test_parsed_and_printed_passes_agree() -> None:
    steps = planned_passes(small_model(), "fake")
    names = [step.name for step in steps if step.name in ("fold-batch-norm", "convert-to-spiking")]
    assert [step.name for step in parse_passes(",".join(names))] == names


def _ann_outputs() -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(small_model().SerializeToString())
    return np.asarray(session.run(None, {"x": X})[0])


def test_samples_beyond_the_assumed_range_are_warned_of() -> None:
    compiled = snnc.compile(small_model(), "fake", ticks=4)
    assert [warning.code for warning in compiled.input_warnings(X - 1)] == ["W302"]
    assert [warning.code for warning in compiled.input_warnings(np.array([0.0, np.nextafter(1, 2)]))] == [
        "W302"
    ]
    assert [warning.code for warning in compiled.input_warnings(np.array([-1e-9, 1.0]))] == ["W302"]
    assert not compiled.input_warnings(np.array([0.0, 1.0]))
    assert not compiled.input_warnings(np.clip(X, 0, 1))
    seen = snnc.compile(small_model(), "fake", ticks=4, calibration=CALIBRATION)
    assert not seen.input_warnings(X - 1)


def test_the_assumed_range_is_in_the_artefact(tmp_path: Path) -> None:
    compiled = replace(snnc.compile(small_model(), "fake", ticks=4), diagnostics=())
    compiled.save(tmp_path / "a.snnc")
    assert [warning.code for warning in snnc.load(tmp_path / "a.snnc").input_warnings(X - 1)] == ["W302"]


def test_the_clean_up_of_an_import_has_a_record_of_its_own() -> None:
    """It takes the constants behind a convolution and a fully connected map into them."""
    model = small_model()
    nodes = list(model.graph.node)
    shift = onnx.numpy_helper.from_array(np.ones(1, np.float32), "shift")
    model.graph.initializer.append(shift)
    last = nodes[-1]
    added = onnx.helper.make_node("Add", ["before", "shift"], [last.output[0]], "added")
    last.output[0] = "before"
    del model.graph.node[:]
    model.graph.node.extend([*nodes, added])
    record, *_ = snnc.compile(model, "fake", ticks=4).records
    assert (record.name, record.guarantee) == ("simplify", Guarantee.EXACT)
    assert record.nodes_before == record.nodes_after + 1
    assert record.error is not None and record.error < 1e-6
    own, *_ = snnc.compile(snnc.import_onnx(model), "fake", ticks=4).records
    assert own.name == "fold-batch-norm"
