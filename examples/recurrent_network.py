"""A spiking network written by hand: two populations that excite and inhibit each other, on Loihi.

No ANN and no conversion: the network is a graph of linear maps and leaky neurons, with a cycle. It is compiled
for Loihi, and every spike and potential of the mapped run is compared with the functional simulator, which knows
nothing of cores.

Run it with ``python examples/recurrent_network.py``; it needs snnc alone.
"""

from __future__ import annotations

import numpy as np

import snnc
from snnc.graph import CurrentLIF, Delay, Input, Linear, Output, Readout
from snnc.report.tables import table_text, usage_table
from snnc.simulate import simulate

INPUTS, EXCITATORY, INHIBITORY = 12, 80, 20
TICKS = 200


def network(seed: int = 0) -> snnc.Graph:
    """Excitatory neurons drive each other and the inhibitory ones, which answer two ticks later."""
    random = np.random.default_rng(seed)

    def synapses(targets: int, sources: int, strength: float) -> Linear:
        present = random.random((targets, sources)) < 0.2
        return Linear(strength * random.random((targets, sources)) * present)

    excitatory = CurrentLIF(threshold=1.0, current_decay=0.3, voltage_decay=0.05, refractory=3)
    inhibitory = CurrentLIF(threshold=1.0, current_decay=0.5, voltage_decay=0.1)
    return (
        snnc.Graph("balanced network")
        .add("samples", Input((INPUTS,)))
        .add("drive", synapses(EXCITATORY, INPUTS, 0.3), "samples")
        .add("E", excitatory, "drive", "E to E", "I to E")
        .add("I", inhibitory, "E to I")
        .add("E to E", synapses(EXCITATORY, EXCITATORY, 0.15), "E")
        .add("E to I", synapses(INHIBITORY, EXCITATORY, 0.2), "E")
        .add("late", Delay(2), "I")
        .add("I to E", synapses(EXCITATORY, INHIBITORY, -0.6), "late")
        .add("rates", Output(Readout.COUNT), "E")
    )


def main() -> None:
    """Compile, run on the chip and on the functional simulator, compare."""
    compiled = snnc.compile(network(), target="loihi", ticks=TICKS)
    print(table_text(usage_table(compiled.usage)))
    samples = np.random.default_rng(1).random((4, INPUTS), np.float32)
    chip = compiled.run(samples, record=("spikes", "voltage"))
    specification = simulate(compiled.graph, samples, TICKS, record=("spikes", "voltage"))
    print(f"\nspikes and potentials of {len(samples)} samples at {TICKS} ticks, chip against specification:")
    for name in ("E", "I"):
        equal_spikes = np.array_equal(chip.spikes[name], specification.spikes[name])
        equal_voltage = np.array_equal(chip.voltage[name], specification.voltage[name])
        assert equal_spikes and equal_voltage, name
        rate = chip.spikes[name].mean()
        print(f"  {name}: equal at every tick; a neuron fires in {100 * rate:.1f} % of the ticks")


if __name__ == "__main__":
    main()
