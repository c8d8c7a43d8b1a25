"""A network of connection probabilities, in training and as it is exported.

After Esser et al. 2015, "Backpropagation for energy-efficient neuromorphic computing" (NeurIPS 28). A weight
w in [-1, 1] stands for a synapse of strength sign(w) that is there with probability abs(w). Training sees the
probability that a neuron fires: its sum over many synapses is taken as Gaussian, with the mean and variance
that independent inputs and synapses give. Layers are blocks of at most 128 inputs, because a core has 256
axons and an input needs two of them, one a sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

CLASSES = 10
LARGEST_FAN_IN = 128
LEVELS = (32, 128)
"""Pixel values, of 255, at or above which the two binary planes of a picture are 1."""
SIDE = 7
"""Pixels a side of the square that a block of the first layer sees."""
LEAST_VARIANCE = 0.25
"""Of a sum: no neuron is surer than this, which keeps gradients alive where all probabilities are 0 or 1."""


@dataclass(frozen=True)
class Layer:
    """Blocks of step neurons, each fully connected to its own inputs."""

    blocks: int
    inputs: int
    outputs: int

    @property
    def neurons(self) -> int:
        """Of all blocks."""
        return self.blocks * self.outputs


LAYERS = (Layer(16, 2 * SIDE**2, 64), Layer(8, 128, 120))


class ProbabilisticLayer(nn.Module):
    """A layer while it is trained."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.weight = nn.Parameter(torch.empty(layer.blocks, layer.inputs, layer.outputs).uniform_(-1, 1))
        self.bias = nn.Parameter(torch.zeros(layer.blocks, 1, layer.outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities of firing (samples, blocks, outputs) from those of the inputs (samples, blocks, inputs).

        A product of input and synapse is not 0 with probability p = x abs(w), so that the sum has the mean
        sum(p sign(w)) + bias and the variance sum(p (1 - p)).
        """
        if self.training:
            self._clip()
        x = x.transpose(0, 1)
        mean = torch.bmm(x, self.weight) + self.bias
        variance = torch.bmm(x, self.weight.abs()) - torch.bmm(x.square(), self.weight.square())
        fired = 0.5 * (1 + torch.erf(mean / torch.sqrt(2 * variance.clamp(min=LEAST_VARIANCE))))
        return fired.transpose(0, 1)

    @torch.no_grad()
    def _clip(self) -> None:
        """Keep the weights probabilities, whatever the optimiser made of them."""
        self.weight.clamp_(-1, 1)


class ProbabilisticNet(nn.Module):
    """The network while it is trained; a logit is the scaled mean probability of a class's neurons."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(map(ProbabilisticLayer, LAYERS))
        self.scale = nn.Parameter(torch.tensor(10.0))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (samples, classes) of pixels (samples, 1, 28, 28) in [0, 1]."""
        first, second = self.layers
        fired = first(squares(planes(images)).flatten(2))
        fired = second(shuffled(fired))
        return self.scale * fired.flatten(1).unflatten(1, (-1, CLASSES)).mean(1)


class ExportedNet(nn.Module):
    """The trained network with a step where the sum of its weights, as they are, reaches the threshold.

    This is the network of mean weights, which no chip holds; snnc draws networks of -1, 0 and 1 from it.
    """

    def __init__(self, trained: ProbabilisticNet) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        for probabilistic, kernel in zip(trained.layers, (SIDE, 1), strict=True):
            layer = probabilistic.layer
            channels = layer.blocks * layer.inputs // kernel**2
            convolution = nn.Conv2d(channels, layer.neurons, kernel, groups=layer.blocks)
            with torch.no_grad():
                convolution.weight.copy_(
                    probabilistic.weight.clamp(-1, 1).transpose(1, 2).reshape_as(convolution.weight)
                )
                convolution.bias.copy_(half_whole(probabilistic.bias).flatten())
            self.convolutions.append(convolution)
        neurons = LAYERS[-1].neurons
        self.count = nn.Linear(neurons, CLASSES, bias=False)
        with torch.no_grad():
            self.count.weight.copy_(torch.eye(CLASSES).repeat(1, neurons // CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        """Spike counts (samples, classes) of pixels (samples, 1, 28, 28) in [0, 1]."""
        first, second = self.convolutions
        blocks, outputs = LAYERS[0].blocks, LAYERS[0].outputs
        x = squares(planes(images)).reshape(-1, blocks * len(LEVELS), SIDE, SIDE)
        fired = (first(x) >= 0).to(images.dtype)
        fired = shuffled(fired.reshape(-1, blocks, outputs)).reshape(-1, blocks * outputs, 1, 1)
        fired = (second(fired) >= 0).to(images.dtype)
        return self.count(fired.flatten(1))


def half_whole(bias: Tensor) -> Tensor:
    """The bias in the middle between two whole numbers.

    A whole sum then reaches the threshold where the Gaussian of the same mean passes the middle between it and
    the sum below (continuity correction).
    """
    return torch.floor(bias) + 0.5


def planes(images: Tensor) -> Tensor:
    """Two binary planes (samples, 2, 28, 28) of pixels (samples, 1, 28, 28) in [0, 1].

    The thresholds lie in the middle between two pixel values, so that no rounding can change a bit.
    """
    levels = (torch.tensor(LEVELS, dtype=images.dtype) - 0.5) / 255
    return (images >= levels[:, None, None]).to(images.dtype)


def squares(x: Tensor) -> Tensor:
    """Squares of pixels side by side, (samples, 16, 2, SIDE, SIDE), of planes (samples, 2, 28, 28)."""
    count = 28 // SIDE
    apart = x.reshape(-1, len(LEVELS), count, SIDE, count, SIDE)
    return apart.permute(0, 2, 4, 1, 3, 5).reshape(-1, count**2, len(LEVELS), SIDE, SIDE)


def shuffled(x: Tensor) -> Tensor:
    """Inputs of the second layer, (samples, 8, 128), of the first one's neurons (samples, 16, 64).

    Each block of the second layer reads eight neurons of every block of the first.
    """
    first, second = LAYERS
    share = first.outputs // second.blocks
    apart = x.reshape(-1, first.blocks, second.blocks, share)
    return apart.transpose(1, 2).reshape(-1, second.blocks, second.inputs)
