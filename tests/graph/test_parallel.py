"""Branches side by side: their sum as one map, and many in a row in a number of nodes that grows with the network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.graph import IF, Add, Conv, Flatten, Graph, Input, Integrator, Linear, Output, Readout, SpikeSource
from snnc.graph.operators.base import Array, Operator
from snnc.graph.operators.index_map import ListedMap
from snnc.graph.parallel import side_by_side
from snnc.graph.projections import MOST_BRANCHES, Projection
from snnc.graph.synapses import real_entries
from snnc.passes import MergeLinearMaps
from snnc.pipeline import Context, Pipeline
from snnc.simulate import simulate


def projection(operator: Operator, shape: tuple[int, ...]) -> Projection:
    out = operator.infer_shape(shape)
    return Projection("p", shape, None, shape, operator, out, None, out, nodes=("n",))


def dense(part: Projection) -> Array:
    matrix = np.zeros((int(np.prod(part.out_shape)), int(np.prod(part.source_shape))))
    rows, columns, values = real_entries(part)
    np.add.at(matrix, (rows, columns), values)
    return matrix


@given(st.integers(0, 999), st.integers(1, 2), st.integers(1, 2))
@settings(deadline=None, max_examples=60)
def test_convolutions_of_unlike_kernels_are_one(seed: int, stride: int, groups: int) -> None:
    """With any kernels and paddings that give one size; against the entries of each."""
    rng = np.random.default_rng(seed)
    branches = []
    for _ in range(3):
        kernel = rng.integers(1, 5, 2)
        low = [int(rng.integers(0, size)) for size in kernel]
        pads = tuple((at, int(size) - 1 - at) for at, size in zip(low, kernel, strict=True))
        weight = rng.normal(size=(2, 2 // groups, *kernel))
        branches.append(projection(Conv(weight, None, (stride, stride), pads, (1, 1), groups), (2, 5, 6)))
    whole = side_by_side(branches)
    assert isinstance(whole.operator, Conv)
    assert whole.operator.infer_shape((2, 5, 6)) == whole.out_shape
    np.testing.assert_allclose(dense(whole), sum(map(dense, branches)), atol=1e-12)


def test_maps_of_unlike_types_are_their_entries() -> None:
    rng = np.random.default_rng(0)
    first = projection(Linear(rng.normal(size=(3, 4))), (4,))
    second = projection(Linear(rng.normal(size=(3, 4))), (4,))
    alike = side_by_side([first, second])
    assert isinstance(alike.operator, Linear)
    turned = Projection(
        "p", (4,), ListedMap(np.array([3, 2, -1, 0]), (4,), (4,)), (4,), second.operator, (3,), None, (3,)
    )
    for parts in ([first, second], [first, turned], [turned, turned]):
        np.testing.assert_allclose(dense(side_by_side(parts)), sum(map(dense, parts)))


def diamonds(count: int, convolved: bool) -> Graph:
    """Sums of two maps of the same signal, so many in a row, between two populations."""
    rng = np.random.default_rng(1)
    graph, last = Graph("diamonds").add("x", Input((2, 3) if convolved else (4,))), "s"
    graph = graph.add("s", SpikeSource(), "x")
    for number in range(count):
        for side in "ab":
            weight: Array = np.eye(4) / 2 + rng.normal(size=(4, 4)) * 0.04
            operator: Operator = Linear(weight)
            if convolved:
                operator = Conv(weight[:2, :2, None])
            graph = graph.add(f"{side}{number}", operator, last)
        graph, last = graph.add(f"sum{number}", Add(), f"a{number}", f"b{number}"), f"sum{number}"
    graph = graph.add("hidden", IF(0.1), last)
    if convolved:
        graph, last = graph.add("flat", Flatten(), "hidden"), "flat"
    else:
        last = "hidden"
    read = Linear(np.ones((2, 6 if convolved else 4)))
    graph = graph.add("read", read, last).add("potential", Integrator(), "read")
    return graph.add("out", Output(Readout.POTENTIAL), "potential")


@pytest.mark.parametrize("convolved", [False, True])
def test_sums_of_branches_in_a_row_do_not_multiply(convolved: bool) -> None:
    """24 of them were 2^24 projections."""
    graph = diamonds(24, convolved)
    merged = Pipeline([MergeLinearMaps()])(graph, Context())
    assert len(merged) <= 6 + 2 * MOST_BRANCHES
    spikes = np.random.default_rng(2).integers(0, 2, (3, 8, *graph.shapes["x"])).astype(np.float64)
    before, after = (simulate(each, spikes, 8, record=["spikes"]) for each in (graph, merged))
    assert before.spikes["hidden"].any()
    np.testing.assert_allclose(after.output, before.output, rtol=1e-6)
