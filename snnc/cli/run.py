"""``snnc run``: samples through the simulated chip, with spikes and potentials written down."""

from __future__ import annotations

from pathlib import Path

import click

from snnc.errors import UsageError

from .console import Console
from .options import PATH, NameList, data_options, output_options, ticks_option


@click.command("run")
@click.argument("artefact", type=PATH)
@data_options
@ticks_option
@click.option(
    "--record",
    type=NameList(),
    default="",
    help="What to write beside the answer: spikes, output (after every tick), and state variables of the chip's "
    "neurons by name, such as voltage.",
)
@click.option(
    "-o", "--output", type=PATH, default=Path("trace.npz"), show_default=True, help="File to write."
)
@click.option("--timeline", type=PATH, help="Write the first sample's time on the chip as a Chrome trace.")
@click.option("--costs", help="Cost set of the timeline, or a TOML file with one.")
@output_options
def command(
    console: Console,
    artefact: Path,
    data: Path,
    samples: int | None,
    threads: int | None,
    ticks: int | None,
    record: tuple[str, ...],
    output: Path,
    timeline: Path | None,
    costs: str | None,
) -> None:
    """Run ARTEFACT on data and write what its neurons did."""
    from snnc.compiled import load
    from snnc.formats.dataset import load_dataset
    from snnc.formats.files import check_output
    from snnc.formats.trace_file import write_trace

    _check_options(output, timeline, costs)
    for path in (output, timeline):
        if path is not None:
            check_output(path, artefact, data, None if costs is None else Path(costs))
    compiled = load(artefact)
    x = load_dataset(data, compiled.input_shapes).x[:samples]
    console.diagnostics(compiled.input_warnings(x))
    with console.progress() as progress:
        trace = compiled.run(x, ticks, record, threads, progress=progress)
    names = write_trace(output, trace)
    console.say(f"wrote {output}: {', '.join(names)}")
    if timeline is not None:
        from snnc.formats.timeline_file import write_timeline

        events = write_timeline(timeline, compiled.timeline(x, ticks, costs))
        console.say(f"wrote {timeline}: {events} events of the first sample")
    console.answer(
        {
            "output": str(output),
            "samples": len(x),
            "ticks": compiled.options.ticks if ticks is None else ticks,
            "latency_ticks": trace.latency_ticks,
            "spikes": {name: int(counts.sum()) for name, counts in trace.spike_counts.items()},
            "arrays": names,
            "timeline": None if timeline is None else str(timeline),
        }
    )


def _check_options(output: Path, timeline: Path | None, costs: str | None) -> None:
    """Raise UsageError U001 where options do not go together."""
    if timeline is None and costs is not None:
        raise UsageError(
            "U001",
            "--costs is the cost set of --timeline, which is not asked for",
            remedy="add --timeline FILE; time and energy of all samples are what snnc eval prints",
        )
    if timeline is not None and timeline.resolve() == output.resolve():
        raise UsageError(
            "U001", "--output and --timeline name the same file", file=str(output), remedy="name two files"
        )
