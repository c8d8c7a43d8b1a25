"""Plants faults in passes, targets and graphs, one at a time, and counts those that no test sees.

    python benchmarks/mutants.py                                # the sample that docs/testing.md speaks of
    python benchmarks/mutants.py --sample 40 passes/_scales.py  # one file
    python benchmarks/mutants.py --minutes 20                   # as far as it gets; the same command goes on
    python benchmarks/mutants.py --fresh                        # from the beginning, with the files as they are now

A fault is a change in the syntax tree: a comparison, an operation of arithmetic, a constant, a boolean or a returned
value. Everything happens in a copy of the repository, which stays until ``--fresh``. The tests run once under
coverage, which tells what each touches and takes; a fault is shown to those that touch its line, quick ones first,
until one fails. Each run is a fork of this process, which has loaded the libraries, and has limits of memory and time.
Results are written to ``build/mutants/results.jsonl`` as they come.

Kernels are left out: numba would compile them anew for every fault, and coverage does not see into them.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "mutants"
COPY = WORK / "copy"
ROOMS = ("passes", "targets", "snnc/graph")
LIBRARIES = ("coverage", "hypothesis", "networkx", "numba", "numpy", "onnx", "onnxruntime", "rich", "xdist")
"""Loaded before the forks. Nothing of snnc is: each fork reads it with its fault."""

FIRST_TESTS = 25
"""Tests that a fault is shown to first."""

MEMORY = 5 << 30
"""Bytes of address space that a run may have."""

GRACE_SECONDS = 20.0
"""Of processor time, that a run may have beside twice what its tests take without a fault."""

WAITING = 20.0
"""Times its processor time that a run may take by the clock, on a busy machine: a fault may make it wait for ever."""

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


@dataclass(frozen=True)
class Coverage:
    """What the tests touch and take.

    Attributes:
        tests: by file and line, which tests touch it; those that share a module with one whose fixtures touch it count.
        seconds: by test, of the processor.
    """

    tests: Mapping[tuple[str, int], frozenset[str]]
    seconds: Mapping[str, float]

    def of(self, fault: Fault) -> list[str]:
        """The tests that touch a fault's statement, the quickest first; those of its file if only an import does."""
        statement = lines_of_statement(COPY / fault.path, fault.line)
        tests = frozenset().union(*(self.tests.get((fault.path, line), ()) for line in statement))
        if not tests and any((fault.path, line) in self.tests for line in statement):
            tests = frozenset().union(
                *(names for (path, _), names in self.tests.items() if path == fault.path)
            )
        return sorted(tests, key=lambda name: (self.seconds[name], name))


def faults_of(path: Path) -> Iterator[Fault]:
    """All faults that can be planted in a file of the copy."""
    planter = Planter()
    planter.visit(ast.parse(path.read_text()))
    for number, (line, kind, text) in enumerate(planter.places):
        yield Fault(path.relative_to(COPY).as_posix(), line, number, kind, text)


def planted(path: Path, number: int) -> str:
    """The file with one place changed."""
    tree = Planter(number).visit(ast.parse(path.read_text()))
    return ast.unparse(ast.fix_missing_locations(tree))


def lines_of_statement(path: Path, line: int) -> range:
    """The lines of the smallest statement that holds a line, without those of the block below it."""
    spans = [
        range(node.lineno, node.body[0].lineno if getattr(node, "body", None) else (node.end_lineno or 0) + 1)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.stmt)
    ]
    return min((span for span in spans if line in span), key=len, default=range(line, line + 1))


def copy_repository() -> None:
    """A fresh copy, in which tests may run and files may be changed."""
    shutil.rmtree(WORK, ignore_errors=True)
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, COPY, ignore=ignored)


def forked(work: Callable[[], int], seconds: float) -> int:
    """Exit code of a function that runs in the copy, in a process of its own; -1 if it was ended by a limit.

    Args:
        work: runs in the child.
        seconds: of processor time that it may take.
    """
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(COPY)
        log = os.open(WORK / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
        os.environ["PYTHONPATH"] = str(COPY)
        sys.path.insert(0, str(COPY))
        code = -1
        try:
            code = work()
        finally:
            os._exit(code & 0xFF)
    end = time.monotonic() + WAITING * seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else -1
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.02)


class Contexts:
    """A plugin of pytest that tells coverage which test, or the preparation of which, is running."""

    def __init__(self, coverage: Any) -> None:
        self.coverage = coverage
        self.seconds: dict[str, float] = defaultdict(float)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Count its seconds, all cases of a test together."""
        before = sum(os.times()[:4])
        result = yield
        self.seconds[item.nodeid.partition("[")[0]] += sum(os.times()[:4]) - before
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Fixtures, which other tests of its module may share."""
        self.coverage.switch_context("setup " + item.nodeid.partition("::")[0])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """The test itself."""
        self.coverage.switch_context(item.nodeid.partition("[")[0])


