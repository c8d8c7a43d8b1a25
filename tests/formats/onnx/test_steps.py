"""Steps as PyTorch, Keras, tf2onnx and people write them: equal to onnxruntime, values at the threshold included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto
from onnx_nets import OnnxNet, run

from snnc.formats.onnx import Outcome, RefusedModelError, read_model
from snnc.graph import Bias, Graph, Scale, Step, evaluate

RNG = np.random.default_rng(4)
SHAPE = (3, 4, 2)
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


def halves(*shape: int) -> np.ndarray:
    """Multiples of 1/2, so that values meet thresholds exactly and no rounding is in the way."""
    return (RNG.integers(-4, 5, shape) / 2).astype(np.float32)


def imported(model: onnx.ModelProto) -> Graph:
    """The imported graph, after comparing it with onnxruntime bit by bit."""
    result = read_model(model)
    assert [row.node for row in result.ledger] == [node.name for node in model.graph.node]
    fixed = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    x = halves(fixed or 6, *result.graph.inputs[0].operator.infer_shape())
    np.testing.assert_array_equal(evaluate(result.graph, x), run(model, x))
    return result.graph


def kinds(graph: Graph) -> list[type]:
    return [type(node.operator) for node in graph.ordered[1:-1]]


def refusal(model: onnx.ModelProto) -> str:
    with pytest.raises(RefusedModelError) as caught:
        read_model(model)
    rows = [row for row in caught.value.ledger if row.outcome is Outcome.REFUSED]
    assert len(rows) == 1
    assert rows[0].remedy
    return rows[0].detail


def number(net: OnnxNet) -> None:
    net.add("Cast", to=TensorProto.FLOAT)


@pytest.mark.parametrize("kind", ["GreaterOrEqual", "Greater", "LessOrEqual", "Less"])
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("shape", [(), (3, 1, 1), (1, 1, 4, 1), (4, 2)])
def test_comparison_with_a_constant(kind: str, swapped: bool, shape: tuple[int, ...]) -> None:
    net = OnnxNet(SHAPE)
    constant = net.constant(halves(*shape))
    net.add(kind, *((constant, "x") if swapped else ("x", constant)))
    number(net)
    above = kind.startswith("Greater") != swapped
    assert kinds(imported(net.model())) == ([Step] if above else [Scale, Step])


@pytest.mark.parametrize("opset", [9, 11, 12, 13, 16, 17, 21])
def test_strict_comparisons_and_signs_of_every_opset(opset: int) -> None:
    net = OnnxNet(SHAPE, opset=opset)
    net.add("Greater", "x", net.constant(0.5))
    number(net)
    net.add("Sub", net.tip, net.constant(0.5))
    net.add("Sign")
    imported(net.model())


def test_more_channels_of_binary_planes_than_the_input_has() -> None:
    net = OnnxNet((1, 4, 2))
    net.add("GreaterOrEqual", "x", net.constant(halves(3, 1, 1)))
    number(net)
    graph = imported(net.model())
    assert graph.shapes[graph.of_type(Step)[0].name] == (3, 4, 2)


def test_a_sequence_of_casts() -> None:
    """As ``(x > 0).int().float()``."""
    net = OnnxNet(SHAPE)
    net.add("Greater", "x", net.constant(0.0))
    net.add("Cast", to=TensorProto.INT32)
    number(net)
    assert kinds(imported(net.model())) == [Step]


def test_not_below() -> None:
    """Opsets before 12 have no GreaterOrEqual: exporters write Not(Less)."""
    net = OnnxNet(SHAPE, opset=11)
    net.add("Less", "x", net.constant(0.5))
    net.add("Not")
    number(net)
    imported(net.model())


@pytest.mark.parametrize(("then", "other"), [(1.0, 0.0), (1.0, -1.0), (-0.5, 2.0), (0.0, 1.0)])
def test_where(then: float, other: float) -> None:
    net = OnnxNet(SHAPE)
    net.add("GreaterOrEqual", "x", net.constant(0.5))
    net.add("Where", net.tip, net.constant(then), net.constant(other))
    expected = [Step] + ([Scale] if then - other != 1 else []) + ([Bias] if other else [])
    assert kinds(imported(net.model())) == expected


@pytest.mark.parametrize("batch", ["batch", 3])
def test_where_of_ones_like_the_signal(batch: str | int) -> None:
    """As ``torch.where(x > 0, torch.ones_like(x), torch.zeros_like(x))``: constants of the batch's size."""
    net = OnnxNet(SHAPE, batch=batch)
    net.add("Greater", "x", net.constant(0.0))
    truth, shape = net.tip, net.add("Shape", "x")
    value = onnx.numpy_helper.from_array(np.ones(1, np.float32))
    ones = net.add("ConstantOfShape", shape, value=value)
    zeros = net.add("ConstantOfShape", shape)
    net.add("Where", truth, ones, zeros)
    assert kinds(imported(net.model())) == [Step]


def test_where_of_constants_larger_than_the_condition() -> None:
    net = OnnxNet((1, 4, 1))
    net.add("Greater", "x", net.constant(0.0))
    net.add("Where", net.tip, net.constant(halves(3, 1, 2)), net.constant(halves(1, 4, 1)))
    imported(net.model())


def test_channel_last_steps() -> None:
    """Keras: thresholds along the last axis, between changes of layout that cancel."""
    net = OnnxNet(SHAPE)
    net.add("Transpose", perm=[0, 2, 3, 1])
    net.add("GreaterOrEqual", net.tip, net.constant(halves(3)))
    net.add("Where", net.tip, net.constant(1.0), net.constant(halves(1, 1, 3)))
    net.add("Transpose", perm=[0, 3, 1, 2])
    graph = imported(net.model())
    assert kinds(graph)[0] is Step
    assert graph.of_type(Step)[0].operator.threshold.shape == (3, 1, 1)


