"""What all tests share: golden texts, how hypothesis draws examples, and which tests are slow.

A test compares a text with a small file; ``--update-golden`` rewrites the files, and runs only the tests that have
one. Examples are the same in every run; ``--explore`` draws new ones. Tests named in ``slow_tests.txt`` have the
marker ``slow``; ``--measure`` rewrites that file.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.register_profile("explore")

SLOW_TESTS = Path(__file__).with_name("slow_tests.txt")
SLOW_SECONDS = 0.5
"""Of all processors, for all cases of a test together, from which on it is slow."""

processor_seconds: dict[str, float] = defaultdict(float)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the golden files, and run nothing else"
    )
    parser.addoption(
        "--explore", action="store_true", help="let hypothesis draw examples that are new in each run"
    )
    parser.addoption(
        "--measure",
        action="store_true",
        help="rewrite the entries of the tests run in the list of slow tests (without -n)",
    )


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("explore" if config.getoption("--explore") else "same")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    slow = slow_tests()
    for item in items:
        if test_name(item) in slow:
            item.add_marker(pytest.mark.slow)
    if config.getoption("--update-golden"):
        others = [item for item in items if not {"golden", "update_golden"} & set(fixtures_of(item))]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


def slow_tests() -> set[str]:
    return set(SLOW_TESTS.read_text().split()) if SLOW_TESTS.exists() else set()


def fixtures_of(item: pytest.Item) -> tuple[str, ...]:
    return tuple(getattr(item, "fixturenames", ()))


def test_name(item: pytest.Item) -> str:
    """File and function, without the case."""
    return item.nodeid.partition("[")[0]


test_name.__test__ = False  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Count the processor's time: unlike the clock's, it is much the same on a busy machine."""
    before = sum(os.times()[:4])
    result = yield
    processor_seconds[test_name(item)] += sum(os.times()[:4]) - before
    return result


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--measure"):
        slow = slow_tests() - processor_seconds.keys()
        slow |= {name for name, seconds in processor_seconds.items() if seconds > SLOW_SECONDS}
        SLOW_TESTS.write_text("".join(f"{name}\n" for name in sorted(slow)))


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden texts are to be rewritten."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture
def golden(request: pytest.FixtureRequest, update_golden: bool) -> Callable[[str, str], None]:
    """A function (name, text) that holds a text against ``golden/<name>.txt`` beside the test file."""

    def check(name: str, text: str) -> None:
        path = request.path.parent / "golden" / f"{name}.txt"
        if update_golden:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path} is missing: run make golden and review the file"
        assert text == path.read_text()

    return check
