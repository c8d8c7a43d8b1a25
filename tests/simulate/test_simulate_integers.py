"""INTEGER graphs are exact: against Python's integers, at the edges of float32, float64 and int64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.errors import GraphError
from snnc.graph import (
    IF,
    Add,
    AvgPool,
    Bias,
    Concat,
    Conv,
    Flatten,
    Gather,
    Graph,
    Input,
    Integrator,
    Level,
    Linear,
    Operator,
    Output,
    Pad,
    PoissonSource,
    QuantiseCurrent,
    Readout,
    Scale,
    SparseLinear,
    SpikeSource,
)
from snnc.simulate import maps, simulate
from snnc.simulate.exact import common_power_of_two, exact_dtype, extents

SEEDS = st.integers(0, 2**32)


def start(size: int) -> Graph:
    """An INTEGER graph whose population ``s`` repeats the sample's spikes."""
    graph = Graph("g").add("in", Input((size,))).add("q", QuantiseCurrent(1.0), "in")
    return graph.add("s", IF(1), "q")


def ended(graph: Graph, last: str) -> Graph:
    return graph.add("end", Integrator(), last).add("out", Output(Readout.POTENTIAL), "end")


def integers(rng: np.random.Generator, bits: int, *shape: int) -> np.ndarray:
    return rng.integers(-(2**bits), 2**bits, shape, endpoint=True)


def spikes(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.random(shape) < 0.5).astype(np.float32)


