"""``snnc targets``: the chips that are there, with their limits and the options that they have of their own."""

from __future__ import annotations

import click

from .console import Console
from .options import output_options


@click.command("targets")
@output_options
def command(console: Console) -> None:
    """List the chips that can be compiled for, with their limits and own options."""
    from snnc.formats.plain import to_plain
    from snnc.report.tables import limits_table, options_table
    from snnc.targets.choosing import own_options
    from snnc.targets.target import targets

    for target in targets().values():
        console.result(limits_table(target))
        console.result(options_table(f"options of {target.name} alone", own_options(target)))
    console.answer(
        {
            name: {
                "summary": target.summary,
                "limits": to_plain(target.limits),
                "options": [option.as_plain() for option in own_options(target)],
            }
            for name, target in targets().items()
        }
    )
