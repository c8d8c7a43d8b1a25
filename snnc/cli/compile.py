"""``snnc compile``: from an ONNX file to an artefact."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import Console
from .options import PATH, CompilingCommand, model_options, output_options

if TYPE_CHECKING:
    from snnc.compiled import Compiled
    from snnc.graph import Graph, Shape
    from snnc.pipeline import Pass


@click.command("compile", cls=CompilingCommand)
@click.argument("model", type=PATH)
@click.option("-o", "--output", type=PATH, help="Artefact to write; MODEL.snnc in this folder by default.")
@click.option("--calibration", type=PATH, help=".npz with x, or .npy: samples like the training data.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything random.")
@model_options
@click.option("--passes", help="The whole pipeline, name{option=value,...},name,...")
@click.option(
    "--pass",
    "insert",
    multiple=True,
    metavar="NAME{after=PASS}",
    help="Put a pass beside another of the pipeline, name{option=value,after=name} or before=name.",
)
@click.option("--print-passes", is_flag=True, help="Print the target's own pipeline and stop.")
@click.option("--dump-after", multiple=True, metavar="PASS", help="Print the graph after this pass.")
@output_options
def command(
    console: Console,
    model: Path,
    output: Path | None,
    calibration: Path | None,
    seed: int,
    target: str,
    input_shape: Shape | Mapping[str, Shape] | None,
    memory: float | None,
    passes: str | None,
    insert: tuple[str, ...],
    print_passes: bool,
    dump_after: tuple[str, ...],
    **choices: Any,
) -> None:
    """Compile MODEL, an ONNX file, for a chip."""
    from snnc.compiler import compile, planned_passes
    from snnc.formats.files import check_output
    from snnc.pass_text import pass_named, pipeline_text

    if print_passes:
        steps = planned_passes(
            model,
            target,
            calibration=calibration,
            seed=seed,
            insert=",".join(insert),
            input_shape=input_shape,
            **choices,
        )
        console.line(pipeline_text(steps))
        console.answer({"passes": pipeline_text(steps)})
        return
    path = output or Path(f"{model.stem}.snnc")
    check_output(path, model, calibration)
    for name in dump_after:
        pass_named(name)
    dumps: dict[str, str] = {}

    def keep(step: Pass, graph: Graph) -> None:
        if step.name in dump_after:
            dumps[step.name] = str(graph)
            console.line(f"after {step.name}: {dumps[step.name]}")

    with console.progress() as progress:
        compiled = compile(
            model,
            target,
            calibration=calibration,
            seed=seed,
            passes=passes,
            insert=",".join(insert),
            input_shape=input_shape,
            memory=memory,
            observe=keep,
            progress=progress,
            **choices,
        )
    _check_dumps(dump_after, dumps)
    compiled.save(path)
    _show(console, compiled, path)
    console.answer({**_summary(compiled, path), "dumps": dumps})


def _check_dumps(requested: tuple[str, ...], dumps: dict[str, str]) -> None:
    from snnc.errors import UsageError

    missing = [name for name in requested if name not in dumps]
    if missing:
        raise UsageError(
            "U306",
            f"{', '.join(missing)} did not run, so there is no graph after it",
            remedy="--print-passes shows what runs",
        )


def _show(console: Console, compiled: Compiled, path: Path) -> None:
    from snnc.report.tables import ledger_table, pass_table, placement_text, usage_table

    if console.verbose:
        console.detail(ledger_table(compiled.ledger))
    console.detail(pass_table(compiled.records))
    console.detail(usage_table(compiled.usage))
    if compiled.placement is not None:
        console.say(placement_text(compiled.placement))
    console.diagnostics(compiled.diagnostics)
    console.say(f"wrote {path}")


def _summary(compiled: Compiled, path: Path) -> dict[str, Any]:
    from snnc.errors import Severity

    usage = compiled.usage
    return {
        "output": str(path),
        "target": compiled.target,
        "cores": usage.cores,
        "chips": usage.chips,
        "neurons": usage.neurons,
        "synapses": usage.synapses,
        "usage": usage,
        "placement": compiled.placement,
        "warnings": [item for item in compiled.diagnostics if item.severity is Severity.WARNING],
        "notes": [item for item in compiled.diagnostics if item.severity is Severity.NOTE],
        "passes": [
            {
                "name": record.name,
                "text": record.text,
                "seconds": record.seconds,
                "preserves": record.guarantee,
                "tolerance": record.tolerance,
                "error": record.error,
                "agreement": record.agreement,
                "samples": record.samples,
                "ticks": record.ticks,
            }
            for record in compiled.records
        ],
        "ledger": compiled.ledger,
    }
