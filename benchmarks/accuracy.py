"""Accuracy of converted networks by ticks: thresholds fitted to activations alone against calibration on spikes.

    python -m benchmarks.accuracy MODEL CALIBRATION.npz TEST.npz [--ticks 4,8,16,32,64] [--images 2000] [--draws 3]

Each draw compiles for Loihi with default options and its own 256 calibration samples, in the order of the file, and
presents the first test images. Printed is a row for each number of ticks and way to calibrate: points below the
network's own accuracy, of the real-valued spiking network and of the chip's program, and how many decisions of the
program are the network's own, the median of the draws and their range.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import snnc
from snnc.graph import Graph, evaluate
from snnc.graph.operators import Level
from snnc.graph.operators.base import Array
from snnc.pipeline import Pass
from snnc.simulate import simulate

CALIBRATION_SAMPLES = 256
WAYS = ("activations", "spikes")


@dataclass(frozen=True)
class Outcome:
    """Of one compilation.

    Attributes:
        spiking: points that the real-valued spiking network lies below the ANN.
        program: the same of the chip's program.
        agreement: share of the program's decisions that are the ANN's, in per cent.
        spikes: of the program, a sample.
    """

    spiking: float
    program: float
    agreement: float
    spikes: float


def measure(
    model: Path, calibration: Array, images: Array, labels: Array, ticks: int, calibrate: str, ann: float
) -> Outcome:
    """Compile and present the images; ``ann`` is the network's own accuracy in per cent."""
    graphs: list[Graph] = []

    def keep_last_of_reals(step: Pass, graph: Graph) -> None:
        if graph.level is Level.SNN:
            graphs[:] = [graph]

    compiled = snnc.compile(
        model, calibration=calibration, ticks=ticks, calibrate=calibrate, observe=keep_last_of_reals
    )
    decoded = simulate(graphs[0], images, ticks).output.reshape(len(images), -1)
    result = snnc.evaluate(compiled, images, labels)
    assert result.accuracy is not None and result.agreement is not None
    return Outcome(
        ann - 100 * float(np.mean(decoded.argmax(axis=1) == labels)),
        ann - 100 * result.accuracy,
        100 * result.agreement,
        result.spikes_per_sample,
    )


def row(ticks: int, calibrate: str, outcomes: list[Outcome]) -> str:
    """A line of the table."""

    def cell(name: str, digits: int) -> str:
        values = np.array([getattr(outcome, name) for outcome in outcomes])
        spread = f" ({values.min():.{digits}f} to {values.max():.{digits}f})" if len(values) > 1 else ""
        return f"{np.median(values):.{digits}f}{spread}"

    cells = (cell("spiking", 2), cell("program", 2), cell("agreement", 1), cell("spikes", 0))
    return f"| {ticks} | {calibrate} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table of one network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--ticks", default="4,8,16,32,64")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=3)
    arguments = parser.parse_args()
    pool = np.load(arguments.calibration)["x"].astype(np.float32)
    draws = [pool[first : first + CALIBRATION_SAMPLES] for first in range(0, len(pool), CALIBRATION_SAMPLES)]
    test = np.load(arguments.test)
    images = test["x"][: arguments.images].astype(np.float32)
    labels = test["y"][: arguments.images]
    source = snnc.import_onnx(arguments.model)
    decisions = evaluate(source, images).reshape(len(images), -1).argmax(axis=1)
    ann = 100 * float(np.mean(decisions == labels))
    print(f"{arguments.model.stem}: {ann:.2f} % of {len(images)} images\n")
    print(
        "| ticks | calibrated on | spiking network, points lost | Loihi, points lost | agreement % | spikes |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for ticks in map(int, arguments.ticks.split(",")):
        for calibrate in WAYS:
            outcomes = [
                measure(arguments.model, draw, images, labels, ticks, calibrate, ann)
                for draw in draws[: arguments.draws]
            ]
            print(row(ticks, calibrate, outcomes), flush=True)


if __name__ == "__main__":
    main()
