"""Passes that promise the same outputs keep them, whatever the graph."""

from __future__ import annotations

import numpy as np
import pytest
from graph_strategies import Menu, ann_graphs, samples_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snnc.choices import PoolMethod
from snnc.graph import Graph, evaluate, verify
from snnc.pass_text import options_of, parse_passes
from snnc.passes import (
    PASSES,
    BalanceThresholds,
    BalanceWeights,
    FoldBatchNorm,
    NormaliseClip,
    ReplaceMaxPool,
    ScaleInput,
)
from snnc.pipeline import Context, Guarantee, Pass

EXACT = [
    FoldBatchNorm(),
    NormaliseClip(),
    ReplaceMaxPool(),
    ScaleInput(),
    ScaleInput(method="percentile", percentile=90.0),
]
BALANCING = [
    BalanceThresholds(),
    BalanceThresholds(method="model", per_channel=True),
    BalanceWeights(),
    BalanceWeights(method="data"),
    BalanceWeights(method="model"),
    BalanceWeights(percentile=99.0, per_channel=True),
]
MODEST = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))


def error(before: Graph, after: Graph, x: np.ndarray) -> float:
    """Largest difference of the outputs, relative to the largest output, in float64 samples."""
    old, new = evaluate(before, x), evaluate(after, x)
    return float(np.abs(old - new).max() / max(np.abs(old).max(), 1e-3))


@pytest.mark.parametrize("step", EXACT, ids=lambda step: step.text)
@MODEST
@given(graph=ann_graphs(Menu()), signed=st.booleans())
def test_outputs_stay(step: Pass, graph: Graph, signed: bool) -> None:
    x = samples_for(graph, 3, signed=signed)
    text = str(graph)
    result = step(graph, Context(calibration=x * 2))
    verify(result)
    assert error(graph, result, x) < 1e-5
    assert str(graph) == text, "a pass must not edit its input"


@pytest.mark.parametrize("step", BALANCING, ids=lambda step: step.text)
@MODEST
@given(graph=ann_graphs(Menu()), signed=st.booleans())
def test_balancing_keeps_outputs(step: Pass, graph: Graph, signed: bool) -> None:
    context = Context(calibration=samples_for(graph, 4, seed=1, signed=signed))
    graph = NormaliseClip()(FoldBatchNorm()(graph, context), context)
    x = samples_for(graph, 3, signed=signed)
    result = step(graph, context)
    verify(result)
    assert error(graph, result, x) < 2e-5
    for node in result.activations:
        scale = getattr(node.operator, "scale", None)
        assert scale is None or (np.all(scale > 0) and np.isfinite(scale).all())


def test_every_pass_prints_and_parses() -> None:
    for step in PASSES:
        assert parse_passes(step.name) == (step(),)
        assert all(option.default != "required" for option in options_of(step))
        assert (step.__doc__ or "").strip().startswith(tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    steps = (*EXACT, *BALANCING)
    assert parse_passes(",".join(step.text for step in steps)) == steps
    assert ReplaceMaxPool(PoolMethod.AVERAGE).promise is Guarantee.NOTHING