def final_potential(graph: Graph, x: np.ndarray) -> list[int]:
    trace = simulate(graph, x, x.shape[1], record=("voltage",))
    assert trace.voltage["end"].dtype == np.int64
    return [int(v) for v in trace.voltage["end"][0, -1].ravel()]


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.integers(0, 46), st.integers(0, 12))
def test_dense_sums_equal_python_integers(seed: int, bits: int, shift: int) -> None:
    rng = np.random.default_rng(seed)
    weight, bias = integers(rng, bits, 3, 20) << shift // 4, integers(rng, bits, 3)
    x = spikes(rng, 1, 5, 20)
    graph = ended(start(20).add("w", Linear(weight, bias), "s"), "w")
    exact = weight.astype(object) @ x[0].astype(int).astype(object).sum(axis=0) + 5 * bias.astype(object)
    assert final_potential(graph, x) == exact.tolist()


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(0, 44), st.sampled_from([(1, 1), (2, 2)]), st.sampled_from([1, 2]))
def test_convolutions_equal_python_integers(
    seed: int, bits: int, stride: tuple[int, int], groups: int
) -> None:
    rng = np.random.default_rng(seed)
    weight = integers(rng, bits, 4, 2 // groups, 3, 3)
    x = spikes(rng, 1, 3, 2, 5, 5)
    graph = Graph("g").add("in", Input((2, 5, 5))).add("q", QuantiseCurrent(1.0), "in").add("s", IF(1), "q")
    conv = Conv(weight, None, stride, ((1, 1), (0, 1)), (1, 1), groups)
    counts = np.pad(x[0].sum(axis=0).astype(int), ((0, 0), (1, 1), (0, 1))).astype(object)
    expected = []
    for out in range(4):
        first = out // (4 // groups) * (2 // groups)
        seen = counts[first : first + 2 // groups]
        for row in range(0, 5, stride[0]):
            for column in range(0, 4, stride[1]):
                window = seen[:, row : row + 3, column : column + 3]
                expected.append(int((weight[out].astype(object) * window).sum()))
    assert final_potential(ended(graph.add("w", conv, "s"), "w"), x) == expected


def test_a_large_batch_of_convolutions_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    graph = Graph("g").add("in", Input((2, 5, 5))).add("q", QuantiseCurrent(1.0), "in").add("s", IF(1), "q")
    graph = ended(graph.add("w", Conv(integers(rng, 7, 3, 2, 3, 3), integers(rng, 7, 3)), "s"), "w")
    x = spikes(rng, 4, 6, 2, 5, 5)
    whole = simulate(graph, x, 6, record=("voltage",))
    monkeypatch.setattr(maps, "_ELEMENTS_AT_ONCE", 250)
    for batch, threads in [(4, 1), (1, 2), (3, 1)]:
        cut = simulate(graph, x, 6, record=("voltage",), batch=batch, threads=threads)
        assert (whole.voltage["end"] == cut.voltage["end"]).all()


CHAIN: list[tuple[Operator, tuple[str, ...]]] = [
    (Scale(np.array(3)), ("s",)),
    (Bias(np.arange(6) - 7), ("s",)),
    (Gather(np.array([0, 0, 5, -1, 2, 2]), (6,)), ("s",)),
    (Add(), ("s", "s", "s")),
    (Pad(((2, -2),)), ("s",)),
    (SparseLinear(np.array([0, 0, 5]), np.array([1, 1, 2]), np.array([2, 3, -9]), (6,), (6,)), ("s",)),
]


@pytest.mark.parametrize("bits", [3, 18, 40])
@pytest.mark.parametrize(("operator", "inputs"), CHAIN, ids=[type(op).__name__ for op, _ in CHAIN])
def test_chains_of_maps_are_exact(operator: Operator, inputs: tuple[str, ...], bits: int) -> None:
    rng = np.random.default_rng(bits)
    weight, x = integers(rng, bits, 2, 12), spikes(rng, 1, 4, 6)
    graph = start(6).add("m", operator, *inputs).add("c", Concat(), "m", "s").add("w", Linear(weight), "c")
    total: list[int] = [0, 0]
    for tick in x[0].astype(np.int64):
        value = np.concatenate([operator.evaluate(*[tick[None]] * len(inputs))[0], tick]).astype(object)
        total = [int(a + b) for a, b in zip(total, weight.astype(object) @ value, strict=True)]
    assert final_potential(ended(graph, "w"), x) == total


def test_level_is_integer_and_threshold_arithmetic_is_int64() -> None:
    graph = start(1).add("w", Linear(np.array([[2**40 + 1]])), "s").add("p", IF(2**41), "w")
    graph = graph.add("out", Output(), "p")
    assert graph.level is Level.INTEGER
    trace = simulate(graph, np.ones((1, 1)), 5, record=("spikes", "voltage"))
    assert trace.voltage["p"][0, :, 0].tolist() == [2**40 + 1, 2, 2**40 + 3, 4, 2**40 + 5]
    assert trace.spikes["p"][0, :, 0].tolist() == [False, True, False, True, False]


def dtype_of(weight: np.ndarray, bias: np.ndarray | None = None) -> str:
    graph = ended(start(weight.shape[1]).add("w", Linear(weight, bias), "s"), "w")
    return str(exact_dtype(graph["w"], extents(graph, 1.0)["w"]))


def test_the_arithmetic_is_chosen_at_the_exact_edge() -> None:
    half = 2**23
    assert dtype_of(np.array([[half, half]])) == "float32"
    assert dtype_of(np.array([[half, -half]]), np.array([1])) == "float64"
    assert dtype_of(np.array([[half * 64, half * 64]]), np.array([-64])) == "float64"
    assert dtype_of(np.array([[half * 64, half * 32]]), np.array([-(2**6)])) == "float32"
    assert dtype_of(np.array([[2**52, 2**52]])) == "float32"
    assert dtype_of(np.array([[2**52 - 1, 2**52]])) == "float64"
    assert dtype_of(np.array([[2**53 - 2], [1]])) == "float64"


@pytest.mark.parametrize("weight", [[2**53 + 1], [2**52, 2**52, 1], [2**53 - 1, 1], [2**60 + 1], [1.0e300]])
def test_rounding_of_the_bound_hides_no_sum_out_of_range(weight: list[float]) -> None:
    with pytest.raises(GraphError):
        dtype_of(np.array([weight]))


def test_sums_out_of_range_are_found_before_the_run() -> None:
    weight = np.array([[2**52, 2**52, 1]])
    graph = ended(start(3).add("w", Linear(weight), "s", sources=("fc (Gemm)",)), "w")
    with pytest.raises(GraphError) as error:
        simulate(graph, np.zeros((0, 3)), 1)
    assert error.value.code == "G201"
    assert error.value.node == "w"
    assert error.value.source == "fc (Gemm)"
    assert "9.01e+15" in error.value.message and error.value.remedy


def test_multiplicity_of_elements_counts() -> None:
    graph = start(1).add("g", Gather(np.zeros(4, np.int64), (1,)), "s").add("a", Add(), "g", "g", "g")
    graph = graph.add("w", Linear(np.full((1, 4), 5)), "a").add("v", Scale(np.array(-7)), "w")
    found = extents(ended(graph, "v"), 1.0)
    assert found["a"].bound.tolist() == [3.0] * 4
    assert found["w"].bound.tolist() == [60.0]
    assert found["v"].bound.tolist() == [420.0]


def test_a_potential_that_could_overflow_is_found_before_the_run() -> None:
    graph = ended(start(1).add("w", Linear(np.array([[2**50]])), "s"), "w")
    assert simulate(graph, np.ones((1, 1)), 4).output[0, 0] == 2.0**50
    with pytest.raises(GraphError) as error:
        simulate(graph, np.zeros((0, 1)), 2**12 + 1)
    assert error.value.code == "G202" and error.value.node == "end"


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-(2**40), 2**40), max_size=6))
def test_common_power_of_two(values: list[int]) -> None:
    found = int(common_power_of_two([np.array(values, np.int64)]))
    nonzero = [value for value in values if value]
    if not nonzero:
        assert found == 0
    else:
        assert all(value % found == 0 for value in nonzero)
        assert any(value % (2 * found) for value in nonzero)


