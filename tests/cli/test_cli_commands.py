from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from fake_target import FakeTarget
from small_models import small_model, write_small

import snnc
from snnc.cli.main import run
from snnc.targets import target as registry
from snnc.targets.loihi.target import LoihiTarget

Run = Callable[..., str]


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a model and data, and a made-up chip."""
    monkeypatch.setattr(registry, "targets", lambda: {"fake": FakeTarget()})
    monkeypatch.chdir(tmp_path)
    write_small(tmp_path)
    return tmp_path


@pytest.fixture
def snnc_run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line that must succeed; gives its standard output."""

    def call(*arguments: str) -> str:
        capsys.readouterr()
        code = run(arguments)
        captured = capsys.readouterr()
        assert code == 0, captured
        return captured.out

    return call


@pytest.fixture
def snnc_json(snnc_run: Run) -> Callable[..., Any]:
    """Runs a command line with --json; gives its one object."""
    return lambda *arguments: json.loads(snnc_run(*arguments, "--json"))


COMPILE = ("compile", "model.onnx", "--target", "fake", "--ticks", "16", "--calibration", "calibration.npz")


class TestCompile:
    def test_it_writes_the_artefact(self, snnc_run: Run) -> None:
        out = snnc_run(*COMPILE)
        assert "wrote model.snnc" in out and "fold-batch-norm" in out and "total" in out
        assert snnc.load("model.snnc").options.ticks == 16

    def test_json(self, snnc_json: Callable[..., Any]) -> None:
        result = snnc_json(*COMPILE, "-o", "other.snnc")
        assert {"target", "cores", "chips", "neurons", "synapses", "usage", "warnings", "passes"} <= set(
            result
        )
        assert result["output"] == "other.snnc" and Path("other.snnc").exists()
        first = result["passes"][0]
        assert first["name"] == "simplify" and first["preserves"] == "exact"
        assert {"seconds", "error"} <= set(first)
        assert result["usage"]["layers"][0]["limits"][0]["available"] == 100

    def test_placement(self, snnc_run: Run, snnc_json: Callable[..., Any]) -> None:
        line = "placement traffic: 4 spike-hops a sample, 60 % fewer than row by row; busiest link 2 messages, was 5"
        assert line in snnc_run(*COMPILE) and line in snnc_run("inspect", "model.snnc")
        rows = snnc_run(*COMPILE, "--placement", "rows")
        assert "placement rows: 10 spike-hops a sample; busiest link 5 messages\n" in rows
        result = snnc_json(*COMPILE)["placement"]
        assert result == snnc_json("inspect", "model.snnc")["placement"]
        assert (result["method"], result["spike_hops"], result["spike_hops_rows"]) == ("traffic", 4.0, 10.0)
        assert (result["busiest_link"], result["busiest_link_rows"]) == (2.0, 5.0)

    def test_the_same_command_gives_the_same_bytes(self, snnc_run: Run) -> None:
        snnc_run(*COMPILE)
        snnc_run(*COMPILE, "-o", "again.snnc")
        assert Path("model.snnc").read_bytes() == Path("again.snnc").read_bytes()

    def test_without_data(self, snnc_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["compile", "model.onnx", "--target", "fake"]) == 0
        captured = capsys.readouterr()
        assert "wrote model.snnc" in captured.out
        assert "no calibration data" in captured.err and "--calibration" in captured.err

    def test_quiet(self, snnc_run: Run) -> None:
        assert snnc_run(*COMPILE, "-q") == ""

    def test_verbose_shows_the_ledger(self, snnc_run: Run) -> None:
        assert "nodes of the ONNX file" in snnc_run(*COMPILE, "-v")

    def test_printed_passes_can_be_given_back(self, snnc_run: Run, snnc_json: Callable[..., Any]) -> None:
        text = snnc_run(*COMPILE, "--print-passes").strip()
        assert not Path("model.snnc").exists()
        assert snnc_json(*COMPILE, "--print-passes")["passes"] == text
        snnc_run(*COMPILE)
        snnc_run(*COMPILE, "--passes", text, "-o", "again.snnc")
        assert Path("model.snnc").read_bytes() == Path("again.snnc").read_bytes()

    def test_dump_after(self, snnc_run: Run, snnc_json: Callable[..., Any]) -> None:
        out = snnc_run(*COMPILE, "--dump-after", "fold-batch-norm")
        assert "graph small (ann)" in out and "relu = Relu" in out
        dumps = snnc_json(*COMPILE, "--dump-after", "fold-batch-norm")["dumps"]
        assert dumps["fold-batch-norm"].startswith("graph small (ann)\n")

    def test_every_choice_reaches_the_options(self, snnc_run: Run) -> None:
        snnc_run(
            *("compile", "model.onnx", "--target", "fake", "--ticks", "8", "--seed", "3", "--reset", "zero"),
            *("--input", "host", "--weight-bits", "6", "--balance", "model", "--percentile", "99"),
            *("--per-layer", "--initial", "zero", "--max-pool", "average", "--readout", "count"),
            *("--max-chips", "5"),
        )
        result = snnc.load("model.snnc")
        options = result.options
        assert result.seed == 3
        assert (options.ticks, options.reset.value, options.input.value) == (8, "zero", "host")
        assert (options.weight_bits, options.balance.value, options.percentile) == (6, "model", 99.0)
        assert (options.per_channel, options.initial.value, options.max_pool.value) == (
            False,
            "zero",
            "average",
        )
        assert (options.readout.value, options.max_chips) == ("count", 5)


