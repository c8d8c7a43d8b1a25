"""The energy of one Loihi core, event by event: the network that SANA-FE 2.2.9 was run with.

Eight inputs, four neurons, 200 steps, written by hand. What SANA-FE counts is counted here, the energy is the sum of
these events, and a tick in which nothing arrives takes the barrier and four neurons.

Run it with ``python examples/one_core_energy.py``; it needs snnc alone.
"""

from __future__ import annotations

import numpy as np

import snnc
from snnc.graph import Input, Linear, Output, Readout, SpikeSource
from snnc.targets.loihi import LoihiCompartment

INPUTS, NEURONS, STEPS, SPIKES = 8, 4, 200, 480
UNIT = 64
"""A weight or threshold of 1 in units of the potential."""


def main() -> None:
    """Compile, run, count."""
    random = np.random.default_rng(330)
    spikes = np.zeros(STEPS * INPUTS, bool)
    spikes[random.permutation(np.arange(INPUTS, STEPS * INPUTS))[:SPIKES]] = True
    threshold = UNIT * int(random.integers(5, 60) * 2 + 1)
    weight = UNIT * 2 * random.integers(1, 9, (INPUTS, NEURONS))
    network = (
        snnc.Graph("one core")
        .add("samples", Input((INPUTS,)))
        .add("inputs", SpikeSource(), "samples")
        .add("synapses", Linear(weight.T), "inputs")
        .add("neurons", LoihiCompartment(np.array(threshold)), "synapses")
        .add("count", Output(Readout.COUNT), "neurons")
    )
    compiled = snnc.compile(network, target="loihi", passes="", ticks=STEPS + 1)
    # Windows of neurons open a tick after those of the inputs: between a silent tick in front and the last tick lie
    # the 200 steps of SANA-FE, in which neurons see what inputs sent in the step before.
    x = np.concatenate([np.zeros((1, INPUTS)), spikes.reshape(STEPS, INPUTS)])[None]
    costs = compiled.run_with_costs(x, costs="sanafe-loihi", detailed=True).costs
    counts = costs.events[:, :, 1 : STEPS + 1].sum(axis=(1, 2))
    for kind, count, picojoules in zip(costs.kinds, counts.tolist(), costs.picojoules.tolist(), strict=True):
        if count and picojoules:
            print(f"{kind:14} {count:5} x {picojoules:5} pJ")
    print(f"energy         {counts @ costs.picojoules / 1000:.4f} nJ")
    print(f"idle step      {costs.nanoseconds[0, 1]:g} ns")


if __name__ == "__main__":
    main()
