"""The proof of lowering: every compilation runs its program beside the graph that it was made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from snnc.targets.run_options import RunOptions

from .errors import Diagnostic, MappingError, Severity, SnncError
from .graph.graph import Graph
from .graph.neurons.base import Neuron
from .graph.node import Node
from .graph.operators.base import Array, Shape
from .graph.samples import Samples
from .pipeline import Context, Guarantee, PassRecord
from .validation import worst_difference

if TYPE_CHECKING:
    from snnc.targets.target import Target

    from .simulate.trace import Trace

SAMPLES = 2
"""Validation samples that a program is run on."""

TICKS = 8
"""Ticks that they are presented, at most."""

_NUMBERS = 16_000_000
"""Neurons times ticks times samples, about, beyond which memory is saved: the network runs sample by sample, and the
program as it is, without a packed copy."""

_TOLERANCE = 1e-9
"""Relative error that the decoded answer may have: spikes and potentials may have none, its units are real numbers."""


@dataclass(frozen=True)
class Difference:
    """Where a program first departs from its graph.

    Attributes:
        node: the population, or the output.
        sample, tick: of the run; the answer's tick is the last.
        neuron: index in the population's shape.
        text: what differs there.
    """

    node: Node
    sample: int
    tick: int
    neuron: tuple[int, ...]
    text: str


def prove_lowering(
    target: Target[Any], program: Any, graph: Graph, ticks: int, context: Context, seconds: float
) -> PassRecord:
    """Run a program as an artefact would hold it, and compare all spikes and potentials with the graph's.

    Args:
        target: of the program.
        program: lowered and placed.
        graph: level INTEGER, what it was made from.
        ticks: of the compilation; ``TICKS`` are run at most.
        context: its first calibration samples are presented; without any, seeded ones, half of whose values are 0,
            so that not all inputs drive alike.
        seconds: what lowering took.

    Returns:
        The record ``lower``; its error is None, and note N302 says why, where the graph cannot be run on these samples.

    Raises:
        MappingError: T007, a population's spikes or potentials or the answer differ; the first place is named.
        ArtifactError: A1xx, the packed program cannot be unpacked.
    """
    samples, shown = _samples(graph, context), min(ticks, TICKS)
    samples = samples.up_to(graph, shown)
    large = _neurons(graph) * shown * len(samples) > _NUMBERS
    size, trace = 1 if large else len(samples), None
    error, agreement = 0.0, 1.0
    for first in range(0, len(samples), size):
        expected = _expected(graph, samples[first : first + size], shown, first, context)
        if expected is None:
            return _record(graph, None, None, None, None, seconds)
        if trace is None:
            runs = program if large else target.unpack(target.pack(program))
            trace = target.simulate(runs, samples.plain(), shown, RunOptions(("spikes", "voltage")))
        part = trace.rows(slice(first, first + size))
        place = first_departure(graph, expected, part, first)
        if place is not None:
            raise _refusal(place)
        apart, same = worst_difference(expected.outputs, part.outputs)
        error, agreement = max(error, apart), min(agreement, same)
    return _record(graph, error, agreement, len(samples), shown, seconds)


def first_departure(
    graph: Graph, expected: Trace, computed: Trace, first_sample: int = 0
) -> Difference | None:
    """The first place, in dataflow order and then in time, where two runs with spikes and potentials differ.

    Potentials that the target does not record, and those of what takes the samples, which are no integers, are passed.
    """
    for members in graph.components:
        places = [
            place
            for name in members
            if isinstance(graph[name].operator, Neuron)
            for place in _departures(graph[name], expected, computed)
        ]
        if places:
            place = min(places, key=lambda each: (each.sample, each.tick))
            return _counted_from(place, first_sample)
    departures = (_departure_of_answer(output, expected, computed, first_sample) for output in graph.outputs)
    return next((place for place in departures if place is not None), None)


def _samples(graph: Graph, context: Context) -> Samples:
    if context.calibration is not None:
        return Samples.of(graph, context.calibration)[:SAMPLES].astype(np.float32)
    random = np.random.default_rng(context.seed)

    def half_silent(shape: Shape) -> Array:
        values = random.random((SAMPLES, *shape), np.float32)
        return values * (random.random(values.shape) < 0.5)

    return Samples({node.name: half_silent(graph.shapes[node.name]) for node in graph.inputs})


def _neurons(graph: Graph) -> int:
    return sum(int(np.prod(graph.shapes[node.name])) for node in graph.populations)


def _expected(graph: Graph, samples: Samples, ticks: int, first: int, context: Context) -> Trace | None:
    """The graph's own run, or None and a note where it refuses the samples."""
    from .simulate import simulate

    try:
        return simulate(graph, samples, ticks, record=("spikes", "voltage"), first_sample=first)
    except SnncError as error:
        context.report(
            Diagnostic(
                "N302",
                Severity.NOTE,
                f"the program was not run beside its network: {error.message}",
                node=error.node,
                remedy="give calibration samples of the network's own kind",
            )
        )
        return None


