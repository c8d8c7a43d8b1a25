"""Layers cut into pieces for cores that have a weight for every pair of an axon and a neuron, checked and counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.linear_parts import LinearParts
from snnc.graph.neurons.base import Neuron
from snnc.graph.operators.base import Array

from .frame import Population
from .layers import Layer, Layers, N, Synapses
from .probes import Probes
from .program_checks import require, within
from .target import Usage
from .usage import LayerOnCores, usage_of

_LARGEST = 2**31 - 1
"""Of weights in int32; what is larger fits no core and is refused as this."""

_REMEDIES = {
    "neurons": "this is a defect of the target: report it",
    "axons": "feed it from fewer neurons, or use groups in its convolution",
    "delay": "make the branches that meet there more equally long",
    "weight": "use fewer bits (--weight-bits)",
}


@dataclass(frozen=True)
class PieceLimits:
    """What a core and a chip have.

    Attributes:
        neurons, axons: of a core.
        delay: longest time, in ticks, between a spike and its arrival.
        weight: largest magnitude.
        cores: of a chip.
    """

    neurons: int
    axons: int
    delay: int
    weight: int
    cores: int


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a layer that is on one core.

    Attributes:
        population: index of the layer.
        neurons: (neurons,) int64, flat indices into the population.
        source: (axons,) int64, number of the neuron that an axon listens to.
        delay: (axons,) int64, ticks that it takes a spike to arrive.
        weight: (axons, neurons) int32, 0 where there is no synapse.
    """

    population: int
    neurons: Array
    source: Array
    delay: Array
    weight: Array

    def needs(self, limit: str) -> int:
        """What it takes of ``neurons``, ``axons``, ``delay`` or ``weight``."""
        largest = {"delay": self.delay, "weight": np.abs(self.weight)}
        if limit in largest:
            return int(largest[limit].max(initial=0))
        return len(self.neurons) if limit == "neurons" else len(self.source)


def pieces(layers: Layers[N], limits: PieceLimits) -> Iterator[Piece]:
    """All layers of the chip in pieces.

    A layer's pieces have as many neurons as a core, halved as often as it takes to keep within the axons.

    Neurons of one position, and then of positions side by side, stay together, so that they share axons. Several
    synapses of one target, source and delay have an axon each. A neuron that alone needs more axons than there are
    is a piece of its own.

    Raises:
        MappingError: T003, the host gives a current; T104, a constant one comes through a linear map.
    """
    for number, layer in layers.own.items():
        if layer.drive.bias is not None:
            raise MappingError(
                "T104",
                f"a constant current arrives through a linear map, but {layers.chip} has spikes alone between neurons",
                node=layer.node.name,
                source=layer.node.source,
                remedy="give the neurons a bias instead",
            )
        yield from _cut(number, layer, layers.synapses(layer), limits)


