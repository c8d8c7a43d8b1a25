"""Does it fit? What a network will take of the chips, before calibration and quantisation, and what would help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np

from snnc.choices import PoolMethod
from snnc.errors import SnncError
from snnc.graph.graph import Graph
from snnc.graph.map_sizes import synapse_count
from snnc.graph.operators import Conv, Linear, SparseLinear
from snnc.graph.operators.base import Level
from snnc.graph.operators.pool import MaxPool
from snnc.graph.operators.step import Step
from snnc.memory import require_memory
from snnc.pipeline import Context
from snnc.targets.target import CompileOptions, LayerUse, LimitUse, Remedy, Usage

from .core_packing import PackedLayer, pack_layers
from .layers import layers_of
from .limits import TRUENORTH, TrueNorthLimits
from .pipeline import truenorth_pipeline
from .quantise import LEVELS


def estimate(graph: Graph, options: CompileOptions, limits: TrueNorthLimits = TRUENORTH) -> Usage:
    """What a network takes, layer by layer, and how many cores it would take after other choices.

    The passes that settle the structure run as they do when compiling, but for the choice of scales; weights are
    rounded without data. So it needs none, and differs from what a program takes where scales make other weights
    zero.

    Args:
        graph: level ANN, SNN or INTEGER.
        options: what was chosen.
        limits: of a chip.

    Raises:
        MappingError T42x: a layer does not fit.
        DataError: D104, its synapses, written out one by one, would take more memory than the system has free.
    """
    _require_room(graph)
    layers = tuple(_use(each, limits) for each in _packed(graph, options, limits))
    cores = sum(layer.cores for layer in layers)
    return Usage(
        target="truenorth",
        cores=cores,
        chips=-(-cores // limits.cores),
        neurons=sum(layer.neurons for layer in layers),
        synapses=sum(layer.synapses for layer in layers),
        layers=layers,
        remedies=tuple(each for each in _remedies(graph, options, limits) if each.cores < cores),
    )


_BYTES_A_SYNAPSE, _BYTES_WHILE_SORTED = 40, 48
"""Five columns of int64 (``layers.Synapses``), and the order and the copies that a layer takes while it is sorted."""


def _require_room(graph: Graph) -> None:
    counts = [
        synapse_count(node.operator, graph.shapes[node.inputs[0]])
        for node in graph.of_type(Conv, Linear, SparseLinear)
    ]
    require_memory(
        f"to write out {sum(counts):,} synapses for TrueNorth",
        _BYTES_A_SYNAPSE * sum(counts) + _BYTES_WHILE_SORTED * max(counts, default=0),
        "give the network a smaller input, choose --target loihi, where convolutions share weights",
    )


def _packed(graph: Graph, options: CompileOptions, limits: TrueNorthLimits) -> tuple[PackedLayer, ...]:
    context = Context()
    for step in truenorth_pipeline(graph, options, context):
        graph = step.outline(graph, context)
    return pack_layers(layers_of(graph), limits)


def _use(packed: PackedLayer, limits: TrueNorthLimits) -> LayerUse:
    axons = np.bincount(packed.axons.core, minlength=packed.cores)
    neurons = np.bincount(packed.core, packed.copies, packed.cores)
    return LayerUse(
        packed.layer.node.name,
        packed.layer.size,
        int(np.bitwise_count(packed.sums.types).sum()),
        packed.cores,
        (
            LimitUse("axons", int(axons.max()), limits.axons),
            LimitUse("neurons", int(neurons.max()), limits.neurons),
        ),
        packed.layer.node.group,
    )


def _remedies(graph: Graph, options: CompileOptions, limits: TrueNorthLimits) -> Iterator[Remedy]:
    """What other choices would change, as far as the network fits with them."""
    if graph.level is Level.INTEGER or graph.of_type(Step):
        return
    others = []
    if options.weight_bits != min(LEVELS):
        fewer = replace(options, weight_bits=min(LEVELS))
        others.append(
            (f"--weight-bits {min(LEVELS)}", "weights are -1, 0 or 1 in units of each neuron", fewer)
        )
    if options.max_pool is PoolMethod.EXACT and graph.of_type(MaxPool):
        note = "the network computes another function; train it with average-pooling"
        others.append(("--max-pool average", note, replace(options, max_pool=PoolMethod.AVERAGE)))
    for change, note, choice in others:
        with suppress(SnncError):
            yield Remedy(change, sum(each.cores for each in _packed(graph, choice, limits)), note)
