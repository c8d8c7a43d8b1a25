"""What a program takes of every core, and what each layer takes of the chips."""

from __future__ import annotations

import numpy as np

from snnc.targets.target import Usage
from snnc.targets.usage import LayerOnCores, usage_of

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
            synapses = int(connected[population.core, population.neuron].sum())
            held = np.unique(population.core).tolist()
            layers.append(LayerOnCores(population.name, len(population.core), synapses, held))
    used = {"axons": (axons, limits.axons), "neurons": (neurons, limits.neurons)}
    return usage_of(program.target, layers, used, len(cores), program.chips)
