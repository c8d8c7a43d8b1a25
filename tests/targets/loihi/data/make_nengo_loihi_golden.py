"""Runs networks on the emulator of nengo-loihi and writes ``nengo_loihi_golden.npz``, which tests compare with.

nengo-loihi 1.1.0 needs Python 3.9:

    python3.9 -m venv peer && peer/bin/pip install "numpy==1.23.5" nengo-loihi==1.1.0
    peer/bin/python make_nengo_loihi_golden.py

Every network has 8 inputs, 24 recurrent compartments and 12 more behind them. Mantissas are stored; the emulator
is given floor(mantissa * 2^exponent) * 64.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import nengo_loihi
import numpy as np
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.builder import Model
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.inputs import SpikeInput
from nengo_loihi.probe import LoihiProbe

STEPS = 120
SIZES = (24, 12)

# exponent; largest mantissa; decay of current (register plus 1) and of voltage; threshold mantissa; bias;
# refractory; v_min, v_max; rate of the inputs; sign
CASES = {
    "base": {},
    "slow decay": {"current_decay": (7, 1), "voltage_decay": (0, 3), "largest": 60},
    "no memory": {"current_decay": (4096, 4096)},
    "bias": {"bias": (-900, 3000)},
    "refractory": {"refractory": (4, 2)},
    "exponent 3": {"exponent": 3, "threshold": 3000},
    "exponent -2": {"exponent": -2, "threshold": 90},
    "exponent -8": {"exponent": -8, "threshold": 3, "bias": (100, 2000)},
    "excitatory": {"low": 0, "step": 4, "largest": 252, "threshold": 900},
    "inhibitory": {"high": 0, "step": 1, "largest": 255, "bias": (2000, 20000), "threshold": 200},
    "saturation": {"exponent": 4, "current_decay": (5, 3), "voltage_decay": (1, 0), "threshold": 131071},
    "narrow bounds": {"v_min": -(2**12) + 1, "v_max": 2**13 - 1, "threshold": 110},
    "q wraps": {"exponent": 7, "current_decay": (2000, 4096), "threshold": 131071, "rate": 0.9},
    "u wraps": {"exponent": 6, "current_decay": (40, 9), "threshold": 131071, "rate": 0.6},
}


def network(number: int, options: dict[str, object]) -> dict[str, np.ndarray]:
    """The registers, weights and input spikes of a case."""
    rng = np.random.default_rng(number)
    largest, step = int(options.get("largest", 254)), int(options.get("step", 2))
    low, high = int(options.get("low", -largest)), int(options.get("high", largest))

    def mantissas(rows: int, columns: int) -> np.ndarray:
        drawn = rng.integers(low, high + 1, (rows, columns))
        return (np.sign(drawn) * (np.abs(drawn) // step * step)).astype(np.int16)

    def pair(name: str, default: tuple[int, int]) -> np.ndarray:
        return np.array(options.get(name, default), np.int32)

    bias_range = options.get("bias", (0, 0))
    return {
        "inputs": rng.random((STEPS, 8)) < float(options.get("rate", 0.3)),
        "w_in": mantissas(8, SIZES[0]),
        "w_rec": mantissas(SIZES[0], SIZES[0]),
        "w_out": mantissas(SIZES[0], SIZES[1]),
        "exponent": np.array(options.get("exponent", 0)),
        "current_decay": pair("current_decay", (400, 900)),
        "voltage_decay": pair("voltage_decay", (120, 0)),
        "threshold": np.array(options.get("threshold", 700), np.int32),
        "bias": rng.integers(bias_range[0] // 8, bias_range[1] // 8 + 1, sum(SIZES)) * 8,
        "refractory": pair("refractory", (1, 1)),
        "v_min": np.array(options.get("v_min", -(2**23) + 1), np.int32),
        "v_max": np.array(options.get("v_max", 2**23 - 1), np.int32),
    }


def block_of(case: dict[str, np.ndarray], layer: int) -> LoihiBlock:
    """A block with the registers of a layer."""
    size = SIZES[layer]
    block = LoihiBlock(size)
    registers = block.compartment
    first = sum(SIZES[:layer])
    registers.decay_u = np.full(size, case["current_decay"][layer] - 1, np.int32)
    registers.decay_v = np.full(size, case["voltage_decay"][layer], np.int32)
    registers.scale_u = registers.scale_v = False
    registers.vth = np.full(size, case["threshold"] * 64, np.int32)
    registers.bias = case["bias"][first : first + size].astype(np.int32)
    registers.refract_delay = np.full(size, case["refractory"][layer], np.int32)
    registers.vmin, registers.vmax = int(case["v_min"]), int(case["v_max"])
    registers.noise_exp = np.int32(0)
    return block


def connect(source: object, target: LoihiBlock, mantissas: np.ndarray, exponent: int) -> None:
    """Synapses with their final integers."""
    synapse = Synapse(len(mantissas))
    synapse.set_weights(mantissas)
    scaled = np.floor(mantissas * 2.0**exponent).astype(np.int32) * 64
    synapse.weights = [row[None].astype(np.int32) for row in scaled]
    target.add_synapse(synapse)
    axon = Axon(len(mantissas))
    axon.target = synapse
    axon.set_compartment_axon_map(np.arange(len(mantissas)))
    source.add_axon(axon)


def run(case: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """u, v and spikes (steps, 36) of the emulator."""
    model = Model()
    given = SpikeInput(8)
    for step, spikes in enumerate(case["inputs"]):
        given.add_spikes(step + 1, np.flatnonzero(spikes), permanent=True)
    model.add_input(given)
    blocks = [block_of(case, layer) for layer in range(2)]
    for block in blocks:
        model.add_block(block)
    exponent = int(case["exponent"])
    connect(given, blocks[0], case["w_in"], exponent)
    connect(blocks[0], blocks[0], case["w_rec"], exponent)
    connect(blocks[0], blocks[1], case["w_out"], exponent)
    probes = {}
    for key in ("current", "voltage", "spiked"):
        probes[key] = [LoihiProbe(target=block, key=key) for block in blocks]
        for probe in probes[key]:
            model.add_probe(probe)
    EmulatorInterface.strict = False
    with EmulatorInterface(model, seed=0) as emulator, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        emulator.run_steps(STEPS)
        found = {
            key: np.concatenate([np.asarray(emulator.collect_probe_output(p)) for p in each], axis=1)
            for key, each in probes.items()
        }
    return {
        "u": found["current"].astype(np.int32),
        "v": found["voltage"].astype(np.int32),
        "spikes": found["spiked"] > 0,
    }


def main() -> None:
    """Write the file."""
    arrays = {"versions": np.array(f"nengo-loihi {nengo_loihi.__version__}, numpy {np.__version__}")}
    for number, (name, options) in enumerate(CASES.items()):
        case = network(number, options)
        result = run(case)
        print(
            f"{name:14} {int(result['spikes'].sum()):6} spikes, v {result['v'].min()} .. {result['v'].max()}"
        )
        arrays.update({f"{name}/{key}": array for key, array in {**case, **result}.items()})
    np.savez_compressed(Path(__file__).with_name("nengo_loihi_golden.npz"), **arrays)


if __name__ == "__main__":
    main()