class TestRun:
    def test_recordings(self, snnc_run: Run) -> None:
        snnc_run(*COMPILE)
        out = snnc_run(
            *("run", "model.snnc", "--data", "test.npz", "--ticks", "4", "--record", "spikes,voltage"),
            *("-o", "out.npz", "--samples", "5"),
        )
        assert "wrote out.npz" in out
        trace = snnc.load("model.snnc").run(np.load("test.npz")["x"][:5], 4, ("spikes", "voltage"))
        with np.load("out.npz") as arrays:
            assert (arrays["output"] == trace.output).all()
            for name in trace.spikes:
                assert (arrays[f"spikes:{name}"] == trace.spikes[name]).all()
                assert (arrays[f"voltage:{name}"] == trace.voltage[name]).all()

    def test_json(self, snnc_run: Run, snnc_json: Callable[..., Any]) -> None:
        snnc_run(*COMPILE)
        result = snnc_json("run", "model.snnc", "--data", "test.npz")
        assert result["output"] == "trace.npz" and result["samples"] == 20 and result["ticks"] == 16
        assert "output" in result["arrays"]


class TestEval:
    def test_json(self, snnc_run: Run, snnc_json: Callable[..., Any]) -> None:
        snnc_run(*COMPILE)
        result = snnc_json("eval", "model.snnc", "--data", "test.npz", "--ticks", "8", "--samples", "10")
        data = np.load("test.npz")
        expected = snnc.evaluate(snnc.load("model.snnc"), data["x"][:10], data["y"][:10], 8)
        assert result == {
            **{name: getattr(expected, name) for name in result},
            "accuracy_by_tick": list(expected.accuracy_by_tick),
            "errors_to_ann": asdict(expected.errors_to_ann),
        }
        assert {
            *("samples", "ticks", "accuracy", "ann_accuracy", "agreement", "spikes_per_sample"),
            *("synaptic_operations_per_sample", "energy_joules_per_sample", "latency_seconds_per_sample"),
            "accuracy_by_tick",
        } <= set(result)

    def test_threads_do_not_matter(self, snnc_run: Run) -> None:
        snnc_run(*COMPILE)
        one = snnc_run("eval", "model.snnc", "--data", "test.npz", "--json", "--threads", "1")
        assert one == snnc_run("eval", "model.snnc", "--data", "test.npz", "--json", "--threads", "2")

    def test_tables(self, snnc_run: Run) -> None:
        snnc_run(*COMPILE)
        lines = [line.split() for line in snnc_run("eval", "model.snnc", "--data", "test.npz").splitlines()]
        assert ["evaluation"] in lines and ["samples", "20"] in lines
        curve = lines[lines.index(["ticks", "accuracy"]) + 1 :]
        assert [line[0] for line in curve] == ["1", "2", "4", "8", "16"]

    def test_data_without_labels(self, snnc_run: Run, snnc_json: Callable[..., Any]) -> None:
        snnc_run(*COMPILE)
        result = snnc_json("eval", "model.snnc", "--data", "calibration.npz")
        assert result["accuracy"] is None and result["accuracy_by_tick"] == []
        assert "accuracy by tick" not in snnc_run("eval", "model.snnc", "--data", "calibration.npz")


