"""What passes from real numbers to a chip's integers share: constant currents, spikes of the host, short arrays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from snnc.errors import Diagnostic, PassError, Severity
from snnc.graph.composition import compact
from snnc.graph.graph import Edit, Graph
from snnc.graph.neurons import IF, Integrator, RateSource, Reset
from snnc.graph.node import Node
from snnc.graph.operators import Bias, Output, Readout
from snnc.graph.operators.base import Array, Shape
from snnc.graph.projections import Drive, drives
from snnc.pipeline import Context

Replace = Callable[[Edit, Node, Shape, Drive], Array | float]
"""Writes a population of a chip and its synapses; returns the integers that stand for 1."""


def in_integers(graph: Graph, replace_population: Replace, chip: str, context: Context) -> Graph:
    """A graph for a chip that takes spikes alone.

    Populations that the samples drive become the host's, all others what ``replace_population`` makes of them.

    Raises:
        PassError: P222, samples drive a population that the host cannot take over, or all populations.
    """
    edit, driven_by = graph.edit(), drives(graph)
    units: dict[str, Array | float] = {}
    for node in graph.populations:
        if getattr(node.operator, "takes_samples", False):
            continue
        if driven_by[node.name].host:
            encode_on_host(edit, node, driven_by[node.name], chip, context)
        else:
            units[node.name] = replace_population(edit, node, graph.shapes[node.name], driven_by[node.name])
    for output in graph.outputs:
        edit.set(output.name, operator=in_units(output, units))
    if not units:
        raise _nothing_on_chip(graph.outputs[0], chip)
    return edit.done()


def _nothing_on_chip(output: Node, chip: str) -> PassError:
    return PassError(
        "P222",
        f"the samples drive all of the network's neurons as a current, so nothing is left for {chip}",
        node=output.inputs[0],
        source=output.source,
        remedy="let the host make spikes of the samples (--input neurons or poisson)",
    )


@dataclass(frozen=True, eq=False)
class Membrane:
    """What an integrating neuron without memory of its current asks for, in the graph's units.

    Attributes:
        threshold, initial_voltage: (*shape) float64; 1 and 0 for a population that is read by its potential.
        reset: at a spike.
        reads: whether it is an Integrator.
    """

    threshold: Array
    initial_voltage: Array
    reset: Reset
    reads: bool


def membrane(node: Node, shape: Shape, chip: str, resets: Collection[Reset] = tuple(Reset)) -> Membrane:
    """That of an IF population or an Integrator.

    Raises:
        PassError: P220, the neurons are of another model, or have a reset that is not among those of the chip.
    """
    model = node.operator
    if isinstance(model, Integrator):
        return Membrane(np.ones(shape), np.zeros(shape), Reset.SUBTRACT, True)
    if not isinstance(model, IF) or model.reset not in resets:
        known = " or ".join(reset.value for reset in resets)
        reset = f" with reset {model.reset.value}" if isinstance(model, IF) else ""
        raise PassError(
            "P220",
            f"{chip} has no neurons of the model {type(model).__name__}{reset}",
            node=node.name,
            source=node.source,
            remedy=f"use IF neurons with reset {known}",
        )
    threshold, start = (
        np.broadcast_to(np.asarray(value, np.float64), shape)
        for value in (model.threshold, model.initial_voltage)
    )
    return Membrane(threshold, start, model.reset, False)


def without_bias_node(edit: Edit, name: str) -> str:
    """The node itself; or what it reads, if it is a constant current, which the neurons take over."""
    if not isinstance(edit[name].operator, Bias):
        return name
    (source,) = edit[name].inputs
    edit.remove(name)
    return source


def whole(values: Array) -> Array:
    """The nearest integers, int64."""
    return np.asarray(np.rint(values), np.int64)


def short_integers(values: Array) -> Array:
    """The nearest integers, int64: one number where all are equal, one a channel where channels are, else all."""
    return shortest(whole(values))


def shortest(values: Array) -> Array:
    """One number where all are equal, one a channel where channels are, else the array."""
    values = np.asarray(values)
    return np.asarray(values.flat[0]) if (values == values.flat[0]).all() else compact(values)


def encode_on_host(edit: Edit, node: Node, drive: Drive, chip: str, context: Context) -> None:
    """Let the host make the spikes of a population that the samples drive, for a chip that takes spikes alone.

    It becomes a RateSource, whose spikes are the same (note N220).

    Raises:
        PassError: P222, spikes arrive at it as well, or it is no IF population that resets by subtraction.
    """
    neuron = node.operator
    if drive.projections or not isinstance(neuron, IF) or neuron.reset is not Reset.SUBTRACT:
        raise PassError(
            "P222",
            f"the samples drive it as a current, which no neuron of {chip} takes",
            node=node.name,
            source=node.source,
            remedy="let the host make spikes of the samples (--input neurons or poisson)",
        )
    edit.set(node.name, operator=RateSource(neuron.threshold, neuron.initial_voltage))
    context.report(
        Diagnostic(
            "N220",
            Severity.NOTE,
            f"its neurons are computed by the host, which sends their spikes: no neuron of {chip} takes a current",
            node=node.name,
        )
    )


def in_units(
    output: Node, units: Mapping[str, Array | float], lifts: Mapping[str, float] | None = None
) -> Output:
    """An Output that gives the same answer after its population has been brought to integers.

    Args:
        output: of the graph of real numbers.
        units: by population, integers that stand for 1.
        lifts: by population, a current that was added to all neurons.

    Raises:
        PassError: P214, it reads potentials, but not of a population directly.
    """
    operator, (source,) = output.operator, output.inputs
    assert isinstance(operator, Output)
    if operator.readout is not Readout.POTENTIAL:
        return operator
    if source not in units:
        raise PassError(
            "P214",
            "an output must read a population of the chip directly",
            node=output.name,
            source=output.source,
            remedy="let it read the population, and scale the reading by its scale",
        )
    scale = np.asarray(operator.scale, np.float64)
    offset = np.asarray(operator.offset, np.float64) - (lifts or {}).get(source, 0.0) * scale
    return replace(operator, scale=shortest(scale / units[source]), offset=shortest(offset))
