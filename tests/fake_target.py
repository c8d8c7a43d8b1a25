"""A made-up chip for tests of everything around targets: it holds the INTEGER graph and runs it as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snnc.choices import PlacementMethod
from snnc.errors import ArtifactError
from snnc.formats.graph_data import graph_from_data, graph_to_data
from snnc.formats.packed import Packed
from snnc.graph import Graph
from snnc.graph.operators.base import Array
from snnc.pipeline import Context, Pass
from snnc.simulate import EventCounts, Trace, simulate
from snnc.targets import CompileOptions, LayerUse, LimitUse, Placement, Remedy, RunOptions, Usage
from snnc.targets.loihi.pipeline import loihi_pipeline
from snnc.targets.run_options import DEFAULT

CELLS = 100


@dataclass(frozen=True)
class FakeLimits:
    """Limits of the made-up chip."""

    cells: int = CELLS


@dataclass(frozen=True, eq=False)
class FakeProgram:
    """The graph itself."""

    graph: Graph
    target: str = "fake"


@dataclass(frozen=True)
class FakeTarget:
    """The made-up chip."""

    name: str = "fake"
    summary: str = "a made-up chip"
    limits: FakeLimits = FakeLimits()

    def pipeline(self, graph: Graph, options: CompileOptions, context: Context) -> tuple[Pass, ...]:
        return loihi_pipeline(graph, options)

    def lower(self, graph: Graph, options: CompileOptions, context: Context) -> FakeProgram:
        return FakeProgram(graph)

    def place(
        self, program: FakeProgram, graph: Graph, options: CompileOptions, context: Context
    ) -> tuple[FakeProgram, Placement]:
        hops = 10.0 if options.placement is PlacementMethod.ROWS else 4.0
        return program, Placement(options.placement, 8, options.ticks, hops, 0.0, hops / 2, 10.0, 0.0, 5.0)

    def check(self, program: FakeProgram, graph: Graph) -> None:
        assert program.graph is graph

    def simulate(self, program: FakeProgram, x: Array, ticks: int, options: RunOptions = DEFAULT) -> Trace:
        trace = simulate(program.graph, x, ticks, record=options.record, first_sample=options.first_sample)
        spikes = sum(int(counts.sum()) for counts in trace.spike_counts.values())
        one = np.full((1, ticks), spikes)
        return replace(trace, counts=EventCounts(one, one, one, one, one), latency_ticks=ticks + 1)

    def usage(self, program: FakeProgram) -> Usage:
        return _usage(program.graph, [node.name for node in program.graph.populations])

    def estimate(self, graph: Graph, options: CompileOptions) -> Usage:
        usage = _usage(graph, [node.name for node in graph.activations])
        return replace(usage, remedies=(Remedy("--reset zero", 1, "loses accuracy"),))

    def pack(self, program: FakeProgram) -> Packed:
        return graph_to_data(program.graph)

    def unpack(self, packed: Packed) -> Any:
        if "nodes" not in packed.header:
            raise ArtifactError("A105", "no program")
        return FakeProgram(graph_from_data(packed))


def _usage(graph: Graph, names: list[str]) -> Usage:
    sizes = {name: int(np.prod(graph.shapes[name])) for name in names}
    layers = tuple(
        LayerUse(name, size, 0, -(-size // CELLS), (LimitUse("cells", min(size, CELLS), CELLS),))
        for name, size in sizes.items()
    )
    cores = sum(layer.cores for layer in layers)
    return Usage("fake", cores, -(-cores // 4), sum(sizes.values()), 0, layers)
