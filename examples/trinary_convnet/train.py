"""Makes the trinary example network, so that its ONNX file can be reproduced.

Run it from the root of the repository: ``python -m examples.trinary_convnet.train``.
It writes the ONNX file and ``train.log`` next to this file.
"""

from __future__ import annotations

from pathlib import Path

from examples.fashion import load
from examples.training import (
    Recipe,
    accuracy,
    begin,
    export_torchscript,
    report_onnx,
    torch_logits,
    train,
)

from .network import LARGEST_FAN_IN, LAYERS, IntegerNet, TrinaryNet, neurons

FOLDER = Path(__file__).parent
RECIPE = Recipe(seed=2026, epochs=24, batch_size=128, peak_rate=0.01, weight_decay=0.0, max_shift=0)
THREADS = 1


def main() -> None:
    """Train, turn the weights and thresholds into whole numbers, evaluate once, write and check."""
    lines, log = begin(RECIPE, THREADS)
    for layer, count in zip(LAYERS, neurons(LAYERS), strict=True):
        assert layer.fan_in <= LARGEST_FAN_IN
        log(f"{layer}: fan-in {layer.fan_in}, {count} neurons")
    log(f"{sum(neurons(LAYERS))} neurons")
    trained = TrinaryNet()
    images, labels = load("train")
    train(trained, images, labels, RECIPE, log)

    model = IntegerNet(trained).eval()
    images, labels = load("t10k")
    expected = torch_logits(model, images)
    log(f"test accuracy on {len(images)} images: {100 * accuracy(expected, labels):.2f} %")
    path = FOLDER / "trinary_convnet.onnx"
    export_torchscript(model, path, tuple(images.shape[1:]))
    report_onnx(path, expected, images, labels, log)
    (FOLDER / "train.log").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
