"""The command line as a process: signals, streams and what a terminal is shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from snnc.cli.main import run

MODEL = Path(__file__).parents[2] / "examples" / "fashion_mlp" / "fashion_mlp.onnx"


@pytest.mark.parametrize(
    ("name", "code", "word"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")]
)
def test_a_signal_in_the_middle(name: str, code: int, word: str) -> None:
    program = (
        "import os, signal, sys\n"
        "import snnc.compiler\n"
        f"snnc.compiler.compile = lambda *a, **k: os.kill(os.getpid(), signal.{name}) or sum(iter(int, 1))\n"
        "from snnc.cli.start import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "compile", "model.onnx"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (code, word)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.3, 0.6])
def test_a_signal_at_any_moment(name: str, code: int, seconds: float, tmp_path: Path) -> None:
    """The signal comes after the handlers are set: the interpreter's own start is not ours."""
    program = (
        "import os, signal, sys, threading\n"
        "from snnc.cli.start import main\n"
        f"threading.Timer({seconds}, os.kill, (os.getpid(), signal.{name})).start()\n"
        "main()\n"
    )
    output = tmp_path / "out.snnc"
    line = [sys.executable, "-c", program, "compile", str(MODEL), "-o", str(output)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr and done.returncode in (code, 0)
    assert [path.name for path in tmp_path.iterdir()] == (["out.snnc"] if done.returncode == 0 else [])


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "</dev/null"])
def test_closed_streams(redirection: str, tmp_path: Path) -> None:
    line = f"{sys.executable} -m snnc.cli inspect {MODEL} {redirection}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["inspect {model}", "--help"])
def test_a_full_disk_behind_the_output(command: str) -> None:
    line = f"{sys.executable} -m snnc.cli {command.format(model=MODEL)} > /dev/full"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("error: [A204]") and "Traceback" not in done.stderr


def test_control_characters_in_names_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(tmp_path / "\x1b[2Jmodel\u202e.onnx")]) == 1
    shown = capsys.readouterr().err
    assert "\x1b" not in shown and r"\x1b[2Jmodel\u202e.onnx" in shown
