"""Hand-written models in the style of exporters, and the corners of each operator's definition."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_nets import OnnxNet, run

from snnc.errors import ModelError
from snnc.formats.onnx import Outcome, RefusedModelError, read_model
from snnc.graph import (
    AvgPool,
    BatchNorm,
    Bias,
    Clip,
    Conv,
    Flatten,
    Gather,
    Graph,
    Linear,
    MaxPool,
    Pad,
    Relu,
    Reshape,
    Scale,
    Softmax,
    Transpose,
    evaluate,
)

RNG = np.random.default_rng(11)


def uniform(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def imported(model: onnx.ModelProto) -> Graph:
    """The imported graph, after comparing it with onnxruntime on other samples than the import itself does."""
    result = read_model(model)
    graph = result.graph
    assert [row.node for row in result.ledger] == [node.name for node in model.graph.node]
    fixed = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    kind = helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type)
    shape = (fixed or 3, *graph.inputs[0].operator.infer_shape())
    x = (
        np.random.default_rng(5).uniform(-2, 2, shape)
        if kind.kind == "f"
        else np.random.default_rng(5).integers(0, 255, shape)
    )
    expected = run(model, x.astype(kind))
    found = evaluate(graph, x.astype(kind).astype(np.float64))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * max(1e-3, np.abs(expected).max())
    return graph


def operators(graph: Graph) -> list[type]:
    """Types of the nodes between input and output, in order."""
    return [type(node.operator) for node in graph.ordered[1:-1]]


def outcomes(model: onnx.ModelProto) -> dict[str, Outcome]:
    return {row.node: row.outcome for row in read_model(model).ledger}


def refusal(model: onnx.ModelProto) -> str:
    """The text of the refusal of the last node, alone."""
    with pytest.raises(RefusedModelError) as caught:
        read_model(model)
    rows = [row for row in caught.value.ledger if row.outcome is Outcome.REFUSED]
    assert len(rows) == 1
    assert rows[0].remedy
    assert rows[0].node in str(caught.value)
    return rows[0].detail


class TestChannelLast:
    """Keras and tf2onnx: NHWC input, Transposes around each layer, batch norm as Sub, Mul and Add."""

    def test_a_layer_between_transposes(self) -> None:
        net = OnnxNet((6, 6, 2))
        net.add("Transpose", perm=[0, 3, 1, 2])
        net.add("Conv", net.tip, net.constant(uniform(3, 2, 3, 3)), auto_pad="SAME_UPPER", strides=[2, 2])
        net.add("Transpose", perm=[0, 2, 3, 1])
        net.add("Add", net.tip, net.constant(uniform(3)))
        net.add("Sub", net.tip, net.constant(uniform(3)))
        net.add("Mul", net.tip, net.constant(uniform(1, 1, 1, 3)))
        net.add("Add", net.constant(uniform(1, 1, 3)), net.tip)
        net.add("Relu")
        net.add("ReduceMean", axes=[1, 2], keepdims=0)
        net.add("MatMul", net.tip, net.constant(uniform(3, 4)))
        net.add("Add", net.tip, net.constant(uniform(4)))
        net.add("Softmax")
        graph = imported(net.model())
        assert operators(graph) == [Transpose, Conv, Scale, Bias, Relu, AvgPool, Flatten, Linear, Softmax]
        assert graph.of_type(Conv)[0].operator.pads == ((0, 1), (0, 1))
        assert graph.of_type(Linear)[0].operator.bias is not None
        assert outcomes(net.model())["transpose2"] is Outcome.FOLDED
        assert outcomes(net.model())["add3"] is Outcome.FOLDED

    def test_one_channel_needs_no_transpose(self) -> None:
        net = OnnxNet((5, 4, 1))
        net.add("Transpose", perm=[0, 3, 1, 2])
        net.add("Conv", net.tip, net.constant(uniform(2, 1, 2, 2)))
        assert operators(imported(net.model())) == [Reshape, Conv]

    def test_flattening_channel_last_keeps_its_order(self) -> None:
        net = OnnxNet((2, 4, 3))
        net.add("Transpose", perm=[0, 2, 3, 1])
        net.add("Reshape", net.tip, net.constant([-1, 24], np.int64))
        net.add("MatMul", net.tip, net.constant(uniform(24, 3)))
        assert operators(imported(net.model())) == [Transpose, Flatten, Linear]

    def test_concatenation_and_padding_of_channel_last_values(self) -> None:
        net = OnnxNet((3, 4, 4))
        last = net.add("Transpose", perm=[0, 2, 3, 1])
        relu = net.add("Relu", last)
        net.add("Concat", relu, last, axis=-1)
        net.add("Pad", net.tip, net.constant([0, 1, 1, 0, 0, 1, 1, 0], np.int64))
        net.add("Transpose", perm=[0, 3, 1, 2])
        net.add("Conv", net.tip, net.constant(uniform(2, 6, 3, 3)))
        graph = imported(net.model())
        assert not graph.of_type(Transpose, Pad)
        assert graph.of_type(Conv)[0].operator.pads == ((1, 1), (1, 1))

    def test_branches_in_different_layouts(self) -> None:
        net = OnnxNet((3, 4, 5))
        a = net.add("Transpose", "x", perm=[0, 2, 3, 1])
        b = net.add("Reshape", "x", net.constant([0, 4, 5, 3], np.int64))
        net.add("Add", a, b)
        imported(net.model())

    def test_integer_images_are_cast(self) -> None:
        net = OnnxNet((4, 4, 3), dtype=TensorProto.UINT8)
        net.add("Cast", to=TensorProto.FLOAT)
        net.add("Div", net.tip, net.constant(255.0))
        net.add("Transpose", perm=[0, 3, 1, 2])
        net.add("Conv", net.tip, net.constant(uniform(2, 3, 3, 3)))
        assert operators(imported(net.model())) == [Scale, Transpose, Conv]


class TestShapeArithmetic:
    """Shape, Gather, Slice and Concat chains."""

    def test_padding_computed_from_the_shape(self) -> None:
        """As PyTorch exports "same" padding: the pads come from Shape, Sub and Concat."""
        net = OnnxNet((2, 5, 7))
        sizes = net.add("Shape", "x")
        space = net.add("Slice", sizes, *(net.constant([v], np.int64) for v in (2, 4)))
        odd = net.add("Mod", space, net.constant([2, 2], np.int64))
        front = net.constant([0, 0, 0, 0], np.int64)
        back = net.constant([0, 0], np.int64)
        pads = net.add("Concat", front, back, odd, axis=0)
        net.add("Pad", "x", pads)
        net.add("Conv", net.tip, net.constant(uniform(3, 2, 2, 2)), strides=[2, 2])
        graph = imported(net.model())
        assert operators(graph) == [Conv]
        assert graph.of_type(Conv)[0].operator.pads == ((0, 1), (0, 1))
        assert {outcomes(net.model())[name] for name in ("shape0", "slice1", "mod2", "concat3")} == {
            Outcome.CONSTANT
        }

    def test_batch_size_in_a_reshape(self) -> None:
        net = OnnxNet((2, 3, 4))
        sizes = net.add("Shape", "x")
        batch = net.add("Gather", sizes, net.constant(0, np.int64), axis=0)
        first = net.add("Unsqueeze", batch, net.constant([0], np.int64))
        target = net.add("Concat", first, net.constant([-1], np.int64), axis=0)
        net.add("Reshape", "x", target)
        assert operators(imported(net.model())) == [Flatten]

    def test_filled_constants_and_casts(self) -> None:
        """tf2onnx: ConstantOfShape over a shape that the batch is part of, then a sum."""
        net = OnnxNet((4,))
        sizes = net.add("Shape", "x")
        zeros = net.add("ConstantOfShape", sizes)
        net.add("Add", "x", zeros)
        assert operators(read_model(net.model()).graph) == []
        assert outcomes(net.model())["add2"] is Outcome.NO_EFFECT

    def test_free_batch_that_only_works_for_one_sample(self) -> None:
        net = OnnxNet((2, 3))
        net.add("Relu")
        net.add("Reshape", net.tip, net.constant([1, 6], np.int64))
        net.add("Gemm", net.tip, net.constant(uniform(6, 2)))
        model = net.model()
        graph = read_model(model).graph
        x = uniform(1, 2, 3)
        assert np.allclose(evaluate(graph, x), run(model, x), atol=1e-6)

    def test_fixed_batch_of_several_samples(self) -> None:
        net = OnnxNet((2, 3), batch=4)
        net.add("Reshape", net.tip, net.constant([4, 6], np.int64))
        net.add("Gemm", net.tip, net.constant(uniform(6, 2)))
        assert operators(imported(net.model())) == [Flatten, Linear]

    def test_reshape_that_mixes_samples_is_refused(self) -> None:
        net = OnnxNet((2, 3), batch=4)
        net.add("Reshape", net.tip, net.constant([2, 12], np.int64))
        assert "mixes the samples" in refusal(net.model())

    def test_transpose_of_the_batch_is_refused(self) -> None:
        net = OnnxNet((2, 3))
        net.add("Transpose", perm=[1, 0, 2])
        assert "mixes the samples" in refusal(net.model())

    @pytest.mark.parametrize("opset", [11, 13])
    def test_squeeze_and_unsqueeze_without_effect_on_the_graph(self, opset: int) -> None:
        net = OnnxNet((3, 4), opset=opset)
        new = {"axes": [2]} if opset < 13 else {}
        more = [] if opset < 13 else [net.constant([2], np.int64)]
        net.add("Unsqueeze", net.tip, *more, **new)
        net.add("Squeeze", net.tip, *more, **new)
        net.add("Reshape", net.tip, net.constant([0, 3, 4], np.int64))
        net.add("Gemm", net.add("Flatten"), net.constant(uniform(12, 2)))
        assert operators(imported(net.model())) == [Flatten, Linear]


class TestPaddle:
    """Constant nodes for every number, batch norm with its own names, Identity, scaled branches."""

    def test_block(self) -> None:
        net = OnnxNet((3, 6, 6), opset=11)
        net.add("Conv", net.tip, net.constant(uniform(4, 3, 3, 3)), pads=[1, 1, 1, 1])
        positive = [np.abs(uniform(4)) + 0.5, uniform(4), uniform(4), np.abs(uniform(4)) + 0.5]
        net.add(
            "BatchNormalization", net.tip, *(net.constant(p) for p in positive), epsilon=1e-3, momentum=0.9
        )
        trunk = net.tip
        bound = [
            net.add("Constant", value=onnx.numpy_helper.from_array(np.float32(value))) for value in (0.0, 6.0)
        ]
        net.add("Clip", trunk, *bound)
        net.add("Identity")
        net.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
        net.add("GlobalAveragePool")
        net.add("Flatten")
        net.add("MatMul", net.tip, net.constant(uniform(4, 2)))
        net.add("Add", net.tip, net.constant(uniform(2)))
        net.add("Softmax", axis=1)
        graph = imported(net.model())
        assert operators(graph) == [Conv, BatchNorm, Clip, MaxPool, AvgPool, Flatten, Linear, Softmax]


class TestOperators:
    """Corners that random models seldom meet."""

    @pytest.mark.parametrize("kind", ["AveragePool", "MaxPool"])
    @pytest.mark.parametrize(
        ("size", "kernel", "stride", "pads"), [(6, 3, 4, 1), (3, 2, 4, 1), (5, 2, 2, 0), (5, 3, 2, 1)]
    )
    def test_window_behind_the_input_is_left_out(
        self, kind: str, size: int, kernel: int, stride: int, pads: int
    ) -> None:
        net = OnnxNet((2, size))
        net.add(kind, kernel_shape=[kernel], strides=[stride], pads=[pads, pads], ceil_mode=1)
        imported(net.model())

    def test_average_that_counts_pads_but_not_what_rounding_up_adds(self) -> None:
        net = OnnxNet((1, 6, 5))
        net.add(
            "AveragePool",
            kernel_shape=[2, 3],
            strides=[3, 2],
            pads=[1, 1, 0, 1],
            ceil_mode=1,
            count_include_pad=1,
        )
        imported(net.model())

    def test_dilated_average(self) -> None:
        net = OnnxNet((2, 7, 6), opset=19)
        net.add("AveragePool", kernel_shape=[2, 3], dilations=[2, 2], pads=[1, 0, 0, 2])
        imported(net.model())

    def test_batch_norm_of_a_vector(self) -> None:
        net = OnnxNet((4,))
        parts = [uniform(4), uniform(4), uniform(4), np.abs(uniform(4)) + 0.5]
        net.add("BatchNormalization", net.tip, *(net.constant(p) for p in parts))
        assert operators(imported(net.model())) == [BatchNorm]

    @pytest.mark.parametrize("opset", [9, 15])
    def test_batch_norm_in_training_is_refused(self, opset: int) -> None:
        net = OnnxNet((4, 3), opset=opset)
        parts = [net.constant(np.abs(uniform(4)) + 0.5) for _ in range(4)]
        if opset < 14:
            net.add("BatchNormalization", net.tip, *parts, outputs=5)
        else:
            net.add("BatchNormalization", net.tip, *parts, outputs=3, training_mode=1)
        assert "training mode" in refusal(net.model())

    def test_negative_variance_is_refused(self) -> None:
        net = OnnxNet((4,))
        net.add("BatchNormalization", net.tip, *(net.constant(-np.ones(4)) for _ in range(4)))
        assert "variance" in refusal(net.model())

    def test_gemm_with_its_factors(self) -> None:
        net = OnnxNet((4,))
        net.add(
            "Gemm",
            net.tip,
            net.constant(uniform(3, 4)),
            net.constant(uniform(1)),
            transB=1,
            alpha=0.5,
            beta=3.0,
        )
        assert operators(imported(net.model())) == [Linear]

    def test_gemm_with_computed_matrix_is_refused(self) -> None:
        net = OnnxNet((4,), batch=4)
        net.add("Gemm", "x", "x")
        assert "multiplies two values" in refusal(net.model())

    def test_matrix_from_the_left(self) -> None:
        net = OnnxNet((3, 4))
        net.add("MatMul", net.constant(uniform(5, 3)), net.tip)
        assert operators(imported(net.model())) == [Transpose, Linear, Transpose]

    def test_vector_product(self) -> None:
        net = OnnxNet((3, 4))
        net.add("MatMul", net.tip, net.constant(uniform(4)))
        imported(net.model())

    def test_constant_minus_signal(self) -> None:
        net = OnnxNet((3,))
        net.add("Sub", net.constant(uniform(3)), net.tip)
        assert operators(imported(net.model())) == [Scale, Bias]

    def test_sum_of_a_value_with_itself(self) -> None:
        net = OnnxNet((3,))
        net.add("Add", net.tip, net.tip)
        assert operators(imported(net.model())) == [Scale]

    def test_branches_are_broadcast(self) -> None:
        net = OnnxNet((3, 4, 5))
        net.add("GlobalAveragePool")
        net.add("Add", "x", net.tip)
        graph = imported(net.model())
        assert [type(node.operator) for node in graph.ordered].count(Gather) == 1

    def test_larger_constant_repeats_the_signal(self) -> None:
        net = OnnxNet((3, 1))
        net.add("Mul", net.tip, net.constant(uniform(3, 4)))
        imported(net.model())

    def test_constant_channel_is_joined(self) -> None:
        net = OnnxNet((2, 3), batch=1)
        net.add("Concat", net.tip, net.constant(uniform(1, 1, 3)), axis=1)
        imported(net.model())

    @pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
    def test_pads_that_repeat_elements(self, mode: str) -> None:
        net = OnnxNet((2, 4, 5), opset=19)
        net.add("Pad", net.tip, net.constant([0, 0, 1, 2, 0, 0, 2, 0], np.int64), mode=mode)
        assert operators(imported(net.model())) == [Gather]

    def test_pad_of_chosen_axes_with_a_value(self) -> None:
        net = OnnxNet((2, 4, 5), opset=18)
        more = [net.constant([1, -2], np.int64), net.constant(0.5), net.constant([-1], np.int64)]
        net.add("Pad", net.tip, *more)
        assert operators(imported(net.model())) == [Bias, Pad, Bias]

    @pytest.mark.parametrize("layout", ["first", "last"])
    def test_pad_with_minus_infinity_belongs_to_the_maximum(self, layout: str) -> None:
        net = OnnxNet((4, 3, 5))
        if layout == "last":
            net.add("Transpose", perm=[0, 2, 3, 1])
        pads = [0, 0, 1, 0, 0, 0, 1, 1] if layout == "first" else [0, 1, 0, 0, 0, 1, 1, 0]
        net.add("Pad", net.tip, net.constant(pads, np.int64), net.constant(-np.inf))
        if layout == "last":
            net.add("Transpose", perm=[0, 3, 1, 2])
        net.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        assert operators(imported(net.model())) == [MaxPool]

    def test_pad_with_minus_infinity_alone_is_refused(self) -> None:
        net = OnnxNet((4, 3))
        net.add("Pad", net.tip, net.constant([0, 0, 1, 0, 0, 1], np.int64), net.constant(-np.inf))
        net.add("Relu")
        assert "minus infinity" in refusal(net.model())

    def test_pad_read_twice_stays(self) -> None:
        net = OnnxNet((2, 4, 4))
        net.add("Pad", net.tip, net.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
        padded = net.tip
        a = net.add("Conv", padded, net.constant(uniform(2, 2, 3, 3)))
        net.add("MaxPool", padded, kernel_shape=[3, 3])
        net.add("Add", net.tip, a)
        assert Pad in operators(imported(net.model()))

    @pytest.mark.parametrize(
        ("bounds", "expected"),
        [
            ((0.0, None), [Relu]),
            ((0.0, 6.0), [Clip]),
            ((-1.0, 1.0), [Clip]),
            ((0.5, None), [Bias, Relu, Bias]),
            ((None, None), []),
            ((0.0, 3.4028234663852886e38), [Relu]),
        ],
    )
    @pytest.mark.parametrize("opset", [9, 12])
    def test_clip(self, bounds: tuple[float | None, float | None], expected: list[type], opset: int) -> None:
        net = OnnxNet((5,), opset=opset)
        net.add("Mul", net.tip, net.constant(2.0))
        if opset < 11:
            net.add(
                "Clip",
                **{
                    key: bound for key, bound in zip(("min", "max"), bounds, strict=True) if bound is not None
                },
            )
        else:
            net.add("Clip", net.tip, *("" if bound is None else net.constant(bound) for bound in bounds))
        assert operators(imported(net.model())) == [Scale, *expected]

    def test_relu_and_minimum_are_one_clip(self) -> None:
        net = OnnxNet((5,))
        net.add("Relu")
        net.add("Min", net.tip, net.constant(1.0))
        assert operators(imported(net.model())) == [Clip]

    @pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
    @pytest.mark.parametrize("opset", [11, 13])
    def test_softmax_over_several_axes_before_opset_13(self, kind: str, opset: int) -> None:
        net = OnnxNet((2, 3), opset=opset)
        net.add(kind, axis=1)
        imported(net.model())

    def test_softmax_in_the_middle_is_refused(self) -> None:
        net = OnnxNet((4,))
        net.add("Softmax")
        net.add("Relu")
        assert "not at the end" in refusal(net.model())

    def test_slices_and_pieces(self) -> None:
        net = OnnxNet((6, 4), opset=18)
        net.add("Split", axis=1, num_outputs=2, outputs=2)
        net.add("Sub", "t0", "t0_1")
        net.add("Slice", net.tip, *(net.constant([value], np.int64) for value in (-1, -9, 1, -2)))
        net.add("Tile", net.tip, net.constant([1, 2, 1], np.int64))
        net.add("Expand", net.tip, net.constant([1, 1, 1], np.int64))
        imported(net.model())

    def test_depth_to_space(self) -> None:
        net = OnnxNet((8, 2, 3))
        net.add("DepthToSpace", blocksize=2)
        assert operators(imported(net.model())) == [Gather]

    def test_dropout_of_either_form(self) -> None:
        for opset in (9, 13):
            net = OnnxNet((3,), opset=opset)
            net.add("Dropout")
            assert outcomes(net.model()) == {"dropout0": Outcome.NO_EFFECT}
            assert operators(imported(net.model())) == []

    def test_training_dropout_is_refused(self) -> None:
        net = OnnxNet((3,))
        net.add("Dropout", net.tip, net.constant(0.5), net.constant(True, np.bool_))
        assert "training" in refusal(net.model())

    def test_second_output_of_max_pool_is_refused(self) -> None:
        net = OnnxNet((2, 4))
        net.add("MaxPool", kernel_shape=[2], outputs=2)
        net.add("Cast", "t0_1", to=TensorProto.FLOAT)
        with pytest.raises(RefusedModelError, match="maxpool0 \\(MaxPool\\): its output 't0_1' is used"):
            read_model(net.model())

    def test_integer_arithmetic_is_refused(self) -> None:
        net = OnnxNet((3,), dtype=TensorProto.INT32)
        net.add("Div", net.tip, net.constant(2, np.int32))
        net.add("Cast", to=TensorProto.FLOAT)
        assert "integers" in refusal(net.model())

    def test_unused_nodes_have_no_effect(self) -> None:
        net = OnnxNet((3,))
        net.add("Relu", "x", name="used")
        wanted = net.tip
        net.add("Neg", "x", name="unused")
        assert outcomes(net.model(wanted)) == {"used": Outcome.CONVERTED, "unused": Outcome.NO_EFFECT}

    def test_random_constant_is_refused(self) -> None:
        net = OnnxNet((3,))
        noise = net.add("RandomNormal", "", shape=[3])
        net.nodes[-1].ClearField("input")
        net.add("Add", "x", noise)
        with pytest.raises(RefusedModelError, match="random"):
            read_model(net.model())


class TestNames:
    """What the nodes are called."""

    def test_nodes_without_names_are_called_like_their_outputs(self) -> None:
        net = OnnxNet((3,))
        net.add("Relu", name="")
        net.add("Neg", name="")
        rows = read_model(net.model()).ledger
        assert [row.node for row in rows] == ["t0", "t1"]
        assert [row.detail for row in rows] == ["t0", "t1"]

    def test_names_given_twice(self) -> None:
        net = OnnxNet((3,))
        net.add("Relu", name="same")
        net.add("Neg", name="same")
        net.add("Relu", name="x")
        graph = read_model(net.model()).graph
        assert [node.name for node in graph] == ["x", "same", "t1", "x.2", "t2"]
        assert graph["t1"].sources == ("t1 (Neg)",)


def test_everything_refused_is_listed_at_once() -> None:
    net = OnnxNet((2, 6, 6))
    net.step("Sigmoid")
    net.step("Conv", net.tip, net.constant(uniform(3, 2, 3, 3)))
    net.step("Elu", alpha=0.1)
    net.step("Softplus")
    net.step("Mul", net.tip, net.tip)
    net.step("LRN", size=3)
    net.step("Tanh")
    net.step("Selu")
    net.step("LpPool", kernel_shape=[1, 1])
    net.step("Resize", net.tip, "", net.constant([1, 1, 2, 2]), mode="linear")
    with pytest.raises(RefusedModelError) as caught:
        read_model(net.model())
    kinds = ["Sigmoid", "Elu", "Softplus", "Mul", "LRN", "Tanh", "Selu", "LpPool", "Resize"]
    assert [line.split("(")[1].split(")")[0] for line in caught.value.details] == kinds
    assert all(line.count(";") >= 1 for line in caught.value.details)
    assert "9 of 10 nodes" in str(caught.value)


def test_recurrent_layer_is_refused() -> None:
    net = OnnxNet((5, 3))
    net.add("LSTM", net.tip, net.constant(uniform(1, 8, 3)), net.constant(uniform(1, 8, 2)), hidden_size=2)
    assert "recurrent" in refusal(net.model())


def test_control_flow_is_refused() -> None:
    net = OnnxNet((3,))
    relu = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["inner"])],
        "then",
        [],
        [helper.make_empty_tensor_value_info("inner")],
    )
    condition = net.constant(True, np.bool_)
    net.add("If", condition, then_branch=relu, else_branch=relu)
    assert "control flow" in refusal(net.model())


def layer_function(activation: str = "LeakyRelu") -> onnx.FunctionProto:
    """A function layer(x, w; slope) = clip(x w) with an attribute handed on, and a constant of its own."""
    clip = helper.make_node(activation, ["hidden"], ["y"])
    clip.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    shift = helper.make_node("Constant", [], ["shift"], value=onnx.numpy_helper.from_array(np.float32(0.5)))
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        shift,
        helper.make_node("Add", ["product", "shift"], ["hidden"]),
        clip,
    ]
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_function("own", "Layer", ["x", "w"], ["y"], nodes, opsets, ["slope"])


def test_functions_of_the_model_are_taken_apart() -> None:
    net = OnnxNet((3,))
    net.add("Layer", net.tip, net.constant(uniform(3, 4)), domain="own", slope=0.0)
    net.add("Layer", net.tip, net.constant(uniform(4, 2)), domain="own", slope=0.0)
    model = net.model()
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.functions.append(layer_function())
    graph = imported(model)
    assert operators(graph) == [Linear, Relu, Linear, Relu]
    assert {node.sources for node in graph.of_type(Linear)} == {
        ("layer0 (own::Layer)",),
        ("layer1 (own::Layer)",),
    }


def test_function_with_a_refused_operator_is_refused() -> None:
    net = OnnxNet((3,))
    net.add("Layer", net.tip, net.constant(uniform(3, 4)), domain="own", slope=0.5)
    model = net.model()
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.functions.append(layer_function("Elu"))
    assert "negative values" in refusal(model)


def test_functions_of_other_domains_are_refused() -> None:
    net = OnnxNet((3,))
    net.add("Relu")
    net.add("FusedThing", domain="com.example")
    model = net.model()
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    assert "com.example" in refusal(model)


def test_wrong_rule_is_found_and_its_node_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison with onnxruntime catches a handler that computes something else."""
    monkeypatch.setattr(Scale, "evaluate", lambda self, x: x * self.factor * 1.001)
    net = OnnxNet((3,))
    net.add("Relu", name="first")
    net.add("Mul", net.tip, net.constant(uniform(3)), name="wrong")
    net.add("Relu", name="last")
    with pytest.raises(ModelError, match="M122") as caught:
        read_model(net.model())
    assert caught.value.node == "wrong"
    assert caught.value.source == "wrong (Mul)"
