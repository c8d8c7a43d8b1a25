"""Wherever cores lie, a program computes the same; what placement says of messages is what a run counts."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from truenorth_networks import truenorth_networks

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.neurons import SpikeSource
from snnc.graph.operators import Conv, Input, Output, Readout
from snnc.pipeline import Context
from snnc.simulate.costs import RunCosts
from snnc.targets import CompileOptions, RunOptions
from snnc.targets.costs import cost_set_named
from snnc.targets.truenorth.check import check_program
from snnc.targets.truenorth.limits import TrueNorthLimits
from snnc.targets.truenorth.lower import lower
from snnc.targets.truenorth.neuron import TrueNorthNeuron
from snnc.targets.truenorth.placement import place_cores
from snnc.targets.truenorth.simulate import simulate_program
from snnc.targets.truenorth.timing import simulate_with_costs

SMALL = TrueNorthLimits(axons=48, neurons=96)
RECORD = ("spikes", "voltage", "output")


def events(costs: RunCosts, *kinds: str) -> int:
    return int(sum(costs.events[costs.kinds.index(kind)].sum() for kind in kinds))


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(truenorth_networks(), st.sampled_from(["curve", "traffic"]), st.integers(0, 2))
def test_random_networks(graph: Graph, method: str, seed: int) -> None:
    try:
        program = lower(graph, limits=SMALL)
    except MappingError:
        assume(False)
    x = np.random.default_rng(5).random((3, *graph.inputs[0].operator.infer_shape()), np.float32)
    options, context = CompileOptions(ticks=12, placement=method), Context(x, seed)
    placed, found = place_cores(program, graph, options, context, SMALL)
    check_program(placed, graph, SMALL)
    again, _ = place_cores(program, graph, options, context, SMALL)
    np.testing.assert_array_equal(again.cores.x, placed.cores.x)
    np.testing.assert_array_equal(again.cores.y, placed.cores.y)
    expected, run = (simulate_program(each, x, 12, RunOptions(record=RECORD)) for each in (program, placed))
    for variable in RECORD[:2]:
        for name, values in run.recorded(variable).items():
            np.testing.assert_array_equal(values, expected.recorded(variable)[name])
    np.testing.assert_equal(run.outputs_by_tick, expected.outputs_by_tick)
    costs = cost_set_named("akopyan2015")
    for each, hops in ((program, found.spike_hops_rows), (placed, found.spike_hops)):
        counted = simulate_with_costs(each, x, 12, costs).costs
        assert events(counted, "hop_east_west", "hop_north_south") == pytest.approx(3 * hops)
    if method == "traffic":
        assert found.spike_hops <= found.spike_hops_rows


def test_convolutions_take_far_fewer_hops_on_other_samples() -> None:
    random = np.random.default_rng(0)
    graph, last, channels = (
        Graph("net").add("in", Input((1, 12, 12))).add("fire", SpikeSource(), "in"),
        "fire",
        1,
    )
    for number in range(3):
        weight = random.integers(-1, 2, (4, channels, 3, 3))
        graph = graph.add(f"conv{number}", Conv(weight, pads=((1, 1), (1, 1))), last)
        last, channels = f"fire{number}", 4
        graph = graph.add(last, TrueNorthNeuron(np.array(1 + number)), f"conv{number}")
    graph = graph.add("out", Output(Readout.COUNT), last)
    program = lower(graph)
    spikes = random.random((8, 1, 12, 12)) < 0.3
    options = CompileOptions(ticks=8)
    placed, found = place_cores(program, graph, options, Context(spikes[:2].astype(np.float32)))
    costs = cost_set_named("akopyan2015")
    rows, traffic = (
        events(
            simulate_with_costs(each, spikes[2:].astype(np.float32), 8, costs).costs,
            "hop_east_west",
            "hop_north_south",
        )
        for each in (program, placed)
    )
    assert found.spike_hops <= 0.7 * found.spike_hops_rows
    assert traffic <= 0.7 * rows
