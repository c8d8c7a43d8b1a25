"""What the host computes beside a chip: currents and spikes made from the samples."""

from __future__ import annotations

from collections.abc import Mapping

import networkx as nx
import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Output
from snnc.graph.samples import Data, Samples
from snnc.simulate.batch import BatchState, run_batch
from snnc.simulate.plan import make_host_plan
from snnc.simulate.state import RunState


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
    x: Data,
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
        x: (samples, *input shape), or (samples, ticks, *input shape); by each input's name where there are several.
        ticks: length of the run.
        first_sample: index of the first sample in the data set, for seeded sources.
        potentials: arrays (samples, ticks, *shape) by spike source, which its potentials are written into.

    Returns:
        (samples, ticks or 1, *shape) each; 1 means constant over the ticks. Spikes are bool and never constant.
    """
    values, _ = host_run(graph, x, ticks, first_sample=first_sample, potentials=potentials)
    return values


def host_run(
    graph: Graph,
    x: Data,
    ticks: int,
    *,
    first_sample: int = 0,
    potentials: Mapping[str, Array] | None = None,
    state: RunState | None = None,
) -> tuple[Mapping[str, Array], RunState]:
    """As ``host_signals``, from the state of the ticks before, and the state after the last tick."""
    recordings = {name: {"voltage": array} for name, array in (potentials or {}).items()}
    samples = Samples.of(graph, x)
    batch = BatchState(make_host_plan(graph, ticks, moving=samples.moving(graph)), samples, recordings)
    values = run_batch(batch, np.arange(first_sample, first_sample + len(samples)), state)
    return {node.name: values[node.name] for node in graph.outputs}, batch.state()
