"""What each pass does to a small network, as a text to read: the graph before, the graph after, what it reports.

Small arrays stand with their values under their node, to four digits. ``make golden`` rewrites the texts in
``golden/``; review what has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace

import numpy as np
import pytest

from snnc.graph import (
    IF,
    AvgPool,
    BatchNorm,
    Bias,
    Clip,
    Conv,
    Flatten,
    Graph,
    Input,
    Integrator,
    Linear,
    MaxPool,
    Output,
    Pad,
    Readout,
    Relu,
    Reshape,
    Scale,
    SpikeSource,
    Step,
)
from snnc.graph.operators.base import Array, Operator
from snnc.pass_text import known_passes, parse_passes
from snnc.pipeline import Context
from snnc.targets.truenorth.neuron import TrueNorthNeuron

SHOWN = 16
"""Entries of the largest array that is written out."""

SAMPLES = np.array([[0, 1, 2], [4, 1, 0], [3, -2, 1]], np.float32)


def real(*values: object) -> Array:
    return np.array(values, np.float32)


def chain(name: str, source: Input, **operators: Operator) -> Graph:
    """Nodes in a row between an input and an output; the output reads values, or what a last population gives."""
    graph, last = Graph(name).add("x", source), "x"
    for node, operator in operators.items():
        graph, last = graph.add(node, operator, last), node
    operator = graph[last].operator
    readout = Readout.POTENTIAL if isinstance(operator, Integrator) else Readout.COUNT
    return graph.add("out", Output(readout) if graph.populations else Output(), last)


def perceptron() -> Graph:
    first = Linear(real([1, 2, 0], [0, -1, 1]), real(0, 0.5))
    return chain("perceptron", Input((3,)), first=first, relu=Relu(), last=Linear(real([1, -1], [0.5, 2])))


def spiking(first: Operator | None = None) -> Graph:
    """Spikes of the samples through a population to one that is read."""
    last = Linear(real([0.5, -0.25], [0.1, 0.7]), real(0, 0.3))
    middle = {"first": first} if first else {}
    source = SpikeSource() if first else IF(1.0, initial_voltage=0.5)
    inputs = {"spikes": source, **middle, "hidden": IF(2.0, initial_voltage=1.0)}
    if first is None:
        del inputs["hidden"]
    return chain("spiking", Input((3,) if first else (2,)), **inputs, last=last, read=Integrator())


def trinary(weight: Array) -> Graph:
    half = Step(real(0.5))
    return chain(
        "trinary", Input((3,)), on=half, first=Linear(weight), step=Step(real(0.5, 1.5)),
        last=Linear(real([1, -1], [0.5, 2])),
    )  # fmt: skip


def integers(*layers: tuple[int, int]) -> Graph:
    """Spikes of the samples into layers of TrueNorth's neurons: so many, each of which reads so many inputs."""
    graph, last, width = Graph("integers").add("x", Input((layers[0][1],))), "x", layers[0][1]
    graph, last = graph.add("spikes", SpikeSource(), last), "spikes"
    for number, (neurons, read) in enumerate(layers, 1):
        weight = np.where(
            np.arange(width) < read, np.arange(neurons * width).reshape(neurons, width) % 3 - 1, 0
        )
        graph = graph.add(f"map{number}", Linear(weight), last)
        graph = graph.add(f"neurons{number}", TrueNorthNeuron(np.array(2)), f"map{number}")
        last, width = f"neurons{number}", neurons
    return graph.add("out", Output(Readout.COUNT), last)


def max_pool() -> Graph:
    return chain("pool", Input((1, 4)), conv=Conv(real([[2.0]])), pool=MaxPool((2,), (2,)), relu=Relu())


def batch_norm() -> Graph:
    norm = BatchNorm(real(1, 2), real(0, 1), real(0.5, 0), real(1, 4), 0.0)
    return chain("norm", Input((1, 3)), conv=Conv(real([[1, 2]], [[0, 4]])), norm=norm, relu=Relu())


def merged() -> Graph:
    """A scale, a pool, a rearrangement and two linear maps between two populations."""
    return chain(
        "maps", Input((1, 4)), spikes=SpikeSource(), unit=Scale(real(2).reshape(())), pool=AvgPool((2,), (2,)),
        flat=Flatten(), first=Linear(real([1, 2], [3, 4]), real(1, 0)), last=Linear(real([1, 1])), read=IF(1.0),
    )  # fmt: skip