def _departures(node: Node, expected: Trace, computed: Trace) -> Iterable[Difference]:
    """The first difference in a population's spikes and the first in its potentials, as far as there are any."""
    name = node.name
    if name not in computed.spikes:
        yield Difference(node, 0, 0, (), "the target does not record its spikes")
        return
    at = _first(expected.spikes[name], computed.spikes[name])
    if at is not None:
        fires = bool(computed.spikes[name][at])
        text = (
            "fires on the chip and not in the network"
            if fires
            else "fires in the network and not on the chip"
        )
        yield Difference(node, at[0], at[1], at[2:], text)
    assert isinstance(node.operator, Neuron)
    if name not in computed.voltage or node.operator.takes_samples:
        return
    at = _first(expected.voltage[name], computed.voltage[name])
    if at is not None:
        pair = f"{computed.voltage[name][at]} on the chip and {expected.voltage[name][at]} in the network"
        yield Difference(node, at[0], at[1], at[2:], f"has the potential {pair}")


def _first(expected: Array, computed: Array) -> tuple[int, ...] | None:
    """Index of the first difference of two recordings (samples, ticks, *shape), or None."""
    if expected.shape != computed.shape:
        return (0,) * expected.ndim
    wrong = expected != computed
    return tuple(map(int, np.unravel_index(wrong.argmax(), wrong.shape))) if wrong.any() else None


def _counted_from(place: Difference, first_sample: int) -> Difference:
    return Difference(place.node, place.sample + first_sample, place.tick, place.neuron, place.text)


def _departure_of_answer(
    output: Node, expected: Trace, computed: Trace, first_sample: int
) -> Difference | None:
    answer_of_graph, answer_of_chip = expected.outputs[output.name], computed.outputs.get(output.name)
    if answer_of_chip is None:
        return Difference(output, first_sample, 0, (), "is missing")
    if answer_of_graph.shape != answer_of_chip.shape:
        return Difference(output, first_sample, 0, (), f"has the shape {answer_of_chip.shape[1:]}")
    largest = float(np.abs(answer_of_graph).max(initial=0)) or 1.0
    wrong = ~(np.abs(answer_of_graph - answer_of_chip) <= _TOLERANCE * largest)
    if not wrong.any():
        return None
    at = tuple(map(int, np.unravel_index(wrong.argmax(), wrong.shape)))
    pair = f"{answer_of_chip[at]:.6g} on the chip and {answer_of_graph[at]:.6g} in the network"
    ticks = next(iter(expected.spikes.values())).shape[1] if expected.spikes else 1
    return Difference(output, at[0] + first_sample, ticks - 1, at[1:], f"is {pair}")


def _refusal(place: Difference) -> MappingError:
    index = f" {place.neuron}" if place.neuron else ""
    what = f"neuron{index}" if isinstance(place.node.operator, Neuron) else f"the answer{index}"
    return MappingError(
        "T007",
        f"the program does not do what its network does: in sample {place.sample}, at tick {place.tick},"
        f" {what} {place.text}",
        node=place.node.name,
        source=place.node.source,
        remedy="this is a defect of the mapping: report it with the model",
    )


def _record(
    graph: Graph,
    error: float | None,
    agreement: float | None,
    samples: int | None,
    ticks: int | None,
    seconds: float,
) -> PassRecord:
    size = len(graph)
    return PassRecord(
        "lower", Guarantee.EXACT, _TOLERANCE, error, agreement, samples, ticks, size, size, seconds
    )
