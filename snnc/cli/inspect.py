"""``snnc inspect``: what a model or an artefact holds, and whether a model fits a chip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import Console
from .options import PATH, CompilingCommand, model_options, output_options

if TYPE_CHECKING:
    from snnc.graph import Shape


@click.command("inspect", cls=CompilingCommand)
@click.argument("path", metavar="MODEL|ARTEFACT", type=PATH)
@model_options
@output_options
def command(
    console: Console,
    path: Path,
    target: str,
    input_shape: Shape | Mapping[str, Shape] | None,
    memory: float | None,
    **choices: Any,
) -> None:
    """Show what a model file or an artefact holds, and what it takes on a chip."""
    from snnc.formats.artifact import is_artifact

    if is_artifact(path):
        _artifact(console, path)
    else:
        _model(console, path, target, input_shape, memory, choices)


def _artifact(console: Console, path: Path) -> None:
    from snnc.compiled import load
    from snnc.report.tables import (
        fill_table,
        layer_table,
        ledger_table,
        pass_table,
        placement_text,
        usage_table,
    )

    compiled = load(path)
    console.say(f"{path}: {compiled.file or compiled.graph.name} for {compiled.target}")
    console.result(layer_table(compiled.graph))
    console.result(usage_table(compiled.usage))
    console.result(fill_table(compiled.usage))
    if compiled.placement is not None:
        console.line(placement_text(compiled.placement))
    console.result(pass_table(compiled.records))
    console.detail(ledger_table(compiled.ledger))
    console.diagnostics(compiled.diagnostics)
    console.answer(
        {
            "file": compiled.file,
            "sha256": compiled.digest,
            "target": compiled.target,
            "seed": compiled.seed,
            "options": compiled.options,
            "layers": layer_table(compiled.graph).records(),
            "usage": compiled.usage,
            "placement": compiled.placement,
            "passes": compiled.records,
            "ledger": compiled.ledger,
            "diagnostics": compiled.diagnostics,
        }
    )


def _model(
    console: Console,
    path: Path,
    target: str,
    input_shape: Shape | Mapping[str, Shape] | None,
    memory: float | None,
    choices: dict[str, Any],
) -> None:
    from snnc.compiler import TO_INSPECT, read_source, require_room
    from snnc.formats.onnx import RefusedModelError
    from snnc.report.tables import layer_table, ledger_table, remedy_table, usage_table
    from snnc.targets import target_named
    from snnc.targets.choosing import choose_options

    chip = target_named(target)
    options = choose_options(chip, choices)
    try:
        source = read_source(path, input_shape=input_shape, memory=memory)
    except RefusedModelError as refusal:
        console.detail(ledger_table(refusal.ledger))
        raise
    require_room(source, TO_INSPECT, memory)
    usage = chip.estimate(source.graph, options)
    console.result(layer_table(source.graph))
    console.detail(ledger_table(source.ledger))
    console.result(usage_table(usage))
    console.result(remedy_table(usage))
    console.answer(
        {
            "file": source.file,
            "sha256": source.digest,
            "layers": layer_table(source.graph).records(),
            "ledger": source.ledger,
            "neurons": usage.neurons,
            "synapses": usage.synapses,
            "cores": usage.cores,
            "chips": usage.chips,
            "usage": usage,
        }
    )
