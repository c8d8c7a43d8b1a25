"""Runs the trinary example on simulated TrueNorth cores, a new test image every tick, and compares with onnxruntime.

Run it from the root of the repository: ``python -m examples.trinary_convnet.run_on_chip``. It needs snnc, numpy and
the Debian package ``dataset-fashion-mnist``, and writes ``run_on_chip.log`` next to this file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

import snnc
from examples.data.make_data import read, scale

FOLDER = Path(__file__).parent
MODEL = FOLDER / "trinary_convnet.onnx"
TICKS_A_SECOND = 1000
"""TrueNorth's usual pace, a tick a millisecond (Merolla et al. 2014, Science 345)."""


def reference(images: np.ndarray) -> np.ndarray:
    """Spike counts (samples, 10) of the ONNX file by onnxruntime."""
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: part})[0] for part in np.array_split(images, 20)])


def main() -> None:
    """Compile, run and compare."""
    pixels, labels = read("t10k")
    images = scale(pixels)
    expected = reference(images)
    compiled = snnc.compile(MODEL, target="truenorth")
    stream = compiled.stream(images)
    found = stream.output
    same = found.argmax(axis=1) == expected.argmax(axis=1)
    lines = [
        *(f"{layer.name}: {layer.neurons} neurons, {layer.cores} cores" for layer in compiled.usage.layers),
        f"{compiled.usage.cores} cores on {compiled.usage.chips} chip",
        f"{len(images)} images, a new one every tick",
        f"decisions as onnxruntime's: {same.sum()} of {len(same)}; all ten counts equal:"
        f" {(found == expected).all(axis=1).sum()}",
        f"accuracy {100 * (found.argmax(axis=1) == labels).mean():.2f} %, onnxruntime"
        f" {100 * (expected.argmax(axis=1) == labels).mean():.2f} %",
        f"answer {stream.latency_ticks} ticks after the image, its own tick included;"
        f" {TICKS_A_SECOND} images a second at {TICKS_A_SECOND} ticks a second",
        f"{stream.counts.synaptic_operations.sum() / len(images):.0f} synaptic operations an image",
    ]
    print("\n".join(lines))
    (FOLDER / "run_on_chip.log").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
