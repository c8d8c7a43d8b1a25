"""The examples' programs, traces and figures, held bit for bit by one golden text.

Answers decoded in floats are held to nine places, since their last bits are those of a machine's matrix product.

A change of structure leaves the text as it is; a change of behaviour shows here what it moves. ``--update-golden``
rewrites it.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnc
from snnc.graph.operators.base import Array

EXAMPLES = Path(__file__).parent.parent / "examples"
CALIBRATION = EXAMPLES / "data" / "fashion_calibration.npz"

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "mlp_loihi": ("fashion_mlp", {"ticks": 32}),
    "mlp_loihi_host": ("fashion_mlp", {"ticks": 16, "input": "host", "reset": "zero"}),
    "mlp_truenorth": ("fashion_mlp", {"target": "truenorth", "ticks": 32, "weight_bits": 4}),
    "convnet_loihi": ("fashion_convnet", {"ticks": 16}),
    "convnet_loihi_4_bits": ("fashion_convnet", {"ticks": 8, "weight_bits": 4, "balance": "percentile"}),
    "trinary_truenorth": ("trinary_convnet", {"target": "truenorth"}),
    "copies_truenorth": ("probabilistic_mlp", {"target": "truenorth", "copies": 2, "ticks": 4}),
}
SCRIPTS = ("follow_one_weight.py", "one_core_energy.py", "recurrent_network.py")


@pytest.mark.parametrize("name", CASES)
def test_a_compiled_example_keeps_its_bits(name: str, golden: Callable[[str, str], None]) -> None:
    model, choices = CASES[name]
    data = np.load(EXAMPLES / "data" / "fashion_test.npz")
    samples, labels = data["x"][:8], data["y"][:8]
    compiled = snnc.compile(EXAMPLES / model / f"{model}.onnx", calibration=CALIBRATION, **choices)
    trace = compiled.run(samples, record=("spikes", "voltage", "output"))
    lines = [
        f"cores {compiled.usage.cores} chips {compiled.usage.chips} synapses {compiled.usage.synapses}",
        *(f"{layer.name} on {layer.cores}: {layer.limits}" for layer in compiled.usage.layers),
        f"output {_digest(_rounded([trace.output, trace.output_by_tick]))}, latency {trace.latency_ticks}",
        *(f"spikes {key} {_digest([train])}" for key, train in sorted(trace.spikes.items())),
        *(f"voltage {key} {_digest([value])}" for key, value in sorted(trace.voltage.items())),
        f"counts {_digest(_count_arrays(trace.counts))}",
        *_figures(snnc.evaluate(compiled, samples, labels)),
    ]
    golden(name, "\n".join(lines) + "\n")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_prints_the_same_figures(script: str, golden: Callable[[str, str], None]) -> None:
    run = subprocess.run(
        [sys.executable, EXAMPLES / script], cwd=EXAMPLES.parent, check=True, capture_output=True, text=True
    )
    golden(script.removesuffix(".py"), run.stdout)


def _digest(arrays: Iterable[Array | None]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        assert array is not None
        value = np.ascontiguousarray(array)
        digest.update(f"{value.dtype.kind} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()[:16]


def _rounded(arrays: Iterable[Array]) -> list[Array]:
    """Decoded answers to nine places: their last bits are the rounding of a machine's own matrix product."""
    return [np.round(array / np.abs(array).max(), 9) + 0.0 for array in arrays]


def _count_arrays(counts: Any) -> list[Array]:
    names = ("axon_events", "synaptic_operations", "neuron_updates", "spikes", "messages")
    return [getattr(counts, name) for name in names]


def _figures(evaluation: snnc.Evaluation) -> list[str]:
    names = ("accuracy", "agreement", "spikes_per_sample", "synaptic_operations_per_sample")
    costs = ("energy_joules_per_sample", "latency_seconds_per_sample", "pipelined_samples_per_second")
    values = [(name, getattr(evaluation, name)) for name in (*names, *costs)]
    return [f"{name} {value if value is None else format(value, '.9g')}" for name, value in values]
