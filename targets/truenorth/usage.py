"""What a program takes of every core, and what each layer takes of the chips."""

from __future__ import annotations

import numpy as np

from snnc.targets.target import LayerUse, LimitUse, Usage

from .limits import TRUENORTH, TrueNorthLimits
from .program import NO_TARGET, TrueNorthProgram, unpack_crossbar


def usage(program: TrueNorthProgram, limits: TrueNorthLimits = TRUENORTH) -> Usage:
    """What a program takes, layer by layer.

    A layer's axons and neurons are all those in use on the cores that hold a part of it. A duplicated neuron counts
    once among a layer's neurons and synapses.
    """
    cores = program.cores
    connected = np.stack([unpack_crossbar(core).sum(axis=0, dtype=np.int64) for core in cores.crossbar])
    axons = cores.crossbar.any(axis=2).sum(axis=1)
    used = (connected > 0) | (cores.target_core != NO_TARGET)
    for population in program.populations:
        used[population.core, population.neuron] = True
    neurons = used.sum(axis=1)
    layers = []
    for population in program.populations:
        if population.source is None:
            held = np.unique(population.core)
            layers.append(
                LayerUse(
                    population.name,
                    len(population.core),
                    int(connected[population.core, population.neuron].sum()),
                    len(held),
                    (
                        LimitUse("axons", int(axons[held].max()), limits.axons),
                        LimitUse("neurons", int(neurons[held].max()), limits.neurons),
                    ),
                )
            )
    return Usage(
        target=program.target,
        cores=len(cores),
        chips=program.chips,
        neurons=sum(layer.neurons for layer in layers),
        synapses=sum(layer.synapses for layer in layers),
        layers=tuple(layers),
    )