def test_the_part_in_front_of_an_encoder_is_real() -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 1, 3, 3)), rng.normal(size=3)
    graph = Graph("g").add("in", Input((1, 6, 6))).add("c", Conv(weight, bias), "in")
    graph = graph.add("pool", AvgPool((2, 2), (2, 2)), "c").add("q", QuantiseCurrent(100.0), "pool")
    graph = ended(graph.add("p", IF(150), "q"), "p")
    x = rng.random((5, 1, 6, 6), np.float32)
    trace = simulate(graph, x, 3, record=("voltage", "spikes"), batch=2)
    for node in ("c", "pool", "q"):
        x = graph[node].operator.evaluate(x.astype(np.float64))
    assert x.dtype == np.int64
    charge = trace.voltage["p"][:, -1] + 150 * trace.spikes["p"].sum(axis=1)
    assert (charge == 3 * x).all()


def test_sources_take_real_samples_in_an_integer_graph() -> None:
    for source in (SpikeSource(), PoissonSource()):
        graph = Graph("g").add("in", Input((2,))).add("s", source, "in")
        graph = graph.add("w", Linear(np.eye(2, dtype=int)), "s")
        graph = graph.add("q", QuantiseCurrent(1.0), "in").add("p", IF(3), "w", "q").add("out", Output(), "p")
        trace = simulate(graph, np.array([[0.2, 0.9]]), 40, record=("spikes",))
        rates = trace.spikes["s"][0].mean(axis=0)
        assert (rates == 1).all() if isinstance(source, SpikeSource) else rates[0] < 0.5 < rates[1]


def test_whole_samples_may_enter_integers_directly_but_real_ones_may_not() -> None:
    graph = Graph("g").add("in", Input((1,))).add("w", Linear(np.array([[3]])), "in").add("p", IF(2), "w")
    graph = graph.add("q", QuantiseCurrent(1.0), "in").add("p2", IF(1), "q", "p")
    graph = graph.add("out", Output(), "p2")
    trace = simulate(graph, np.array([[2.0]]), 3, record=("voltage",))
    assert trace.voltage["p"][0, :, 0].tolist() == [4, 8, 12]
    for x in (np.array([[0.5]]), np.full((1, 3, 1), 0.5)):
        with pytest.raises(GraphError) as error:
            simulate(graph, x, 3)
        assert error.value.code == "G203" and error.value.node == "w"


def test_flat_and_shaped_values_are_moved_without_a_copy_of_their_meaning() -> None:
    graph = Graph("g").add("in", Input((2, 2))).add("q", QuantiseCurrent(1.0), "in").add("s", IF(1), "q")
    graph = ended(graph.add("f", Flatten(), "s"), "f")
    x = np.array([[[[1, 0], [0, 1]], [[1, 1], [0, 0]]]], np.float32)
    assert final_potential(graph, x) == [2, 1, 0, 1]
