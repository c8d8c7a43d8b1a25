"""What is known of models, programs and runs, as tables of text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from snnc.fields import Option, options_of
from snnc.graph.graph import Graph
from snnc.pass_text import summary_of
from snnc.pipeline import Pass, PassRecord
from snnc.stages import need_text
from snnc.targets.target import LayerUse, Placement, Target, Usage

from .series import sums_together, uses_together

if TYPE_CHECKING:
    from snnc.formats.onnx import LedgerRow

    from .evaluation import Evaluation

_NUMBER = re.compile(r"(-|[-+]?[\d.,]+(e[-+]?\d+)?( %)?|\d+ > \d+)?")


@dataclass(frozen=True)
class Table:
    """Text in rows and columns.

    Attributes:
        title: what it shows.
        columns: headings.
        rows: as many texts each as there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def records(self) -> list[dict[str, str]]:
        """The rows as mappings from column to text."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def holds_numbers(self, column: int) -> bool:
        """Whether a column's cells are numbers, which are aligned to the right."""
        return all(_NUMBER.fullmatch(row[column]) for row in self.rows)


def table_text(table: Table) -> str:
    """The table as aligned lines, the last column as long as it needs."""
    widths = [
        max(len(row[column]) for row in (table.columns, *table.rows)) for column in range(len(table.columns))
    ]

    numeric = [table.holds_numbers(column) for column in range(len(table.columns))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.rjust(widths[column]) if numeric[column] else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([table.title, *(f"  {line(row)}" for row in (table.columns, *table.rows))])


def pass_table(records: Iterable[PassRecord]) -> Table:
    """What each pass promised, what it did to the outputs, and on how many samples and ticks that was seen."""
    rows = tuple(
        (
            record.name,
            record.guarantee.value,
            "-" if record.error is None else f"{record.error:.1e}",
            "-" if record.agreement is None else f"{100 * record.agreement:.0f} %",
            "-" if record.samples is None else str(record.samples),
            "-" if record.ticks is None else str(record.ticks),
            f"{record.nodes_before} > {record.nodes_after}",
        )
        for record in records
    )
    return Table("passes", ("pass", "preserves", "error", "same decision", "samples", "ticks", "nodes"), rows)


def layer_table(graph: Graph) -> Table:
    """The nodes of a graph with their shapes."""
    rows = tuple(
        (node.name, type(node.operator).__name__, "x".join(map(str, graph.shapes[node.name])))
        for node in graph.ordered
    )
    return Table(f"network {graph.name} ({graph.level.value})", ("node", "operator", "shape"), rows)


def ledger_table(ledger: Iterable[LedgerRow]) -> Table:
    """What became of every node of the ONNX file."""
    rows = tuple((row.node, row.operator, row.outcome.value, row.detail) for row in ledger)
    return Table("nodes of the ONNX file", ("node", "operator", "outcome", "in or why"), rows)


def usage_table(usage: Usage) -> Table:
    """Cores and the binding limit of every population; long series of parts or copies are one row."""
    rows = (*(_layer_row(layer) for layer in uses_together(usage.layers)), _total_row(usage))
    columns = ("population", "neurons", "synapses", "cores", "fullest limit", "used", "available", "share")
    return Table(f"cores on {usage.target}", columns, rows)


def fill_table(usage: Usage) -> Table:
    """How far every limit of the fullest core is used, a row a population."""
    limits = list(dict.fromkeys(use.limit for layer in usage.layers for use in layer.limits))
    rows = []
    for layer in uses_together(usage.layers):
        shares = {use.limit: f"{100 * use.share:.0f} %" for use in layer.limits}
        rows.append((layer.name, *(shares.get(limit, "-") for limit in limits)))
    columns = ("population", *limits)
    return Table("what fills the fullest core", columns, tuple(rows))


def remedy_table(usage: Usage) -> Table:
    """What other choices would change."""
    rows = tuple((remedy.change, str(remedy.cores), remedy.note) for remedy in usage.remedies)
    return Table("other choices", ("change", "cores", "what it costs"), rows)


def evaluation_table(evaluation: Evaluation) -> Table:
    """The figures of an evaluation that are known."""
    rows = [
        ("samples", f"{evaluation.samples}"),
        ("ticks", f"{evaluation.ticks}"),
        ("accuracy", _percent(evaluation.accuracy)),
        ("accuracy of the ANN", _percent(evaluation.ann_accuracy)),
        ("same decision as the ANN", _percent(evaluation.agreement)),
        *_error_rows(evaluation),
        ("spikes a sample", f"{evaluation.spikes_per_sample:,.0f}"),
        ("synaptic operations a sample", _count(evaluation.synaptic_operations_per_sample)),
        ("latency in ticks", f"{evaluation.latency_ticks}"),
        ("latency a sample", _quantity(evaluation.latency_seconds_per_sample, "s")),
        ("latency in clock cycles", _count(evaluation.latency_cycles_per_sample)),
        ("energy a sample", _quantity(evaluation.energy_joules_per_sample, "J")),
        ("of it dynamic", _quantity(evaluation.dynamic_joules_per_sample, "J")),
        ("of it static", _quantity(evaluation.static_joules_per_sample, "J")),
        ("static of the cores in use", _quantity(evaluation.static_joules_of_used_cores_per_sample, "J")),
        ("energy-delay product", _quantity(evaluation.energy_delay_joule_seconds, "J s")),
        ("samples a second, one by one", _count(evaluation.throughput_samples_per_second)),
        ("samples a second, pipelined", _count(evaluation.pipelined_samples_per_second)),
        ("energy a sample, pipelined", _quantity(evaluation.pipelined_joules_per_sample, "J")),
        ("cost set", evaluation.cost_set or "-"),
    ]
    return Table("evaluation", ("what", "value"), tuple(row for row in rows if row[1] != "-"))


def outputs_table(evaluation: Evaluation) -> Table:
    """The figures of each output of a network that has several."""
    rows = tuple(
        (
            name,
            _percent(output.accuracy),
            _percent(output.ann_accuracy),
            _percent(output.agreement),
            "-" if output.errors is None else f"{output.errors.rmse:.4g}",
            "-" if output.errors_to_ann is None else f"{output.errors_to_ann.rmse:.4g}",
        )
        for name, output in evaluation.outputs.items()
    )
    columns = ("output", "accuracy", "ANN", "same decision", "error (rms)", "difference from the ANN (rms)")
    return Table("outputs", columns, rows)


def _error_rows(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Errors of values: those from the labels, and from the ANN where answers are values."""
    rows = []
    for what, errors in (
        ("error", evaluation.errors),
        ("error of the ANN", evaluation.ann_errors),
        ("difference from the ANN", evaluation.errors_to_ann if evaluation.accuracy is None else None),
    ):
        if errors is not None:
            share = f" ({100 * errors.rmse / errors.range:.1f} % of the range)" if errors.range else ""
            rows += [
                (f"{what}, root mean square", f"{errors.rmse:.4g}{share}"),
                (f"{what}, largest", f"{errors.largest:.4g}"),
                (f"{what}, correlation", "-" if errors.correlation is None else f"{errors.correlation:.4f}"),
            ]
    return rows


def cost_tables(evaluation: Evaluation, groups: Mapping[str, str]) -> tuple[Table, ...]:
    """Dynamic energy by layer and event, and what ticks waited for; no tables without a cost model.

    Layers that ``groups`` gives one group, see ``Graph.groups``, are one row if they are many.
    """
    if evaluation.cost_set is None:
        return ()
    energies = {
        "layer": sums_together(evaluation.energy_by_layer, groups),
        "event": evaluation.energy_by_event,
    }
    tables = []
    for what, parts in energies.items():
        total = sum(parts.values())
        rows = tuple(
            (name, _quantity(part, "J"), _share(part, total)) for name, part in parts.items() if part
        )
        tables.append(Table(f"dynamic energy by {what}", (what, "a sample", "share"), rows))
    waits = tuple((name, _percent(share)) for name, share in evaluation.critical_elements.items())
    return (*tables, Table("what ticks waited for", ("element", "share of ticks"), waits))


def curve_table(evaluation: Evaluation) -> Table:
    """The accuracy after 1, 2, 4, 8, ... ticks, and after the last."""
    curve = evaluation.accuracy_by_tick
    ticks = [2**power for power in range(len(curve).bit_length()) if 2**power <= len(curve)]
    if curve and ticks[-1] != len(curve):
        ticks.append(len(curve))
    rows = tuple((str(tick), f"{100 * curve[tick - 1]:.2f} %") for tick in ticks)
    return Table("accuracy by tick", ("ticks", "accuracy"), rows)


def placement_text(placement: Placement) -> str:
    """One line about how cores were placed: ``placement traffic: 1,234 spike-hops a sample, 41 % fewer than ...``."""
    hops, rows = placement.spike_hops, placement.spike_hops_rows
    text = f"placement {placement.method.value}: {hops:,.0f} spike-hops a sample"
    if not rows:
        return f"{text}, all messages stay beside the router that they come from"
    if hops != rows:
        text += f", {_change(hops, rows)} than row by row"
    text += f"; busiest link {placement.busiest_link:,.0f} messages"
    if placement.busiest_link != placement.busiest_link_rows:
        text += f", was {placement.busiest_link_rows:,.0f}"
    return text if placement.samples else f"{text} (if every neuron fired once)"


def _change(new: float, old: float) -> str:
    share = 100 * abs(new - old) / old
    return f"{share:.0f} % {'fewer' if new < old else 'more'}"


def passes_table(steps: Mapping[str, type[Pass]]) -> Table:
    """The passes that there are, with their options and defaults."""
    rows: list[tuple[str, ...]] = []
    for name, step in steps.items():
        rows.append(
            (
                name,
                step.guarantee.value,
                need_text(step.requires),
                need_text(step.gives),
                "",
                "",
                summary_of(step),
            )
        )
        rows += [
            ("", "", "", "", option.text_name, option.default_text, f"takes {option.kind_text}")
            for option in options_of(step)
        ]
    return Table(
        "passes", ("pass", "preserves", "needs", "gives", "option", "default", "what it does"), tuple(rows)
    )


def options_table(title: str, options: Iterable[Option]) -> Table:
    """Options with their defaults."""
    rows = tuple((option.text_name, option.default_text, option.kind_text, option.help) for option in options)
    return Table(title, ("option", "default", "takes", "what it says"), rows)


def limits_table(target: Target[Any]) -> Table:
    """A target and the limits of its chip."""
    rows = tuple(
        (item.name.replace("_", " "), f"{getattr(target.limits, item.name)}")
        for item in fields(target.limits)
    )
    return Table(f"{target.name}: {target.summary}", ("limit", "value"), rows)


def _layer_row(layer: LayerUse) -> tuple[str, ...]:
    name, neurons, synapses, cores = layer.name, layer.neurons, layer.synapses, layer.cores
    counts = (name, f"{neurons:,}", f"{synapses:,}", f"{cores:,}")
    if not layer.limits:
        return (*counts, "-", "-", "-", "-")
    use = layer.binding
    return (*counts, use.limit, f"{use.used:,}", f"{use.available:,}", f"{100 * use.share:.0f} %")


def _total_row(usage: Usage) -> tuple[str, ...]:
    chips = f"{usage.chips} chip{'s' if usage.chips != 1 else ''}"
    return ("total", f"{usage.neurons:,}", f"{usage.synapses:,}", f"{usage.cores:,}", chips, "", "", "")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _count(number: float | None) -> str:
    return "-" if number is None else f"{number:,.0f}"


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _quantity(value: float | None, unit: str) -> str:
    """A quantity with four digits and a decimal prefix of its unit, e.g. ``"2.481 ms"``."""
    if value is None:
        return "-"
    for factor, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p")):
        if value >= factor:
            return f"{value / factor:.4g} {prefix}{unit}"
    return f"{value:.4g} {unit}"
