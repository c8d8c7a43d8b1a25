"""NormaliseClip: the same function for every pair of bounds, and only bounds from 0."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.graph import Clip, Graph, Input, Output, evaluate
from snnc.passes import NormaliseClip
from snnc.pipeline import Context

LARGEST = float(np.finfo(np.float32).max)


@pytest.mark.parametrize("low", [0.0, -1.0, 0.5, -np.inf, -LARGEST])
@pytest.mark.parametrize("high", [1.0, 6.0, np.inf, LARGEST])
def test_every_pair_of_bounds(low: float, high: float) -> None:
    graph = (
        Graph("clips")
        .add("x", Input((40,)))
        .add("first", Clip(low, high), "x")
        .add("second", Clip(low, high), "first")
        .add("out", Output(), "second")
    )
    x = np.linspace(-8, 8, 40, dtype=np.float32)[None]
    result = NormaliseClip()(graph, Context())
    np.testing.assert_allclose(evaluate(result, x), np.clip(x, low, high), atol=1e-6)
    assert all(node.operator.is_normal for node in result.of_type(Clip))


def test_what_is_normal_stays() -> None:
    graph = Graph("relu6").add("x", Input((4,))).add("clip", Clip(0, 6), "x").add("out", Output(), "clip")
    assert NormaliseClip()(graph, Context()) is graph
