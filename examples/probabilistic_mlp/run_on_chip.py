"""Runs drawn copies of the probabilistic example on simulated TrueNorth cores and compares with onnxruntime.

Run it from the root of the repository: ``python -m examples.probabilistic_mlp.run_on_chip``. It needs snnc, numpy and
the Debian package ``dataset-fashion-mnist``, and writes ``run_on_chip.log`` next to this file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import snnc
from examples.data.make_data import read, scale
from snnc.formats.onnx import export_onnx
from snnc.graph import Graph, Linear
from snnc.pipeline import Context
from snnc.targets.truenorth.sample import SampleConnections, probabilistic_maps, probabilities
from snnc.targets.truenorth.stream import present_stream

FOLDER = Path(__file__).parent
MODEL = FOLDER / "probabilistic_mlp.onnx"
COPIES = 16
VOTERS = (1, 4, 16)
SEEDS = (1, 2, 3)
NUMBERS = range(1, COPIES + 1)
IMAGES_AT_ONCE = 1000
CHIPS_SIDE_BY_SIDE = 20
TICKS_A_SECOND = 1000
"""TrueNorth's usual pace, a tick a millisecond (Merolla et al. 2014, Science 345)."""


def reference(network: onnx.ModelProto, images: np.ndarray) -> list[np.ndarray]:
    """All outputs (samples, ...) of an ONNX model by onnxruntime."""
    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts = [session.run(None, {name: part}) for part in _pieces(images)]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def by_onnxruntime(ann: Graph, seed: int, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The answers (samples, classes) of all copies together, and those of each (copies, samples, classes)."""
    network = SampleConnections(COPIES)(ann, Context(seed=seed))
    (output,) = ann.outputs
    names = [f"{output.inputs[0]}.copy{number}" for number in NUMBERS]
    together, *apart = reference(export_onnx(network, outputs=[output.name, *names]), images)
    return together, np.stack(apart)


def on_chip(compiled: snnc.Compiled, ann: Graph, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same of the simulated chip: the answers of each copy are counts of the spikes of its last neurons."""
    count = ann[ann.outputs[0].inputs[0]]
    assert isinstance(count.operator, Linear)
    last = ann[count.inputs[0]].inputs[0]
    together, apart = [], []
    for part in _pieces(images):
        trace = compiled.run(part, 1, record=("spikes",))
        together.append(trace.output)
        spikes = [trace.spikes[f"{last}.copy{number}"].reshape(len(part), -1) for number in NUMBERS]
        apart.append(np.stack([one @ count.operator.weight.T for one in spikes]))
    return np.concatenate(together), np.concatenate(apart, axis=1)


def surplus(ann: Graph, seed: int) -> float:
    """How many more connections were drawn than there are on average, in standard deviations of their number."""
    network = SampleConnections(COPIES)(ann, Context(seed=seed))
    difference = variance = 0.0
    for node in probabilistic_maps(ann):
        p = np.abs(probabilities(node.operator))
        variance += COPIES * float((p * (1 - p)).sum())
        for number in NUMBERS:
            drawn = np.abs(probabilities(network[f"{node.name}.copy{number}"].operator))
            difference += float((drawn - p).sum())
    return difference / variance**0.5


def right(answers: np.ndarray, labels: np.ndarray) -> float:
    """Share of the images that are sorted right, in per cent."""
    return 100 * float((answers.argmax(axis=1) == labels).mean())


def accuracies(answers: np.ndarray, labels: np.ndarray, voters: int) -> str:
    """How many images each group of ``voters`` copies in a row sorts right; answers are (copies, samples, classes)."""
    groups = answers.reshape(-1, voters, *answers.shape[1:]).sum(axis=1)
    found = [right(group, labels) for group in groups]
    spread = f" ({min(found):.2f} to {max(found):.2f} %)" if len(found) > 1 else ""
    return f"{voters:2d} {'copy alone' if voters == 1 else 'copies vote'}: {np.mean(found):.2f} %{spread}"


def compare(ann: Graph, seed: int, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The answers of each copy of a seed on the chip, and what there is to say about them."""
    compiled = snnc.compile(MODEL, target="truenorth", copies=COPIES, seed=seed, ticks=1)
    together, apart = on_chip(compiled, ann, images)
    expected, each = by_onnxruntime(ann, seed, images)
    return apart, [
        f"seed {seed}: {COPIES} copies on {compiled.usage.cores} cores of {compiled.usage.chips} chip;"
        f" connections {surplus(ann, seed):+.2f} standard deviations from their mean number",
        f"  as onnxruntime: {(together == expected).all(axis=1).sum()} of {len(images)} answers of all copies,"
        f" {(apart == each).all(axis=2).sum()} of {COPIES * len(images)} answers of one copy",
        *(f"  {accuracies(apart, labels, voters)}" for voters in VOTERS),
    ]


def stream(images: np.ndarray, labels: np.ndarray) -> str:
    """What a new image every tick gives, for the first seed."""
    compiled = snnc.compile(MODEL, target="truenorth", copies=COPIES, seed=SEEDS[0], ticks=1)
    found = present_stream(compiled.program, images, streams=CHIPS_SIDE_BY_SIDE)
    return (
        f"a new image every tick, seed {SEEDS[0]}, {COPIES} copies: {right(found.output, labels):.2f} %, answer"
        f" {found.latency_ticks} ticks after the image, its own tick included; {TICKS_A_SECOND} images a second at"
        f" {TICKS_A_SECOND} ticks a second"
    )


def main() -> None:
    """Draw, map, run and compare."""
    pixels, labels = read("t10k")
    images = scale(pixels)
    ann = snnc.import_onnx(MODEL)
    lines: list[str] = []

    def log(*texts: str) -> None:
        print("\n".join(texts), flush=True)
        lines.extend(texts)

    (mean,) = reference(onnx.load(MODEL), images)
    log(f"{len(images)} test images; weights as they are, by onnxruntime: {right(mean, labels):.2f} %")
    every = []
    for seed in SEEDS:
        answers, texts = compare(ann, seed, images, labels)
        every.append(answers)
        log(*texts)
    for voters in (*VOTERS, COPIES * len(SEEDS)):
        log(f"all seeds, {accuracies(np.concatenate(every), labels, voters)}")
    log(stream(images, labels))
    (FOLDER / "run_on_chip.log").write_text("\n".join(lines) + "\n")


def _pieces(images: np.ndarray) -> list[np.ndarray]:
    return np.array_split(images, max(1, len(images) // IMAGES_AT_ONCE))


if __name__ == "__main__":
    main()
