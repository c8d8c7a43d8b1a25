"""``snnc export``: an ANN as an ONNX file, as it came in or after passes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .console import Console
from .options import PATH, input_shape_option, output_options

if TYPE_CHECKING:
    from snnc.graph import Shape


@click.command("export")
@click.argument("path", metavar="MODEL|ARTEFACT", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="ONNX file to write.")
@click.option("--passes", help="Passes to apply first, name{option=value,...},name,...")
@click.option("--calibration", type=PATH, help="Samples for passes that need some.")
@input_shape_option
@output_options
def command(
    console: Console,
    path: Path,
    output: Path,
    passes: str | None,
    calibration: Path | None,
    input_shape: Shape | Mapping[str, Shape] | None,
) -> None:
    """Write the ANN of a model file or an artefact as an ONNX file."""
    from snnc.compiler import transformed_ann
    from snnc.formats.files import check_output, replaced_file
    from snnc.formats.onnx import export_onnx

    check_output(output, path, calibration)
    graph, diagnostics = transformed_ann(path, passes or "", calibration, input_shape)
    model = export_onnx(graph)
    with replaced_file(output) as stream:
        stream.write(model.SerializeToString(deterministic=True))
    console.diagnostics(diagnostics)
    console.say(f"wrote {output}")
    console.answer({"output": str(output), "nodes": len(model.graph.node), "diagnostics": diagnostics})
