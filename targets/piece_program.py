"""Programs of chips whose cores have a weight for every pair of an axon and a neuron."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, TypeVar

import numpy as np

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.node import Node
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Output

from .frame import Answer, Population, ProgramShell
from .host import host_graph
from .layers import Layers, N
from .partition import Piece, PieceLimits, pieces


@dataclass(frozen=True, eq=False)
class PieceProgram(ProgramShell[Population], Generic[N]):
    """A network on such cores.

    Attributes:
        pieces: one a core, of which the number of a piece is the core's.
        neurons: the model of the neurons of each, every array one number a neuron.
    """

    populations: tuple[Population, ...]
    pieces: tuple[Piece, ...]
    neurons: tuple[N, ...]

    def first_neurons(self) -> Array:
        """(populations,) int64, the number of the first neuron of each when all are counted."""
        return np.cumsum([0, *self.sizes[:-1]])

    def listeners(self) -> Array:
        """(neurons,) int64, how many cores have an axon of each neuron, by its number."""
        count = np.zeros(sum(self.sizes), np.int64)
        for piece in self.pieces:
            count[np.unique(piece.source)] += 1
        return count

    def row(self) -> Array:
        """(neurons,) int64, where each neuron stands in a row of piece by piece and then populations of the host."""
        first, place = self.first_neurons(), np.zeros(sum(self.sizes), np.int64)
        numbers = [first[piece.population] + piece.neurons for piece in self.pieces]
        for number, population in enumerate(self.populations):
            if population.source is not None:
                numbers.append(first[number] + np.arange(population.size))
        place[np.concatenate(numbers)] = np.arange(len(place))
        return place

    def model_of(self, population: int) -> N:
        """The model of a population's neurons, from those of its pieces."""
        shape, size = self.populations[population].shape, self.populations[population].size
        parts = [
            (piece.neurons, model)
            for piece, model in zip(self.pieces, self.neurons, strict=True)
            if piece.population == population
        ]
        values = {}
        for item in fields(parts[0][1]):
            held = [(neurons, getattr(model, item.name)) for neurons, model in parts]
            if any(isinstance(value, np.ndarray) for _, value in held):
                whole = np.zeros(size, np.result_type(*(value for _, value in held)))
                for neurons, value in held:
                    whole[neurons] = value
                values[item.name] = whole.reshape(shape)
        return replace(parts[0][1], **values)


PP = TypeVar("PP", bound=PieceProgram[Any])
"""A chip's own program of this kind."""


def lowered(kind: type[PP], graph: Graph, layers: Layers[Any], limits: PieceLimits) -> PP:
    """The program of a graph; what is too large for a core is found by ``check_pieces``.

    Raises:
        MappingError: T003, T004 or T104, what such a chip cannot do.
    """
    held = tuple(pieces(layers, limits))
    made_on_host = [layer.node.name for layer in layers.layers if layer.neuron is None]
    host, readers = host_graph(graph, {name: name for name in made_on_host})
    return kind(
        name=graph.name,
        populations=tuple(
            Population(layer.node.name, layer.shape, layer.start, source=readers.get(layer.node.name))
            for layer in layers.layers
        ),
        host=host,
        answers=answers_of(graph, layers),
        pieces=held,
        neurons=tuple(layers.layers[piece.population].part(piece.neurons) for piece in held),
    )


def answers_of(graph: Graph, layers: Layers[N]) -> tuple[Answer, ...]:
    """The answers; raises MappingError T004 unless each is read from a population of the chip."""
    own = {layer.node.name: number for number, layer in layers.own.items()}
    return tuple(_answer(node, own, layers.chip) for node in graph.outputs)


def _answer(node: Node, own: Mapping[str, int], chip: str) -> Answer:
    source = node.inputs[0]
    if source not in own:
        raise MappingError(
            "T004",
            f"an answer of a program of {chip} is read from a population of the chip",
            node=node.name,
            source=node.source,
            remedy="let the output read a population",
        )
    assert isinstance(node.operator, Output)
    return Answer.of_output(node.name, node.operator, own[source])
