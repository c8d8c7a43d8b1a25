"""The four CIFAR-10 networks, untrained: two residual ones, one after VGG, one after MobileNet.

All take (N, 3, 32, 32) and give ten logits. ``residual_relu6`` takes bytes as they are, 0 to 255, and scales them
itself; the others take pixels in [0, 1].
"""

from __future__ import annotations

from torch import Tensor, nn


def convolution(
    channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1, groups: int = 1
) -> nn.Module:
    """Return a convolution with batch normalisation that keeps the image size up to the stride."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels_out),
    )


class Residual(nn.Module):
    """Two convolutions and a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.first = convolution(channels_in, channels_out, stride=stride)
        self.inner = activation()
        self.second = convolution(channels_out, channels_out)
        same = channels_in == channels_out and stride == 1
        self.shortcut = nn.Identity() if same else convolution(channels_in, channels_out, 1, stride)
        self.outer = activation()

    def forward(self, x: Tensor) -> Tensor:
        """Return the activations behind the sum."""
        return self.outer(self.second(self.inner(self.first(x))) + self.shortcut(x))


class Rescale(nn.Module):
    """Bytes 0 to 255 as numbers between -1 and 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x / 127.5 - 1."""
        return x * (1 / 127.5) - 1.0


def _head(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]


def residual() -> nn.Module:
    """Return a residual network of seven ReLU populations."""
    return nn.Sequential(
        convolution(3, 24),
        nn.ReLU(),
        Residual(24, 24, 1, nn.ReLU),
        Residual(24, 48, 2, nn.ReLU),
        Residual(48, 96, 2, nn.ReLU),
        *_head(96),
    )


def residual_relu6() -> nn.Module:
    """Return a residual network of eleven ReLU6 populations on raw bytes."""
    return nn.Sequential(
        Rescale(),
        convolution(3, 16),
        nn.ReLU6(),
        Residual(16, 16, 1, nn.ReLU6),
        Residual(16, 32, 2, nn.ReLU6),
        Residual(32, 32, 1, nn.ReLU6),
        Residual(32, 96, 2, nn.ReLU6),
        Residual(96, 96, 1, nn.ReLU6),
        *_head(96),
    )


def vgg() -> nn.Module:
    """Return six convolutions with max-pooling and one hidden linear layer."""
    layers: list[nn.Module] = []
    channels = 3
    for width in (24, 48, 96):
        layers += [
            convolution(channels, width),
            nn.ReLU(),
            convolution(width, width),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        channels = width
    hidden = [nn.Flatten(), nn.Dropout(0.2), nn.Linear(96 * 16, 128), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(*layers, *hidden, nn.Linear(128, 10))


def _separable(channels_in: int, channels_out: int, stride: int) -> list[nn.Module]:
    return [
        convolution(channels_in, channels_in, stride=stride, groups=channels_in),
        nn.ReLU(),
        convolution(channels_in, channels_out, 1),
        nn.ReLU(),
    ]


def mobilenet() -> nn.Module:
    """Return a stem and six depthwise separable convolutions."""
    return nn.Sequential(
        convolution(3, 24),
        nn.ReLU(),
        *_separable(24, 48, 1),
        *_separable(48, 96, 2),
        *_separable(96, 96, 1),
        *_separable(96, 192, 2),
        *_separable(192, 192, 1),
        *_separable(192, 192, 1),
        *_head(192),
    )


NETWORKS = {"residual": residual, "residual_relu6": residual_relu6, "vgg": vgg, "mobilenet": mobilenet}
