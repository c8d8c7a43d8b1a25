"""LowPass against the closed form of its equation, and the places where it may stand."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.errors import GraphError
from snnc.graph import (
    CurrentLIF,
    Graph,
    Input,
    Integrator,
    Linear,
    LowPass,
    Output,
    Readout,
    SpikeSource,
    verify,
)
from snnc.simulate import simulate


def filtered(decay: float) -> Graph:
    graph = Graph("filter").add("in", Input((3,))).add("low", LowPass(decay), "in")
    return graph.add("v", Integrator(), "low").add("out", Output(Readout.POTENTIAL), "v")


@pytest.mark.parametrize("decay", [0.1, 0.5, 1.0])
def test_a_constant_rises_as_the_geometric_sum(decay: float) -> None:
    x = np.array([[1.0, -2.0, 0.5]])
    voltage = simulate(filtered(decay), x, 50, record=("voltage",)).voltage["v"]
    ticks = np.arange(1, 51)[:, None]
    current = x * (1 - (1 - decay) ** ticks) / decay
    np.testing.assert_allclose(voltage[0], np.cumsum(current, axis=0), rtol=1e-12)


def test_samples_with_ticks_give_the_convolution_with_a_decaying_exponential() -> None:
    x = np.random.default_rng(0).normal(size=(2, 300, 3))
    voltage = simulate(filtered(0.3), x, 300, record=("voltage",)).voltage["v"]
    kernel = 0.7 ** np.arange(300)
    for sample in range(2):
        for element in range(3):
            current = np.convolve(x[sample, :, element], kernel)[:300]
            np.testing.assert_allclose(voltage[sample, :, element], np.cumsum(current), rtol=1e-9, atol=1e-9)


def test_it_stands_for_the_current_of_a_current_lif_population() -> None:
    x = np.random.default_rng(1).random((4, 60, 3))
    graph = (
        Graph("a").add("in", Input((3,))).add("n", CurrentLIF(2.0, 0.25, 0.1), "in").add("out", Output(), "n")
    )
    other = Graph("b").add("in", Input((3,))).add("low", LowPass(0.25), "in")
    other = other.add("n", CurrentLIF(2.0, 1.0, 0.1), "low").add("out", Output(), "n")
    first, second = (simulate(g, x, 60, record=("spikes",)).spikes["n"] for g in (graph, other))
    assert first.any()
    assert (first == second).all()


def test_it_cannot_come_behind_a_population() -> None:
    graph = (
        Graph("late").add("in", Input((3,))).add("s", SpikeSource(), "in").add("w", Linear(np.eye(3)), "s")
    )
    graph = graph.add("low", LowPass(0.5), "w").add("v", Integrator(), "low").add("out", Output(), "v")
    with pytest.raises(GraphError, match="G016"):
        verify(graph)


@pytest.mark.parametrize("decay", [0.0, -0.1, 1.5])
def test_decays_that_are_no_share_are_refused(decay: float) -> None:
    with pytest.raises(GraphError, match="G104"):
        LowPass(decay)
