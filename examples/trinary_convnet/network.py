"""A convolutional network of trinary weights and step activations, in training and as integers.

After Esser et al. 2016, "Convolutional networks for fast, energy-efficient neuromorphic computing"
(PNAS 113): hidden weights are kept in [-1, 1] and rounded to -1, 0 and 1 with hysteresis; a neuron
gives 1 where its normalised sum is at or above 0, else 0; the derivative of that step is replaced
by max(0, 1 - abs(v)). Groups keep the fan-in of every neuron at or below 128, so that it fits on one
core of 256 axons with two axons an input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 10
LARGEST_FAN_IN = 128
HYSTERESIS = 0.1
LEVELS = (16, 64, 128, 192)
"""Pixel values, of 255, at or above which the four binary planes of a picture are 1."""


@dataclass(frozen=True)
class Layer:
    """One layer of step neurons: a grouped convolution without bias and a threshold a channel."""

    channels_in: int
    channels_out: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1

    @property
    def fan_in(self) -> int:
        """Number of inputs of one neuron."""
        return self.channels_in // self.groups * self.kernel**2

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """The convolution, for x (samples, channels_in, rows, columns)."""
        return functional.conv2d(
            x, weight, bias, stride=self.stride, padding=self.padding, groups=self.groups
        )


LAYERS = (
    Layer(4, 24, kernel=5, stride=3, padding=2),
    Layer(24, 64, kernel=2, stride=2),
    Layer(64, 128, kernel=3, groups=8),
    Layer(128, 800, kernel=3, groups=16),
)


class Step(torch.autograd.Function):
    """1 where v >= 0, else 0, with the derivative max(0, 1 - abs(v)) in training."""

    @staticmethod
    def forward(context: Any, v: Tensor) -> Tensor:
        """Spikes."""
        context.save_for_backward(v)
        return (v >= 0).to(v.dtype)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        """Gradient of v."""
        (v,) = context.saved_tensors
        return gradients[0] * (1 - v.abs()).clamp(min=0)


class TrinaryLayer(nn.Module):
    """A layer while it is trained: hidden weights, their trinary values and normalised sums."""

    trinary: Tensor

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        shape = (layer.channels_out, layer.channels_in // layer.groups, layer.kernel, layer.kernel)
        self.hidden = nn.Parameter(torch.empty(shape).uniform_(-1, 1))
        self.register_buffer("trinary", self.hidden.detach().round())
        self.offset = nn.Parameter(torch.zeros(layer.channels_out))
        self.norm = nn.BatchNorm2d(layer.channels_out, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """Spikes (samples, channels_out, rows, columns)."""
        if self.training:
            self._update()
        weight = self.hidden + (self.trinary - self.hidden).detach()
        return Step.apply(self.norm(self.layer.convolve(x, weight)) + self.offset[:, None, None])

    @torch.no_grad()
    def _update(self) -> None:
        """Round the hidden weights; a trinary weight changes only ``HYSTERESIS`` beyond the middle."""
        self.hidden.clamp_(-1, 1)
        moved = (self.hidden - self.trinary).abs() > 0.5 + HYSTERESIS
        self.trinary.copy_(torch.where(moved, self.hidden.round(), self.trinary))

    def threshold(self) -> Tensor:
        """(channels_out,): the least whole sum of inputs at which a neuron spikes."""
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None
        assert variance is not None
        return torch.ceil(mean - self.offset.detach() * torch.sqrt(variance + self.norm.eps))


class TrinaryNet(nn.Module):
    """The network while it is trained; a logit is the scaled share of a class's neurons that spike."""

    def __init__(self, layers: tuple[Layer, ...] = LAYERS) -> None:
        super().__init__()
        self.layers = nn.Sequential(*map(TrinaryLayer, layers))
        self.scale = nn.Parameter(torch.tensor(10.0))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (samples, classes) of pixels (samples, 1, 28, 28) in [0, 1]."""
        spikes = self.layers(planes(images)).flatten(1)
        return self.scale * spikes.unflatten(1, (-1, CLASSES)).mean(1)


class IntegerNet(nn.Module):
    """The trained network as a chip computes it: trinary weights, whole thresholds, spike counts."""

    def __init__(self, trained: TrinaryNet) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        for trinary in trained.layers:
            assert isinstance(trinary, TrinaryLayer)
            layer = trinary.layer
            convolution = nn.Conv2d(
                layer.channels_in,
                layer.channels_out,
                layer.kernel,
                layer.stride,
                layer.padding,
                groups=layer.groups,
            )
            assert convolution.bias is not None
            with torch.no_grad():
                convolution.weight.copy_(trinary.trinary)
                convolution.bias.copy_(-trinary.threshold())
            self.convolutions.append(convolution)
        neurons = trained.layers[-1].layer.channels_out
        self.count = nn.Linear(neurons, CLASSES, bias=False)
        with torch.no_grad():
            self.count.weight.copy_(torch.eye(CLASSES).repeat(1, neurons // CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        """Spike counts (samples, classes) of pixels (samples, 1, 28, 28) in [0, 1]."""
        spikes = planes(images)
        for convolution in self.convolutions:
            spikes = (convolution(spikes) >= 0).to(images.dtype)
        return self.count(spikes.flatten(1))


def planes(images: Tensor) -> Tensor:
    """Four binary planes (samples, 4, 28, 28) of pixels (samples, 1, 28, 28) in [0, 1].

    The thresholds lie in the middle between two pixel values, so that no rounding can change a bit.
    """
    levels = (torch.tensor(LEVELS, dtype=images.dtype) - 0.5) / 255
    return (images >= levels[:, None, None]).to(images.dtype)


def neurons(layers: tuple[Layer, ...], size: int = 28) -> list[int]:
    """Number of neurons of each layer for square pictures of ``size`` pixels a side."""
    counts = []
    for layer in layers:
        size = (size + 2 * layer.padding - layer.kernel) // layer.stride + 1
        counts.append(layer.channels_out * size**2)
    return counts
