"""Seven networks of ImageNet's size as ONNX files, with random weights in the place of trained ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 1000


class Builder:
    """Writes nodes one behind another; a value is named by its node.

    Weights are normal with variance 2 / fan-in (He et al. 2015), batch norms near the identity.
    """

    def __init__(self, size: int) -> None:
        self.rng = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.channels = {"image": 3}
        self.size = size

    def node(self, kind: str, *inputs: str, channels: int | None = None, **attributes: object) -> str:
        """A node with one output; ``channels`` where they are not those of its first input."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        self.channels[name] = self.channels[inputs[0]] if channels is None else channels
        return name

    def constant(self, values: np.ndarray) -> str:
        """An initializer."""
        name = f"weight_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def conv(
        self,
        x: str,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        pads: tuple[int, int] | None = None,
        bias: bool = False,
    ) -> str:
        """A square convolution; ``pads`` (before, after), by default half the kernel."""
        before, after = (kernel // 2, kernel // 2) if pads is None else pads
        per_group = self.channels[x] // groups
        deviation = np.float32((2 / (per_group * kernel**2)) ** 0.5)
        weight = deviation * self.rng.standard_normal((outputs, per_group, kernel, kernel), np.float32)
        inputs = [x, self.constant(weight)]
        if bias:
            inputs.append(self.constant(np.zeros(outputs, np.float32)))
        return self.node(
            "Conv",
            *inputs,
            channels=outputs,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=groups,
        )

    def norm(self, x: str) -> str:
        """Batch normalisation with statistics near those of a normal distribution."""
        count = self.channels[x]
        spread = 0.1 * self.rng.standard_normal((2, count), np.float32)
        variance = self.rng.uniform(0.8, 1.2, count).astype(np.float32)
        parts = (1 + spread[0], spread[1], np.zeros(count, np.float32), variance)
        return self.node("BatchNormalization", x, *(self.constant(part) for part in parts))

    def relu(self, x: str) -> str:
        """ReLU."""
        return self.node("Relu", x)

    def relu6(self, x: str) -> str:
        """ReLU bounded by 6."""
        low, high = self.constant(np.array(0, np.float32)), self.constant(np.array(6, np.float32))
        return self.node("Clip", x, low, high)

    def max_pool(self, x: str, kernel: int, stride: int, pad: int = 0) -> str:
        """Maximum of square windows."""
        return self.node(
            "MaxPool", x, kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[pad] * 4
        )

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        """A fully connected map with bias."""
        deviation = np.float32((2 / inputs) ** 0.5)
        weight = deviation * self.rng.standard_normal((outputs, inputs), np.float32)
        parts = self.constant(weight), self.constant(np.zeros(outputs, np.float32))
        return self.node("Gemm", x, *parts, channels=outputs, transB=1)

    def flat_mean(self, x: str) -> str:
        """The mean of each channel."""
        return self.node("Flatten", self.node("GlobalAveragePool", x))

    def model(self, last: str) -> onnx.ModelProto:
        """The model whose answer is ``last``."""
        shape = (1, 3, self.size, self.size)
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, (1, CLASSES))],
            self.initializers,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _resnet_stem(b: Builder) -> str:
    return b.max_pool(b.relu(b.norm(b.conv("image", 64, 7, 2))), 3, 2, 1)


def resnet18(b: Builder) -> str:
    """He et al. 2016, Deep residual learning for image recognition, basic blocks."""
    x = _resnet_stem(b)
    for stage, width in enumerate((64, 128, 256, 512)):
        for number in range(2):
            stride = 2 if stage and not number else 1
            short = x if b.channels[x] == width else b.norm(b.conv(x, width, 1, stride))
            inner = b.relu(b.norm(b.conv(x, width, 3, stride)))
            x = b.relu(b.node("Add", b.norm(b.conv(inner, width, 3)), short))
    return b.linear(b.flat_mean(x), 512, CLASSES)


def resnet50(b: Builder) -> str:
    """He et al. 2016, bottleneck blocks, with the stride in the middle."""
    x = _resnet_stem(b)
    for stage, (width, count) in enumerate(zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True)):
        for number in range(count):
            stride = 2 if stage and not number else 1
            short = x if number else b.norm(b.conv(x, 4 * width, 1, stride))
            inner = b.relu(b.norm(b.conv(x, width, 1)))
            inner = b.relu(b.norm(b.conv(inner, width, 3, stride)))
            x = b.relu(b.node("Add", b.norm(b.conv(inner, 4 * width, 1)), short))
    return b.linear(b.flat_mean(x), 2048, CLASSES)


