"""What operators compute, against onnxruntime on one-node models; shapes and magnitudes along with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from snnc.graph import (
    Add,
    ArgMax,
    AvgPool,
    BatchNorm,
    Bias,
    Clip,
    Concat,
    Conv,
    Delay,
    Flatten,
    Gather,
    Linear,
    LinearMap,
    LogSoftmax,
    MaxPool,
    Operator,
    Pad,
    QuantiseCurrent,
    Relu,
    Reshape,
    Scale,
    Softmax,
    SparseLinear,
    Transpose,
    registered_operator,
)
from snnc.graph.operators.base import Array

RNG = np.random.default_rng(2)


def by_onnxruntime(kind: str, *values: Array, **attributes: Any) -> Array:
    """The output of one ONNX node for given inputs."""
    names = [f"x{index}" for index in range(len(values))]
    node = helper.make_node(kind, names, ["y"], **attributes)
    initializers = [
        numpy_helper.from_array(value, name) for name, value in zip(names[1:], values[1:], strict=True)
    ]
    elements = TensorProto.INT64 if kind == "ArgMax" else TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, values[0].shape)],
        [helper.make_tensor_value_info("y", elements, None)],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x0": values[0]})[0])


def normal(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def holds(operator: Operator, expected: Array, *inputs: Array) -> None:
    """The operator gives the expected batch, in the shape that it infers, and reads only its inputs."""
    copies = [value.copy() for value in inputs]
    result = operator.evaluate(*inputs)
    assert result.shape == (len(inputs[0]), *operator.infer_shape(*(value.shape[1:] for value in inputs)))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
    assert all((value == copy).all() for value, copy in zip(inputs, copies, strict=True))
    wide = operator.evaluate(*(value.astype(np.float64) for value in inputs))
    np.testing.assert_allclose(wide, expected, rtol=1e-5, atol=1e-5)


def windows(draw: st.DrawFn, axes: int) -> dict[str, Any]:
    """Kernel, stride, dilation, pads and input sizes in which at least one window fits."""
    kernel = [draw(st.integers(1, 3)) for _ in range(axes)]
    dilation = [draw(st.integers(1, 2)) for _ in range(axes)]
    sizes = [draw(st.integers(3, 8)) for _ in range(axes)]
    pads = [(draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in kernel]
    for n, k, d, pair in zip(sizes, kernel, dilation, pads, strict=True):
        assume(n + sum(pair) >= (k - 1) * d + 1)
    stride = [draw(st.integers(1, 3)) for _ in range(axes)]
    return {"kernel": kernel, "stride": stride, "dilation": dilation, "pads": pads, "sizes": sizes}


def onnx_windows(drawn: dict[str, Any]) -> dict[str, Any]:
    return {
        "kernel_shape": drawn["kernel"],
        "strides": drawn["stride"],
        "dilations": drawn["dilation"],
        "pads": [pair[side] for side in (0, 1) for pair in drawn["pads"]],
    }


WINDOWS = st.composite(windows)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 2).flatmap(lambda axes: WINDOWS(axes)), st.integers(1, 3), st.integers(1, 2), st.booleans()
)
def test_conv(drawn: dict[str, Any], groups: int, each: int, with_bias: bool) -> None:
    weight = normal(2 * groups, each, *drawn["kernel"])
    bias = normal(2 * groups) if with_bias else None
    x = normal(3, groups * each, *drawn["sizes"])
    operator = Conv(weight, bias, drawn["stride"], drawn["pads"], drawn["dilation"], groups)
    assert operator.kernel == tuple(drawn["kernel"])
    given_bias = [] if bias is None else [bias]
    holds(operator, by_onnxruntime("Conv", x, weight, *given_bias, group=groups, **onnx_windows(drawn)), x)


def test_conv_of_a_large_batch_is_that_of_its_samples() -> None:
    operator = Conv(normal(4, 3, 3, 3), normal(4), pads=((1, 1), (1, 1)))
    x = normal(40, 3, 24, 24)
    holds(operator, np.concatenate([operator.evaluate(x[i : i + 1]) for i in range(40)]), x)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 2).flatmap(lambda axes: WINDOWS(axes)))
def test_max_pool(drawn: dict[str, Any]) -> None:
    x = normal(2, 3, *drawn["sizes"]) - 5
    operator = MaxPool(tuple(drawn["kernel"]), drawn["stride"], drawn["pads"], drawn["dilation"])
    holds(operator, by_onnxruntime("MaxPool", x, **onnx_windows(drawn)), x)
    whole = (x * 10).astype(np.int64)
    assert (operator.evaluate(whole) == operator.evaluate(whole.astype(float))).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 2).flatmap(lambda axes: WINDOWS(axes)), st.booleans())
def test_average_pool(drawn: dict[str, Any], include: bool) -> None:
    drawn["dilation"] = [1] * len(drawn["kernel"])
    x = normal(2, 3, *drawn["sizes"])
    operator = AvgPool(tuple(drawn["kernel"]), drawn["stride"], drawn["pads"], count_include_pad=include)
    holds(
        operator, by_onnxruntime("AveragePool", x, count_include_pad=int(include), **onnx_windows(drawn)), x
    )


@pytest.mark.parametrize("include", [False, True])
@pytest.mark.parametrize("pads", [(0, 0), (1, 1)])
@pytest.mark.parametrize(("size", "kernel", "stride"), [(6, 3, 2), (8, 3, 2), (5, 2, 2), (9, 3, 3)])
def test_average_pool_with_overhang(
    size: int, kernel: int, stride: int, pads: tuple[int, int], include: bool
) -> None:
    """ONNX's ceil_mode: the output size rounded up, what hangs over the pad in no divisor."""
    length = size + sum(pads) - kernel
    overhang = -length % stride
    assume_window_starts_inside = (-(-length // stride)) * stride < size + pads[0]
    if not assume_window_starts_inside:
        overhang = 0
    x = normal(2, 1, size, size)
    operator = AvgPool(
        (kernel,) * 2,
        (stride,) * 2,
        ((pads[0], pads[1] + overhang),) * 2,
        count_include_pad=include,
        overhang=(overhang,) * 2,
    )
    expected = by_onnxruntime(
        "AveragePool",
        x,
        kernel_shape=[kernel] * 2,
        strides=[stride] * 2,
        pads=[pads[0], pads[0], pads[1], pads[1]],
        ceil_mode=1,
        count_include_pad=int(include),
    )
    holds(operator, expected, x)


def test_linear() -> None:
    weight, bias = normal(4, 6), normal(4)
    for x in (normal(3, 6), normal(3, 2, 6)):
        product = by_onnxruntime("MatMul", x, np.ascontiguousarray(weight.T))
        holds(Linear(weight), product, x)
        holds(Linear(weight, bias), product + bias, x)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 30), st.integers(1, 5), st.integers(0, 2**16))
