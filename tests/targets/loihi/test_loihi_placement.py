"""Wherever cores lie, a program computes the same; what placement says of messages is what a run counts."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from integer_networks import integer_networks

import snnc
from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.operators import Conv, Flatten, Input, Linear, Output, Relu
from snnc.graph.operators.base import Array
from snnc.pipeline import Context
from snnc.simulate.costs import RunCosts
from snnc.targets import CompileOptions, RunOptions
from snnc.targets.costs import cost_set_named
from snnc.targets.loihi.check import check_program
from snnc.targets.loihi.limits import LoihiLimits
from snnc.targets.loihi.lower import lower
from snnc.targets.loihi.placement import place_cores
from snnc.targets.loihi.simulate import simulate_program
from snnc.targets.loihi.timing import simulate_with_costs

SMALL = LoihiLimits(compartments=24)
RECORD = ("spikes", "voltage", "current", "output")


def events(costs: RunCosts, *kinds: str) -> int:
    return int(sum(costs.events[costs.kinds.index(kind)].sum() for kind in kinds))


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(integer_networks(), st.sampled_from(["curve", "traffic"]), st.integers(0, 2))
def test_random_networks(graph: Graph, method: str, seed: int) -> None:
    try:
        program = lower(graph, limits=SMALL)
    except MappingError:
        assume(False)
    x = np.random.default_rng(5).random((3, *graph.inputs[0].operator.infer_shape()), np.float32)
    options, context = CompileOptions(ticks=12, placement=method), Context(x, seed)
    placed, found = place_cores(program, graph, options, context)
    check_program(placed, graph, SMALL)
    again, _ = place_cores(program, graph, options, context)
    assert [tile.core for tile in again.tiles] == [tile.core for tile in placed.tiles]
    expected, run = (simulate_program(each, x, 12, RunOptions(record=RECORD)) for each in (program, placed))
    for variable in RECORD[:3]:
        for name, values in run.recorded(variable).items():
            np.testing.assert_array_equal(values, expected.recorded(variable)[name])
    np.testing.assert_equal(run.outputs_by_tick, expected.outputs_by_tick)
    costs = cost_set_named("sanafe-loihi")
    for each, hops, crossings in (
        (program, found.spike_hops_rows, found.crossings_rows),
        (placed, found.spike_hops, found.crossings),
    ):
        counted = simulate_with_costs(each, x, 12, costs).costs
        if found.samples:
            assert events(counted, "hop_east_west", "hop_north_south") == pytest.approx(3 * hops)
            assert events(counted, "chip_crossing") == pytest.approx(3 * crossings)
        else:
            assert not events(counted, "hop_east_west", "hop_north_south")
    if method == "traffic":
        assert found.spike_hops <= found.spike_hops_rows


def convolutional(random: np.random.Generator) -> Graph:
    graph, last, channels = Graph("net").add("in", Input((2, 24, 24))), "in", 2
    for number in range(3):
        weight = random.normal(0, (2 / (9 * channels)) ** 0.5, (12, channels, 3, 3)).astype(np.float32)
        graph = graph.add(f"conv{number}", Conv(weight, pads=((1, 1), (1, 1))), last)
        last, channels = f"relu{number}", 12
        graph = graph.add(last, Relu(), f"conv{number}")
    graph = graph.add("flat", Flatten(), last)
    weight = random.normal(0, 0.02, (10, 12 * 24 * 24)).astype(np.float32)
    return graph.add("classes", Linear(weight), "flat").add("out", Output(), "classes")


@pytest.fixture(scope="module")
def images() -> Array:
    return np.random.default_rng(1).random((12, 2, 24, 24), np.float32)


def test_convolutions_take_far_fewer_hops_on_other_samples(images: Array) -> None:
    graph = convolutional(np.random.default_rng(0))
    hops, outputs = {}, {}
    for method in ("rows", "traffic"):
        compiled = snnc.compile(graph, calibration=images[:4], ticks=16, placement=method)
        assert compiled.placement is not None and compiled.placement.method.value == method
        assert compiled.placement.samples == 4 and compiled.placement.ticks == 16
        found = compiled.run_with_costs(images[4:])
        hops[method] = events(found.costs, "hop_east_west", "hop_north_south")
        outputs[method] = found.trace.output
    np.testing.assert_array_equal(outputs["rows"], outputs["traffic"])
    assert hops["traffic"] <= 0.7 * hops["rows"]


def test_the_artefact_keeps_what_placement_was_worth(images: Array, tmp_path: object) -> None:
    graph = convolutional(np.random.default_rng(0))
    compiled = snnc.compile(graph, ticks=4)
    compiled.save(f"{tmp_path}/net.snnc")
    read = snnc.load(f"{tmp_path}/net.snnc")
    assert read.placement == compiled.placement
    assert [tile.core for tile in read.program.tiles] == [tile.core for tile in compiled.program.tiles]


def test_one_tile_needs_no_run() -> None:
    graph = Graph("small").add("in", Input((4,))).add("fc", Linear(np.eye(4, dtype=np.float32)), "in")
    compiled = snnc.compile(graph.add("relu", Relu(), "fc").add("out", Output(), "relu"))
    assert compiled.placement is not None
    assert (compiled.placement.samples, compiled.placement.spike_hops_rows) == (0, 0.0)
