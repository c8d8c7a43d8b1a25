"""The rules that every graph keeps, checked before and after each pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import networkx as nx
import numpy as np

from snnc.errors import GraphError

from .graph import Graph
from .neurons.base import Neuron
from .node import Node
from .operators.base import Activation, Level, LinearMap, Operator
from .operators.interface import Input, Output


def verify(graph: Graph, level: Level | None = None) -> None:
    """Check a graph; raises GraphError naming the first node that breaks a rule.

    Rules: there is one Input, every input of a node names a node, every operator has as many inputs as it takes,
    cycles run through a population, every path starts at an input or population and ends in an output, shapes
    fit, parameters are finite, and every operator is legal at ``level`` (the graph's own where none is given). At
    INTEGER, the parameters of populations and of the linear maps behind them are integers.
    """
    for node in graph:
        _check_inputs(graph, node)
        _check_parameters(node)
    _check_ends(graph)
    _check_cycles(graph)
    _check_host(graph)
    level = level or graph.level
    if graph.shapes:
        _check_level(graph, level)
    if level is Level.INTEGER:
        whole = integer_nodes(graph)
        for node in graph:
            if node.name in whole:
                _check_integers(node)


def _check_inputs(graph: Graph, node: Node) -> None:
    for source in node.inputs:
        if source not in graph:
            raise GraphError(
                "G005", f"it reads {source!r}, which is no node", node=node.name, source=node.source
            )
        if isinstance(graph[source].operator, Output):
            raise GraphError("G006", f"it reads the output {source!r}", node=node.name, source=node.source)
    operator, count = node.operator, len(node.inputs)
    most = operator.maximum_inputs
    if count < operator.minimum_inputs or (most is not None and count > most):
        needed = (
            f"{operator.minimum_inputs}"
            if most == operator.minimum_inputs
            else f"{operator.minimum_inputs} or more"
        )
        raise GraphError(
            "G007",
            f"{type(operator).__name__} takes {needed} inputs, not {count}",
            node=node.name,
            source=node.source,
        )


def _check_parameters(node: Node) -> None:
    for field in fields(node.operator):
        value = getattr(node.operator, field.name)
        if not _finite(node.operator, value):
            raise GraphError(
                "G008",
                f"its {field.name} has values that are not finite",
                node=node.name,
                source=node.source,
                remedy="train or export the model again",
            )


def _finite(operator: Operator, value: object) -> bool:
    if isinstance(value, float):
        # A Clip may be open on one side.
        return bool(np.isfinite(value)) or isinstance(operator, Activation)
    if isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating):
        return bool(np.isfinite(value).all())
    return True


def _check_ends(graph: Graph) -> None:
    if not graph.inputs or not graph.outputs:
        missing = "input" if not graph.inputs else "output"
        raise GraphError(
            "G009", f"graph {graph.name!r} has no {missing}", remedy=f"add an {missing.capitalize()} node"
        )
    for node in graph:
        if not graph.consumers[node.name] and not isinstance(node.operator, Output):
            raise GraphError(
                "G010",
                "nothing reads it and it is no output",
                node=node.name,
                source=node.source,
                remedy="remove it or connect it to an output",
            )


def _check_cycles(graph: Graph) -> None:
    for component in graph.components:
        if graph.is_recurrent(component) and not any(
            isinstance(graph[name].operator, Neuron) for name in component
        ):
            raise GraphError(
                "G011",
                "a cycle of linear maps has no population in it",
                node=component[0],
                source=graph[component[0]].source,
            )


def _check_host(graph: Graph) -> None:
    for node in graph:
        if node.operator.by_host and any(
            isinstance(graph[name].operator, Neuron) for name in nx.ancestors(graph.digraph, node.name)
        ):
            raise GraphError(
                "G016",
                f"a {type(node.operator).__name__} is computed by the host and cannot come behind a population",
                node=node.name,
                source=node.source,
                remedy="give the population behind it a current with memory (CurrentLIF)",
            )


def _check_level(graph: Graph, level: Level) -> None:
    for node in graph:
        if level not in node.operator.levels:
            raise GraphError(
                "G012",
                f"{type(node.operator).__name__} is not legal at level {level.value}",
                node=node.name,
                source=node.source,
            )
        if isinstance(node.operator, Input) and not node.operator.sample_shape:
            raise GraphError("G102", "an input needs at least one axis", node=node.name)


def integer_nodes(graph: Graph) -> frozenset[str]:
    """The nodes of an INTEGER graph whose value is whole: populations, encoders, and what reads them.

    The rest, between the samples and the first of them, is computed by the host in real numbers.
    """
    firing = {node.name for node in graph.populations}
    encoders = {node.name for node in graph if node.operator.levels == {Level.INTEGER}}
    whole = firing | encoders
    return frozenset(whole.union(*(nx.descendants(graph.digraph, name) for name in whole)))


def _check_integers(node: Node) -> None:
    operator = node.operator
    if isinstance(operator, LinearMap):
        values: Mapping[str, Any] = operator.coefficients()
        if not operator.keeps_integers:
            raise _not_whole(node, f"{type(operator).__name__} divides, which integers do not allow")
    elif isinstance(operator, Neuron) and not operator.takes_samples:
        values = {field.name: getattr(operator, field.name) for field in fields(operator)}
    else:
        return
    for name, value in values.items():
        if not _whole(value):
            raise _not_whole(node, f"its {name} is not made of integers")


def _whole(value: object) -> bool:
    if not isinstance(value, float | np.ndarray):
        return True
    return bool((np.asarray(value) == np.rint(value)).all())


def _not_whole(node: Node, message: str) -> GraphError:
    return GraphError(
        "G014",
        message,
        node=node.name,
        source=node.source,
        remedy="quantise the graph, or merge the node into a linear map with integer weights",
    )
