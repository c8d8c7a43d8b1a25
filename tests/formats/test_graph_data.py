"""Graphs as plain data: every operator comes back as it was, and senseless data are refused with their place."""

from __future__ import annotations

import copy
import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from graph_strategies import ann_graphs, samples_for
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.errors import ArtifactError
from snnc.formats.graph_data import graph_from_data, graph_to_data
from snnc.formats.packed import Packed
from snnc.graph import (
    IF,
    LIF,
    Add,
    Clip,
    Conv,
    CurrentLIF,
    Delay,
    Flatten,
    Gather,
    Graph,
    Input,
    Linear,
    Output,
    PoissonSource,
    QuantiseCurrent,
    Readout,
    Relu,
    Reset,
    Scale,
    SparseLinear,
    evaluate,
)
from snnc.targets.loihi.compartment import LoihiCompartment


def again(graph: Graph) -> Graph:
    packed = graph_to_data(graph)
    return graph_from_data(Packed(json.loads(json.dumps(packed.header, allow_nan=False)), packed.arrays))


def same(first: object, second: object) -> bool:
    """Whether two field values are the same, types included."""
    if isinstance(first, np.ndarray | np.generic):
        return (
            type(first) is type(second)
            and first.dtype == second.dtype
            and first.shape == second.shape
            and bool((first == second).all())
        )
    return type(first) is type(second) and first == second


def check_same(first: Graph, second: Graph) -> None:
    assert second.name == first.name and str(second) == str(first)
    for one, other in zip(first, second, strict=True):
        assert (other.name, other.inputs, other.sources) == (one.name, one.inputs, one.sources)
        assert type(other.operator) is type(one.operator)
        for item in fields(one.operator):
            assert same(getattr(one.operator, item.name), getattr(other.operator, item.name)), item.name


@settings(deadline=None, max_examples=40)
@given(ann_graphs())
def test_random_graphs_come_back(graph: Graph) -> None:
    found = again(graph)
    check_same(graph, found)
    x = samples_for(graph, 2)
    np.testing.assert_array_equal(evaluate(graph, x), evaluate(found, x))


def spiking() -> Graph:
    weight = np.arange(12, dtype=np.int32).reshape(3, 4)
    return (
        Graph("a spiking graph")
        .add("x", Input((2, 2)), sources=("x (Input)", "y (Cast)"))
        .add("flat", Flatten(), "x")
        .add("q", QuantiseCurrent(np.float64(3.5), exponent=2), "flat")
        .add("rate", PoissonSource(scale=2, seed=7), "flat")
        .add("w", Linear(weight, np.array([1, 2, 3])), "rate")
        .add("late", Delay(2), "w")
        .add("cells", LoihiCompartment(np.array([64, 128, 0]), Reset.SUBTRACT, np.array(64)), "late", "back")
        .add("back", SparseLinear(np.array([0]), np.array([2]), np.array([64]), (3,), (3,)), "cells")
        .add("driven", LoihiCompartment(np.array(64), driven=True), "q")
        .add("both", Add(), "driven", "driven")
        .add("pick", Gather(np.array([0, -1, 3]), (4,)), "both")
        .add("last", LoihiCompartment(np.array(64), bias=np.array([64])), "cells", "pick")
        .add("out", Output(Readout.POTENTIAL, scale=np.array([0.1]), offset=-0.5), "last")
    )


def test_spiking_and_recurrent_graphs_come_back() -> None:
    check_same(spiking(), again(spiking()))


def test_numbers_that_json_does_not_know_come_back() -> None:
    graph = Graph("g").add("x", Input((4,))).add("c", Clip(0, float("inf")), "x").add("o", Output(), "c")
    check_same(graph, again(graph))


@pytest.mark.parametrize(
    "neuron",
    [
        IF(threshold=np.float32(0.1)),
        IF(threshold=1, reset=Reset.ZERO),
        LIF(threshold=np.ones((2, 1, 1))),
        CurrentLIF(refractory=3),
    ],
)
def test_numbers_keep_their_kind(neuron: IF) -> None:
    conv = Conv(np.ones((2, 1, 3, 3), np.float32), pads=((1, 0), (0, 2)))
    graph = (
        Graph("g")
        .add("x", Input((1, 5, 5)))
        .add("c", conv, "x")
        .add("n", neuron, "c")
        .add("o", Output(), "n")
    )
    check_same(graph, again(graph))


def places_of(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place, *(path for key, value in items for path in places_of(value, (*place, key)))]


PACKED = graph_to_data(spiking())
junk = st.sampled_from(
    [
        *(None, True, 0, -1, 5, 2**80, 0.5, "", "x", "Linear", [], [0], {}),
        *({"array": "4/weight"}, {"array": 3}, {"scalar": "4/weight"}, {"float": "nan"}, {"what": 1}),
        *({"tuple": [1, "x"]}, {"tuple": [10**6] * 9}, {"enum": "zero"}, {"enum": []}),
    ]
)


@settings(deadline=None, max_examples=500)
@given(st.sampled_from(places_of(dict(PACKED.header))[1:]), junk, st.booleans())
def test_senseless_headers_are_refused(place: tuple[Any, ...], value: Any, remove: bool) -> None:
    header = copy.deepcopy(dict(PACKED.header))
    parent: Any = header
    for key in place[:-1]:
        parent = parent[key]
    if remove:
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    try:
        graph_from_data(Packed(header, PACKED.arrays))
    except ArtifactError as error:
        assert error.code == "A122"


@pytest.mark.parametrize(
    ("node", "field", "value", "message"),
    [
        ("w", "weight", {"array": "missing"}, "node 'w'.*missing"),
        ("w", "weight", None, "node 'w'.*weight"),
        ("w", "weight", 3, "node 'w'.*weight"),
        ("cells", "reset", {"enum": "half"}, "node 'cells'.*half"),
        ("cells", "refractory", 1.5, "node 'cells'.*refractory"),
        ("cells", "refractory", 0, "node 'cells'.*refractory"),
        ("x", "sample_shape", {"tuple": [2, "2"]}, "node 'x'.*sample_shape"),
        ("out", "scale", "large", "node 'out'.*scale"),
    ],
)
def test_what_is_wrong_is_said(node: str, field: str, value: Any, message: str) -> None:
    header = copy.deepcopy(dict(PACKED.header))
    (entry,) = (each for each in header["nodes"] if each["name"] == node)
    entry["fields"][field] = value
    with pytest.raises(ArtifactError, match=message):
        graph_from_data(Packed(header, PACKED.arrays))


def test_unknown_operators_and_texts_as_arrays_are_refused() -> None:
    header = copy.deepcopy(dict(PACKED.header))
    header["nodes"][1]["operator"] = "Teleport"
    with pytest.raises(ArtifactError, match="Teleport"):
        graph_from_data(Packed(header, PACKED.arrays))
    with pytest.raises(ArtifactError, match="no array of numbers"):
        graph_from_data(Packed(PACKED.header, {**PACKED.arrays, "4/weight": np.array([["a"]])}))


def test_a_shape_beyond_all_memory_is_refused() -> None:
    graph = Graph("g").add("x", Input((10**6, 10**6))).add("r", Relu(), "x").add("o", Output(), "r")
    with pytest.raises(ArtifactError, match="node 'x'"):
        graph_from_data(graph_to_data(graph))


def test_what_cannot_be_written_is_a_defect() -> None:
    graph = Graph("g").add("x", Input((4,))).add("s", Scale(replace(Relu(), scale=None)), "x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Relu"):
        graph_to_data(graph)
