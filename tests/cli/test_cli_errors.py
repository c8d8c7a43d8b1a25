from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from fake_target import FakeTarget
from small_models import small_model, write_small

import snnc
import snnc.compiler
from snnc.cli.main import run
from snnc.targets import target as registry


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a model, data, an artefact, and many kinds of wrong files; and a made-up chip."""
    monkeypatch.setattr(registry, "targets", lambda: {"fake": FakeTarget()})
    monkeypatch.chdir(tmp_path)
    write_small(tmp_path)
    Path("empty.onnx").touch()
    Path("text.onnx").write_text("no model")
    content = Path("model.onnx").read_bytes()
    Path("cut.onnx").write_bytes(content[: len(content) // 2])
    newer = small_model()
    newer.opset_import[0].version = 999
    onnx.save(newer, "newer.onnx")
    sine = small_model()
    sine.graph.node[1].op_type = "Sin"
    onnx.save(sine, "sine.onnx")
    Path("folder").mkdir()
    Path("text.npz").write_text("no data")
    np.savez("flat.npz", x=np.zeros((3, 36), np.float32))
    np.savez("labels.npz", x=np.zeros((2, 1, 6, 6), np.float32), y=[0, 3])
    np.savez("nan.npz", x=np.full((3, 1, 6, 6), np.nan, np.float32))
    snnc.compile("model.onnx", "fake", ticks=8).save("good.snnc")
    content = Path("good.snnc").read_bytes()
    Path("damaged.snnc").write_bytes(content[:1000] + b"!" + content[1001:])
    return tmp_path


COMPILE = "compile model.onnx --target fake"
WRONG = [
    ("compile absent.onnx --target fake", 1, "M101"),
    ("compile folder --target fake", 1, "M102"),
    ("compile empty.onnx --target fake", 1, "M104"),
    ("compile text.onnx --target fake", 1, "M105"),
    ("compile cut.onnx --target fake", 1, "M105"),
    ("compile newer.onnx --target fake", 1, "M107"),
    ("compile sine.onnx --target fake", 1, "M120"),
    (f"{COMPILE} --calibration absent.npz", 1, "D110"),
    (f"{COMPILE} --calibration text.npz", 1, "D112"),
    (f"{COMPILE} --calibration flat.npz", 1, "D114"),
    (f"{COMPILE} --calibration nan.npz", 1, "D116"),
    (f"{COMPILE} --input-shape 3,6,6", 1, "M119"),
    (f"{COMPILE} -o folder", 1, "A201"),
    (f"{COMPILE} -o absent/out.snnc", 1, "A202"),
    (f"{COMPILE} --passes no-such-pass", 2, "U102"),
    (f"{COMPILE} --passes balance-thresholds{{method=astrology}}", 2, "U104"),
    (f"{COMPILE} --weight-bits 7", 2, "U104"),
    (f"{COMPILE} --copies 2", 2, "U001"),
    (f"{COMPILE} --placement random", 2, "U001"),
    (f"{COMPILE} --passes fold-batch-norm", 2, "U304"),
    (f"{COMPILE} --dump-after no-such-pass", 2, "U102"),
    (f"{COMPILE} --dump-after balance-weights", 2, "U306"),
    (f"{COMPILE} --ticks 0", 2, "U303"),
    (f"{COMPILE} --ticks many", 2, "U001"),
    (f"{COMPILE} --percentile 101", 2, "U303"),
    (f"{COMPILE} --reset maybe", 2, "U001"),
    (f"{COMPILE} --input-shape 3,x", 2, "U001"),
    (f"{COMPILE} --weight-bits 0", 2, "U303"),
    (f"{COMPILE} --no-such-option", 2, "U001"),
    (f"{COMPILE} more", 2, "U001"),
    ("compile model.onnx --target abacus", 2, "U301"),
    ("compile", 2, "U001"),
    ("no-such-command", 2, "U001"),
    ("inspect absent.onnx --target fake", 1, "M101"),
    ("inspect absent.snnc", 1, "A101"),
    ("inspect model.onnx --target abacus", 2, "U301"),
    ("run absent.snnc --data test.npz", 1, "A101"),
    ("run damaged.snnc --data test.npz", 1, "A103"),
    ("run model.onnx --data test.npz", 1, "A102"),
    ("run good.snnc --data absent.npz", 1, "D110"),
    ("run good.snnc --data test.npz --record dreams", 2, "U202"),
    ("run good.snnc --data test.npz --ticks 0", 2, "U201"),
    ("run good.snnc --data test.npz -o folder", 1, "A201"),
    ("run good.snnc", 2, "U001"),
    ("eval damaged.snnc --data test.npz", 1, "A103"),
    ("eval good.snnc --data flat.npz", 1, "D114"),
    ("eval good.snnc --data labels.npz", 1, "D118"),
    ("eval good.snnc --data test.npz --samples 0", 2, "U001"),
    ("eval good.snnc --data test.npz --threads 0", 2, "U001"),
    ("export good.snnc -o folder", 1, "A201"),
    ("export good.snnc -o out.onnx --passes no-such-pass", 2, "U102"),
    ("export sine.onnx -o out.onnx", 1, "M120"),
]


@pytest.mark.parametrize(("line", "exit_code", "code"), WRONG)
def test_one_clear_message(line: str, exit_code: int, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(Path().rglob("*"))
    assert run(line.split()) == exit_code
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: [{code}] ") and captured.err.count("error:") == 1
    assert "remedy: " in captured.err and "Traceback" not in captured.err
    assert sorted(Path().rglob("*")) == before

    assert run([*line.split(), "--json"]) == exit_code
    captured = capsys.readouterr()
    answer = json.loads(captured.out)
    assert captured.err == "" and answer["code"] == code and answer["error"] is True
    assert {"message", "file", "node", "source", "remedy", "details"} <= set(answer)


def test_a_refusal_names_file_node_and_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    run(["compile", "sine.onnx", "--target", "fake"])
    text = capsys.readouterr().err
    assert "file sine.onnx" in text and "relu (Sin)" in text and "remedy" in text


def test_a_disk_that_is_full(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    before = sorted(Path().rglob("*"))
    monkeypatch.setattr(os, "fsync", full)
    assert run(["compile", "model.onnx", "--target", "fake"]) == 1
    assert "A203" in capsys.readouterr().err
    assert sorted(Path().rglob("*")) == before


class TestDefects:
    @pytest.fixture
    def broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*arguments: object, **options: object) -> None:
            raise ZeroDivisionError("oh\nno")

        monkeypatch.setattr(snnc.compiler, "compile", fail)

    @pytest.mark.usefixtures("broken")
    def test_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["compile", "model.onnx", "--target", "fake"]) == 1
        text = capsys.readouterr().err
        assert "internal error: ZeroDivisionError: oh\n" in text and "--debug" in text
        assert "Traceback" not in text

    @pytest.mark.usefixtures("broken")
    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["compile", "model.onnx", "--target", "fake", "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["code"] == "X001"

    @pytest.mark.usefixtures("broken")
    def test_debug(self) -> None:
        with pytest.raises(ZeroDivisionError):
            run(["compile", "model.onnx", "--target", "fake", "--debug"])

    def test_debug_shows_where_an_error_comes_from(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["compile", "absent.onnx", "--target", "fake", "--debug"]) == 1
        text = capsys.readouterr().err
        assert "Traceback" in text and text.rstrip().splitlines()[-2].startswith("error: [M101]")

    def test_no_memory(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        def fail(*arguments: object, **options: object) -> None:
            raise MemoryError

        monkeypatch.setattr(snnc.compiler, "compile", fail)
        assert run(["compile", "model.onnx", "--target", "fake"]) == 1
        assert "D104" in capsys.readouterr().err

    def test_interrupt(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        def fail(*arguments: object, **options: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(snnc.compiler, "compile", fail)
        assert run(["compile", "model.onnx", "--target", "fake"]) == 130
        assert capsys.readouterr().err.strip() == "interrupted"


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for line in (
        "--help",
        "-h",
        *(f"{name} --help" for name in ("compile", "run", "eval", "inspect", "export")),
    ):
        assert run(line.split()) == 0
        assert "Usage: snnc" in capsys.readouterr().out
    assert run(["--version"]) == 0
    assert snnc.__version__ in capsys.readouterr().out
    assert run([]) == 2
    assert "Commands:" in capsys.readouterr().out


HEAVY = {"numba", "onnxruntime", "onnx", "torch", "matplotlib", "networkx", "rich", "numpy"}


@pytest.mark.parametrize("line", ["--help", "--version", "compile --help", "eval --help", "no-such-command"])
def test_help_imports_nothing_heavy(line: str) -> None:
    """The help of ``compile`` asks the installed targets for their options, and no more than that."""
    allowed = {"numpy", "networkx"} if line == "compile --help" else set()
    program = "import sys; from snnc.cli.main import run; run(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, *line.split()], capture_output=True, text=True, check=True
    )
    assert not (HEAVY - allowed) & set(done.stdout.splitlines()[-1].split())


def test_a_closed_pipe_is_no_error() -> None:
    line = f"{sys.executable} -m snnc.cli inspect good.snnc 2>&1 | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stdout + done.stderr
