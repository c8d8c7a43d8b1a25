"""Makes the example network of connection probabilities, so that its ONNX file can be reproduced.

Run it from the root of the repository: ``python -m examples.probabilistic_mlp.train``.
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

from .network import LARGEST_FAN_IN, LAYERS, ExportedNet, ProbabilisticNet

FOLDER = Path(__file__).parent
RECIPE = Recipe(seed=2026, epochs=20, batch_size=128, peak_rate=0.03, weight_decay=0.0, max_shift=0)
THREADS = 1


def main() -> None:
    """Train, put thresholds between whole numbers, evaluate once, write and check."""
    lines, log = begin(RECIPE, THREADS)
    for layer in LAYERS:
        assert layer.inputs <= LARGEST_FAN_IN
        log(f"{layer}: {layer.neurons} neurons, {layer.neurons * layer.inputs} connection probabilities")
    trained = ProbabilisticNet()
    images, labels = load("train")
    train(trained, images, labels, RECIPE, log)

    model = ExportedNet(trained).eval()
    images, labels = load("t10k")
    expected = torch_logits(model, images)
    probable = accuracy(torch_logits(trained, images), labels)
    log(f"test accuracy on {len(images)} images, with probabilities of firing: {100 * probable:.2f} %")
    log(f"test accuracy with steps behind mean weights: {100 * accuracy(expected, labels):.2f} %")
    for layer, convolution in zip(LAYERS, model.convolutions, strict=True):
        log(
            f"{layer}: {100 * convolution.weight.abs().mean().item():.1f} % of the connections exist on average"
        )
    path = FOLDER / "probabilistic_mlp.onnx"
    export_torchscript(model, path, tuple(images.shape[1:]))
    report_onnx(path, expected, images, labels, log)
    (FOLDER / "train.log").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
