"""``snnc run``: samples through the simulated chip, with spikes and potentials written down."""

from __future__ import annotations

from collections.abc import Mapping
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
@click.option("--state", type=PATH, help="Go on from the state that a run of the same samples kept.")
@click.option("--keep-state", type=PATH, help="File to write where the run stands, for --state.")
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
    state: Path | None,
    keep_state: Path | None,
) -> None:
    """Run ARTEFACT on data and write what its neurons did."""
    from snnc.compiled import load
    from snnc.formats.dataset import load_dataset
    from snnc.formats.files import check_output
    from snnc.formats.trace_file import write_trace

    _check_options(timeline, costs, {"--output": output, "--timeline": timeline, "--keep-state": keep_state})
    for path in (output, timeline, keep_state):
        if path is not None:
            check_output(path, artefact, data, None if costs is None else Path(costs), state)
    compiled = load(artefact)
    x = load_dataset(data, compiled.input_shapes).x[:samples]
    console.diagnostics(compiled.input_warnings(x))
    before = None if state is None else compiled.load_state(state)
    with console.progress() as progress:
        trace = compiled.run(
            x, ticks, record, threads, state=before, keep_state=keep_state is not None, progress=progress
        )
    names = write_trace(output, trace)
    console.say(f"wrote {output}: {', '.join(names)}")
    if timeline is not None:
        from snnc.formats.timeline_file import write_timeline

        events = write_timeline(timeline, compiled.timeline(x, ticks, costs, state=before))
        console.say(f"wrote {timeline}: {events} events of the first sample")
    if keep_state is not None and trace.state is not None:
        compiled.save_state(keep_state, trace.state)
        console.say(f"wrote {keep_state}: the state after {trace.state.ticks} ticks")
    console.answer(
        {
            "output": str(output),
            "samples": len(x),
            "ticks": compiled.options.ticks if ticks is None else ticks,
            "latency_ticks": trace.latency_ticks,
            "spikes": {name: int(counts.sum()) for name, counts in trace.spike_counts.items()},
            "arrays": names,
            "timeline": None if timeline is None else str(timeline),
            "state": None if keep_state is None else str(keep_state),
        }
    )


def _check_options(timeline: Path | None, costs: str | None, written: Mapping[str, Path | None]) -> None:
    """Raise UsageError U001 where options do not go together."""
    if timeline is None and costs is not None:
        raise UsageError(
            "U001",
            "--costs is the cost set of --timeline, which is not asked for",
            remedy="add --timeline FILE; time and energy of all samples are what snnc eval prints",
        )
    by_path: dict[Path, str] = {}
    for option, path in written.items():
        other = option if path is None else by_path.setdefault(path.resolve(), option)
        if other != option:
            message = f"{other} and {option} name the same file"
            raise UsageError("U001", message, file=str(path), remedy="name two files")
