"""``snnc passes``: the passes that are there, with their options."""

from __future__ import annotations

import click

from .console import Console
from .options import output_options


@click.command("passes")
@output_options
def command(console: Console) -> None:
    """List the passes, what each preserves, needs and gives, and their options."""
    from snnc.fields import options_of
    from snnc.pass_text import known_passes, summary_of
    from snnc.report.tables import passes_table
    from snnc.stages import need_text

    console.result(passes_table(known_passes()))
    console.answer(
        {
            name: {
                "summary": summary_of(step),
                "preserves": step.guarantee,
                "requires": [need_text([need]) for need in step.requires],
                "gives": [need_text([need]) for need in step.gives],
                "undoes": [need_text([need]) for need in step.undoes],
                "options": [option.as_plain() for option in options_of(step)],
            }
            for name, step in known_passes().items()
        }
    )
