"""The documents say what is true: every code is listed, every link leads somewhere, every command runs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from shown_figures import difference

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
CODE = re.compile(r"[A-Z]\d{3}")


def codes_in_source() -> set[str]:
    """Every text in the source that is a code and nothing else."""
    paths = [path for room in ("snnc", "passes", "targets") for path in (ROOT / room).rglob("*.py")]
    return {code for path in paths for code in re.findall(r'"([A-Z]\d{3})"', path.read_text())}


def rows_of_errors() -> dict[str, tuple[str, str]]:
    """(cause, remedy) of every code in docs/errors.md."""
    rows = {}
    for line in (ROOT / "docs" / "errors.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if CODE.fullmatch(cells[0]):
            code, cause, remedy = cells
            assert code not in rows, code
            rows[code] = (cause, remedy.rstrip("| "))
    return rows


def test_every_code_is_listed_and_no_other() -> None:
    listed = rows_of_errors()
    source = codes_in_source()
    missing, stale = sorted(source - set(listed)), sorted(set(listed) - source)
    assert not missing, f"missing in docs/errors.md: {missing}"
    assert not stale, f"no longer in the source: {stale}"
    assert all(cause.endswith((".", ":")) and remedy.endswith(".") for cause, remedy in listed.values())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_are_named_exist(document: Path) -> None:
    named = set(re.findall(r"`([\w./-]+/(?:[\w.-]+\.(?:py|md|toml|txt))?)`", document.read_text()))
    for name in named:
        places = (
            ROOT,
            document.parent,
            ROOT / "examples" / "custom_target",
            ROOT / "tests/targets/loihi",
            ROOT / "snnc",
        )
        assert "NAME" in name or any((place / name).exists() for place in places), name


@pytest.mark.parametrize(
    ("room", "above"),
    [
        ("snnc/graph", r"snnc\.(passes|targets|cli|simulate|report)|\.\.(simulate|report|cli)"),
        ("passes", r"snnc\.(targets|cli)|\.\.(targets|cli)"),
        ("targets", r"snnc\.cli"),
    ],
)
def test_imports_run_downwards(room: str, above: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        imports = re.findall(rf"^ *(?:from|import) (?:{above})\b.*", path.read_text(), re.MULTILINE)
        assert not imports, path


def blocks(document: Path, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """A command of a document.

    Attributes:
        command: what stands behind the ``$``.
        output: what the document shows of its output, perhaps nothing.
    """

    command: str
    output: str


def commands_of(document: Path) -> list[Shown]:
    """The commands in the console blocks of a document, without those that install or check everything."""
    found = []
    for block in blocks(document, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            if not command.startswith(("make", "git", "pip")):
                found.append(Shown(command, output))
    return found


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository's examples, where commands may write."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "examples", folder / "examples")
    return folder


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_and_python_block_runs(document: Path, workplace: Path, update_golden: bool) -> None:
    """All commands of a document, in its order, in one folder, and then its Python blocks in one interpreter.

    ``--update-golden`` writes what the commands print into the document.
    """
    for shown in commands_of(document):
        words = shlex.split(shown.command)
        runner = {"snnc": [sys.executable, "-m", "snnc.cli"], "python": [sys.executable]}[words[0]]
        done = subprocess.run(
            [*runner, *words[1:]], cwd=workplace, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (shown.command, done.stdout[-2000:], done.stderr[-2000:])
        if shown.output and update_golden:
            document.write_text(document.read_text().replace(shown.output, done.stdout.strip("\n") + "\n"))
        elif shown.output:
            assert not difference(shown.output, done.stdout), shown.command
    program = "\n".join(blocks(document, "python"))
    if program:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=workplace, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]


@dataclass(frozen=True)
class Table:
    """A table of a document, and what the comment above it says of its figures.

    Attributes:
        document: that it stands in.
        made: ``printed by``, ``measured by`` or ``held by``; empty without a comment.
        command: that makes it.
        rows: its lines, without head.
    """

    document: Path
    made: str
    command: str
    rows: tuple[str, ...]

    @property
    def is_of_figures(self) -> bool:
        """Whether more than two of five cells begin with a number."""
        cells = [cell.strip(" *") for row in self.rows for cell in row.strip("|").split("|")]
        return sum(bool(re.match(r"[-+]?\d", cell)) for cell in cells) > 0.4 * len(cells)


TABLE = re.compile(r"(?:^<!-- (\w+ by): (.*) -->\n)?^\|.*\n\| ?-.*\n((?:\|.*\n)+)", re.MULTILINE)


def tables() -> list[Table]:
    return [
        Table(document, made, command, tuple(rows.splitlines()))
        for document in DOCUMENTS
        for made, command, rows in TABLE.findall(document.read_text() + "\n")
    ]


def test_a_table_of_figures_says_what_makes_it() -> None:
    for table in tables():
        where = f"{table.document.name}: {table.rows[0]}"
        assert table.made or not table.is_of_figures, where
        if table.made:
            assert table.made in ("printed by", "measured by", "held by"), where
            words = table.command.split()
            assert words[0] in ("python", "pytest", "snnc"), where
            path = words[2].replace(".", "/") + ".py" if words[1] == "-m" else words[1]
            assert words[0] == "snnc" or (ROOT / path).exists(), where


@pytest.mark.parametrize(
    "command", sorted({table.command for table in tables() if table.made == "printed by"})
)
def test_printed_tables_are_those_of_the_documents(command: str) -> None:
    done = subprocess.run(
        [sys.executable, *command.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    shown = [
        row
        for table in tables()
        if (table.made, table.command) == ("printed by", command)
        for row in table.rows
    ]
    first_cells = {row.split("|")[1] for row in shown}
    printed = [
        line
        for line in done.stdout.splitlines()
        if line.startswith("|") and line.split("|")[1] in first_cells
    ]
    assert not difference("\n".join(shown), "\n".join(printed))


def test_make_targets_are_documented() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split())
    assert targets == set(re.findall(r"^([a-z]+):.*## \w", text, re.MULTILINE))
    assert {"demo", "test", "lint"} <= targets
