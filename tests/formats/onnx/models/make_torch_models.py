"""Writes the small models of this folder whose names start with ``torch``, from both exporters of PyTorch.

Run with torch 2.13, onnx 1.23 and onnxscript 0.7: ``python make_torch_models.py``. Weights are random, with a
fixed seed; batch norm gets statistics other than its initial ones.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

FOLDER = Path(__file__).parent


class Residual(nn.Module):
    """Two residual blocks with batch norm, the second with a strided shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        self.kept = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))
        self.halved = nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6))
        self.shortcut = nn.Sequential(nn.Conv2d(4, 6, 1, 2, bias=False), nn.BatchNorm2d(6))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classes = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = self.stem(x)
        x = torch.relu(x + self.kept(x))
        x = torch.relu(self.halved(x) + self.shortcut(x))
        return self.classes(torch.flatten(self.pool(x), 1))


class Mobile(nn.Module):
    """Depthwise separable convolutions with ReLU6, as in MobileNet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU6())
        self.first, self.second = self._separable(6, 6, 1), self._separable(6, 8, 2)
        self.drop, self.classes = nn.Dropout(0.2), nn.Linear(8, 4)

    @staticmethod
    def _separable(inputs: int, outputs: int, stride: int) -> nn.Module:
        depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        return nn.Sequential(
            depthwise, nn.BatchNorm2d(inputs), nn.ReLU6(), pointwise, nn.BatchNorm2d(outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = self.stem(x)
        x = self.second(x + self.first(x))
        return self.classes(self.drop(x.mean((2, 3))))


class Joined(nn.Module):
    """Branches joined by concatenation, pools that round up, pads and crops, log-softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.wide = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 3, 5, padding=2)
        self.mix = nn.Conv2d(6, 3, 1)
        self.largest = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.mean = nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)
        self.classes = nn.Linear(6 * 5 * 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Log-probabilities."""
        x = self.mix(torch.relu(torch.cat([self.narrow(x), self.wide(x)], 1)))
        x = torch.cat([self.largest(x), self.mean(x)[:, :, :5, :5]], 1)
        x = functional.pad(x, (1, 0, 0, 1))[:, :, 1:, :-1]
        return functional.log_softmax(self.classes(x.contiguous().view(x.size(0), -1)), dim=1)


class Series(nn.Module):
    """Convolutions over one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv1d(2, 6, 5, padding=2), nn.BatchNorm1d(6)
        self.second, self.classes = nn.Conv1d(6, 6, 3, dilation=2, groups=3), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = functional.max_pool1d(torch.relu(self.norm(self.first(x))), 2)
        x = functional.adaptive_avg_pool1d(torch.relu(self.second(x)), 1)
        return self.classes(x.squeeze(-1))


class Shuffle(nn.Module):
    """Channel shuffle and split, as in ShuffleNet, with a hard tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped, self.depthwise = nn.Conv2d(4, 8, 1, groups=2), nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.mix = nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Means of the last feature maps."""
        x = torch.relu(self.grouped(x))
        samples, channels, height, width = x.shape
        x = x.view(samples, 2, channels // 2, height, width).transpose(1, 2)
        left, right = x.reshape(samples, channels, height, width).chunk(2, 1)
        x = torch.cat([left, torch.relu(self.depthwise(right))], 1)
        return functional.hardtanh(self.mix(x)).mean([2, 3])


def prepared(kind: type[nn.Module]) -> nn.Module:
    """A network with seeded weights and batch-norm statistics, in evaluation mode."""
    torch.manual_seed(0)
    network = kind()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for values in (module.weight, module.running_var):
                values.data.uniform_(0.5, 1.5)
            for values in (module.bias, module.running_mean):
                values.data.uniform_(-0.5, 0.5)
    return network.eval()


def script(
    kind: type[nn.Module], shape: tuple[int, ...], name: str, free: bool = True, **options: object
) -> None:
    """Write a model with the exporter based on TorchScript."""
    axes = {"x": {0: "n"}, "y": {0: "n"}} if free else None
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": axes}
    samples = torch.randn(2 if free else 1, *shape)
    path = FOLDER / f"torch_{name}.onnx"
    torch.onnx.export(prepared(kind), (samples,), path, dynamo=False, **names, **options)


def dynamo(kind: type[nn.Module], shape: tuple[int, ...], name: str, **options: object) -> None:
    """Write a model with the exporter based on torch.export."""
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_shapes": ({0: torch.export.Dim("n")},)}
    path = FOLDER / f"torch_{name}.onnx"
    model = torch.onnx.export(
        prepared(kind), (torch.randn(2, *shape),), dynamo=True, verbose=False, **names, **options
    ).model_proto
    for node in model.graph.node:
        # Call stacks and module names of the machine that ran this script.
        del node.metadata_props[:]
    for entry in model.graph.value_info:
        del entry.metadata_props[:]
    path.write_bytes(model.SerializeToString())


def main() -> None:
    """Write all models."""
    mode = torch.onnx.TrainingMode
    script(Residual, (3, 10, 10), "residual", opset_version=13)
    script(Residual, (3, 10, 10), "residual_training", opset_version=17, training=mode.TRAINING)
    script(Mobile, (1, 16, 16), "mobile", opset_version=11)
    script(Joined, (2, 11, 11), "joined", opset_version=14)
    script(Joined, (2, 11, 11), "joined_one_sample", free=False, opset_version=14)
    script(Series, (2, 20), "series_preserve", opset_version=17, training=mode.PRESERVE)
    script(Shuffle, (4, 6, 6), "shuffle", opset_version=12)
    dynamo(Residual, (3, 10, 10), "dynamo_residual")
    dynamo(Mobile, (1, 16, 16), "dynamo_mobile")
    dynamo(Series, (2, 20), "dynamo_series_unoptimised", optimize=False)
    dynamo(Shuffle, (4, 6, 6), "dynamo_shuffle")


if __name__ == "__main__":
    main()
