"""Makes one of the CIFAR-10 example networks, so that its ONNX file can be reproduced.

Run it from the root of the repository: ``CIFAR10=folder python -m examples.cifar10.train residual``.
It writes ``residual.onnx`` and ``residual.log`` next to this file.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from examples.cifar10.data import SPLITS, load, load_bytes
from examples.cifar10.networks import NETWORKS
from examples.training import Recipe, export_torchscript, run

FOLDER = Path(__file__).parent
RECIPE = Recipe(
    seed=2026,
    epochs=14,
    batch_size=128,
    peak_rate=0.01,
    weight_decay=0.05,
    max_shift=4,
    bfloat16=True,
    threads=1,
)
EPOCHS = {"residual": 14, "residual_relu6": 16, "vgg": 14, "mobilenet": 12}


def main(name: str) -> None:
    """Train the network of that name."""
    run(
        NETWORKS[name],
        replace(RECIPE, epochs=EPOCHS[name], bfloat16=name != "vgg"),
        load_bytes if name == "residual_relu6" else load,
        SPLITS,
        {FOLDER / f"{name}.onnx": export_torchscript},
        FOLDER / f"{name}.log",
    )


if __name__ == "__main__":
    main(sys.argv[1])
