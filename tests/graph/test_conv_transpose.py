"""ConvTranspose: equal to onnxruntime's for every choice of windows, exported, folded into, and run on both chips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_nets import OnnxNet, run

import snnc
from snnc.formats.onnx import export_onnx
from snnc.graph import BatchNorm, Conv, Flatten, Graph, Input, Linear, Output, Relu, evaluate
from snnc.graph.operators.conv_transpose import ConvTranspose
from snnc.passes import FoldBatchNorm
from snnc.pipeline import Context

RNG = np.random.default_rng(7)


def uniform(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def check(net: OnnxNet) -> Graph:
    model = net.model()
    graph = snnc.import_onnx(model)
    x = RNG.uniform(-1, 1, (3, *net.shape_given)).astype(np.float32)
    np.testing.assert_allclose(evaluate(graph, x), run(model, x), atol=1e-4)
    np.testing.assert_allclose(run(export_onnx(graph), x), run(model, x), atol=1e-4)
    return graph


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_every_choice_of_windows(data: st.DataObject) -> None:
    axes = data.draw(st.integers(1, 2))
    numbers = st.lists(st.integers(1, 3), min_size=axes, max_size=axes)
    kernel, stride, dilation = data.draw(numbers), data.draw(numbers), data.draw(numbers)
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    pads = [data.draw(st.integers(0, min(n, 2))) for n in reach] + [
        data.draw(st.integers(0, min(n, 1))) for n in reach
    ]
    extra = [data.draw(st.integers(0, step - 1)) for step in stride]
    groups = data.draw(st.integers(1, 2))
    net = OnnxNet((4, *data.draw(st.lists(st.integers(2, 4), min_size=axes, max_size=axes))))
    weight, bias = net.constant(uniform(4, 3, *kernel)), net.constant(uniform(3 * groups))
    attributes: dict[str, Any] = {"strides": stride, "dilations": dilation, "pads": pads, "group": groups}
    net.step("ConvTranspose", net.tip, weight, bias, output_padding=extra, **attributes)
    assert check(net).of_type(ConvTranspose)


@pytest.mark.parametrize(
    "how", [{"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}, {"output_shape": [8, 9]}]
)
def test_sizes_that_are_asked_for(how: dict[str, Any]) -> None:
    net = OnnxNet((2, 4, 5))
    net.step("ConvTranspose", net.tip, net.constant(uniform(2, 3, 3, 3)), strides=[2, 2], **how)
    check(net)


@pytest.mark.parametrize("first", [False, True])
def test_batch_norm_is_folded_into_it(first: bool) -> None:
    norm = BatchNorm(*(RNG.uniform(0.5, 2, 6 if not first else 4).astype(np.float32) for _ in range(4)))
    if first:
        norm = BatchNorm(norm.gamma, np.zeros(4), np.zeros(4), norm.variance)
    transposed = ConvTranspose(uniform(4, 3, 2, 2), uniform(6), (2, 2), groups=2)
    parts = [norm, transposed] if first else [transposed, norm]
    graph = Graph("g").add("x", Input((4, 3, 3))).add("a", parts[0], "x").add("b", parts[1], "a")
    graph = graph.add("out", Output(), "b")
    folded = FoldBatchNorm()(graph, Context())
    assert [type(node.operator) for node in folded] == [Input, ConvTranspose, Output]
    x = uniform(3, 4, 3, 3)
    np.testing.assert_allclose(evaluate(folded, x), evaluate(graph, x), atol=1e-4)


@pytest.mark.parametrize("target", ["loihi", "truenorth"])
def test_it_runs_on_a_chip(target: str) -> None:
    graph = Graph("g").add("x", Input((1, 4, 4)))
    graph = graph.add("a", Conv(uniform(3, 1, 3, 3), uniform(3) / 4, pads=((1, 1), (1, 1))), "x").add(
        "r", Relu(), "a"
    )
    graph = graph.add("up", ConvTranspose(uniform(3, 2, 2, 2), uniform(2) / 4, (2, 2)), "r").add(
        "s", Relu(), "up"
    )
    graph = (
        graph.add("flat", Flatten(), "s")
        .add("b", Linear(uniform(3, 128) / 4), "flat")
        .add("out", Output(), "b")
    )
    x = RNG.random((16, 1, 4, 4), np.float32)
    compiled = snnc.compile(graph, target, calibration=x, ticks=128)
    wanted = evaluate(graph, x)
    error = np.abs(compiled.run(x, ticks=128).output - wanted).max() / np.abs(wanted).max()
    assert error < (0.05 if target == "loihi" else 0.3)
