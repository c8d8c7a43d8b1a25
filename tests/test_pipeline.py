from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

import snnc
from snnc import validation
from snnc.errors import GraphError, PassError
from snnc.graph import IF, Graph, Input, Linear, Output, Relu
from snnc.pipeline import Context, Guarantee, Pass, PassRecord, Pipeline
from snnc.simulate import simulate
from snnc.validation import Validation

GRAPH = (
    Graph("net")
    .add("in", Input((3,)))
    .add("w", Linear(np.array([[1.0, -2.0, 0.5], [0.3, 0.2, 0.1]])), "in")
    .add("relu", Relu(), "w", sources=("r (Relu)",))
    .add("out", Output(), "relu")
)


@dataclass(frozen=True)
class Times(Pass):
    """Multiply the weights."""

    factor: float = 1.0

    name = "times"

    def __call__(self, graph: Graph, context: Context) -> Graph:
        edit = graph.edit()
        (node,) = graph.of_type(Linear)
        edit.set("w", operator=replace(node.operator, weight=node.operator.weight * self.factor))
        return edit.done()


@dataclass(frozen=True)
class LooseTimes(Times):
    """Multiply the weights, and promise little."""

    name = "loose-times"
    guarantee = Guarantee.RATES
    tolerance = 0.5


@dataclass(frozen=True)
class Keep(Pass):
    """Do nothing."""

    name = "keep"

    def __call__(self, graph: Graph, context: Context) -> Graph:
        return graph


@dataclass(frozen=True)
class Break(Pass):
    """Leave a node that nothing reads."""

    name = "break"

    def __call__(self, graph: Graph, context: Context) -> Graph:
        return graph.add("loose", Relu(), "w")


def test_records() -> None:
    graph, records = Pipeline([Keep(), Times(1.0), LooseTimes(1.25)]).run(GRAPH, Context())
    assert [record.text for record in records] == ["keep", "times", "loose-times{factor=1.25}"]
    assert [record.error for record in records] == pytest.approx([0.0, 0.0, 0.25])
    assert [record.agreement for record in records] == [1.0, 1.0, 1.0]
    assert (graph["w"].operator.weight == GRAPH["w"].operator.weight * 1.25).all()


def test_an_exact_pass_that_is_not_stops_and_names_the_node() -> None:
    with pytest.raises(PassError) as caught:
        Pipeline([Times(1.01)])(GRAPH)
    assert caught.value.code == "P001" and caught.value.node == "w"


def test_a_loose_pass_beyond_its_tolerance_warns() -> None:
    context = Context()
    Pipeline([LooseTimes(3.0)])(GRAPH, context)
    assert [item.code for item in context.diagnostics] == ["W001"]


def test_validation_can_be_switched_off() -> None:
    _, records = Pipeline([Times(3.0)], validation=None).run(GRAPH, Context())
    assert records[0].error is None and records[0].agreement is None


def test_a_broken_graph_stops() -> None:
    with pytest.raises(GraphError):
        Pipeline([Break()])(GRAPH)


def test_calibration_samples_are_those_that_count() -> None:
    """On samples that the change does not reach, there is no difference."""
    blind = np.zeros((4, 3), np.float32)
    _, records = Pipeline([Times(3.0)], Validation(samples=2)).run(GRAPH, Context(blind))
    assert records[0].error == 0.0


def test_every_graph_is_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    outputs_of = validation.outputs_of
    monkeypatch.setattr(
        validation, "outputs_of", lambda graph, *more: runs.append(graph) or outputs_of(graph, *more)
    )
    snnc.Pipeline([LooseTimes(1.1), Keep(), LooseTimes(1.2), LooseTimes(1.3)])(GRAPH)
    assert len(runs) == 4 == len({id(graph) for graph in runs})


def network(threshold: float = 1.0, start: float = 0.0) -> Graph:
    """Eight inputs, each with a neuron of its own; the first begins at ``start`` of its threshold."""
    neuron = IF(threshold, initial_voltage=np.r_[start * threshold, np.zeros(7)])
    graph = Graph("spiking").add("in", Input((8,))).add("w", Linear(np.eye(8)), "in")
    return graph.add("n", neuron, "w").add("out", Output(), "n")


def looked_at(after: Graph, x: np.ndarray, ticks: int = 64, context: Context | None = None) -> PassRecord:
    """The record of a pass with tolerance 0.05 from ``network()`` to another graph."""

    class Replace(Pass):
        name = "replace"
        guarantee = Guarantee.RATES
        tolerance = 0.05

        def __call__(self, graph: Graph, context: Context) -> Graph:
            return after

    context = replace(context or Context(), calibration=x.astype(np.float32))
    return Pipeline([Replace()], Validation(ticks=ticks)).run(network(), context)[1][0]


def test_a_pass_without_doubt_is_looked_at_on_few_samples_and_ticks() -> None:
    record = looked_at(network(), np.linspace(0, 1, 64).reshape(8, 8))
    assert (record.error, record.samples, record.ticks) == (0.0, 2, 16)


def test_an_error_that_ticks_make_small_is_looked_at_until_it_is() -> None:
    """A potential that begins near the threshold gives one spike more: of 14 after 16 ticks, of 28 after 32."""
    x = np.tile(np.linspace(0.9, 0.2, 8), (8, 1))
    record = looked_at(network(start=0.99), x)
    assert (record.samples, record.ticks) == (8, 32)
    assert 0 < record.error <= 0.05


def test_a_decision_that_changed_is_looked_at_on_more() -> None:
    """The fourth sample's decision changes for good, by less than the tolerance; only decisions give a doubt."""
    x = np.tile(np.linspace(0.9, 0.2, 8), (4, 1))
    x[1:, :2] = 0.53, 0.55
    record = looked_at(network(start=0.99), x, ticks=32)
    assert (record.samples, record.ticks) == (4, 32)
    assert record.error <= 0.05


def test_an_error_that_stays_is_measured_on_all_samples_and_ticks_and_warned_of() -> None:
    context = Context()
    x = np.tile(np.linspace(0.9, 0.2, 8), (8, 1))
    record = looked_at(network(threshold=2.0), x, 50, context)
    assert (record.samples, record.ticks) == (8, 50)
    assert record.error == pytest.approx(0.5, abs=0.03)
    (warning,) = context.diagnostics
    assert warning.code == "W001" and "on 8 samples and 50 ticks" in warning.message


def test_looks_at_moving_samples_go_on_where_they_stood() -> None:
    """What is presented only after the first look still counts in the last."""
    x = np.zeros((2, 64, 8))
    x[:, :20] = 0.5
    x[:, 20:, :4] = 1.0
    record = looked_at(network(threshold=2.0), x)
    once, twice = (simulate(network(threshold), x, 64).output for threshold in (1.0, 2.0))
    assert (record.samples, record.ticks) == (2, 64)
    assert record.error == np.abs(once - twice).max() / once.max()


def test_progress_and_observation() -> None:
    seen: list[object] = []
    context = Context(progress=lambda *call: seen.append(call))
    Pipeline([Keep(), Times()], observe=lambda step, graph: seen.append((step.name, len(graph))))(
        GRAPH, context
    )
    assert seen == [("passes", 0, 2), ("keep", 4), ("passes", 1, 2), ("times", 4), ("passes", 2, 2)]
