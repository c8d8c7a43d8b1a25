"""``snnc eval``: how accurate the chip's program is, next to the ANN."""

from __future__ import annotations

from pathlib import Path

import click

from .console import Console
from .options import PATH, cost_options, data_options, output_options, ticks_option


@click.command("eval")
@click.argument("artefact", type=PATH)
@data_options
@ticks_option
@cost_options
@click.option(
    "--stream",
    is_flag=True,
    help="A new sample every tick, for a network of step activations; figures are the pipelined ones.",
)
@output_options
def command(
    console: Console,
    artefact: Path,
    data: Path,
    samples: int | None,
    threads: int | None,
    ticks: int | None,
    costs: str | None,
    detailed: bool,
    stream: bool,
) -> None:
    """Evaluate ARTEFACT on labelled data, next to the network it was made from."""
    from snnc.compiled import load
    from snnc.formats.dataset import load_dataset
    from snnc.report.evaluation import evaluate
    from snnc.report.tables import cost_tables, curve_table, evaluation_table, outputs_table

    compiled = load(artefact)
    dataset = load_dataset(data, compiled.input_shapes, compiled.output_shapes).first(samples)
    console.diagnostics(compiled.input_warnings(dataset.x))
    with console.progress() as progress:
        evaluation = evaluate(
            compiled, dataset.x, dataset.y, ticks, threads, progress, costs, detailed, stream
        )
    console.result(evaluation_table(evaluation))
    if evaluation.outputs:
        console.result(outputs_table(evaluation))
    if evaluation.accuracy_note:
        console.line(evaluation.accuracy_note)
    for table in cost_tables(evaluation, compiled.graph.groups):
        console.detail(table)
    console.detail(curve_table(evaluation))
    console.answer(evaluation)
