"""Hypothesis strategies for random ANN graphs: convolutions, batch norm, pools, branches, dense layers.

Structure is drawn by hypothesis, so that failures shrink; weights come from a generator with a drawn seed and
are sized such that values stay near 1 whatever the depth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from snnc.graph import (
    Add,
    AvgPool,
    BatchNorm,
    Bias,
    Clip,
    Concat,
    Conv,
    Flatten,
    Graph,
    Input,
    Linear,
    MaxPool,
    Operator,
    Output,
    Relu,
    Scale,
    Softmax,
)
from snnc.graph.operators.base import Array, Shape


@dataclass(frozen=True)
class Menu:
    """What a random graph may hold.

    Attributes:
        batch_norm: BatchNorm behind and in front of convolutions, and as Scale and Bias nodes.
        max_pool: MaxPool, padded, strided and dilated ones too.
        clip: clipped activations of any bounds; otherwise ReLU6-like ones only.
        branches: residual sums, concatenations and shared producers.
        softmax: perhaps a Softmax at the end.
        signed: inputs from -1 to 1 instead of 0 to 1.
        blocks: largest number of blocks.
    """

    batch_norm: bool = True
    max_pool: bool = True
    clip: bool = True
    branches: bool = True
    softmax: bool = True
    signed: bool = True
    blocks: int = 4


@st.composite
def ann_graphs(draw: st.DrawFn, menu: Menu = Menu()) -> Graph:
    """A random ANN graph with one input and one output."""
    axes = draw(st.sampled_from([1, 2, 2]))
    shape = (draw(st.integers(1, 3)), *(draw(st.integers(4, 8)) for _ in range(axes)))
    builder = _Builder(draw, menu, Graph("random").add("input", Input(shape)), "input")
    kinds = ["conv", "conv", "average"]
    kinds += ["max"] if menu.max_pool else []
    kinds += ["residual", "concat", "shared"] if menu.branches else []
    kinds += ["norm"] if menu.batch_norm else []
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=menu.blocks)):
        getattr(builder, kind)()
    builder.ending()
    return builder.graph


def samples_for(graph: Graph, count: int, seed: int = 0, signed: bool = False) -> Array:
    """Uniform samples (count, *input shape) float32 in [0, 1), or in [-1, 1) if ``signed``."""
    shape = graph.inputs[0].operator.infer_shape()
    values = np.random.default_rng(seed).random((count, *shape), np.float32)
    return values * 2 - 1 if signed else values


@dataclass
class _Builder:
    """A graph that grows at its last node ``tip``."""

    draw: st.DrawFn
    menu: Menu
    graph: Graph
    tip: str
    counter: int = 0
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.draw(st.integers(0, 2**16)))

    @property
    def shape(self) -> Shape:
        return self.graph.shapes[self.tip]

    def put(self, operator: Operator, *inputs: str) -> str:
        self.counter += 1
        name = f"{type(operator).__name__.lower()}{self.counter}"
        self.graph = self.graph.add(name, operator, *(inputs or (self.tip,)))
        self.tip = name
        return name

    def uniform(self, low: float, high: float, *shape: int) -> Array:
        return self.rng.uniform(low, high, shape).astype(np.float32)

    def weights(self, outputs: int, *inputs: int) -> Array:
        return self.uniform(-1, 1, outputs, *inputs) * np.float32(1.5 / np.sqrt(np.prod(inputs)))

    def conv(self) -> None:
        self._convolution(same=False)
        self._norm_and_activation()

    def _convolution(self, same: bool, channels: int | None = None) -> None:
        draw, inputs = self.draw, self.shape[0]
        groups = draw(st.sampled_from([g for g in (1, inputs) if channels is None or channels % g == 0]))
        outputs = channels or groups * draw(st.integers(1, 3))
        space = self.shape[1:]
        if same:
            kernel, stride, dilation, pads = (3,) * len(space), (), (), ((1, 1),) * len(space)
        else:
            kernel = tuple(draw(st.integers(1, min(3, size))) for size in space)
            stride = tuple(draw(st.integers(1, 2)) for _ in space)
            fits = [(k - 1) * 2 < size for k, size in zip(kernel, space, strict=True)]
            dilation = tuple(draw(st.integers(1, 2)) if wide else 1 for wide in fits)
            pads = tuple((draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in kernel)
        bias = self.uniform(-0.3, 0.3, outputs) if draw(st.booleans()) else None
        weight = self.weights(outputs, inputs // groups, *kernel)
        self.put(Conv(weight, bias, stride, pads, dilation, groups))

    def norm(self) -> None:
        channels, axes = self.shape[0], len(self.shape)
        if self.draw(st.booleans()):
            gamma, beta = self.uniform(-1.2, 1.2, channels), self.uniform(-0.3, 0.3, channels)
            mean, variance = self.uniform(-0.3, 0.3, channels), self.uniform(0.5, 1.5, channels)
            self.put(BatchNorm(gamma, beta, mean, variance))
        else:
            one = (channels,) + (1,) * (axes - 1)
            self.put(Scale(self.uniform(-1.2, 1.2, *one)))
            self.put(Bias(self.uniform(-0.3, 0.3, *one)))

    def _norm_and_activation(self) -> None:
        if self.menu.batch_norm and self.draw(st.booleans()):
            self.norm()
        self.activation()

    def activation(self) -> None:
        bounds = [(0.0, 1.0)] + ([(-0.25, 1.0), (0.1, 0.75)] if self.menu.clip else [])
        choice = self.draw(st.sampled_from([None, None, *bounds]))
        self.put(Relu() if choice is None else Clip(*choice))

    def average(self) -> None:
        kernel, stride, pads, _ = self._window()
        self.put(AvgPool(kernel, stride, pads, count_include_pad=self.draw(st.booleans())))

    def max(self) -> None:
        kernel, stride, pads, dilation = self._window()
        self.put(MaxPool(kernel, stride, pads, dilation))
        if self.draw(st.booleans()):
            self.activation()

    def _window(self) -> tuple[Shape, Shape, tuple[tuple[int, int], ...], Shape]:
        draw, space = self.draw, self.shape[1:]
        if draw(st.integers(0, 4)) == 0:
            return space, (), (), ()
        kernel = tuple(draw(st.integers(1, min(3, size))) for size in space)
        stride = tuple(draw(st.integers(1, 3)) for _ in space)
        pads = tuple((draw(st.integers(0, k // 2)), draw(st.integers(0, k // 2))) for k in kernel)
        fits = [k == 2 and size > 2 for k, size in zip(kernel, space, strict=True)]
        dilation = tuple(2 if wide and draw(st.booleans()) else 1 for wide in fits)
        return kernel, stride, pads, dilation

    def residual(self) -> None:
        trunk, channels = self.tip, self.shape[0]
        self._convolution(same=True, channels=channels)
        self._norm_and_activation()
        self._convolution(same=True, channels=channels)
        self.put(Add(), self.tip, trunk)
        self._norm_and_activation()

    def concat(self) -> None:
        trunk, parts = self.tip, []
        for _ in range(2):
            self.tip = trunk
            self._convolution(same=True)
            self._norm_and_activation()
            parts.append(self.tip)
        self.put(Concat(0), *parts)

    def shared(self) -> None:
        self._convolution(same=True)
        producer = self.tip
        self._norm_and_activation()
        self.put(Add(), self.tip, producer)
        self.activation()

    def ending(self) -> None:
        self.put(Flatten())
        if self.draw(st.booleans()):
            self.put(Linear(self.weights(6, self.shape[0]), self.uniform(-0.3, 0.3, 6)))
            self._norm_and_activation()
        self.put(Linear(self.weights(4, self.shape[0]), self.uniform(-0.3, 0.3, 4)))
        if self.menu.softmax and self.draw(st.booleans()):
            self.put(Softmax())
        self.graph = self.graph.add("output", Output(), self.tip)
