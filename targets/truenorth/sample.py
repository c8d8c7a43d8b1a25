"""Weights as probabilities of synapses: networks drawn from them, side by side, whose answers are averaged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import networkx as nx
import numpy as np

from snnc.errors import Diagnostic, PassError, Severity
from snnc.fields import option
from snnc.graph.graph import Edit, Graph
from snnc.graph.node import Node
from snnc.graph.operators import Add, Conv, Linear, Output, Scale, SparseLinear
from snnc.graph.operators.base import Activation, Array, Decision, Level, Operator
from snnc.pipeline import Context, Guarantee, Pass
from snnc.stages import Need

from .native import behind_steps, require_steps
from .steps import simplified

_ABOVE = 1e-6
"""How far rounding may put the magnitude of a weight above 1."""

_LEAST = 0.5
"""Largest probability of a trained layer below which the weights are probably no probabilities."""

Weighted = Conv | Linear | SparseLinear


@dataclass(frozen=True)
class SampleConnections(Pass):
    """Draw networks of weights -1, 0 and 1 from weights that are probabilities of synapses (Esser 2015).

    A weight w between two steps, in [-1, 1], stands for a synapse of strength sign(w) that exists with probability
    abs(w), independent of all others (Esser et al. 2015, NeurIPS 28: a connection is there with its trained
    probability and then has the fixed strength of its axon's type). Weights of magnitude 0 and 1 stay.

    1. Activations and sums in other spellings are brought to steps, see ``steps.simplified``.
    2. Each weight of a Conv, Linear or SparseLinear that reads steps, and that steps read, is drawn once a copy: one
       of a convolution for all places, so that a copy stays a convolution.
    3. All else stays real, as biases, thresholds and batch normalisation do: a factor behind a map is the unit of its
       synapses. Whatever the host computes, up to the first steps, is shared by the copies. The readout behind the
       last steps stays as it is.
    4. The answer is the mean of the copies' answers, so the class with the most spikes in all copies wins
       (ensemble averaging); softmax and arg-max come behind the mean.
    5. Copy k of a seed is the same however many copies there are. The generator is numpy's PCG64 of
       ``SeedSequence(seed, spawn_key=(k - 1, number of the map in dataflow order))``.

    A drawn network answers otherwise than that of the weights as they are, on purpose, so nothing is promised.

    Fails with P230 for other activations, P233 for a network without steps, P236 for weights beyond 1, P237 for maps
    in a row without steps between them; reports weights that look scaled (W231), copies that are equal (W232) and
    weights that are not drawn because they read the samples (N231).

    Attributes:
        copies: number of networks.
        seed: of the draws; None takes the compilation's seed.
    """

    copies: int = option(1, "Networks that are drawn.", least=1)
    seed: int | None = option(None, "Of the draws.", least=0, shown="the compilation's seed")

    name: ClassVar[str] = "sample-connections"
    guarantee: ClassVar[Guarantee] = Guarantee.NOTHING
    requires: ClassVar[tuple[Need, ...]] = (Level.ANN,)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The ANN of all copies; the nodes of copy k end in ``.copy<k>``, from 1 on."""
        _require_ann(self, graph)
        graph = simplified(graph)
        require_steps(graph)
        maps = probabilistic_maps(graph)
        for node in maps:
            _check_probabilities(node)
        _check_rows(graph, maps)
        for note in (*_of_the_host(graph), *_doubts(maps, self.copies)):
            context.report(note)
        seed = context.seed if self.seed is None else self.seed
        return _side_by_side(graph, [_drawn(maps, seed, copy) for copy in range(self.copies)])


def probabilistic_maps(graph: Graph) -> tuple[Node, ...]:
    """The weighted maps of an ANN that read steps and are read by steps, in dataflow order."""
    behind = behind_steps(graph)
    ahead: set[str] = set()
    for node in graph.of_type(Activation):
        ahead |= nx.ancestors(graph.digraph, node.name)
    return tuple(node for node in graph.of_type(Conv, Linear, SparseLinear) if node.name in behind & ahead)


def probabilities(operator: Operator) -> Array:
    """The weights of a Conv, Linear or SparseLinear, float64."""
    assert isinstance(operator, Weighted)
    return np.asarray(getattr(operator, operator.multipliers[0]), np.float64)


def _require_ann(step: Pass, graph: Graph) -> None:
    if not graph.is_ann:
        raise PassError(
            "P101",
            f"{step.name} works on an ANN, but this graph has spiking neurons",
            node=graph.populations[0].name if graph.populations else None,
            remedy=f"put {step.name} before map-native",
        )


def _check_probabilities(node: Node) -> None:
    """Raise PassError P236 for weights that are no probabilities."""
    magnitude = np.abs(probabilities(node.operator))
    beyond = int((magnitude > 1 + _ABOVE).sum())
    if beyond:
        raise PassError(
            "P236",
            f"{beyond} of its {magnitude.size} weights, up to {magnitude.max():.4g} in magnitude, are beyond 1 and so"
            " no probabilities of synapses",
            node=node.name,
            source=node.source,
            remedy="keep the weights between steps in [-1, 1] in training, and let a factor be a node of its own"
            " behind them (batch normalisation that is not folded) or part of the threshold",
        )


def _check_rows(graph: Graph, maps: tuple[Node, ...]) -> None:
    """Raise PassError P237 for a map that reads another without a step between, if the weights of one are drawn."""
    named = {node.name: node for node in maps}
    for node in maps:
        waiting = list(node.inputs)
        while waiting:
            name = waiting.pop()
            if name in named and (_is_random(node) or _is_random(named[name])):
                raise PassError(
                    "P237",
                    f"it follows {name} without a step between them, so its weights are no probabilities of synapses",
                    node=node.name,
                    source=node.source,
                    remedy="put a step between the two layers, or make one layer of them",
                )
            if not isinstance(graph[name].operator, Activation):
                waiting += graph[name].inputs


def _is_random(node: Node) -> bool:
    """Whether some weight is neither -1, 0 nor 1."""
    magnitude = np.abs(probabilities(node.operator))
    return bool(((magnitude > 0) & (magnitude < 1)).any())


def _of_the_host(graph: Graph) -> list[Diagnostic]:
    """A note for each map of the samples whose weights could have been meant as probabilities."""
    behind = behind_steps(graph)
    return [
        Diagnostic(
            "N231",
            Severity.NOTE,
            "its weights are not drawn, because it reads the samples: the host computes it",
            node=node.name,
            remedy="where samples are spikes, put a step at 0.5 in front of it to have it drawn and on the chip",
        )
        for node in graph.of_type(Conv, Linear, SparseLinear)
        if node.name not in behind and _is_random(node) and np.abs(probabilities(node.operator)).max() <= 1
    ]


def _doubts(maps: tuple[Node, ...], copies: int) -> list[Diagnostic]:
    """What may be other than the user thinks."""
    notes = []
    for node in maps:
        largest = float(np.abs(probabilities(node.operator)).max(initial=0))
        if 0 < largest < _LEAST:
            notes.append(
                Diagnostic(
                    "W231",
                    Severity.WARNING,
                    f"no synapse has a probability above {largest:.3g}, as if its weights had been scaled",
                    node=node.name,
                    remedy="export the weights as probabilities, a factor as a node of its own behind them",
                )
            )
    if copies > 1 and not any(map(_is_random, maps)):
        notes.append(
            Diagnostic(
                "W232",
                Severity.WARNING,
                f"all weights are -1, 0 or 1, so the {copies} copies are equal",
                remedy="leave --copies out",
            )
        )
    return notes


def _drawn(maps: tuple[Node, ...], seed: int, copy: int) -> dict[str, Operator]:
    """The maps of one copy, by name."""
    drawn: dict[str, Operator] = {}
    for number, node in enumerate(maps):
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(copy, number)))
        weights = probabilities(node.operator)
        exists = generator.random(weights.shape) < np.abs(weights)
        assert isinstance(node.operator, Weighted)
        values = (np.sign(weights) * exists).astype(np.float32)
        drawn[node.name] = replace(node.operator, **{node.operator.multipliers[0]: values})  # type: ignore[arg-type]
    return drawn


