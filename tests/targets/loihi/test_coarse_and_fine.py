"""Weights of one source that span more powers of two than a synapse format: two sets of synapses, the same sums."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from test_lower import LIMITS, assert_same, behind

from snnc.graph.graph import Graph
from snnc.graph.operators import Conv, Linear, Operator, Scale, SparseLinear
from snnc.graph.operators.base import Array
from snnc.targets.loihi.limits import LOIHI, LoihiLimits
from snnc.targets.loihi.network import network

UNIT = 64
LARGEST = 2**14 - 1


def spanning(random: np.random.Generator, shape: tuple[int, ...], signs: tuple[int, ...]) -> Array:
    """Weights of all magnitudes up to 2^14 steps, some of them 0."""
    size = np.exp(random.uniform(0, np.log(LARGEST), shape)).astype(np.int64)
    return np.asarray(size * random.choice((0, *signs), shape) * UNIT)


def maps(random: np.random.Generator, signs: tuple[int, ...]) -> list[tuple[Operator, tuple[int, ...]]]:
    """Every kind of map with the shape that it reads."""

    def weights(*shape: int) -> Array:
        return spanning(random, shape, signs)

    cells = random.permutation(30)[:20]
    return [
        (Linear(weights(5, 6)), (6,)),
        (Linear(weights(3, 4)), (2, 4)),
        (Conv(weights(4, 3, 3, 3), None, (1, 1), ((1, 1), (1, 0))), (3, 5, 4)),
        (Conv(weights(6, 2, 2), groups=2), (4, 7)),
        (Scale(weights(3, 1, 1)), (3, 2, 2)),
        (SparseLinear(cells // 6, cells % 6, weights(20), (6,), (5,)), (6,)),
    ]


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 5),
    st.sampled_from([(-1, 1), (1,), (-1,)]),
    st.sampled_from(LIMITS),
)
def test_programs_compute_what_their_graphs_compute(
    seed: int, number: int, signs: tuple[int, ...], limits: LoihiLimits
) -> None:
    operator, shape = maps(np.random.default_rng(seed), signs)[number]
    assert_same(behind(operator, shape=shape), limits)


def sums_by_part(graph: Graph) -> list[Array]:
    """The weights of each set of synapses of the last layer, in steps."""
    return [part.weight.reshape(part.outputs, -1) for part in network(graph, LOIHI).layers[-1].synapses]  # type: ignore[attr-defined]


def test_one_large_weight_is_one_coarse_synapse() -> None:
    weight = np.ones((4, 6), np.int64)
    weight[2, 3] = 1001
    fine, coarse = sums_by_part(behind(Linear(weight * UNIT)))
    assert coarse.shape == (1, 6) and coarse[0].tolist() == [0, 0, 0, 1000, 0, 0]
    assert (fine[[0, 1, 3]] == 1).all() and fine[2].tolist() == [1, 1, 1, 1, 1, 1]
    (part,) = network(behind(Linear(weight * UNIT)), LOIHI).layers[-1].synapses[1:]
    assert part.live.tolist() == [3]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("column", "parts"),
    [
        ((127, -1), 1),
        ((254, -2), 1),
        ((255, -1), 2),
        ((127 * 128 + 127, -1), 2),
        ((157 * 128 + 33, -157 * 128 - 33), 3),
    ],
)
def test_there_are_no_more_parts_than_needed(column: tuple[int, int], parts: int) -> None:
    """Of both signs 8 bits are -128 to 127, or even numbers up to 254; each further part has 7 bits more."""
    weight = np.array(column).reshape(2, 1) * UNIT
    assert len(sums_by_part(behind(Linear(weight), shape=(1,)))) == parts
