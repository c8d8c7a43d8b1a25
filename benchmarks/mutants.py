"""Plants faults in passes, targets and graphs, one at a time, and counts those that no test sees.

    python benchmarks/mutants.py                                # the sample that docs/testing.md speaks of
    python benchmarks/mutants.py --sample 40 passes/_scales.py  # one file
    python benchmarks/mutants.py --minutes 20                   # as far as it gets; the same command goes on

A fault is a change in the syntax tree: a comparison, an operation of arithmetic, a constant, a boolean or a returned
value. Everything happens in a copy of the repository. The tests run once under coverage, which tells which of
them touch a line; a fault is shown to those that touch least else first, and to all if it survives. Results are
written to ``build/mutants/results.jsonl`` as they come.

Kernels are left out: numba would compile them anew for every fault, and coverage does not see into them.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "mutants"
ROOMS = ("passes", "targets", "snnc/graph")
FIRST_TESTS = 25
"""Tests that a fault is shown to first."""

LIMIT_SECONDS = 240
"""After which a run counts as one that does not end: the fault is seen."""

COMPARISONS: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """A change of one place.

    Attributes:
        path: of the file, from the root.
        line: of the place.
        number: of the node among those of the file that can be changed.
        kind: of the change.
        text: the line with the change, from the syntax tree.
    """

    path: str
    line: int
    number: int
    kind: str
    text: str


class Planter(ast.NodeTransformer):
    """Changes the place of a number; with none it only counts them.

    Attributes:
        places: (line, kind, text after the change) of every place so far.
    """

    def __init__(self, number: int | None = None) -> None:
        self.number = number
        self.places: list[tuple[int, str, str]] = []

    def _place(self, node: ast.expr | ast.stmt, changed: ast.expr | ast.stmt, kind: str) -> ast.AST:
        here = len(self.places) == self.number
        self.places.append((node.lineno, kind, ast.unparse(changed)))
        return ast.copy_location(changed, node) if here else node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Another comparison."""
        self.generic_visit(node)
        other = COMPARISONS[type(node.ops[0])]()
        return self._place(
            node, ast.Compare(node.left, [other, *node.ops[1:]], node.comparators), "comparison"
        )

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Another operation."""
        self.generic_visit(node)
        if type(node.op) not in ARITHMETIC:
            return node
        return self._place(node, ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right), "arithmetic")

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        """``or`` for ``and``, ``and`` for ``or``."""
        self.generic_visit(node)
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return self._place(node, ast.BoolOp(other, node.values), "boolean")

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """What is negated, without the negation."""
        self.generic_visit(node)
        return self._place(node, node.operand, "boolean") if isinstance(node.op, ast.Not) else node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Another truth value, or a number one larger."""
        if isinstance(node.value, bool):
            return self._place(node, ast.Constant(not node.value), "constant")
        if isinstance(node.value, int | float):
            return self._place(node, ast.Constant(node.value + 1), "constant")
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        """Nothing is returned."""
        self.generic_visit(node)
        if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
            return node
        return self._place(node, ast.Return(ast.Constant(None)), "return")

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Words of messages stay."""
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Annotations stay; the value does not."""
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Decorators stay."""
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        """``strict=True`` of a zip stays: it can only be seen where something else is wrong."""
        return node if node.arg == "strict" else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Annotations and decorators stay."""
        node.args.defaults = [self.visit(value) for value in node.args.defaults]
        node.args.kw_defaults = [value and self.visit(value) for value in node.args.kw_defaults]
        node.body = [self.visit(statement) for statement in node.body]
        return node


def faults_of(copy: Path, path: Path) -> Iterator[Fault]:
    """All faults that can be planted in a file."""
    planter = Planter()
    planter.visit(ast.parse(path.read_text()))
    for number, (line, kind, text) in enumerate(planter.places):
        yield Fault(path.relative_to(copy).as_posix(), line, number, kind, text)


def planted(path: Path, number: int) -> str:
    """The file with one place changed."""
    tree = Planter(number).visit(ast.parse(path.read_text()))
    return ast.unparse(ast.fix_missing_locations(tree))


def copy_of_repository() -> Path:
    """A fresh copy, in which tests may run and files may be changed."""
    copy = WORK / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, copy, ignore=ignored)
    return copy