def _side_by_side(graph: Graph, copies: list[dict[str, Operator]]) -> Graph:
    """The graph with everything behind the host's steps once a copy, and shared readers reading the copies' mean."""
    shared = _shared(graph)
    edit = graph.edit()
    names = [{node.name: node.name for node in graph} for _ in copies]
    for node in graph.ordered:
        if node.name in shared:
            continue
        for number, (known, drawn) in enumerate(zip(names, copies, strict=True), 1):
            inputs = tuple(known[source] for source in node.inputs)
            operator = drawn.get(node.name, node.operator)
            known[node.name] = edit.add(
                f"{node.name}.copy{number}",
                operator,
                *inputs,
                sources=node.sources,
                group=f"{node.group or node.name}.copy*",
            )
    for node in graph.ordered:
        if node.name in shared and not all(source in shared for source in node.inputs):
            inputs = tuple(
                source if source in shared else _mean(edit, source, [known[source] for known in names])
                for source in node.inputs
            )
            edit.set(node.name, inputs=inputs)
    for node in reversed(graph.ordered):
        if node.name not in shared:
            edit.remove(node.name)
    return edit.done()


def _shared(graph: Graph) -> set[str]:
    """What there is once: all up to the host's steps, decisions and what comes behind them, and the outputs."""
    single = {node.name for node in graph} - behind_steps(graph)
    for node in graph.of_type(Decision, Output):
        single |= {node.name, *nx.descendants(graph.digraph, node.name)}
    return single


def _mean(edit: Edit, name: str, copies: Iterable[str]) -> str:
    """The mean of some nodes as a node."""
    parts = tuple(copies)
    if len(parts) == 1:
        return parts[0]
    total = edit.add(f"{name}.votes", Add(), *parts)
    return edit.add(f"{name}.mean", Scale(np.array(1 / len(parts), np.float32)), total)
