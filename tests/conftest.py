"""What all tests share: golden texts and how hypothesis draws examples.

A test compares a text with a small file; ``--update-golden`` rewrites the files. Examples are the same in every
run; ``--explore`` draws new ones.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.register_profile("explore")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files of the tests run")
    parser.addoption(
        "--explore", action="store_true", help="let hypothesis draw examples that are new in each run"
    )


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("explore" if config.getoption("--explore") else "same")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """A function (name, text) that holds a text against ``golden/<name>.txt`` beside the test file."""

    def check(name: str, text: str) -> None:
        path = request.path.parent / "golden" / f"{name}.txt"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path} is missing: run pytest --update-golden and review the file"
        assert text == path.read_text()

    return check
