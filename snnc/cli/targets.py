"""``snnc targets``: the chips that are there, with their limits."""

from __future__ import annotations

import click

from .console import Console
from .options import output_options


@click.command("targets")
@output_options
def command(console: Console) -> None:
    """List the chips that can be compiled for, with their limits."""
    from snnc.formats.plain import to_plain
    from snnc.report.tables import limits_table
    from snnc.targets.target import targets

    for target in targets().values():
        console.result(limits_table(target))
    console.answer(
        {
            name: {"summary": target.summary, "limits": to_plain(target.limits)}
            for name, target in targets().items()
        }
    )
