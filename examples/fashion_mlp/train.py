"""Makes the multilayer perceptron example, so that its ONNX file can be reproduced.

Run it from the root of the repository: ``python -m examples.fashion_mlp.train``.
It writes the ONNX file and ``train.log`` next to this file.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from examples.fashion import SPLITS, load
from examples.training import Recipe, export_torchscript, run

FOLDER = Path(__file__).parent
RECIPE = Recipe(seed=2026, epochs=40, batch_size=128, peak_rate=0.002, weight_decay=0.05, max_shift=1)


def build() -> nn.Module:
    """Return the untrained network: two hidden layers of ReLU neurons and one linear layer."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


if __name__ == "__main__":
    run(build, RECIPE, load, SPLITS, {FOLDER / "fashion_mlp.onnx": export_torchscript}, FOLDER / "train.log")
