"""Merged synapses do what the linear maps in a row did, spike for spike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.errors import GraphError, PassError
from snnc.graph import (
    IF,
    Add,
    AvgPool,
    BatchNorm,
    Bias,
    Concat,
    Conv,
    Delay,
    Flatten,
    Gather,
    Graph,
    Input,
    Integrator,
    Level,
    Linear,
    Output,
    Pad,
    Readout,
    Scale,
    SpikeSource,
    Transpose,
    verify,
)
from snnc.graph.operators import Operator, SparseLinear
from snnc.graph.projections import drives
from snnc.passes.merge_linear_maps import MergeLinearMaps
from snnc.pipeline import Context
from snnc.simulate import simulate

Shape = tuple[int, ...]


def whole(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Small integers as float64: sums of them are exact in any order."""
    return rng.integers(-3, 4, shape).astype(np.float64)


def random_map(rng: np.random.Generator, shape: Shape) -> Operator:
    """A linear map of one input that can take ``shape``."""
    if len(shape) == 1:
        choices = ["linear", "scale", "bias"]
    else:
        choices = [
            "conv",
            "grouped",
            "pool",
            "scale",
            "channel",
            "norm",
            "bias",
            "pad",
            "transpose",
            "flatten",
        ]
    kind = rng.choice(choices)
    if kind == "linear":
        return Linear(whole(rng, int(rng.integers(1, 5)), shape[0]))
    if kind in ("conv", "grouped"):
        groups = shape[0] if kind == "grouped" else 1
        kernel = tuple(int(rng.integers(1, min(3, n) + 1)) for n in shape[1:])
        outputs = groups * int(rng.integers(1, 3))
        pads = tuple((int(rng.integers(0, 2)), int(rng.integers(0, 2))) for _ in shape[1:])
        stride = tuple(int(rng.integers(1, 3)) for _ in shape[1:])
        return Conv(
            whole(rng, outputs, shape[0] // groups, *kernel), whole(rng, outputs), stride, pads, (), groups
        )
    if kind == "pool":
        kernel = tuple(int(rng.integers(1, min(3, n) + 1)) for n in shape[1:])
        pads = tuple((int(rng.integers(0, k)), int(rng.integers(0, k))) for k in kernel)
        stride = tuple(int(rng.integers(1, 3)) for _ in kernel)
        return AvgPool(kernel, stride, pads, (), bool(rng.integers(2)))
    if kind == "channel":
        return Scale(whole(rng, shape[0], *(1,) * (len(shape) - 1)))
    if kind == "norm":
        one = np.ones(shape[0])
        return BatchNorm(whole(rng, shape[0]), whole(rng, shape[0]), whole(rng, shape[0]), 3 * one, 1.0)
    return {
        "scale": lambda: Scale(whole(rng, *shape)),
        "bias": lambda: Bias(whole(rng, *shape)),
        "pad": lambda: Pad(((0, 0), *((int(rng.integers(-1, 2)), 1) for _ in shape[1:]))),
        "transpose": lambda: Transpose((0, *(int(axis) for axis in rng.permutation(range(1, len(shape)))))),
        "flatten": lambda: Flatten(),
    }[kind]()


def chain(rng: np.random.Generator, graph: Graph, start: str, length: int) -> tuple[Graph, str]:
    """``length`` random linear maps in a row behind ``start``."""
    name = start
    for _ in range(length):
        following = f"map{len(graph)}"
        graph = graph.add(following, random_map(rng, probe_shape(graph, name)), name)
        name = following
    return graph, name


def probe_shape(graph: Graph, name: str) -> Shape:
    return graph.shapes[name]


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 4), st.sampled_from([(2, 5, 4), (3, 6), (4, 3, 3)]))
def test_maps_in_a_row_become_one(seed: int, length: int, shape: Shape) -> None:
    rng = np.random.default_rng(seed)
    graph = Graph("chain").add("in", Input(shape)).add("spikes", SpikeSource(), "in")
    graph, last = chain(rng, graph, "spikes", length)
    graph = graph.add("v", Integrator(), last).add("out", Output(Readout.POTENTIAL), "v")
    merged = MergeLinearMaps()(graph, Context())
    verify(merged, Level.SNN)
    drive = drives(merged)["v"]
    assert len(drive.projections) == 1
    x = rng.integers(0, 2, (4, 3, *shape)).astype(np.float64)
    before, after = (simulate(g, x, 3, record=("voltage",)).voltage["v"] for g in (graph, merged))
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32))
def test_branches_and_joins(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (2, 4, 4)
    graph = Graph("branches").add("in", Input(shape)).add("a", SpikeSource(), "in")
    graph = graph.add("c", Conv(whole(rng, 2, 2, 3, 3), whole(rng, 2), pads=((1, 1), (1, 1))), "a")
    graph = graph.add("b", IF(2.0), "c")
    graph = graph.add("late", Delay(int(rng.integers(0, 3))), "a").add("sum", Add(), "late", "b")
    graph = graph.add("both", Concat(0), "sum", "c")
    graph, last = chain(rng, graph, "both", int(rng.integers(0, 3)))
    graph = graph.add("v", Integrator(), last).add("out", Output(Readout.POTENTIAL), "v")
    merged = MergeLinearMaps()(graph, Context())
    x = rng.integers(0, 2, (3, 4, *shape)).astype(np.float64)
    before, after = (simulate(g, x, 4, record=("voltage", "spikes")) for g in (graph, merged))
    np.testing.assert_allclose(after.voltage["v"], before.voltage["v"], rtol=1e-9, atol=1e-9)
    assert (after.spikes["b"] == before.spikes["b"]).all()


def joined(first: Operator, second: Operator, shape: Shape = (2, 8, 8)) -> Operator:
    graph = Graph("two").add("in", Input(shape)).add("s", SpikeSource(), "in")
    graph = graph.add("first", first, "s").add("second", second, "first")
    graph = graph.add("v", Integrator(), "second").add("out", Output(Readout.POTENTIAL), "v")
    (projection,) = drives(MergeLinearMaps()(graph, Context()))["v"].projections
    assert projection.operator is not None
    return projection.operator


def test_pooling_and_convolution_stay_a_convolution() -> None:
    operator = joined(AvgPool((2, 2), (2, 2)), Conv(np.ones((5, 2, 3, 3)), pads=((1, 1), (1, 1))))
    assert isinstance(operator, Conv)
    assert operator.weight.shape == (5, 2, 6, 6)
    assert operator.stride == (2, 2)


def test_overlapping_pooling_before_a_padded_convolution_is_not_faked() -> None:
    operator = joined(AvgPool((3, 3), (2, 2)), Conv(np.ones((5, 2, 3, 3)), pads=((1, 1), (1, 1))))
    assert isinstance(operator, SparseLinear)


def test_depthwise_convolutions_keep_their_groups() -> None:
    operator = joined(Conv(np.ones((2, 1, 3, 3)), groups=2), AvgPool((2, 2), (2, 2)))
    assert isinstance(operator, Conv)
    assert operator.groups == 2


def test_pooling_and_a_fully_connected_map_are_dense() -> None:
    graph_map = joined(Flatten(), Linear(np.ones((3, 128))))
    assert isinstance(graph_map, Linear)
    assert joined(AvgPool((8, 8)), Conv(np.ones((3, 2, 1, 1)))).infer_shape((2, 8, 8)) == (3, 1, 1)


def test_a_bias_in_front_of_a_padded_convolution_becomes_a_border_dependent_current() -> None:
    graph = Graph("border").add("in", Input((1, 4, 4))).add("s", SpikeSource(), "in")
    graph = graph.add("shift", Bias(np.ones((1, 1, 1))), "s")
    graph = graph.add("conv", Conv(np.ones((1, 1, 3, 3)), pads=((1, 1), (1, 1))), "shift")
    graph = graph.add("v", Integrator(), "conv").add("out", Output(Readout.POTENTIAL), "v")
    drive = drives(MergeLinearMaps()(graph, Context()))["v"]
    assert drive.bias is not None
    assert drive.bias[0, 0, 0] == 4
    assert drive.bias[0, 1, 1] == 9


def test_a_graph_without_populations_is_refused() -> None:
    graph = Graph("ann").add("in", Input((3,))).add("out", Output(), "in")
    with pytest.raises(PassError, match="P201"):
        MergeLinearMaps()(graph, Context())


def test_spikes_and_samples_in_one_map_are_refused_with_a_remedy() -> None:
    graph = Graph("mixed").add("in", Input((3,))).add("s", SpikeSource(), "in")
    graph = graph.add("sum", Add(), "in", "s").add("w", Linear(np.ones((2, 3))), "sum")
    graph = graph.add("v", Integrator(), "w").add("out", Output(Readout.POTENTIAL), "v")
    with pytest.raises(GraphError, match="G302"):
        MergeLinearMaps()(graph, Context())


def test_a_mean_over_a_plane_is_repeated_before_a_wide_dense_map() -> None:
    rng = np.random.default_rng(3)
    graph = Graph("gap").add("in", Input((300, 8, 8))).add("spikes", SpikeSource(), "in")
    graph = graph.add("mean", AvgPool((8, 8)), "spikes").add("flat", Flatten(), "mean")
    graph = graph.add("dense", Linear(rng.normal(0, 0.1, (64, 300))), "flat")
    graph = graph.add("v", Integrator(), "dense").add("out", Output(Readout.POTENTIAL), "v")
    context = Context()
    merged = MergeLinearMaps()(graph, context)
    (note,) = context.diagnostics
    assert note.code == "N201" and note.node == "flat" and "300 neurons" in note.message
    sizes = [drives(merged)[name].projections[0].operator.weight.size for name in ("flat.repeat", "v")]  # type: ignore[union-attr]
    assert sizes == [300 * 64, 64 * 300]
    spikes = rng.random((2, 64, 300, 8, 8)) < rng.random((2, 1, 300, 1, 1))
    before, after = (simulate(g, spikes, ticks=64).output for g in (graph, merged))
    assert np.abs(before - after).max() < 0.03 * np.abs(before).max()
    joined = MergeLinearMaps(factor=100)(graph, Context())
    assert len(joined.populations) == 2


def test_what_lies_below_zero_is_repeated_by_neurons_of_its_own() -> None:
    rng = np.random.default_rng(4)
    graph = Graph("mixed").add("in", Input((64, 8, 8))).add("spikes", SpikeSource(), "in")
    graph = graph.add("mixed", Conv(rng.normal(0, 1, (64, 1, 8, 8)) / 64, groups=64), "spikes")
    graph = graph.add("flat", Flatten(), "mixed").add("dense", Linear(rng.normal(0, 0.1, (500, 64))), "flat")
    graph = graph.add("v", Integrator(), "dense").add("out", Output(Readout.POTENTIAL), "v")
    context = Context()
    merged = MergeLinearMaps()(graph, context)
    assert [note.code for note in context.diagnostics] == ["N201"]
    assert {"flat.repeat", "flat.below.repeat"} <= {node.name for node in merged.populations}
    spikes = rng.random((2, 256, 64, 8, 8)) < rng.random((2, 1, 64, 8, 8))
    before, after = (simulate(g, spikes, ticks=256).output for g in (graph, merged))
    assert np.abs(before - after).max() < 0.05 * np.abs(before).max()


@pytest.mark.parametrize("size", [6, 7])
def test_a_convolution_that_leaves_the_last_column_out_joins_the_next(size: int) -> None:
    rng = np.random.default_rng(size)
    graph = Graph("strided").add("in", Input((2, size, size))).add("spikes", SpikeSource(), "in")
    graph = graph.add("first", Conv(whole(rng, 3, 2, 3, 3), None, (1, 1), ((1, 1), (1, 1))), "spikes")
    graph = graph.add("second", Conv(whole(rng, 4, 3, 1, 1), None, (2, 2)), "first")
    graph = graph.add("v", Integrator(), "second").add("out", Output(Readout.POTENTIAL), "v")
    merged = MergeLinearMaps()(graph, Context())
    (projection,) = drives(merged)["v"].projections
    assert isinstance(projection.operator, Conv)
    spikes = rng.random((3, 4, 2, size, size)) < 0.5
    np.testing.assert_array_equal(
        simulate(graph, spikes, ticks=4).output, simulate(merged, spikes, ticks=4).output
    )


def test_of_a_dense_map_only_the_rows_that_are_taken_are_left() -> None:
    """A Gather behind it selects rows in its own order, -1 for none; more of them than there were stay a Gather."""
    weight = np.random.default_rng(0).normal(size=(5, 3))
    for indices, rows in (([4, 1], [4, 1]), ([2, -1, 0], [2, -1, 0]), ([0, 0, 1, 2, 3, 4], None)):
        graph = Graph("rows").add("in", Input((3,))).add("source", SpikeSource(), "in")
        graph = graph.add("dense", Linear(weight), "source").add(
            "taken", Gather(np.array(indices), (5,)), "dense"
        )
        graph = graph.add("fire", IF(1.0), "taken").add("out", Output(Readout.COUNT), "fire")
        found = MergeLinearMaps()(graph, Context())
        (left,) = (node.operator.weight for node in found.of_type(Linear))
        expected = weight if rows is None else np.where(np.array(rows)[:, None] >= 0, weight[rows], 0)
        np.testing.assert_array_equal(left, expected)
        x = (np.random.default_rng(1).random((4, 20, 3)) < 0.5).astype(np.float32)
        spikes = [simulate(each, x, 20, record=("spikes",)).spikes["fire"] for each in (graph, found)]
        np.testing.assert_array_equal(*spikes)