class TestInspect:
    def test_model(self, snnc_run: Run, snnc_json: Callable[..., Any]) -> None:
        out = snnc_run("inspect", "model.onnx", "--target", "fake")
        for part in (
            "network small (ann)",
            "nodes of the ONNX file",
            "cores on fake",
            "other choices",
            "--reset zero",
        ):
            assert part in out
        result = snnc_json("inspect", "model.onnx", "--target", "fake")
        assert [row["node"] for row in result["ledger"]] == ["conv", "relu", "flatten", "dense"]
        assert result["neurons"] == 32 and result["usage"]["remedies"][0]["cores"] == 1

    def test_artefact(self, snnc_run: Run, snnc_json: Callable[..., Any]) -> None:
        snnc_run(*COMPILE)
        out = snnc_run("inspect", "model.snnc")
        for part in (
            "model.onnx for fake",
            "(integer)",
            "what fills the fullest core",
            "fold-batch-norm",
            "relu",
        ):
            assert part in out
        result = snnc_json("inspect", "model.snnc")
        assert result["file"] == "model.onnx" and result["options"]["ticks"] == 16
        assert result["sha256"] == snnc.load("model.snnc").digest

    def test_a_refused_model_shows_its_ledger(self, capsys: pytest.CaptureFixture[str]) -> None:
        model = small_model()
        model.graph.node[1].op_type = "Sin"
        onnx.save(model, "sin.onnx")
        assert run(["inspect", "sin.onnx", "--target", "fake"]) == 1
        captured = capsys.readouterr()
        assert "refused" in captured.out and "M120" in captured.err and "Sin" in captured.err


def test_targets(snnc_run: Run, snnc_json: Callable[..., Any]) -> None:
    assert "a made-up chip" in snnc_run("targets") and "cells" in snnc_run("targets")
    assert snnc_json("targets") == {
        "fake": {"summary": "a made-up chip", "limits": {"cells": 100}, "options": []}
    }


def test_passes(snnc_run: Run, snnc_json: Callable[..., Any]) -> None:
    result = snnc_json("passes")
    assert "fold-batch-norm" in result
    options = {option["name"]: option for option in result["balance-thresholds"]["options"]}
    assert options["percentile"]["kind"] == "float" and options["percentile"]["default"] == "99.9"
    out = snnc_run("passes")
    for name, entry in result.items():
        assert name in out and entry["summary"].split()[0] in out


class TestExport:
    def test_the_exported_model_computes_the_same(self, snnc_run: Run, snnc_json: Callable[..., Any]) -> None:
        import onnxruntime

        snnc_run(*COMPILE)
        snnc_run("export", "model.snnc", "-o", "from_artefact.onnx")
        snnc_json("export", "model.onnx", "-o", "from_model.onnx", "--passes", "fold-batch-norm")
        x = np.load("test.npz")["x"]
        results = []
        for name in ("model.onnx", "from_artefact.onnx", "from_model.onnx"):
            session = onnxruntime.InferenceSession(name)
            results.append(session.run(None, {session.get_inputs()[0].name: x})[0])
        assert np.allclose(results[0], results[1], atol=1e-5) and np.allclose(
            results[0], results[2], atol=1e-5
        )


