"""What the host computes beside a chip: currents and spikes made from the samples."""

from __future__ import annotations

from collections.abc import Mapping

import networkx as nx
import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Neuron
from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.delay import Delay
from snnc.graph.operators.interface import Input, Output
from snnc.graph.operators.low_pass import LowPass
from snnc.simulate.functional import is_sequence
from snnc.simulate.maps import map_evaluators


def host_graph(graph: Graph, roots: Mapping[str, str]) -> tuple[Graph, Mapping[str, str]]:
    """What the host computes, and the Output in it for every population that it drives or whose spikes it makes.

    Args:
        graph: the whole network.
        roots: by population, the last node of the host in front of it, or itself.
    """
    kept = {node.name for node in graph.inputs}.union(
        roots.values(), *(nx.ancestors(graph.digraph, root) for root in roots.values())
    )
    edit = Graph(graph.name, [node for node in graph if node.name in kept]).edit()
    readers = {name: edit.add(f"{name}.host", Output(), root) for name, root in roots.items()}
    return edit.done(), readers


def host_signals(
    graph: Graph,
    x: Array,
    ticks: int,
    *,
    first_sample: int = 0,
    potentials: Mapping[str, Array] | None = None,
) -> Mapping[str, Array]:
    """What each Output of a host graph reads, by the Output's name.

    Linear maps are computed as the functional simulator computes them: in float64 and sample by sample, so the
    bits do not depend on how samples are batched.

    Args:
        graph: Input, linear maps, QuantiseCurrent, spike sources and Outputs; no cycles.
        x: (samples, *input shape), or (samples, ticks, *input shape).
        ticks: length of the run.
        first_sample: index of the first sample in the data set, for seeded sources.
        potentials: arrays (samples, ticks, *shape) by spike source, which its potentials are written into.

    Returns:
        (samples, ticks or 1, *shape) each; 1 means constant over the ticks. Spikes are bool and never constant.
    """
    numbers = np.arange(first_sample, first_sample + len(x))
    maps = map_evaluators(graph, frozenset(), {})
    values: dict[str, Array] = {}
    silent: dict[str, Array] = {}
    for node in graph.ordered:
        operator, shape = node.operator, graph.shapes[node.name]
        inputs = [values[source] for source in node.inputs]
        silence = [silent[source] for source in node.inputs]
        silent[node.name] = silence[0] if silence else np.zeros((1, 1, *shape))
        if isinstance(operator, Input):
            values[node.name] = x if is_sequence(graph, x) else x[:, None]
        elif isinstance(operator, Output):
            values[node.name] = inputs[0]
        elif isinstance(operator, Neuron):
            values[node.name] = _spikes(
                operator, shape, inputs, numbers, ticks, (potentials or {}).get(node.name)
            )
            silent[node.name] = np.zeros((1, 1, *shape))
        elif isinstance(operator, Delay):
            values[node.name] = _delayed(inputs[0], silence[0], operator.ticks, ticks)
        elif isinstance(operator, LowPass):
            values[node.name] = operator.filtered(np.zeros_like(inputs[0][:, 0]), inputs[0], ticks)
        else:
            values[node.name] = maps[node.name](*inputs)
            silent[node.name] = maps[node.name](*silence)
    return {node.name: values[node.name] for node in graph.outputs}


def _spikes(
    neuron: Neuron,
    shape: Shape,
    inputs: list[Array],
    numbers: Array,
    ticks: int,
    potentials: Array | None,
) -> Array:
    state = neuron.start(shape, numbers, np.dtype(np.float64))
    spikes = np.zeros((len(numbers), ticks, *shape), bool)
    for tick in range(ticks):
        now = [value[:, min(tick, value.shape[1] - 1)].astype(np.float64) for value in inputs]
        state, spikes[:, tick] = neuron.receive(state, now)
        if potentials is not None:
            potentials[:, tick] = state["voltage"]
    return spikes


def _delayed(value: Array, silence: Array, delay: int, ticks: int) -> Array:
    """The value of ``delay`` ticks ago, before the first tick what it is while nothing is presented."""
    samples, _, *shape = value.shape
    before = np.broadcast_to(silence, (samples, min(delay, ticks), *shape))
    after = np.broadcast_to(value, (samples, ticks, *shape))[:, : max(ticks - delay, 0)]
    return np.concatenate([before, after], axis=1)