def _cut(population: int, layer: Layer[N], whole: Synapses, limits: PieceLimits) -> Iterator[Piece]:
    ticks, often = (int(values.max(initial=0)) + 1 for values in (whole.delay, whole.occurrence))
    order, axon = layer.channel_last, (whole.source * ticks + whole.delay) * often + whole.occurrence
    rank = np.argsort(order)[whole.target]
    size = limits.neurons
    while size > 1 and _most_axons(rank // size, axon) > limits.axons:
        size //= 2
    by_piece = np.argsort(rank // size, kind="stable")
    bounds = np.searchsorted(rank[by_piece] // size, np.arange(-(-layer.size // size) + 1))
    for number, start in enumerate(range(0, layer.size, size)):
        held, part = order[start : start + size], by_piece[bounds[number] : bounds[number + 1]]
        lines, row = np.unique(axon[part], return_inverse=True)
        weight = np.zeros((len(lines), len(held)), np.int32)
        weight[row, rank[part] - start] = np.clip(whole.weight[part], -_LARGEST, _LARGEST)
        yield Piece(population, held, lines // often // ticks, lines // often % ticks, weight)


def check_pieces(
    title: str, usage: Usage, graph: Graph, populations: Sequence[Population], held: Sequence[Piece]
) -> None:
    """Raise MappingError unless pieces keep the limits (T005) and hold all neurons and synapses and no others (T006).

    Args:
        title: of the chip, for messages.
        usage: of the program.
        graph: level INTEGER, what it was made from; its operators' own ``evaluate`` says what synapses it has.
        populations: of the program.
        held: the pieces.
    """
    for row in usage.layers:
        for use in row.limits:
            if use.used > use.available:
                raise MappingError(
                    "T005",
                    f"{use.limit}: {use.used:,} on one core of {title}, {use.used - use.available:,} more than"
                    f" its limit of {use.available:,}",
                    node=row.name,
                    source=graph[row.name].source,
                    remedy=_REMEDIES[use.limit],
                )
    own = {each.name: number for number, each in enumerate(populations) if each.source is None}
    parts = LinearParts(graph)
    probes = Probes({each.name: each.size for each in populations}, parts.largest_sum(own))
    for sums in parts.sums(own, probes.of):
        number = own[sums.reader.name]
        held_sums = _sums_of_pieces(
            populations, [piece for piece in held if piece.population == number], probes
        )
        if held_sums is None or sums.constant.any() or (held_sums != sums.linear).any():
            raise MappingError(
                "T006",
                f"the program for {title} does not hold exactly the synapses of the network",
                node=sums.reader.name,
                source=sums.reader.source,
                remedy="this is a defect of the target: report it",
            )


def _sums_of_pieces(populations: Sequence[Population], held: Sequence[Piece], probes: Probes) -> Array | None:
    """(rows, neurons) float64 that random numbers add up to at a population's pieces; None if neurons are not once."""
    own = populations[held[0].population] if held else None
    if own is None or not np.array_equal(
        np.sort(np.concatenate([p.neurons for p in held])), np.arange(own.size)
    ):
        return None
    starts = np.repeat([each.start for each in populations], [each.size for each in populations])
    sums = np.zeros((probes.count, own.size))
    for piece in held:
        ticks = piece.delay - own.start + starts[piece.source]
        for each in np.unique(ticks).tolist():
            axons = ticks == each
            numbers = probes.table(each)[:, piece.source[axons]]
            sums[:, piece.neurons] += numbers @ piece.weight[axons].astype(np.float64)
    return sums


def require_consistent(
    populations: Sequence[Population], held: Sequence[Piece], neurons: Sequence[Neuron]
) -> None:
    """Raise ArtifactError A121 unless pieces read from a file, and a model of their neurons each, can be run.

    Args:
        populations: of the program.
        held: the pieces.
        neurons: of the pieces, every array one number a neuron.
    """
    frame_sizes = [population.size for population in populations]
    require(len(neurons) == len(held), "neurons", "one model a core is needed")
    for core, (piece, model) in enumerate(zip(held, neurons, strict=True)):
        place, count, axons = f"core {core}", len(piece.neurons), len(piece.source)
        require(0 <= piece.population < len(frame_sizes), place, "there is no such population")
        require(piece.neurons.shape == (count,), place, "neurons are a row")
        require(
            within(piece.neurons, 0, frame_sizes[piece.population] - 1), place, "there are no such neurons"
        )
        require(piece.source.shape == piece.delay.shape == (axons,), place, "axons are rows")
        require(within(piece.source, 0, sum(frame_sizes) - 1), place, "axons listen to neurons")
        require(within(piece.delay, 1, 2**16), place, "a delay is a tick or more")
        require(piece.weight.shape == (axons, count), place, "weights are one for each axon and neuron")
        require(piece.weight.dtype == np.int32, place, "weights are integers of 32 bits")
        for item in fields(model):
            values = getattr(model, item.name)
            fits = not isinstance(values, np.ndarray) or values.shape == (count,)
            require(fits, place, f"{item.name} is one number a neuron")


def usage_of_pieces(target: str, names: Sequence[str], held: Sequence[Piece], limits: PieceLimits) -> Usage:
    """What pieces take, a core each.

    Args:
        target: name of the chip.
        names: of all populations.
        held: the pieces.
        limits: of the chip.
    """
    used = {
        limit: ([piece.needs(limit) for piece in held], int(getattr(limits, limit)))
        for limit in ("neurons", "axons", "delay", "weight")
    }
    layers = []
    for number, name in enumerate(names):
        own = [at for at, piece in enumerate(held) if piece.population == number]
        if own:
            neurons = sum(len(held[at].neurons) for at in own)
            synapses = sum(int(np.count_nonzero(held[at].weight)) for at in own)
            layers.append(LayerOnCores(name, neurons, synapses, own))
    return usage_of(target, layers, used, len(held), -(-len(held) // limits.cores))


def _most_axons(piece: Array, axon: Array) -> int:
    pairs = np.unique(np.stack([piece, axon]), axis=1)
    return int(np.bincount(pairs[0], minlength=1).max())
