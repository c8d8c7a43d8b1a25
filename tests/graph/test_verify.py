"""Every rule that a graph keeps, each broken once; every misfit of shapes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from snnc.errors import GraphError, UsageError
from snnc.graph import (
    IF,
    Add,
    ArgMax,
    AvgPool,
    BatchNorm,
    Bias,
    Clip,
    Concat,
    Conv,
    CurrentLIF,
    Delay,
    Flatten,
    Gather,
    Graph,
    Input,
    Level,
    Linear,
    MaxPool,
    Operator,
    Output,
    Pad,
    PoissonSource,
    QuantiseCurrent,
    Relu,
    Reshape,
    Scale,
    Shape,
    SparseLinear,
    Transpose,
    registered_operator,
    verify,
)


def chain(*operators: Operator, size: int = 2) -> Graph:
    """Input, then the operators in a row as n0, n1, …, then Output."""
    graph, last = Graph("chain").add("in", Input((size,))), "in"
    for number, operator in enumerate(operators):
        graph, last = graph.add(f"n{number}", operator, last, sources=(f"o{number} (Op)",)), f"n{number}"
    return graph.add("out", Output(), last)


def broken(graph: Graph, code: str, node: str | None, level: Level | None = None) -> GraphError:
    with pytest.raises(GraphError) as error:
        verify(graph, level)
    assert (error.value.code, error.value.node) == (code, node)
    return error.value


def test_good_graphs_pass_at_every_level() -> None:
    verify(chain(Relu()))
    verify(chain(Linear(np.ones((3, 2))), IF()), Level.SNN)
    verify(chain(Scale(np.full(1, 0.3)), QuantiseCurrent(2.0), IF(3), Linear(np.ones((1, 2), int)), IF(2)))
    recurrent = Graph("r").add("in", Input((1,))).add("p", IF(), "in", "w")
    verify(recurrent.add("w", Linear(np.ones((1, 1))), "p").add("out", Output(), "p"))


def test_every_input_is_a_node() -> None:
    broken(chain(Relu()).add("x", Relu(), "missing").add("out2", Output(), "x"), "G005", "x")


def test_no_node_reads_an_output() -> None:
    broken(chain(Relu()).add("x", Relu(), "out").add("out2", Output(), "x"), "G006", "x")


@pytest.mark.parametrize(
    ("operator", "inputs", "wanted"),
    [
        (Relu(), (), "1 inputs, not 0"),
        (Relu(), ("in", "in"), "1 inputs, not 2"),
        (Add(), ("in",), "2 or more inputs, not 1"),
        (IF(), (), "1 or more inputs, not 0"),
        (Input((2,)), ("in",), "0 inputs, not 1"),
    ],
)
def test_operators_have_as_many_inputs_as_they_take(
    operator: Operator, inputs: tuple[str, ...], wanted: str
) -> None:
    graph = chain(Relu()).add("x", operator, *inputs).add("out2", Output(), "x")
    assert wanted in broken(graph, "G007", "x").message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_parameters_are_finite(value: float) -> None:
    error = broken(chain(Relu(), Linear(np.array([[1.0, value]]))), "G008", "n1")
    assert "weight" in error.message and error.source == "o1 (Op)"
    broken(chain(IF(initial_voltage=value)), "G008", "n0")


def test_there_are_an_input_and_an_output() -> None:
    broken(Graph("g").add("in", Input((1,))), "G009", None)
    broken(Graph("g").add("p", IF(), "p").add("out", Output(), "p"), "G009", None)


def test_there_may_be_several_inputs_and_outputs() -> None:
    verify(chain(Relu()).add("in2", Input((2,))).add("x", Relu(), "in2").add("out2", Output(), "x"))


def test_every_path_ends_in_an_output() -> None:
    broken(chain(Relu()).add("x", Relu(), "in"), "G010", "x")


def test_cycles_run_through_a_population() -> None:
    graph = Graph("g").add("in", Input((1,))).add("a", Add(), "in", "b").add("b", Relu(), "a")
    broken(graph.add("out", Output(), "b"), "G011", "a")


def test_operators_are_legal_at_their_level() -> None:
    broken(chain(Relu()), "G012", "n0", Level.SNN)
    broken(chain(IF()), "G012", "n0", Level.ANN)
    broken(chain(QuantiseCurrent(1.0), IF()), "G012", "n0", Level.SNN)
    broken(Graph("g").add("in", Input(())).add("out", Output(), "in"), "G102", "in", Level.ANN)


def test_activations_and_neurons_do_not_mix() -> None:
    broken(chain(Relu(), IF()), "G003", None)


@pytest.mark.parametrize(
    ("operator", "what"),
    [
        (Linear(np.array([[1.0, 0.5]])), "weight"),
        (Linear(np.ones((1, 2)), np.array([0.25])), "bias"),
        (Scale(np.array(1.5)), "factor"),
        (Bias(np.array(0.5)), "value"),
        (SparseLinear(np.array([0]), np.array([1]), np.array([0.5]), (2,), (1,)), "values"),
        (IF(1.5), "threshold"),
        (IF(1, initial_voltage=np.array([0.0, 0.5])), "initial_voltage"),
        (CurrentLIF(1, current_decay=0.5), "current_decay"),
    ],
)
def test_behind_the_first_population_of_an_integer_graph_are_integers(operator: Operator, what: str) -> None:
    verify(chain(operator, QuantiseCurrent(1.0), IF(1))) if not isinstance(
        operator, IF | CurrentLIF
    ) else None
    error = broken(chain(QuantiseCurrent(1.0), IF(1), operator, IF(1)), "G014", "n2")
    assert what in error.message and error.source == "o2 (Op)"


def test_integers_are_not_divided() -> None:
    graph = Graph("g").add("in", Input((1, 4))).add("q", QuantiseCurrent(0.5), "in").add("p", IF(1), "q")
    graph = (
        graph.add("pool", AvgPool((2,), (2,)), "p").add("r", IF(1), "pool").add("out", Output(scale=0.5), "r")
    )
    broken(graph, "G014", "pool")
    ones = np.ones(2)
    broken(chain(QuantiseCurrent(1.0), IF(1), BatchNorm(ones, ones, ones, ones), IF(1)), "G014", "n2")


def test_sources_and_outputs_of_an_integer_graph_may_have_real_parameters() -> None:
    graph = Graph("g").add("in", Input((1,))).add("s", PoissonSource(scale=0.3), "in")
    graph = graph.add("q", QuantiseCurrent(0.7), "in").add("p", IF(2), "s", "q")
    verify(graph.add("out", Output(scale=0.1, offset=0.2), "p"))


MISFITS: list[tuple[Operator, tuple[Shape, ...]]] = [
    (Conv(np.zeros((2, 3, 3, 3))), ((3, 8),)),
    (Conv(np.zeros((2, 3, 3, 3))), ((2, 8, 8),)),
    (Conv(np.zeros((2, 3, 3, 3))), ((3, 2, 8),)),
    (Conv(np.zeros((2, 3, 3)), dilation=(4,)), ((3, 8),)),
    (Linear(np.zeros((2, 3))), ((2,),)),
    (Linear(np.zeros((2, 3))), ((),)),
    (SparseLinear(np.zeros(0, int), np.zeros(0, int), np.zeros(0), (4,), (2,)), ((2, 2),)),
    (AvgPool((2, 2)), ((1, 4),)),
    (MaxPool((3,)), ((1, 2),)),
    (BatchNorm(np.ones(3), np.ones(3), np.ones(3), np.ones(3)), ((2, 3),)),
    (Scale(np.ones((3, 1))), ((2, 4),)),
    (Scale(np.ones((3, 4))), ((4,),)),
    (Bias(np.ones(5)), ((4,),)),
    (Add(), ((2,), (3,))),
    (Concat(0), ((2, 3), (2, 4))),
    (Concat(2), ((2, 3), (2, 3))),
    (Concat(0), ((2, 3), (2,))),
    (Reshape((5,)), ((2, 3),)),
    (Transpose((0, 0)), ((2, 3),)),
    (Transpose((1, 0)), ((2,),)),
    (Pad(((1, 1),)), ((2, 2),)),
    (Pad(((-1, -1),)), ((2,),)),
    (Gather(np.zeros(3, int), (4,)), ((5,),)),
    (ArgMax(2), ((3, 4),)),
    (IF(), ((2,), (3,))),
]


@pytest.mark.parametrize(
    ("operator", "shapes"), MISFITS, ids=[f"{type(op).__name__}-{shapes}" for op, shapes in MISFITS]
)
def test_misfits_name_the_node_and_its_source(operator: Operator, shapes: tuple[Shape, ...]) -> None:
    graph = Graph("g")
    for number, shape in enumerate(shapes):
        graph = graph.add(f"in{number}", Input(shape))
    graph = graph.add("bad", operator, *(f"in{n}" for n in range(len(shapes))), sources=("layer (Kind)",))
    with pytest.raises(GraphError) as error:
        _ = graph.add("out", Output(), "bad").shapes
    assert error.value.code == "G101"
    assert (error.value.node, error.value.source) == ("bad", "layer (Kind)")
    assert type(operator).__name__ in error.value.message


def test_a_misfit_in_a_cycle_is_found() -> None:
    graph = Graph("g").add("in", Input((2,))).add("p", IF(), "in", "w").add("w", Linear(np.ones((3, 2))), "p")
    broken(graph.add("out", Output(), "p"), "G101", "p")


def test_a_cycle_whose_shapes_nothing_settles_is_refused() -> None:
    graph = Graph("g").add("in", Input((2,))).add("p", IF(), "w").add("w", Add(), "in", "p")
    broken(graph.add("out", Output(), "p"), "G004", "p")


@pytest.mark.parametrize("ticks", [-1, 1.5])
def test_an_impossible_delay_is_wrong_usage(ticks: int) -> None:
    with pytest.raises(UsageError, match="U303"):
        Delay(ticks)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Input((2, 0)), "G102"),
        (lambda: Clip(1.0, 1.0), "G104"),
        (lambda: Conv(np.zeros((2, 2))), "G104"),
        (lambda: Conv(np.zeros((3, 1, 1, 1)), groups=2), "G104"),
        (lambda: Linear(np.zeros(3)), "G104"),
        (lambda: Gather(np.array([4]), (2, 2)), "G104"),
        (lambda: Gather(np.array([-2]), (2, 2)), "G104"),
        (lambda: registered_operator("Magic"), "G100"),
        (lambda: Input((1,)).evaluate(), "G103"),
        (lambda: Flatten().infer_shape((2, 3)), None),
    ],
)
def test_impossible_operators_are_refused(make: Callable[[], object], code: str | None) -> None:
    if code is None:
        make()
        return
    with pytest.raises(GraphError) as error:
        make()
    assert error.value.code == code


def test_a_node_without_input_is_no_cycle() -> None:
    graph = Graph("g").add("in", Input((3,))).add("lone", IF(np.ones(3)))
    graph = graph.add("sum", Add(), "in", "lone").add("out", Output(), "sum")
    broken(graph, "G007", "lone")
    with pytest.raises(GraphError, match="no input") as error:
        _ = graph.shapes
    assert (error.value.code, error.value.node) == ("G007", "lone")


@pytest.mark.parametrize("threshold", [np.zeros(0), np.ones(3), np.ones((2, 1, 2))])
def test_parameters_broadcast_to_their_population(threshold: np.ndarray) -> None:
    error = broken(chain(IF(threshold)), "G101", "n0")
    assert "its threshold, of shape" in error.message
    verify(chain(IF(np.ones((1,)), initial_voltage=np.zeros(2))))