def test_sparse_linear_is_its_dense_matrix(entries: int, samples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(0, 6, entries), rng.integers(0, 8, entries)
    values = rng.normal(size=entries)
    dense = np.zeros((6, 8))
    for row, column, value in zip(rows, columns, values, strict=True):
        dense[row, column] += value
    x = rng.normal(size=(samples, 2, 4))
    expected = (x.reshape(samples, 8) @ dense.T).reshape(samples, 3, 2)
    holds(SparseLinear(rows, columns, values, (2, 4), (3, 2)), expected, x)


def test_batch_norm() -> None:
    gamma, beta, mean, variance = normal(3), normal(3), normal(3), np.abs(normal(3)) + 0.1
    for x in (normal(2, 3, 4, 5), normal(2, 3, 4), normal(2, 3)):
        expected = by_onnxruntime("BatchNormalization", x, gamma, beta, mean, variance, epsilon=0.01)
        holds(BatchNorm(gamma, beta, mean, variance, 0.01), expected, x)


def test_elementwise_and_merging() -> None:
    x, y, factor = normal(2, 3, 4), normal(2, 3, 4), normal(3, 1)
    holds(Scale(factor), by_onnxruntime("Mul", x, factor), x)
    holds(Bias(factor), by_onnxruntime("Add", x, factor), x)
    holds(Relu(), by_onnxruntime("Relu", x), x)
    holds(Clip(-0.5, 0.75), by_onnxruntime("Clip", x, np.float32(-0.5), np.float32(0.75)), x)
    holds(Add(), by_onnxruntime("Sum", x, y, x), x, y, x)
    for axis in (0, 1):
        holds(Concat(axis), by_onnxruntime("Concat", x, y, axis=axis + 1), x, y)


def test_decisions() -> None:
    x = normal(4, 5, 3)
    x[0, 1] = x[0, 2]
    for axis in (0, 1):
        holds(Softmax(axis), by_onnxruntime("Softmax", x, axis=axis + 1), x)
        holds(LogSoftmax(axis), by_onnxruntime("LogSoftmax", x, axis=axis + 1), x)
        for keep in (False, True):
            holds(ArgMax(axis, keep), by_onnxruntime("ArgMax", x, axis=axis + 1, keepdims=int(keep)), x)


def test_rearrangements() -> None:
    x = normal(2, 3, 4, 5)
    holds(Flatten(), by_onnxruntime("Flatten", x), x)
    holds(Reshape((6, 10)), by_onnxruntime("Reshape", x, np.array([0, 6, 10])), x)
    holds(Transpose((2, 0, 1)), by_onnxruntime("Transpose", x, perm=[0, 3, 1, 2]), x)
    pads = ((1, 0), (-1, 2), (0, -2))
    flat = np.array([0, 1, -1, 0, 0, 0, 2, -2])
    holds(Pad(pads), by_onnxruntime("Pad", x, flat), x)
    holds(Delay(3), x, x)
    indices = np.array([[0, 59], [-1, 7]])
    expected = np.where(indices < 0, 0, by_onnxruntime("Gather", x.reshape(2, 60), indices % 60, axis=1))
    holds(Gather(indices, (3, 4, 5)), expected, x)


def test_currents_are_rounded_and_clipped() -> None:
    x = np.array([[-9.0, -0.26, 0.24, 0.5, 100.0]])
    operator = QuantiseCurrent(scale=8.0, exponent=2, limit=10)
    assert operator.evaluate(x).tolist() == [[-40, -4, 0, 4, 40]]
    assert operator.evaluate(x).dtype == np.int64
    assert operator.infer_shape((5,)) == (5,)
    # Loihi's register has 12 bits for the magnitude.
    assert QuantiseCurrent(scale=1.0).evaluate(np.array([[-5000.0, 4095.0, 5000.0]])).tolist() == [
        [-4095, 4095, 4095]
    ]


LINEAR_MAPS: list[tuple[LinearMap, int]] = [
    (Conv(normal(4, 2, 3, 3), normal(4), (1, 2), ((1, 1), (0, 2))), 1),
    (Linear(normal(3, 5), normal(3)), 1),
    (SparseLinear(np.array([0, 2, 2]), np.array([1, 1, 49]), normal(3), (2, 5, 5), (3,)), 1),
    (Scale(normal(2, 1, 1)), 1),
    (Bias(normal(2, 5, 5)), 1),
    (BatchNorm(normal(2), normal(2), normal(2), np.abs(normal(2)) + 0.1), 1),
    (AvgPool((2, 2), (2, 2)), 1),
    (Add(), 3),
    (Concat(1), 2),
    (Gather(np.array([3, 3, -1]), (2, 5, 5)), 1),
]


@pytest.mark.parametrize(("operator", "count"), LINEAR_MAPS, ids=[type(op).__name__ for op, _ in LINEAR_MAPS])
def test_linear_maps_are_affine_and_keep_within_their_magnitude(operator: LinearMap, count: int) -> None:
    bounds = [np.abs(normal(1, 2, 5, 5)).astype(np.float64) for _ in range(count)]
    largest = operator.magnitude(*bounds)
    zero = operator.evaluate(*(0 * bound for bound in bounds))
    for _ in range(20):
        x = [bound * RNG.choice([-1.0, 0.0, 1.0], bound.shape) for bound in bounds]
        assert (np.abs(operator.evaluate(*x)) <= largest + 1e-9).all()
        doubled = operator.evaluate(*(2 * value for value in x)) - zero
        np.testing.assert_allclose(doubled, 2 * (operator.evaluate(*x) - zero), atol=1e-9)
    names = {*operator.multipliers, *operator.offsets}
    arrays = {name for name in ("weight", "bias", "factor", "value", "values") if hasattr(operator, name)}
    assert set(operator.coefficients()) == names == arrays


def test_operators_are_found_by_their_class_name() -> None:
    assert registered_operator("Conv") is Conv


def test_descriptions_are_short_and_stable() -> None:
    described = Conv(np.zeros((2, 1, 3, 3), np.float32), np.zeros(2), pads=((1, 1), (0, 1))).describe()
    assert described == (
        "Conv(weight=<float32 2x1x3x3>, bias=<float64 2>, stride=(1,1), pads=((1,1),(0,1)), dilation=(1,1), "
        "groups=1)"
    )
    assert Scale(np.array([0.1234567891])).describe() == "Scale(factor=0.123457)"