class TestCosts:
    """Time and energy, on Loihi itself."""

    @pytest.fixture(autouse=True)
    def loihi(self, workplace: Path, monkeypatch: pytest.MonkeyPatch, snnc_run: Run) -> None:
        monkeypatch.setattr(registry, "targets", lambda: {"fake": FakeTarget(), "loihi": LoihiTarget()})
        snnc_run(
            "compile", "model.onnx", "--ticks", "8", "--calibration", "calibration.npz", "-o", "chip.snnc"
        )

    def test_eval_fills_the_fields(self, snnc_json: Callable[..., Any]) -> None:
        data = ("--data", "test.npz", "--samples", "6")
        found = {
            costs: snnc_json("eval", "chip.snnc", *data, "--costs", costs)
            for costs in ("davies2018", "sanafe-loihi")
        }
        assert snnc_json("eval", "chip.snnc", *data) == found["sanafe-loihi"]
        for name, one in found.items():
            assert one["cost_set"] == name and one["latency_seconds_per_sample"] > 0
            dynamic, static = one["dynamic_joules_per_sample"], one["static_joules_per_sample"]
            assert one["energy_joules_per_sample"] == pytest.approx(dynamic + static)
            assert static == pytest.approx(0.1044 * one["latency_seconds_per_sample"])
            assert one["energy_delay_joule_seconds"] == pytest.approx(
                one["energy_joules_per_sample"] * one["latency_seconds_per_sample"]
            )
            for group in ("layer", "core", "event"):
                assert sum(one[f"energy_by_{group}"].values()) == pytest.approx(dynamic)
            assert one["throughput_samples_per_second"] * one["latency_seconds_per_sample"] == pytest.approx(
                1
            )
            assert sum(one["critical_elements"].values()) <= 1 + 1e-9
        detailed = snnc_json("eval", "chip.snnc", *data, "--timing", "detailed")
        fast = found["sanafe-loihi"]["latency_seconds_per_sample"]
        assert detailed["latency_seconds_per_sample"] == pytest.approx(fast, rel=0.1)
        assert detailed["dynamic_joules_per_sample"] == found["sanafe-loihi"]["dynamic_joules_per_sample"]

    def test_eval_shows_tables(self, snnc_run: Run) -> None:
        out = snnc_run("eval", "chip.snnc", "--data", "test.npz", "--samples", "3")
        assert (
            "latency a sample" in out and "dynamic energy by layer" in out and "what ticks waited for" in out
        )

    def test_a_timeline(self, snnc_run: Run, snnc_json: Callable[..., Any]) -> None:
        result = snnc_json(
            "run", "chip.snnc", "--data", "test.npz", "--samples", "2", "--timeline", "time.json"
        )
        assert result["timeline"] == "time.json"
        assert {"X", "M"} <= {
            event["ph"] for event in json.loads(Path("time.json").read_text())["traceEvents"]
        }

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (("eval", "chip.snnc", "--data", "test.npz", "--costs", "none"), "U401"),
            (("run", "chip.snnc", "--data", "test.npz", "--costs", "davies2018"), "U001"),
            (("run", "chip.snnc", "--data", "test.npz", "-o", "t", "--timeline", "./t"), "U001"),
            (
                ("run", "chip.snnc", "--data", "test.npz", "--timeline", "t.json", "--costs", "test.npz"),
                "U402",
            ),
            (("eval", "model.snnc", "--data", "test.npz", "--costs", "davies2018"), "U408"),
            (("eval", "model.snnc", "--data", "test.npz", "--timing", "detailed"), "U408"),
        ],
    )
    def test_wrong_use(
        self, snnc_run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: str
    ) -> None:
        snnc_run(*COMPILE)
        capsys.readouterr()
        assert run(arguments) == 2
        assert f"[{code}]" in capsys.readouterr().err