def untidy() -> Graph:
    return chain(
        "untidy", Input((1, 4)), pad=Pad(((0, 0), (1, 1))), conv=Conv(real([[1, -1]])), shift=Bias(real(0.5)),
        relu=Relu(), clip=Clip(-1, 6), shape=Reshape((5, 1)), flat=Flatten(),
    )  # fmt: skip


CASES: Mapping[str, tuple[str, Callable[[], Graph]]] = {
    "simplify": ("simplify", untidy),
    "fold_batch_norm": ("fold-batch-norm", batch_norm),
    "normalise_clip": ("normalise-clip", lambda: chain("clip", Input((3,)), clip=Clip(-1, 3))),
    "replace_max_pool": ("replace-max-pool", max_pool),
    "scale_input": ("scale-input", perceptron),
    "balance_thresholds": ("balance-thresholds", perceptron),
    "balance_thresholds_by_channel": ("balance-thresholds{per-channel=true}", perceptron),
    "balance_weights": ("balance-weights", perceptron),
    "convert_to_spiking": ("convert-to-spiking", perceptron),
    "encode_input": ("convert-to-spiking,encode-input{coding=rate}", perceptron),
    "calibrate_on_spikes": (
        "balance-thresholds{ticks=4},convert-to-spiking,calibrate-on-spikes{ticks=4}",
        perceptron,
    ),
    "merge_linear_maps": ("merge-linear-maps", merged),
    "loihi_quantise": ("loihi-quantise", lambda: spiking(Linear(real([1, 0.5, -2], [0.3, 0, 1])))),
    "truenorth_quantise": ("truenorth-quantise{weight-bits=4}", spiking),
    "sample_connections": (
        "sample-connections{copies=2}",
        lambda: trinary(real([0.5, -0.5, 1], [0, 0.25, -1])),
    ),
    "map_native": ("map-native", lambda: trinary(real([1, -1, 0], [0, 1, 1]))),
    "split_fan_in": ("split-fan-in", lambda: integers((2, 300))),
    "split_fan_out": ("split-fan-out", lambda: integers((200, 4), (1000, 200), (3, 3))),
}


@pytest.mark.parametrize("name", CASES)
def test_a_pass_does_what_its_text_shows(name: str, golden: Callable[[str, str], None]) -> None:
    text, network = CASES[name]
    graph = network()
    shape = graph.shapes[graph.inputs[0].name]
    samples = SAMPLES if shape == (3,) else np.linspace(0, 1, 4 * int(np.prod(shape)), dtype=np.float32)
    context = Context(calibration=samples.reshape(-1, *shape))
    *before, last = parse_passes(text)
    for step in before:
        ann = graph if graph.is_ann else context.ann
        graph = step(graph, context)
        context = replace(context, ann=ann)
    context.diagnostics.clear()
    after = last(graph, context)
    reports = [f"\n{report.code} {report.node}: {report.message}\n" for report in context.diagnostics]
    golden(
        name, "\n".join([written(graph), f"{last.text} makes of it", "", written(after) + "".join(reports)])
    )


def test_every_pass_has_a_text() -> None:
    """Of the compiler's own and its targets'."""
    shown = {parse_passes(text)[-1].name for text, _ in CASES.values()}
    own = {name for name, step in known_passes().items() if step.__module__.startswith("snnc.")}
    assert own == shown


def written(graph: Graph) -> str:
    """The graph's text with the values of small arrays below each node."""
    lines = str(graph).splitlines()
    rows = [lines[0]]
    for line, node in zip(lines[1:], graph, strict=True):
        rows += [line, *(f"    {name} = {value}" for name, value in values_of(node.operator))]
    return "\n".join(rows) + "\n"


def values_of(operator: Operator) -> Iterator[tuple[str, str]]:
    """(field, values) of the small arrays of an operator."""
    for field in fields(operator):
        value = getattr(operator, field.name)
        if isinstance(value, np.ndarray) and 1 < value.size <= SHOWN:
            short = "{:.4g}".format if value.dtype.kind == "f" else str
            yield field.name, str(np.vectorize(short)(value).tolist()).replace("'", "")
