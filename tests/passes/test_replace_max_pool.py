"""ReplaceMaxPool: equal to max-pooling for every window, and no more neurons than it says."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from snnc.errors import PassError, UsageError
from snnc.graph import Clip, Conv, Graph, Input, MaxPool, Output, Relu, evaluate
from snnc.graph.operators import Select
from snnc.passes import ReplaceMaxPool
from snnc.pipeline import Context


def pooled(shape: tuple[int, ...], pool: MaxPool) -> Graph:
    return Graph("pool").add("x", Input(shape)).add("pool", pool, "x").add("out", Output(), "pool")


def by_onnxruntime(pool: MaxPool, x: np.ndarray) -> np.ndarray:
    pads = [pair[0] for pair in pool.pads] + [pair[1] for pair in pool.pads]
    node = helper.make_node(
        "MaxPool",
        ["x"],
        ["y"],
        kernel_shape=pool.kernel,
        strides=pool.stride,
        pads=pads,
        dilations=pool.dilation,
    )
    x_info = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
    y_info = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    model = helper.make_model(
        helper.make_graph([node], "pool", [x_info], [y_info]), opset_imports=[helper.make_opsetid("", 13)]
    )
    model.ir_version = 8
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@settings(deadline=None, max_examples=60)
@given(data=st.data(), axes=st.sampled_from([1, 2]))
def test_every_window(data: st.DataObject, axes: int) -> None:
    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(data.draw(st.integers(low, high)) for _ in range(axes))

    space, kernel, stride, dilation = each(3, 9), each(1, 4), each(1, 3), each(1, 2)
    pads = tuple((data.draw(st.integers(0, k - 1)), data.draw(st.integers(0, k - 1))) for k in kernel)
    sizes = zip(space, kernel, dilation, pads, strict=True)
    assume(all((k - 1) * d + 1 <= n + sum(pad) for n, k, d, pad in sizes))
    pool = MaxPool(kernel, stride, pads, dilation)
    x = np.random.default_rng(0).normal(-1, 1, (2, 3, *space)).astype(np.float32)
    expected = by_onnxruntime(pool, x)
    assume(expected.min() > -1e30)
    result = ReplaceMaxPool()(pooled((3, *space), pool), Context())
    assert not result.of_type(MaxPool)
    np.testing.assert_allclose(evaluate(result, x), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("space", "pool", "neurons"),
    [
        ((8, 8), MaxPool((2, 2), (2, 2)), 3 * 16),
        ((9, 9), MaxPool((3, 3), (2, 2)), 2 * 9 * 4 + 2 * 4 * 4),
        ((4, 4), MaxPool((4, 4)), 15),
        ((8,), MaxPool((2,), (2,)), 4),
    ],
)
def test_number_of_neurons(space: tuple[int, ...], pool: MaxPool, neurons: int) -> None:
    result = ReplaceMaxPool()(pooled((1, *space), pool), Context())
    assert sum(int(np.prod(result.shapes[node.name])) for node in result.activations) == neurons


def test_taps_come_from_the_node_of_the_file() -> None:
    graph = (
        Graph("pool")
        .add("x", Input((1, 6, 6)))
        .add("conv", Conv(np.ones((2, 1, 3, 3), np.float32)), "x")
        .add("pool", MaxPool((2, 2), (2, 2)), "conv", sources=("p (MaxPool)",))
        .add("clip", Clip(0, 6), "pool")
        .add("out", Output(), "clip")
    )
    result = ReplaceMaxPool()(graph, Context())
    assert {node.source for node in result.of_type(Select)} == {"p (MaxPool)"}


def test_gate_keeps_the_pool_behind_its_rectifier() -> None:
    graph = (
        Graph("gate")
        .add("x", Input((1, 4)))
        .add("pool", MaxPool((2,), (2,)), "x")
        .add("relu", Relu(), "pool")
        .add("out", Output(), "relu")
    )
    result = ReplaceMaxPool("gate")(graph, Context())
    assert [(node.name, node.inputs) for node in result] == [
        ("x", ()),
        ("relu", ("x",)),
        ("pool", ("relu",)),
        ("out", ("pool",)),
    ]


def test_average_warns() -> None:
    context = Context()
    result = ReplaceMaxPool("average")(pooled((1, 4), MaxPool((2,), (2,))), context)
    assert [item.code for item in context.diagnostics] == ["W101"]
    np.testing.assert_allclose(
        evaluate(result, np.arange(4, dtype=np.float32).reshape(1, 1, 4)), [[[0.5, 2.5]]]
    )


def test_a_window_of_padding_is_refused() -> None:
    with pytest.raises(PassError) as caught:
        ReplaceMaxPool()(pooled((1, 3), MaxPool((1,), (1,), ((1, 0),))), Context())
    assert (caught.value.code, caught.value.node) == ("P104", "pool")


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(UsageError, match="one of exact, average, gate"):
        ReplaceMaxPool("median")