def run_tests(copy: Path, arguments: list[str], limit: float | None = None) -> int | None:
    """Exit code of pytest, or None where it took too long."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(copy)}
    command = [sys.executable, *arguments]
    with subprocess.Popen(
        command, cwd=copy, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None


def tests_by_line(
    copy: Path, marker: str, tests: str
) -> tuple[Mapping[tuple[str, int], set[str]], Counter[str]]:
    """Names of the tests that touch each line, and how many lines each touches."""
    from coverage import CoverageData

    settings, data = copy / "coverage.ini", WORK / "coverage"
    settings.write_text(f"[run]\ndynamic_context = test_function\nsource = .\ndata_file = {data}\n")
    data.unlink(missing_ok=True)
    words = ["-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest", "-p", "no:cacheprovider"]
    run_tests(copy, [*words, tests, *(["-m", marker] if marker else [])])
    found = CoverageData(str(data))
    found.read()
    touching: dict[tuple[str, int], set[str]] = defaultdict(set)
    size: Counter[str] = Counter()
    for name in found.measured_files():
        path = Path(name).relative_to(copy).as_posix()
        if not path.startswith(ROOMS):
            continue
        for line, contexts in found.contexts_by_lineno(name).items():
            tests = {context for context in contexts if context}
            touching[path, line] = tests
            size.update(tests)
    return touching, size


def touching_of(fault: Fault, touching: Mapping[tuple[str, int], set[str]]) -> set[str]:
    """The tests that touch a fault's line; those that touch its file if only its import does, as for a constant."""
    tests = touching.get((fault.path, fault.line), set())
    return tests or {name for (path, _), names in touching.items() if path == fault.path for name in names}


def addresses(copy: Path, contexts: list[str]) -> list[str]:
    """Pytest's addresses of tests that coverage calls ``module.function``."""
    files = {path.stem: path.relative_to(copy).as_posix() for path in (copy / "tests").rglob("test_*.py")}
    split = [context.rpartition(".") for context in contexts]
    return [f"{files[module]}::{name}" for module, _, name in split if module in files]


def outcome(copy: Path, fault: Fault, tests: list[str]) -> str:
    """``killed`` or ``survived``; ``untouched`` where no test touches the line."""
    if not tests:
        return "untouched"
    path = copy / fault.path
    before = path.read_text()
    path.write_text(planted(path, fault.number))
    try:
        for part in (tests[:FIRST_TESTS], tests[FIRST_TESTS:]):
            words = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
            if part and run_tests(copy, [*words, *part], LIMIT_SECONDS) != 0:
                return "killed"
    finally:
        path.write_text(before)
    return "survived"


def chosen(copy: Path, arguments: argparse.Namespace) -> list[Fault]:
    """The sample, in the order in which it is gone through."""
    paths = [copy / path for path in arguments.paths] or [
        path for room in ROOMS for path in sorted((copy / room).rglob("*.py")) if "kernels" not in path.parts
    ]
    every = [fault for path in paths for fault in faults_of(copy, path)]
    return random.Random(arguments.seed).sample(every, min(arguments.sample, len(every)))


def main() -> None:
    """Go through the sample and print what survives."""
    parser = argparse.ArgumentParser(description="Count planted faults that no test sees.")
    parser.add_argument("paths", nargs="*", help="files to change; all by default")
    parser.add_argument("--sample", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=90, help="stop then; the same command goes on")
    parser.add_argument("--marker", default="not slow", help="tests that are shown the faults; '' for all")
    parser.add_argument("--tests", default="tests", help="folder or file of the tests to use")
    arguments = parser.parse_args()
    os.nice(10)
    WORK.mkdir(parents=True, exist_ok=True)
    end, copy = time.monotonic() + 60 * arguments.minutes, copy_of_repository()
    touching, size = tests_by_line(copy, arguments.marker, arguments.tests)
    results = WORK / "results.jsonl"
    known = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    done = {json.dumps(result["fault"]): result["outcome"] for result in known}
    found: Counter[str] = Counter()
    for fault in chosen(copy, arguments):
        key = json.dumps(asdict(fault))
        if key not in done:
            if time.monotonic() > end:
                break
            tests = sorted(touching_of(fault, touching), key=lambda name: (size[name], name))
            done[key] = outcome(copy, fault, addresses(copy, tests))
            with results.open("a") as file:
                file.write(json.dumps({"fault": asdict(fault), "outcome": done[key]}) + "\n")
        found[done[key]] += 1
        if done[key] != "killed":
            print(f"{done[key]} {fault.path}:{fault.line} {fault.kind}: {fault.text[:120]}", flush=True)
    total = sum(found.values())
    print(
        f"{total} faults, {found['killed']} killed, {found['survived']} survived, {found['untouched']} untouched"
    )


if __name__ == "__main__":
    main()
