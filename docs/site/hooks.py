"""What the site's pages hold that a command knows: options, passes and limits as tables; links that leave the site.

A page asks for a table by a comment, ``<!-- table: options compile -->``, ``<!-- table: passes -->`` or
``<!-- table: limits loihi -->``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from inspect import cleandoc
from typing import Any

import click

TABLE = re.compile(r"<!-- table: (\w+) ?(\w*) -->")
OUTSIDE = re.compile(
    r"\[([^\]]+)\]\((?:\.\./)+((?:examples|targets|passes|snnc|tests|benchmarks|[A-Z]+\.md)[^)#]*)[^)]*\)"
)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with its tables; a file of the repository is named, since the site does not have it."""
    markdown = TABLE.sub(lambda match: "\n".join(_TABLES[match[1]](match[2])), markdown)
    return OUTSIDE.sub(r"\1", markdown)


def options(command: str) -> Iterator[str]:
    """Every option of a command of ``snnc``."""
    from snnc.cli.main import commands

    context = click.Context(commands, info_name="snnc")
    found = commands.get_command(context, command)
    assert found is not None, command
    yield "| option | what it does |"
    yield "| --- | --- |"
    for parameter in found.get_params(context):
        record = parameter.get_help_record(context)
        if record:
            yield f"| `{record[0].strip()}` | {_cell(record[1])} |"


def passes(_: str) -> Iterator[str]:
    """Every pass with its documentation and its options."""
    from snnc.fields import options_of
    from snnc.pass_text import known_passes
    from snnc.stages import need_text

    for name, step in known_passes().items():
        yield f"## {name}"
        yield ""
        promise = step.guarantee.value
        within = f", within {step.tolerance:g}" if promise == "rates" else ""
        stages = [
            f"{word} {need_text(needs)}"
            for word, needs in (("needs", step.requires), ("gives", step.gives))
            if needs
        ]
        yield f"Promises **{promise}**{within}{''.join('; ' + stage for stage in stages)}."
        yield ""
        yield _prose(step.__doc__ or "")
        yield ""
        if options_of(step):
            yield "| option | takes | default |"
            yield "| --- | --- | --- |"
            yield from (f"| `{o.text_name}` | `{o.kind_text}` | {o.default_text} |" for o in options_of(step))
            yield ""


def limits(target: str) -> Iterator[str]:
    """What the cores and chips of a target hold."""
    from snnc.targets import target_named

    values = target_named(target).limits
    yield "| limit | value |"
    yield "| --- | --- |"
    yield from (f"| {f.name.replace('_', ' ')} | {getattr(values, f.name)} |" for f in fields(values))


_TABLES = {"options": options, "passes": passes, "limits": limits}


def _prose(docstring: str) -> str:
    """A docstring as Markdown: literals in single quotes, no section of attributes, which the table has."""
    text, _, _ = cleandoc(docstring).partition("\nAttributes:")
    return text.replace("``", "`")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