def measure(words: list[str]) -> int:
    """Run tests under coverage and write what they touch and take beside the copy."""
    from coverage import Coverage as Recorder

    recorder = Recorder(data_file=str(WORK / "coverage"), source=[str(COPY / room) for room in ROOMS])
    contexts = Contexts(recorder)
    recorder.start()
    code = pytest.main([*words, "-p", "no:cacheprovider", "-p", "no:xdist"], plugins=[contexts])
    recorder.stop()
    recorder.save()
    (WORK / "seconds.json").write_text(json.dumps(contexts.seconds))
    return int(code)


def read_coverage() -> Coverage:
    """What ``measure`` wrote."""
    from coverage import CoverageData

    seconds = json.loads((WORK / "seconds.json").read_text())
    data = CoverageData(str(WORK / "coverage"))
    data.read()
    modules: dict[str, set[str]] = defaultdict(set)
    for name in seconds:
        modules["setup " + name.partition("::")[0]].add(name)
    tests = {
        (Path(path).relative_to(COPY).as_posix(), line): frozenset().union(
            *(modules.get(context, {context}) for context in contexts if context)
        )
        for path in data.measured_files()
        for line, contexts in data.contexts_by_lineno(path).items()
    }
    return Coverage(tests, seconds)


def outcome(fault: Fault, coverage: Coverage) -> tuple[str, str]:
    """``killed``, ``survived`` or ``untouched`` (no test touches the line), and the test that killed it, if one did."""
    tests = coverage.of(fault)
    if not tests:
        return "untouched", ""
    path = COPY / fault.path
    before = path.read_text()
    path.write_text(planted(path, fault.number))
    try:
        for part in (tests[:FIRST_TESTS], tests[FIRST_TESTS:]):
            words = ["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist", *part]
            seconds = GRACE_SECONDS + 2 * sum(coverage.seconds[name] for name in part)
            code = forked(lambda words=words: int(pytest.main(words)), seconds) if part else 0
            if code != 0:
                return "killed", "a limit" if code == -1 else last_line(
                    (WORK / "log").read_text(errors="replace")
                )
    finally:
        path.write_text(before)
    return "survived", f"{len(tests)} tests"


def last_line(log: str) -> str:
    """The line in which pytest names the first test that failed."""
    lines = [line for line in log.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return lines[0][:200] if lines else log[-200:]


def chosen(arguments: argparse.Namespace) -> list[Fault]:
    """The sample, in the order in which it is gone through."""
    paths = [COPY / path for path in arguments.paths] or [
        path for room in ROOMS for path in sorted((COPY / room).rglob("*.py")) if "kernels" not in path.parts
    ]
    every = [fault for path in paths for fault in faults_of(path)]
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
    parser.add_argument("--fresh", action="store_true", help="copy and measure anew, and forget results")
    arguments = parser.parse_args()
    os.nice(10)
    for name in LIBRARIES:
        importlib.import_module(name)
    end = time.monotonic() + 60 * arguments.minutes
    if arguments.fresh or not (WORK / "seconds.json").exists():
        copy_repository()
        code = forked(lambda: measure([arguments.tests, "-m", arguments.marker]), 3600)
        if code != 0:
            sys.exit(f"the tests fail without a fault: {WORK / 'log'}")
    # The bytecode of the files as they are is kept; that of a fault must not be.
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    coverage = read_coverage()
    results = WORK / "results.jsonl"
    lines = results.read_text().splitlines() if results.exists() else []
    outcomes = {json.dumps(result["fault"]): result["outcome"] for result in map(json.loads, lines)}
    counts: Counter[str] = Counter()
    for fault in chosen(arguments):
        key = json.dumps(asdict(fault))
        if key not in outcomes:
            if time.monotonic() > end:
                break
            outcomes[key], reason = outcome(fault, coverage)
            with results.open("a") as file:
                file.write(
                    json.dumps({"fault": asdict(fault), "outcome": outcomes[key], "by": reason}) + "\n"
                )
        counts[outcomes[key]] += 1
        if outcomes[key] != "killed":
            print(f"{outcomes[key]} {fault.path}:{fault.line} {fault.kind}: {fault.text[:120]}", flush=True)
    print(
        f"{counts.total()} faults, {counts['killed']} killed, {counts['survived']} survived,"
        f" {counts['untouched']} untouched"
    )


if __name__ == "__main__":
    main()