def vgg16(b: Builder) -> str:
    """Simonyan and Zisserman 2015, Very deep convolutional networks, configuration D."""
    x = "image"
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x = b.relu(b.conv(x, width, 3, bias=True))
        x = b.max_pool(x, 2, 2)
    x = b.node("Flatten", x)
    x = b.relu(b.linear(x, 512 * (b.size // 32) ** 2, 4096))
    x = b.relu(b.linear(x, 4096, 4096))
    return b.linear(x, 4096, CLASSES)


def mobilenet_v2(b: Builder) -> str:
    """Sandler et al. 2018, MobileNetV2: inverted residuals and linear bottlenecks."""
    rows = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    x = b.relu6(b.norm(b.conv("image", 32, 3, 2)))
    for expansion, width, count, first_stride in rows:
        for number in range(count):
            x = _inverted_residual(b, x, expansion, width, 3, 1 if number else first_stride)
    return b.linear(b.flat_mean(b.relu6(b.norm(b.conv(x, 1280, 1)))), 1280, CLASSES)


def _inverted_residual(
    b: Builder,
    x: str,
    expansion: int,
    width: int,
    kernel: int,
    stride: int,
    pads: tuple[int, int] | None = None,
) -> str:
    inputs = b.channels[x]
    inner = x if expansion == 1 else b.relu6(b.norm(b.conv(x, expansion * inputs, 1)))
    hidden = b.channels[inner]
    inner = b.relu6(b.norm(b.conv(inner, hidden, kernel, stride, hidden, pads)))
    result = b.norm(b.conv(inner, width, 1))
    return b.node("Add", result, x) if stride == 1 and inputs == width else result


def squeezenet(b: Builder) -> str:
    """Iandola et al. 2016, SqueezeNet, version 1.1."""
    x = b.max_pool(b.relu(b.conv("image", 64, 3, 2, pads=(0, 0), bias=True)), 3, 2)
    fires = (16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192), (64, 256), (64, 256)
    for fire in fires:
        if fire is None:
            x = b.max_pool(x, 3, 2)
            continue
        squeezed = b.relu(b.conv(x, fire[0], 1, bias=True))
        parts = [b.relu(b.conv(squeezed, fire[1], kernel, bias=True)) for kernel in (1, 3)]
        x = b.node("Concat", *parts, channels=2 * fire[1], axis=1)
    return b.flat_mean(b.relu(b.conv(x, CLASSES, 1, bias=True)))


def densenet121(b: Builder) -> str:
    """Huang et al. 2017, Densely connected convolutional networks, growth rate 32."""
    growth = 32
    x = _resnet_stem(b)
    for block, count in enumerate((6, 12, 24, 16)):
        if block:
            x = b.conv(b.relu(b.norm(x)), b.channels[x] // 2, 1)
            x = b.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
        for _ in range(count):
            inner = b.relu(b.norm(b.conv(b.relu(b.norm(x)), 4 * growth, 1)))
            grown = b.conv(inner, growth, 3)
            x = b.node("Concat", x, grown, channels=b.channels[x] + growth, axis=1)
    return b.linear(b.flat_mean(b.relu(b.norm(x))), b.channels[x], CLASSES)


def efficientnet_lite0(b: Builder) -> str:
    """EfficientNet-lite0 (Liu 2020, TensorFlow's repository tpu): no squeeze-and-excite, ReLU6 alone."""
    rows = (
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 40, 2, 2, 5),
        (6, 80, 3, 2, 3),
        (6, 112, 3, 1, 5),
        (6, 192, 4, 2, 5),
        (6, 320, 1, 1, 3),
    )
    x = b.relu6(b.norm(b.conv("image", 32, 3, 2, pads=(0, 1))))
    for expansion, width, count, first_stride, kernel in rows:
        for number in range(count):
            stride = 1 if number else first_stride
            pads = None if stride == 1 else ((kernel - 2) // 2, (kernel - 1) // 2)
            x = _inverted_residual(b, x, expansion, width, kernel, stride, pads)
    return b.linear(b.flat_mean(b.relu6(b.norm(b.conv(x, 1280, 1)))), 1280, CLASSES)


NETWORKS: dict[str, Callable[[Builder], str]] = {
    network.__name__: network
    for network in (resnet18, resnet50, vgg16, mobilenet_v2, squeezenet, densenet121, efficientnet_lite0)
}
"""The networks by name."""


def save_network(name: str, path: Path, size: int = 224) -> None:
    """Write a network for inputs of 3 x size x size."""
    builder = Builder(size)
    onnx.save(builder.model(NETWORKS[name](builder)), path)
