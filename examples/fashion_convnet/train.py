"""Makes the convolutional example network, so that its ONNX files can be reproduced.

Run it from the root of the repository: ``python -m examples.fashion_convnet.train``.
It writes the ONNX files and ``train.log`` next to this file.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from examples.fashion import SPLITS, load
from examples.training import Recipe, export_dynamo, export_torchscript, run

FOLDER = Path(__file__).parent
RECIPE = Recipe(seed=2026, epochs=20, batch_size=128, peak_rate=0.01, weight_decay=0.05, max_shift=1)


def build() -> nn.Module:
    """Return the untrained network: three convolutions and one linear layer."""
    return nn.Sequential(
        *block(1, 8),
        nn.MaxPool2d(2),
        *block(8, 24),
        nn.MaxPool2d(2),
        *block(24, 40),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(40 * 7 * 7, 10),
    )


def block(channels_in: int, channels_out: int) -> list[nn.Module]:
    """Return a 3x3 convolution that keeps the image size, batch normalisation and ReLU."""
    return [
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    ]


if __name__ == "__main__":
    run(
        build,
        RECIPE,
        load,
        SPLITS,
        {
            FOLDER / "fashion_convnet.onnx": export_torchscript,
            FOLDER / "fashion_convnet_dynamo.onnx": export_dynamo,
        },
        FOLDER / "train.log",
    )
