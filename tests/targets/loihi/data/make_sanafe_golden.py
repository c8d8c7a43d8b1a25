"""Record what SANA-FE 2.2.9 says of networks on 1 to 64 cores; writes two files beside this one.

    python3.11 -m venv sanafe && sanafe/bin/pip install numpy sanafe==2.2.9
    sanafe/bin/python make_sanafe_golden.py

Eight inputs beside core 0 reach four neurons on each of some cores, and these reach each other. Weights are even and
thresholds odd whole numbers, so that both simulators agree whatever they do where a potential meets its threshold.

sanafe_checked.npz is a network of eight inputs and four neurons on one core with the counts that are known to take
191.1892 nJ: 480 input spikes, 1920 synapses, 781 active updates and 172 spikes in 200 steps.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sanafe

INPUTS, EACH, STEPS = 8, 4, 30
CORES = (1, 2, 8, 16, 32, 64)


def record(number: int, cores: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(number)
    places = np.sort(rng.permutation(128)[:cores]) if cores > 1 else np.zeros(1, int)
    hidden = EACH * cores
    spikes = rng.random((STEPS, INPUTS)) < 0.3
    spikes[0] = False
    into = rng.integers(-4, 9, (INPUTS, hidden)) * 2
    among = rng.integers(-6, 7, (hidden, hidden)) * 2
    threshold = rng.integers(5, 15, hidden) * 2 + 1
    arch, net = sanafe.load_loihi(), sanafe.Network()
    chip_cores = arch.cores()
    sources = net.create_neuron_group("in", INPUTS)
    cells = net.create_neuron_group(
        "lif", hidden, soma_hw_name="loihi_lif", default_synapse_hw_name="loihi_dense_synapse",
        model_attributes={"leak_decay": 1.0, "input_decay": 0.0, "reset_mode": "hard"},
    )  # fmt: skip
    for i in range(INPUTS):
        sources[i].set_attributes(
            soma_hw_name=f"loihi_inputs[{i}]", model_attributes={"spikes": spikes[:, i].tolist()}
        )
        sources[i].map_to_core(chip_cores[0])
    for i in range(hidden):
        cells[i].set_attributes(log_spikes=True, model_attributes={"threshold": float(threshold[i])})
        cells[i].map_to_core(chip_cores[int(places[i // EACH])])
    sources.connect_neurons_dense(cells, {"weight": into.ravel().astype(float).tolist()})
    cells.connect_neurons_dense(cells, {"weight": among.ravel().astype(float).tolist()})
    runs = {}
    for model in ("simple", "detailed"):
        chip = sanafe.SpikingChip(arch)
        chip.load(net)
        runs[model] = chip.sim(STEPS, timing_model=model, spike_trace=True, perf_trace=True)
    found = runs["detailed"]
    fired = np.zeros((STEPS, hidden), bool)
    for step, addresses in enumerate(found["spike_trace"]):
        for address in addresses:
            if address.group_name == "lif":
                fired[step, address.neuron_offset] = True
    return {
        "places": places, "spikes": spikes, "into": into.astype(np.int8), "among": among.astype(np.int8),
        "threshold": threshold, "fired": fired, "joules": np.array(found["energy"]["total"]),
        **{model: np.array(run["perf_trace"]["sim_time"]) for model, run in runs.items()},
    }  # fmt: skip


def record_checked() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(330)
    spikes = np.zeros(200 * INPUTS, bool)
    spikes[rng.permutation(np.arange(INPUTS, 200 * INPUTS))[:480]] = True
    spikes = spikes.reshape(200, INPUTS)
    threshold, into = int(rng.integers(5, 60) * 2 + 1), rng.integers(1, 9, (INPUTS, EACH)) * 2
    arch, net = sanafe.load_loihi(), sanafe.Network()
    core = arch.cores()[0]
    sources = net.create_neuron_group("in", INPUTS)
    cells = net.create_neuron_group(
        "lif", EACH, soma_hw_name="loihi_lif", default_synapse_hw_name="loihi_dense_synapse",
        model_attributes={"leak_decay": 1.0, "input_decay": 0.0, "reset_mode": "hard"},
    )  # fmt: skip
    for i in range(INPUTS):
        sources[i].set_attributes(
            soma_hw_name=f"loihi_inputs[{i}]", model_attributes={"spikes": spikes[:, i].tolist()}
        )
        sources[i].map_to_core(core)
    for i in range(EACH):
        cells[i].set_attributes(model_attributes={"threshold": float(threshold)})
        cells[i].map_to_core(core)
    sources.connect_neurons_dense(cells, {"weight": into.ravel().astype(float).tolist()})
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    run = chip.sim(200, timing_model="detailed", perf_trace=True)
    assert (run["neurons_updated"], run["neurons_fired"], run["spikes"]) == (781 + 480, 172 + 480, 1920)
    return {
        "spikes": spikes, "into": into.astype(np.int8), "threshold": np.array(threshold),
        "joules": np.array(run["energy"]["total"]), "detailed": np.array(run["perf_trace"]["sim_time"]),
    }  # fmt: skip


if __name__ == "__main__":
    np.savez_compressed(Path(__file__).with_name("sanafe_checked.npz"), **record_checked())
    arrays = {}
    for number, cores in enumerate(CORES):
        arrays |= {f"{number}/{name}": value for name, value in record(number, cores).items()}
    np.savez_compressed(Path(__file__).with_name("sanafe_golden.npz"), **arrays)
