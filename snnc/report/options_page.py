"""The page ``docs/options.md``, made from the options as they are declared."""

from __future__ import annotations

from collections.abc import Iterable

from snnc.fields import Option, options_of
from snnc.options import CompileOptions
from snnc.targets.choosing import own_options
from snnc.targets.target import targets

_HEAD = """# Options of the compiler

Each is a keyword of `snnc.compile` and an option of `snnc compile` and `snnc inspect`. This page is made from their
declarations by `pytest --update-golden tests/test_options.py`; a test holds it to them.
"""


def options_page() -> str:
    """The whole page: the options of every target, then those that a target has of its own."""
    parts = [_HEAD, "## Every target\n", _table(options_of(CompileOptions))]
    for target in targets().values():
        if own_options(target):
            parts += [f"## `--target {target.name}` alone\n", _table(own_options(target))]
    return "\n".join(parts)


def _table(options: Iterable[Option]) -> str:
    rows = [
        "| keyword | command line | takes | default | what it says |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows += [
        f"| `{option.name}` | `{option.flag}` | {option.takes} | {option.default_text} | {option.help} |"
        for option in options
    ]
    return "\n".join(rows) + "\n"
