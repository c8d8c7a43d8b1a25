"""A full TrueNorth chip at the published operating points: simulated, and its power by the cost sets.

    python benchmarks/truenorth_operating_point.py [ticks]

4096 cores of 256 neurons that fire at a given mean rate in ticks of 1 ms, each into 128 synapses of a core somewhere
on the chip, as in the networks that Merolla et al. 2014 and Akopyan et al. 2015 measured. Columns: published power;
what comes out by each cost set, and its ratio to the published one; mean rate, active synapses a spike, and hops a
spike of the simulated network; picojoules of hops a synaptic event at 2.3 pJ a hop.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from snnc.graph import Graph, Input, Output, Readout, SpikeSource
from snnc.simulate.costs import RunCosts
from snnc.targets.costs import cost_set_named, cost_set_names
from snnc.targets.frame import Answer
from snnc.targets.truenorth.program import (
    InputLines,
    TrueNorthPopulation,
    TrueNorthProgram,
    inert_cores,
    pack_crossbar,
)
from snnc.targets.truenorth.timing import simulate_with_costs

CORES, NEURONS, SYNAPSES = 4096, 256, 128
LEAK = 200
WARM = 15
"""Ticks until spikes of all delays arrive."""

PUBLISHED = (
    ("Akopyan 2015, 0.8 V", 11.58, 0.068),
    ("Akopyan 2015, 0.8 V", 20.07, 0.071),
    ("Akopyan 2015, 0.8 V", 95.93, 0.094),
    ("Merolla 2014, 0.775 V", 20.0, 0.072),
    ("Akopyan 2015, 0.75 V", 20.0, 0.065),
)
"""Source and supply, mean rate in hertz, watts of the whole chip."""


@dataclass(frozen=True)
class OperatingPoint:
    """A simulated chip.

    Attributes:
        hertz: mean rate of its neurons.
        synapses, hops: a spike.
        watts: by cost set.
    """

    hertz: float
    synapses: float
    hops: float
    watts: dict[str, float]


def recurrent_chip(hertz: float, seed: int = 0) -> TrueNorthProgram:
    """All neurons of a chip in a network; every axon has one source, and weights of both signs cancel.

    A leak of 200 and a linear reset give each neuron the rate, from random initial potentials.
    """
    rng = np.random.default_rng(seed)
    cores = inert_cores(CORES)
    rows = np.argsort(rng.random((4096, NEURONS)), axis=1) < SYNAPSES
    cores.crossbar[:] = pack_crossbar(rows)[rng.integers(0, len(rows), (CORES, NEURONS))]
    cores.axon_type[:] = np.arange(NEURONS) % 2
    cores.weight[..., 0], cores.weight[..., 1] = 1, -1
    cores.leak[:], cores.threshold[:] = LEAK, round(LEAK * 1000 / hertz)
    cores.initial_potential[:] = rng.integers(0, cores.threshold[0, 0], (CORES, NEURONS))
    core, axon = np.divmod(rng.permutation(CORES * NEURONS).reshape(CORES, NEURONS), NEURONS)
    cores.target_core[:], cores.target_axon[:] = core, axon
    cores.target_delay[:] = rng.integers(1, WARM + 1, (CORES, NEURONS))
    nowhere = np.zeros(0, np.int32)
    host = Graph("host").add("x", Input((1,))).add("fire", SpikeSource(), "x")
    return TrueNorthProgram(
        name="recurrent chip",
        cores=cores,
        lines=InputLines(nowhere, nowhere, nowhere, nowhere.astype(np.uint8), nowhere),
        populations=(TrueNorthPopulation("all", (1,), 0, np.zeros(1, np.int32), np.zeros(1, np.int32)),),
        host=host.add("source", Output(Readout.COUNT), "fire"),
        answers=(Answer.of_output("out", Output(Readout.COUNT), 0),),
    )


def operating_point(hertz: float, ticks: int = 25, seed: int = 0) -> OperatingPoint:
    """The chip at a mean rate, over ``ticks`` ticks in which spikes of all delays arrive."""
    program, x = recurrent_chip(hertz, seed), np.zeros((1, 1), np.float32)
    names = cost_set_names("truenorth")
    run = simulate_with_costs(program, x, WARM + ticks, cost_set_named(names[0], "truenorth")).costs
    spikes, seconds = _number(run, "spike"), run.nanoseconds[0, WARM:].sum() * 1e-9
    watts = {}
    for name in names:
        costs = cost_set_named(name, "truenorth")
        joules = sum(_number(run, kind) * getattr(costs.energy, kind) for kind in run.kinds) * 1e-12
        watts[name] = costs.static_watts + joules / seconds
    return OperatingPoint(
        hertz=spikes / (CORES * NEURONS) / seconds,
        synapses=_number(run, "synaptic_event") / spikes,
        hops=(_number(run, "hop_east_west") + _number(run, "hop_north_south")) / spikes,
        watts=watts,
    )


def _number(run: RunCosts, kind: str) -> int:
    return int(run.events[run.kinds.index(kind), :, WARM:].sum())


def main() -> None:
    """Print the table."""
    ticks = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    names = cost_set_names("truenorth")
    heads = "".join(f"{name + ', mW':>17} {'ratio':>6}" for name in names)
    print(f"{'published':22} {'mW':>4} {heads} {'Hz':>7} {'synapses':>9} {'hops':>6} {'pJ of hops':>11}")
    points = {hertz: operating_point(hertz, ticks) for hertz in sorted({hertz for _, hertz, _ in PUBLISHED})}
    for source, hertz, watts in PUBLISHED:
        point = points[hertz]
        ours = "".join(f"{point.watts[name] * 1e3:17.1f} {point.watts[name] / watts:6.3f}" for name in names)
        hops = f"{2.3 * point.hops / point.synapses:11.2f}"
        print(
            f"{source:22} {watts * 1e3:4.0f} {ours} {point.hertz:7.2f} {point.synapses:9.1f} {point.hops:6.2f} {hops}"
        )


if __name__ == "__main__":
    main()
