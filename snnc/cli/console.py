"""What commands print: tables and progress bars on a terminal, plain lines in a pipe, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from snnc.errors import Diagnostic, Severity

from .text import echo, visible

if TYPE_CHECKING:
    from snnc.report.tables import Table

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Console:
    """How a command talks.

    Attributes:
        as_json: one JSON object and nothing else.
        quiet: results, warnings and errors only.
        verbose: also what is left out by default.
    """

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False

    def answer(self, value: object) -> None:
        """Print the JSON object, if JSON is wanted."""
        from snnc.formats.plain import to_plain

        if self.as_json:
            click.echo(json.dumps(to_plain(value), indent=1 if sys.stdout.isatty() else None))

    def line(self, text: str) -> None:
        """Print a line that the command was called for."""
        if not self.as_json:
            echo(text)

    def say(self, text: str) -> None:
        """Print a line of the ordinary kind."""
        if not self.as_json and not self.quiet:
            echo(text)

    def result(self, table: Table) -> None:
        """Print a table that the command was called for."""
        if self.as_json or not table.rows:
            return
        if sys.stdout.isatty():
            _print_rich(table)
        else:
            from snnc.report.tables import table_text

            echo(table_text(table))

    def detail(self, table: Table) -> None:
        """Print a table that goes with the result."""
        if not self.quiet:
            self.result(table)

    def diagnostics(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Print warnings, and notes unless quiet, to the error stream."""
        for diagnostic in diagnostics:
            is_warning = diagnostic.severity is Severity.WARNING
            if not self.as_json and (is_warning or not self.quiet):
                echo(f"{diagnostic.severity.value}: {diagnostic}", err=True)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A function to call with (stage, done, total): bars on a terminal, else lines if verbose."""
        if self.as_json or self.quiet or not sys.stderr.isatty():
            yield self._progress_line
            return
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        stages: dict[str, int] = {}
        with RichProgress(*columns, console=RichConsole(stderr=True), transient=True) as bars:

            def advance(stage: str, done: int, total: int) -> None:
                if stage not in stages:
                    stages[stage] = bars.add_task(stage, total=total)
                bars.update(stages[stage], completed=done, total=total)  # type: ignore[arg-type]

            yield advance

    def _progress_line(self, stage: str, done: int, total: int) -> None:
        if self.verbose and not self.as_json:
            echo(f"{stage} {done}/{total}", err=True)


def _print_rich(table: Table) -> None:
    from rich import box
    from rich.console import Console as RichConsole
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(title=visible(table.title), title_justify="left", box=box.SIMPLE_HEAD)
    for column, heading in enumerate(table.columns):
        shown.add_column(visible(heading), justify="right" if table.holds_numbers(column) else "left")
    for row in table.rows:
        shown.add_row(*(Text(visible(cell)) for cell in row))
    RichConsole().print(shown)
