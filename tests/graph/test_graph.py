"""Graphs are values: added to, edited and ordered without changing; their text is stable."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.errors import DataError, GraphError
from snnc.graph import (
    IF,
    Add,
    Flatten,
    Graph,
    Input,
    Level,
    Linear,
    Node,
    Output,
    QuantiseCurrent,
    Relu,
    Scale,
    Softmax,
    evaluate,
    evaluate_nodes,
)


def diamond() -> Graph:
    graph = Graph("diamond").add("in", Input((2, 2))).add("left", Relu(), "in", sources=("L (Relu)",))
    graph = graph.add("right", Scale(np.array(2.0)), "in").add("sum", Add(), "left", "right")
    return graph.add("flat", Flatten(), "sum").add("out", Output(), "flat")


DIAMOND_TEXT = """\
graph diamond (ann)
in = Input(sample_shape=(2,2)) : 2x2
left = Relu(scale=None) <- in : 2x2
right = Scale(factor=2) <- in : 2x2
sum = Add() <- left, right : 2x2
flat = Flatten() <- sum : 4
out = Output(readout=value, scale=1, offset=0) <- flat : 4
"""


def test_the_text_is_stable() -> None:
    graph = diamond()
    assert str(graph) == DIAMOND_TEXT
    assert str(Graph(graph.name, graph.ordered)) == DIAMOND_TEXT


def test_adding_leaves_the_graph_as_it_was() -> None:
    graph = diamond()
    larger = graph.add("extra", Relu(), "in")
    assert "extra" not in graph and "extra" in larger and len(larger) == len(graph) + 1
    assert str(graph) == DIAMOND_TEXT


def test_names_are_unique_and_known() -> None:
    with pytest.raises(GraphError) as error:
        diamond().add("left", Relu(), "in")
    assert error.value.code == "G001"
    with pytest.raises(GraphError) as error:
        _ = diamond()["nobody"]
    assert error.value.code == "G002"


def test_selections() -> None:
    graph = diamond()
    assert [node.name for node in graph.inputs + graph.outputs] == ["in", "out"]
    assert [node.name for node in graph.activations] == ["left"]
    assert not graph.populations and not graph.decisions
    assert graph["left"].source == "L (Relu)" and graph["sum"].source is None
    assert graph.consumers["in"] == ("left", "right") and graph.consumers["out"] == ()
    assert graph.add("twice", Add(), "in", "in").consumers["in"] == ("left", "right", "twice")
    assert [node.name for node in diamond().add("s", Softmax(), "flat").decisions] == ["s"]


def test_levels() -> None:
    spiking = Graph("g").add("in", Input((1,))).add("p", IF(), "in").add("out", Output(), "p")
    assert diamond().level is Level.ANN
    assert spiking.level is Level.SNN
    assert spiking.add("q", QuantiseCurrent(1.0), "in").level is Level.INTEGER
    with pytest.raises(GraphError) as error:
        _ = spiking.add("r", Relu(), "p").level
    assert error.value.code == "G003"


class TestEdit:
    def test_an_edit_leaves_its_graph_alone(self) -> None:
        graph = diamond()
        edit = graph.edit()
        edit.set("right", operator=Scale(np.array(3.0)), sources=("new (Mul)",))
        edit.bypass("left")
        changed = edit.done()
        assert str(graph) == DIAMOND_TEXT
        assert "left" not in changed and changed["sum"].inputs == ("in", "right")
        assert changed["right"].sources == ("new (Mul)",)

    def test_added_names_do_not_clash(self) -> None:
        edit = diamond().edit()
        assert edit.unused_name("fresh") == "fresh"
        assert [edit.add("left", Relu(), "in") for _ in range(2)] == ["left.2", "left.3"]
        assert edit["left.2"].inputs == ("in",)

    def test_reroute_spares_the_new_node_and_the_excepted(self) -> None:
        edit = diamond().edit()
        new = edit.add("new", Relu(), "in")
        edit.reroute("in", new, but=["right"])
        graph = edit.done()
        assert graph["new"].inputs == ("in",)
        assert graph["left"].inputs == ("new",) and graph["right"].inputs == ("in",)

    def test_nodes_come_out_in_dataflow_order(self) -> None:
        edit = diamond().edit()
        edit.reroute("in", edit.add("new", Relu(), "in"))
        names = [node.name for node in edit.done()]
        assert names.index("new") < names.index("left")

    def test_removed_nodes_are_gone(self) -> None:
        edit = diamond().edit()
        edit.set("sum", inputs=("right", "right"))
        edit.remove("left")
        assert [node.name for node in edit.done()] == ["in", "right", "sum", "flat", "out"]


@st.composite
def wirings(draw: st.DrawFn) -> list[Node]:
    count = draw(st.integers(1, 8))
    names = [f"n{index}" for index in range(count)]
    inputs = st.lists(st.sampled_from([*names, "in"]), min_size=1, max_size=3)
    return [Node("in", Input((1,)))] + [Node(name, IF(), tuple(draw(inputs))) for name in names]


@settings(deadline=None, max_examples=100)
@given(wirings())
def test_components_are_in_dataflow_order(nodes: list[Node]) -> None:
    graph = Graph("random", nodes)
    place = {name: index for index, component in enumerate(graph.components) for name in component}
    assert sorted(place) == sorted(node.name for node in nodes)
    reach = {node.name: set(node.inputs) for node in nodes}
    for _ in nodes:
        reach = {name: found.union(*(reach[source] for source in found)) for name, found in reach.items()}
    for node in nodes:
        for source in node.inputs:
            cyclic = node.name in reach[source] or source == node.name
            assert place[source] == place[node.name] if cyclic else place[source] < place[node.name]
    for component in graph.components:
        assert graph.is_recurrent(component) == any(name in reach[name] for name in component)
    assert [node.name for node in graph.ordered] == [name for part in graph.components for name in part]
    assert Graph("again", nodes).components == graph.components


class TestEvaluate:
    def test_values_of_wanted_nodes(self) -> None:
        x = np.array([[[-1.0, 2.0], [3.0, -4.0]]])
        found = evaluate_nodes(diamond(), x, ["left", "flat"])
        assert set(found) == {"left", "flat"}
        assert found["left"].tolist() == [[[0, 2], [3, 0]]]
        assert found["flat"].tolist() == [[-2, 6, 9, -8]]

    def test_batches_do_not_matter(self) -> None:
        x = np.random.default_rng(0).random((7, 2, 2))
        assert (evaluate(diamond(), x, batch=3) == evaluate(diamond(), x)).all()

    def test_data_must_fit(self) -> None:
        with pytest.raises(DataError) as error:
            evaluate_nodes(diamond(), np.zeros((1, 3, 2)), ["out"])
        assert error.value.code == "D101" and "2, 2" in error.value.message

    def test_recurrent_graphs_are_not_evaluated(self) -> None:
        graph = Graph("g").add("in", Input((1,))).add("a", Add(), "in", "b").add("b", Linear(np.eye(1)), "a")
        with pytest.raises(GraphError) as error:
            evaluate_nodes(graph, np.zeros((1, 1)), ["b"])
        assert error.value.code == "G013"

    def test_evaluation_does_not_change_the_samples(self) -> None:
        x = np.full((1, 2, 2), -1.0)
        evaluate(diamond(), x)
        assert (x == -1).all()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.data())
@settings(max_examples=50, deadline=None)
def test_a_graph_sees_only_what_was_added_to_it(names: list[int], data: st.DataObject) -> None:
    """Against graphs made afresh from lists of nodes; any earlier graph may be added to again."""
    grown = [(Graph("g"), list[Node]())]
    for number in names:
        graph, nodes = data.draw(st.sampled_from(grown))
        node = Node(f"n{number}", Relu(), ("n0",), ())
        if any(own.name == node.name for own in nodes):
            with pytest.raises(GraphError):
                graph.add(node.name, node.operator, "n0")
        else:
            grown.append((graph.add(node.name, node.operator, "n0"), [*nodes, node]))
    for graph, nodes in grown:
        assert [node.name for node in graph] == [node.name for node in nodes]
        assert len(graph) == len(nodes)
        assert all(
            (f"n{number}" in graph) == any(n.name == f"n{number}" for n in nodes) for number in range(10)
        )
        copy = pickle.loads(pickle.dumps(graph))
        assert [node.name for node in copy] == [node.name for node in nodes]


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_draft_knows_the_readers_of_every_node(data: st.DataObject) -> None:
    """Against a scan over all nodes of the draft."""
    edit = Graph("g").add("in", Input((2,))).edit()
    names = ["in"]
    for _ in range(data.draw(st.integers(1, 25))):
        kind = data.draw(st.sampled_from(["add", "add", "set", "reroute", "remove"]))
        first, second = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names))
        if kind == "add":
            names.append(edit.add("node", Add(), first, second))
        elif kind == "set" and first != "in":
            edit.set(first, inputs=(second, "in"))
        elif kind == "reroute":
            edit.reroute(first, second)
        elif first != "in" and not edit.readers(first):
            edit.remove(first)
            names.remove(first)
        for name in names:
            assert edit.readers(name) == tuple(other for other in names if name in edit[other].inputs)