def test_sign_has_three_values() -> None:
    net = OnnxNet(SHAPE)
    net.add("Sign")
    graph = imported(net.model())
    assert set(np.unique(evaluate(graph, halves(9, *SHAPE)))) == {-1.0, 0.0, 1.0}


def test_sign_as_tf2onnx_writes_it_for_binary_networks() -> None:
    """sign(sign(x) + 0.1): 1 at 0."""
    net = OnnxNet(SHAPE)
    net.add("Sign")
    net.add("Add", net.tip, net.constant(0.1))
    net.add("Sign")
    imported(net.model())


@pytest.mark.parametrize("at_zero", [0.0, 0.5, 1.0, -3.0])
def test_heaviside(at_zero: float) -> None:
    """As PyTorch writes it: 0 or 1 by the sign, but a value of its own at 0."""
    net = OnnxNet(SHAPE)
    zero = net.constant(0.0)
    net.add("Less", "x", zero)
    inner = net.add("Where", net.tip, zero, net.constant(1.0))
    net.add("Equal", "x", zero)
    net.add("Where", net.tip, net.constant(at_zero), inner)
    imported(net.model())


def test_heaviside_of_another_signal_is_refused() -> None:
    net = OnnxNet(SHAPE)
    zero = net.constant(0.0)
    other = net.add("Relu", "x")
    net.add("Equal", "x", zero)
    net.add("Where", net.tip, net.constant(0.5), other)
    assert "depend on the input" in refusal(net.model())


@pytest.mark.parametrize("kind", ["Greater", "LessOrEqual"])
def test_two_signals_are_compared_by_their_difference(kind: str) -> None:
    net = OnnxNet(SHAPE)
    other = net.add("Mul", "x", net.constant(halves(3, 1, 1)))
    net.add(kind, "x", other)
    number(net)
    imported(net.model())


@pytest.mark.parametrize("negated", [False, True])
def test_equality_with_a_constant(negated: bool) -> None:
    net = OnnxNet(SHAPE)
    net.add("Equal", "x", net.constant(0.5))
    if negated:
        net.add("Not")
    number(net)
    imported(net.model())


def a_gate(net: OnnxNet) -> None:
    net.add("Greater", "x", net.constant(0.0))
    net.add("Where", net.tip, "x", net.constant(0.0))


def a_conjunction(net: OnnxNet) -> None:
    low = net.add("Greater", "x", net.constant(0.0))
    high = net.add("Less", "x", net.constant(1.0))
    net.add("And", low, high)
    number(net)


def an_equality_of_signals(net: OnnxNet) -> None:
    net.add("Equal", "x", net.add("Relu", "x"))
    number(net)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (a_gate, "chooses between values that depend on the input"),
        (a_conjunction, "truth values"),
        (an_equality_of_signals, "two values that depend on the input"),
    ],
)
def test_what_is_no_step_is_refused_with_a_reason(make: Callable[[OnnxNet], None], why: str) -> None:
    net = OnnxNet(SHAPE)
    make(net)
    assert why in refusal(net.model())


def products_at_the_threshold() -> OnnxNet:
    """Three times 0.1, which float32 rounds up to the threshold and float64 does not."""
    net = OnnxNet((8,))
    net.add("Mul", "x", net.constant(0.0))
    net.add("Add", net.tip, net.constant(0.1))
    net.add("Mul", net.tip, net.constant(3.0))
    net.add("GreaterOrEqual", net.tip, net.constant(np.float32(0.1) * np.float32(3)))
    number(net)
    net.add("MatMul", net.tip, net.constant(np.ones((8, 3))))
    return net


def test_a_step_that_rounding_decides_is_no_defect_of_the_import() -> None:
    """Onnxruntime multiplies in float32, the check in float64: the results are on two sides of the threshold."""
    model = products_at_the_threshold().model()
    result = read_model(model)
    x = halves(4, 8)
    assert (evaluate(result.graph, x.astype(np.float64)) != run(model, x)).any()
    assert result.check_error <= 1e-5


@settings(deadline=None, max_examples=60, suppress_health_check=QUIET)
@given(st.data())
def test_networks_of_drawn_steps(data: st.DataObject) -> None:
    """Convolutions with steps in any spelling between them; all numbers are multiples of 1/2."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    net = OnnxNet((2, 4, 4), opset=data.draw(st.sampled_from([12, 13, 17, 20])))
    for channels in data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)):
        weight = rng.integers(-1, 2, (channels, net.shape[0], 2, 2)).astype(np.float32)
        net.step("Conv", net.tip, net.constant(weight), pads=[1, 1, 0, 0])
        threshold = rng.integers(-2, 3, data.draw(st.sampled_from([(), (channels, 1, 1)]))) / 2
        kind = data.draw(st.sampled_from(["GreaterOrEqual", "Greater", "LessOrEqual", "Less", "Sign"]))
        if kind == "Sign":
            net.step("Sub", net.tip, net.constant(threshold))
            net.step("Sign")
            continue
        names = (net.tip, net.constant(threshold))
        net.step(kind, *(names if data.draw(st.booleans()) else names[::-1]))
        if data.draw(st.booleans()):
            net.step("Not")
        if data.draw(st.booleans()):
            net.step("Cast", to=TensorProto.FLOAT)
        else:
            net.step("Where", net.tip, net.constant(rng.integers(-2, 3) / 2), net.constant(1.0))
    model = net.model()
    graph = read_model(model).graph
    x = (rng.integers(-2, 3, (5, 2, 4, 4)) / 2).astype(np.float32)
    np.testing.assert_array_equal(evaluate(graph, x), run(model, x))
