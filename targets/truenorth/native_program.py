"""The program of a network mapped one to one, and what its spikes answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snnc.errors import PassError
from snnc.graph.graph import Graph
from snnc.graph.neurons import Neuron
from snnc.graph.node import Node
from snnc.graph.operators import Output, Readout
from snnc.graph.operators.base import Array
from snnc.pipeline import Context

from .limits import TRUENORTH, TrueNorthLimits
from .lower import lower
from .neuron import TrueNorthNeuron
from .program import Cores, TrueNorthProgram

_REST = TRUENORTH.leak[1] + 1
"""Threshold of a stand-in for a neuron without leak; that of leak l is as much less as l is more."""


def spikes_read(graph: Graph) -> Graph:
    """A graph made by ``MapNative``, read by the spikes of its last population instead of off-chip sums of them.

    Raises:
        PassError P235: several populations are read.
    """
    (output,) = graph.outputs
    way = _way_out(graph)
    sources = {name for node in way for name in node.inputs if isinstance(graph[name].operator, Neuron)}
    if len(sources) != 1:
        raise PassError(
            "P235",
            f"the answer is a sum over {len(sources)} populations, but one can be read",
            node=output.name,
            source=output.source,
            remedy="let the last layer have one step a neuron",
        )
    edit = graph.edit()
    edit.set(output.name, operator=Output(Readout.COUNT), inputs=tuple(sources))
    for node in reversed(way[:-1]):
        edit.remove(node.name)
    return edit.done()


def answers(graph: Graph, spikes: Array) -> Array:
    """What a graph made by ``MapNative`` answers for the spikes (samples, *shape) of its last population, float64."""
    value = np.asarray(spikes, np.float64)
    for node in _way_out(graph)[:-1]:
        value = node.operator.evaluate(value)
    output = graph.outputs[0].operator
    assert isinstance(output, Output)
    return np.asarray(value * output.scale + output.offset)


def lower_native(
    graph: Graph, context: Context | None = None, *, limits: TrueNorthLimits = TRUENORTH
) -> TrueNorthProgram:
    """The program of ``spikes_read(graph)``.

    Its neurons forget every tick, so whatever they do before their window opens is of no consequence; ``lower``
    refuses neurons that fire then. It is given stand-ins with the same synapses that rest at 0, and the registers
    are written afterwards.

    Raises:
        MappingError T42x: see ``lower``.
    """
    read = spikes_read(graph)
    edit = read.edit()
    for node in read.populations:
        if isinstance(node.operator, TrueNorthNeuron):
            stand_in = replace(node.operator, threshold=_REST - np.asarray(node.operator.leak), leak=None)
            edit.set(node.name, operator=stand_in)
    program = lower(edit.done(), None, context, limits=limits)
    return replace(program, cores=_with_leaks(program.cores))


def _with_leaks(cores: Cores) -> Cores:
    """The registers that the stand-ins stand for; unused neurons stay inert."""
    used = cores.threshold != TRUENORTH.threshold
    leak = np.where(used, _REST - cores.threshold, 0).astype(cores.leak.dtype)
    threshold = np.where(used, 0, cores.threshold).astype(cores.threshold.dtype)
    return replace(cores, leak=leak, threshold=threshold)


def _way_out(graph: Graph) -> tuple[Node, ...]:
    """The nodes from the last populations to the output, in dataflow order."""
    found: list[Node] = []
    waiting = [graph.outputs[0].name]
    while waiting:
        node = graph[waiting.pop()]
        if not isinstance(node.operator, Neuron) and node not in found:
            found.append(node)
            waiting += node.inputs
    return tuple(node for node in graph.ordered if node in found)
