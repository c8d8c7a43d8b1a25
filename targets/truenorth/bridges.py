"""Populations that repeat spikes which would be underway too long, and neurons that are quiet before their windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.projections import drives
from snnc.targets.quantisation import short_integers
from snnc.targets.schedule import Schedule

from .layers import LONGEST
from .neuron import NegativeMode, ResetMode, TrueNorthNeuron
from .rewire import reading_others


def timed(graph: Graph) -> Graph:
    """The graph with its branches aligned and its neurons quiet before their windows open (cases 6 and 7)."""
    return _settled(_bridged(graph))


def repeater() -> TrueNorthNeuron:
    """A population that repeats spikes a tick later, and keeps nothing: any weight of at least 1 makes it fire."""
    return TrueNorthNeuron(np.array(1), np.array(0), ResetMode.NORMAL, NegativeMode.SATURATE)


def _bridged(graph: Graph) -> Graph:
    """The graph with populations that repeat spikes which would be underway too long (case 6)."""
    while True:
        driven_by = drives(graph)
        schedule = Schedule.of(graph, driven_by, LONGEST)
        far = [
            (node.name, projection)
            for node in graph.populations
            for projection in driven_by[node.name].projections
            if isinstance(graph[projection.source].operator, TrueNorthNeuron)
            and schedule.components[projection.source] != schedule.components[node.name]
            and schedule.delay(projection, node.name) > LONGEST
        ]
        if not far:
            return graph
        edit, source = graph.edit(), far[0][1].source
        group = edit[source].group_of("repeated")
        repeated = edit.add(f"{source}.repeated", repeater(), source, group=group)
        late = [(name, projection) for name, projection in far if projection.source == source]
        for name in dict.fromkeys(name for name, _ in late):
            own = [projection for other, projection in late if other == name]
            sources = [repeated if p in own else p.source for p in driven_by[name].projections]
            reading_others(edit, name, driven_by[name], sources)
        graph = edit.done()


def _settled(graph: Graph) -> Graph:
    """The graph with neurons that start low enough to stay silent until their windows open (case 7)."""
    begins = Schedule.of(graph, drives(graph), LONGEST).starts
    edit = graph.edit()
    for node in graph.populations:
        neuron = node.operator
        if not isinstance(neuron, TrueNorthNeuron) or neuron.is_stochastic or neuron.forgets:
            continue
        if begins[node.name] > 0:
            shape = graph.shapes[node.name]
            leak = np.broadcast_to(np.asarray(neuron.leak), shape)
            before = np.minimum(leak, 0) * (begins[node.name] - 1)
            highest = np.asarray(neuron.threshold) - 1 + before
            start = np.broadcast_to(np.asarray(neuron.initial_potential), shape)
            if (start > highest).any():
                edit.set(
                    node.name,
                    operator=replace(neuron, initial_potential=short_integers(np.minimum(start, highest))),
                )
    return edit.done()
