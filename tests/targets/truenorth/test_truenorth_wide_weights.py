"""Weights of more than 4 bits on TrueNorth: for few inputs, where answers need them, and never by way of relays."""

from __future__ import annotations

import numpy as np
import pytest

import snnc
from snnc.graph import Graph, Input, Linear, MaxPool, Output, Relu, Reshape, evaluate
from snnc.targets.truenorth.quantise import LINE_AXONS

RNG = np.random.default_rng(4)


def largest_of(inputs: int) -> tuple[Graph, np.ndarray]:
    """The largest of 12 sums of some inputs: an answer that is one value; and samples."""
    rng = np.random.default_rng(8)
    first = Linear(
        rng.normal(0, 0.5, (12, inputs)).astype(np.float32), rng.normal(0, 0.3, 12).astype(np.float32)
    )
    graph = Graph("largest").add("in", Input((inputs,))).add("first", first, "in")
    graph = graph.add("space", Reshape((1, 12)), "first").add("max", MaxPool((12,), (1,)), "space")
    return graph.add("out", Output(), "max"), RNG.random((96, inputs), np.float32)


def error(compiled: snnc.Compiled, graph: Graph, x: np.ndarray, ticks: int) -> float:
    wanted = evaluate(graph, x.astype(np.float64))
    return float(np.abs(compiled.run(x, ticks).output - wanted).max() / np.abs(wanted).max())


def test_a_value_gets_the_width_that_it_needs() -> None:
    """A chain of differences, each rounded: with 4 bits the error is several times that of the wider default."""
    graph, x = largest_of(8)
    chosen, narrow = (snnc.compile(graph, "truenorth", calibration=x, weight_bits=bits) for bits in (None, 4))
    (note,) = (each.message for each in chosen.diagnostics if each.code == "N221")
    assert int(note.split()[2]) > 4
    assert error(chosen, graph, x, 256) < 0.5 * error(narrow, graph, x, 256)


@pytest.mark.parametrize(("bits", "most"), [(4, 0.2), (6, 0.08), (8, 0.03)])
def test_errors_in_long_runs_fall_with_the_width(bits: int, most: float) -> None:
    graph, x = largest_of(8)
    compiled = snnc.compile(graph, "truenorth", calibration=x, weight_bits=bits)
    assert error(compiled, graph, x, 512) < most


def test_wide_weights_are_not_chosen_where_they_need_relays() -> None:
    graph = Graph("net").add("in", Input((256 // LINE_AXONS[5] + 1,)))
    graph = graph.add("first", Linear(RNG.normal(size=(3, 37)).astype(np.float32)), "in").add(
        "relu", Relu(), "first"
    )
    graph = graph.add("last", Linear(RNG.normal(size=(1, 3)).astype(np.float32)), "relu").add(
        "out", Output(), "last"
    )
    compiled = snnc.compile(graph, "truenorth", calibration=RNG.random((96, 37), np.float32))
    (note,) = (each.message for each in compiled.diagnostics if each.code == "N221")
    assert int(note.split()[2]) <= 4
