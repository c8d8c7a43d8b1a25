"""Matrix products by onnxruntime are those of numpy; memory does not grow with the length of a run."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.graph import IF, Conv, Graph, Input, Output
from snnc.simulate.plan import make_plan
from snnc.simulate.product import product

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("left", "right"),
    [((3, 4), (4, 5)), ((7, 3, 4), (4, 5)), ((2, 3, 4), (6, 2, 4, 5)), ((1, 4), (4, 1)), ((0, 4), (4, 2))],
)
def test_product_is_matmul(dtype: type, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    a, b = RNG.normal(size=left).astype(dtype), RNG.normal(size=right).astype(dtype)
    result = product(a, b)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, a @ b, rtol=1e-5, atol=1e-6)


def test_product_takes_transposed_arrays() -> None:
    a, b = RNG.normal(size=(3, 4)), RNG.normal(size=(5, 4))
    np.testing.assert_allclose(product(a, b.T), a @ b.T)


def test_memory_of_a_sample_does_not_grow_with_the_ticks() -> None:
    graph = Graph("g").add("in", Input((8, 64, 64))).add("a", IF(), "in")
    graph = graph.add("w", Conv(np.ones((8, 8, 3, 3))), "a").add("b", IF(), "w").add("out", Output(), "b")
    plans = [make_plan(graph, ticks, moving=frozenset(), largest_input=1.0) for ticks in (20, 10_000)]
    assert plans[0].sample_bytes == plans[1].sample_bytes
    assert plans[0].block == plans[1].block < 20


def test_batches_keep_all_threads_busy() -> None:
    graph = Graph("g").add("in", Input((3,))).add("a", IF(), "in").add("out", Output(), "a")
    plan = make_plan(graph, 10, moving=frozenset(), largest_input=1.0)
    assert plan.batch_size(10_000, 2) == 256
    assert plan.batch_size(100, 3) == 34
    assert plan.batch_size(1, 4) == plan.batch_size(0, 4) == 1


@pytest.mark.parametrize(("inputs", "outputs"), [(5, 1), (37, 5), (513, 33), (784, 128)])
def test_a_row_has_the_same_bits_among_any_number_of_rows(inputs: int, outputs: int) -> None:
    """So real values do not depend on how the ticks of a run are cut into blocks."""
    x, weight = RNG.normal(size=(40, inputs)), RNG.normal(size=(inputs, outputs))
    whole = product(x, weight)
    for rows in (1, 2, 3, 5, 8, 13, 33):
        assert (product(x[:rows], weight) == whole[:rows]).all()
