from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from snnc.cli.console import Console
from snnc.errors import Diagnostic, Severity
from snnc.report.tables import Table, table_text

TABLE = Table("numbers", ("name", "count"), (("[bold]one", "1"), ("twelve", "12")))
NOTE = Diagnostic("N301", Severity.NOTE, "a note")
WARNING = Diagnostic("W001", Severity.WARNING, "a warning", "node")


PROGRAM = """
from snnc.cli.console import Console
from test_cli_console import TABLE
Console().result(TABLE)
with Console().progress() as progress:
    progress("passes", 1, 4)
    progress("passes", 4, 4)
"""


def on_a_terminal(program: str) -> str:
    """What a program shows on a terminal of 80 columns."""
    ours, its = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=its,
        stdout=its,
        stderr=its,
        env={**os.environ, "COLUMNS": "80", "TERM": "xterm", "PYTHONPATH": str(Path(__file__).parent)},
    )
    os.close(its)
    shown = b""
    with contextlib.suppress(OSError):  # Linux reports the closed end as an error
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    assert done.wait() == 0, shown
    return shown.decode()


def test_plain_table() -> None:
    assert table_text(TABLE) == "numbers\n  name       count\n  [bold]one      1\n  twelve        12"


def test_a_pipe_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Console().result(TABLE)
    assert capsys.readouterr().out == table_text(TABLE) + "\n"


def test_a_terminal_gets_a_drawn_table_and_bars() -> None:
    shown = on_a_terminal(PROGRAM)
    assert table_text(TABLE) not in shown and "\x1b[" in shown
    for cell in ("numbers", "name", "count", "[bold]one", "twelve", "12", "passes", "4/4"):
        assert cell in shown


def test_progress_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    for console, expected in (
        (Console(), ""),
        (Console(verbose=True), "map 1/2\n"),
        (Console(as_json=True, verbose=True), ""),
    ):
        with console.progress() as progress:
            progress("map", 1, 2)
        assert capsys.readouterr().err == expected


def test_diagnostics_go_to_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    Console().diagnostics([NOTE, WARNING])
    captured = capsys.readouterr()
    assert (
        captured.err == "note: [N301] a note\nwarning: [W001] a warning (node node)\n" and captured.out == ""
    )
    Console(quiet=True).diagnostics([NOTE, WARNING])
    assert capsys.readouterr().err == "warning: [W001] a warning (node node)\n"
    Console(as_json=True).diagnostics([NOTE, WARNING])
    assert capsys.readouterr().err == ""


def test_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(as_json=True)
    console.result(TABLE)
    console.detail(TABLE)
    console.say("text")
    console.line("text")
    console.answer({"a": WARNING})
    assert capsys.readouterr().out == (
        '{"a": {"code": "W001", "severity": "warning", "message": "a warning", "node": "node", "remedy": null}}\n'
    )


def test_an_empty_table_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Console().result(Table("nothing", ("a",), ()))
    assert capsys.readouterr().out == ""
