"""Rules on a draft: values, names and sources are kept, whatever is merged and in which order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from graph_strategies import Menu, ann_graphs, samples_for
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.graph import Add, Bias, Clip, Graph, Input, Node, Output, Relu, Scale, evaluate, evaluate_nodes
from snnc.graph.operators.base import Shape
from snnc.graph.rewrite import Draft, Rule, pair, prune
from snnc.graph.simplify import simplified


def with_sources(graph: Graph) -> Graph:
    return Graph(graph.name, (replace(node, sources=(node.name,)) for node in graph))


@given(ann_graphs(Menu(softmax=False)), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_simplified_graphs_keep_values_names_and_sources(graph: Graph, seed: int) -> None:
    graph = with_sources(graph)
    x = samples_for(graph, 3, seed, signed=True)
    result, equals = simplified(graph)
    np.testing.assert_allclose(evaluate(result, x), evaluate(graph, x), rtol=1e-4, atol=1e-4)
    assert set(equals) == {node.name for node in result}
    after = evaluate_nodes(result, x, list(equals))
    before = evaluate_nodes(graph, x, list(equals.values()))
    for name, old in equals.items():
        np.testing.assert_allclose(after[name], before[old], rtol=1e-4, atol=1e-4)
    kept = [source for node in result for source in node.sources]
    assert len(kept) == len(set(kept)) and set(kept) <= {node.name for node in graph}


@given(st.lists(st.sampled_from(["relu", "clip", "bias"]), min_size=1, max_size=12))
@settings(deadline=None, max_examples=60)
def test_sources_of_merged_nodes_stay_in_order(kinds: list[str]) -> None:
    operators = {"relu": Relu(), "clip": Clip(-1.0, 2.0), "bias": Bias(np.array(1.0, np.float32))}
    graph, last = Graph("chain").add("x", Input((3,))), "x"
    for number, kind in enumerate(kinds):
        graph, last = graph.add(f"n{number}", operators[kind], last, sources=(f"s{number}",)), f"n{number}"
    result = simplified(graph.add("out", Output(), last))[0]
    assert [source for node in result.ordered for source in node.sources] == [
        f"s{n}" for n in range(len(kinds))
    ]
    rectifiers = [node for node in result if isinstance(node.operator, Relu | Clip)]
    runs = sum(kind != "bias" and (n == 0 or kinds[n - 1] == "bias") for n, kind in enumerate(kinds))
    assert len(rectifiers) == runs


def doubled(first: Scale, second: Scale, shape: Shape) -> Scale:
    return Scale(np.asarray(first.factor * second.factor))


@given(st.integers(1, 12), st.integers(0, 3))
@settings(deadline=None, max_examples=30)
def test_what_a_rule_changes_is_looked_at_again(length: int, extra: int) -> None:
    """Backwards too: the last pair is merged first, and its result with what stands in front of it."""
    graph, last = Graph("chain").add("x", Input((2,))), "x"
    for number in range(length):
        graph, last = graph.add(f"n{number}", Scale(np.array(2.0)), last), f"n{number}"
    graph = graph.add("out", Output(), last)
    draft = Draft(graph)
    names = [node.name for node in graph.ordered]
    draft.apply([pair((Scale,), (Scale,), doubled, named_second=bool(extra % 2))], reversed(names))
    result = draft.done()
    assert len(result) == 3
    np.testing.assert_allclose(evaluate(result, np.ones((1, 2))), 2.0**length)


def test_of_several_rules_the_first_that_applies_does() -> None:
    seen: list[str] = []

    def note(which: str, applies: bool) -> Rule:
        def function(draft: Draft, node: Node) -> bool:
            seen.append(which)
            return applies

        return Rule((Relu,), function)

    draft = Draft(Graph("g").add("x", Input((2,))).add("r", Relu(), "x").add("out", Output(), "r"))
    draft.apply([note("no", False), note("yes", True), note("never", True)])
    assert seen == ["no", "yes"]


@given(ann_graphs(), st.data())
@settings(deadline=None, max_examples=40)
def test_pruning_removes_what_no_output_needs(graph: Graph, data: st.DataObject) -> None:
    """Against reachability; what stays is what outputs need, whichever names are given."""
    edit, rng = graph.edit(), np.random.default_rng(data.draw(st.integers(0, 99)))
    for number in range(data.draw(st.integers(0, 6))):
        inner = [name for name in edit.names if not isinstance(edit[name].operator, Output)]
        source = str(rng.choice(inner))
        edit.add(f"dead{number}", *((Relu(), source) if number % 2 else (Add(), source, source)))
    prune(edit, edit.names)
    assert set(edit.names) == {node.name for node in graph}
