"""FoldBatchNorm: what is folded, what is kept, and the text before and after."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from snnc.graph import (
    Add,
    BatchNorm,
    Bias,
    Conv,
    Flatten,
    Graph,
    Input,
    Linear,
    Output,
    Relu,
    Scale,
    Transpose,
    evaluate,
)
from snnc.passes import FoldBatchNorm
from snnc.pipeline import Context

RNG = np.random.default_rng(5)


def weights(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def norm(channels: int) -> BatchNorm:
    variance = RNG.uniform(0.5, 2, channels).astype(np.float32)
    return BatchNorm(weights(channels), weights(channels), weights(channels), variance)


def folded(graph: Graph) -> Graph:
    x = RNG.random((4, *graph.inputs[0].operator.infer_shape()), np.float32)
    result = FoldBatchNorm()(graph, Context())
    np.testing.assert_allclose(evaluate(result, x), evaluate(graph, x), rtol=1e-4, atol=1e-5)
    return result


def test_behind_a_convolution(golden: Callable[[str, str], None]) -> None:
    graph = (
        Graph("norm behind")
        .add("x", Input((2, 5, 5)))
        .add("conv", Conv(weights(3, 2, 3, 3), pads=((1, 1), (1, 1))), "x", sources=("c (Conv)",))
        .add("norm", norm(3), "conv", sources=("n (BatchNormalization)",))
        .add("relu", Relu(), "norm")
        .add("out", Output(), "relu")
    )
    result = folded(graph)
    golden("fold_behind", f"{graph}\nbecomes\n\n{result}")
    assert result["conv"].sources == ("c (Conv)", "n (BatchNormalization)")
    assert result["conv"].operator.weight.dtype == np.float32


def test_written_as_sub_mul_add_through_a_transpose() -> None:
    graph = (
        Graph("channel last")
        .add("x", Input((2, 4, 4)))
        .add("conv", Conv(weights(3, 2, 3, 3)), "x")
        .add("last", Transpose((1, 2, 0)), "conv")
        .add("sub", Bias(weights(3)), "last")
        .add("mul", Scale(weights(3)), "sub")
        .add("add", Bias(weights(3)), "mul")
        .add("flat", Flatten(), "add")
        .add("dense", Linear(weights(5, 12)), "flat")
        .add("out", Output(), "dense")
    )
    result = folded(graph)
    assert [node.name for node in result] == ["x", "conv", "last", "flat", "dense", "out"]


@pytest.mark.parametrize("pad", [0, 1])
def test_in_front_of_a_convolution(golden: Callable[[str, str], None], pad: int) -> None:
    graph = (
        Graph("norm in front")
        .add("x", Input((2, 5, 5)))
        .add("relu", Relu(), "x")
        .add("norm", norm(2), "relu")
        .add("conv", Conv(weights(4, 1, 3, 3), pads=((pad, pad), (pad, pad)), groups=2), "norm")
        .add("out", Output(), "conv")
    )
    result = folded(graph)
    kinds = [type(node.operator) for node in result]
    assert kinds == ([Input, Relu, Conv, Output] if not pad else [Input, Relu, Scale, Bias, Conv, Output])
    golden(f"fold_in_front_pad{pad}", str(result))


def test_without_shift_in_front_of_padding() -> None:
    one, none = np.ones(2, np.float32), np.zeros(2, np.float32)
    graph = (
        Graph("no shift")
        .add("x", Input((2, 5, 5)))
        .add("norm", BatchNorm(one * 3, none, none, one), "x")
        .add("conv", Conv(weights(4, 2, 3, 3), pads=((1, 1), (1, 1))), "norm")
        .add("out", Output(), "conv")
    )
    assert len(folded(graph)) == 3


def test_a_shared_producer_keeps_its_norm() -> None:
    graph = (
        Graph("shared")
        .add("x", Input((2, 5, 5)))
        .add("conv", Conv(weights(2, 2, 3, 3)), "x")
        .add("norm", norm(2), "conv")
        .add("sum", Add(), "norm", "conv")
        .add("out", Output(), "sum")
    )
    result = folded(graph)
    assert not result.of_type(BatchNorm)
    assert [node.name for node in result] == ["x", "conv", "norm.scale", "norm", "sum", "out"]
    assert result["conv"].operator is graph["conv"].operator


def test_a_scale_is_folded_into_each_reader_that_can_take_it() -> None:
    graph = (
        Graph("two readers")
        .add("x", Input((3,)))
        .add("scale", Scale(weights(3)), "x")
        .add("first", Linear(weights(2, 3)), "scale")
        .add("relu", Relu(), "scale")
        .add("second", Linear(weights(2, 3)), "relu")
        .add("sum", Add(), "first", "second")
        .add("out", Output(), "sum")
    )
    result = folded(graph)
    assert result["first"].inputs == ("x",)
    assert result["relu"].inputs == ("scale",)
