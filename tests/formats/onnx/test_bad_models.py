"""Model files that cannot be read, understood or trusted: one error with code, file and remedy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_nets import OnnxNet

from snnc.errors import DataError, ModelError, SnncError
from snnc.formats.onnx import import_onnx, read_model


def small_net(**options: object) -> OnnxNet:
    net = OnnxNet((3,), **options)
    net.add("Gemm", net.tip, net.constant(np.eye(3), name="weight"), net.constant(np.zeros(3), name="bias"))
    net.add("Relu")
    return net


def small_model() -> onnx.ModelProto:
    return small_net().model()


def error_of(source: object, code: str, **options: object) -> ModelError:
    """The error that importing raises; it must have the code, a remedy and, for a path, name the file."""
    with pytest.raises(ModelError) as caught:
        read_model(source, **options)
    error = caught.value
    assert error.code == code
    assert error.remedy
    assert error.exit_code == 1
    assert error.__cause__ is None
    if isinstance(source, str | Path):
        assert error.file == str(source)
    return error


def test_absent_file(tmp_path: Path) -> None:
    error_of(tmp_path / "none.onnx", "M101")
    error_of(str(tmp_path / "none.onnx"), "M101")


def test_folder(tmp_path: Path) -> None:
    error_of(tmp_path, "M102")


def test_unreadable_file(tmp_path: Path) -> None:
    error_of(tmp_path / ("n" * 300), "M103")
    error_of("null\0byte.onnx", "M103")


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    error_of(path, "M104")
    error_of(b"", "M104")


@pytest.mark.parametrize(
    "content", [b"hello, I am a text\n", b"PK\x03\x04zip", bytes(range(256)), b"\0" * 64]
)
def test_no_onnx_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    error_of(path, "M105")


def test_truncated_file(tmp_path: Path) -> None:
    content = small_model().SerializeToString()
    path = tmp_path / "model.onnx"
    for length in range(1, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ModelError) as caught:
            read_model(path)
        assert caught.value.code in ("M105", "M106", "M115", "M116"), length


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_bytes_never_end_in_another_exception(data: st.DataObject) -> None:
    content = bytearray(small_model().SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_model(bytes(content))
    except SnncError as error:
        assert str(error)


def test_invalid_model() -> None:
    model = small_model()
    model.graph.node[0].input[0] = "nowhere"
    assert "nowhere" in error_of(model, "M106").message


def test_opset_too_new_or_too_old() -> None:
    newest = onnx.defs.onnx_opset_version()
    model = small_model()
    model.opset_import[0].version = newest + 1
    assert str(newest + 1) in error_of(model, "M107").message
    model.opset_import[0].version = 8
    assert "8" in error_of(model, "M108").message
    model.opset_import[0].version = 17
    model.ir_version = onnx.IR_VERSION + 1
    error_of(model, "M107")


def external(model: onnx.ModelProto, location: str, folder: Path, **more: str) -> Path:
    """Write the model with its weight moved to a file of that location (which is not written)."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=value)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_external_data_is_read_and_part_of_the_digest(tmp_path: Path) -> None:
    path = external(small_model(), "weights.bin", tmp_path)
    digests = set()
    for factor in (1, 2):
        (tmp_path / "weights.bin").write_bytes(np.asarray(factor * np.eye(3), np.float32).tobytes())
        imported = read_model(path)
        digests.add(imported.digest)
        assert np.array_equal(imported.graph["gemm0"].operator.weight, factor * np.eye(3))
    assert len(digests) == 2


def test_external_data_absent(tmp_path: Path) -> None:
    path = external(small_model(), "weights.bin", tmp_path)
    assert "weights.bin" in error_of(path, "M109").message
    error_of(path.read_bytes(), "M109")


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/hostname", "a/../../weights.bin", "", "."])
def test_external_data_outside_of_the_folder(location: str, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(np.eye(3, dtype=np.float32).tobytes())
    folder = tmp_path / "inner"
    folder.mkdir()
    error_of(external(small_model(), location, folder), "M110")


def test_external_data_behind_a_link_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(np.eye(3, dtype=np.float32).tobytes())
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "weights.bin").symlink_to(tmp_path / "secret.bin")
    error_of(external(small_model(), "weights.bin", folder), "M110")


@pytest.mark.parametrize(
    "more", [{}, {"length": "400"}, {"length": "12"}, {"offset": "-4"}, {"offset": "1e9"}, {"offset": "9"}]
)
def test_external_data_too_short(more: dict[str, str], tmp_path: Path) -> None:
    path = external(small_model(), "weights.bin", tmp_path, **more)
    size = 36 if more else 20
    (tmp_path / "weights.bin").write_bytes(b"\0" * size)
    error_of(path, "M111")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(value: float) -> None:
    net = OnnxNet((3,))
    weight = np.eye(3)
    weight[1, 2] = value
    net.add("Gemm", net.tip, net.constant(weight), name="fc")
    error = error_of(net.model(), "M113")
    assert error.details == ("fc (Gemm): 1 values of its weight",)


def test_division_by_zero_is_not_finite() -> None:
    net = OnnxNet((3,))
    net.add("Div", net.tip, net.constant([1, 0, 1]), name="ratio")
    assert "ratio (Div)" in error_of(net.model(), "M113").details[0]


def test_values_that_overflow_in_onnxruntime() -> None:
    net = OnnxNet((3,))
    net.add("Mul", net.tip, net.constant(np.full(3, 1e30)))
    net.add("Mul", net.tip, net.constant(np.full(3, 1e30)), name="square")
    assert error_of(net.model(), "M124").file is None


def test_free_sizes_are_settled_by_the_input_shape() -> None:
    net = OnnxNet((2, 4, 4))
    net.add("Conv", net.tip, net.constant(np.ones((1, 2, 3, 3))))
    model = net.model(shape=["batch", 2, "height", None])
    error = error_of(model, "M114")
    assert "'x'" in error.message
    assert "--input-shape" in str(error.remedy)
    assert read_model(model, input_shape=(2, 6, 5)).graph.shapes["x"] == (2, 6, 5)
    for wrong in ((3, 6, 5), (2, 6), (1, 2, 6, 5), (), (2, 0, 5)):
        error_of(model, "M119", input_shape=wrong)


def test_input_without_any_shape() -> None:
    model = small_model()
    model.graph.input[0].type.tensor_type.ClearField("shape")
    error_of(model, "M114")
    assert import_onnx(model, input_shape=(3,)).shapes["x"] == (3,)


def test_an_input_that_nothing_reads() -> None:
    model = small_model()
    model.graph.input.append(helper.make_tensor_value_info("state", TensorProto.FLOAT, ["batch", 3]))
    assert "'state'" in error_of(model, "M115").message


def test_no_inputs_or_no_outputs() -> None:
    model = small_model()
    del model.graph.output[:]
    error_of(model, "M116")


def test_inputs_of_unlike_batch_sizes() -> None:
    model = small_model()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    model.graph.input.append(helper.make_tensor_value_info("state", TensorProto.FLOAT, [3, 3]))
    assert "2, 3" in error_of(model, "M118").message


def test_unknown_operators_are_named_with_other_errors() -> None:
    net = small_net()
    net.add("Sigmoid", name="gate")
    model = net.model()
    del model.graph.output[:]
    assert error_of(model, "M116").details[0].startswith("gate (Sigmoid): ")


def test_initializers_listed_as_inputs_are_no_inputs() -> None:
    model = small_model()
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.dims))
    assert len(import_onnx(model).inputs) == 1


@pytest.mark.parametrize("kind", [TensorProto.STRING, TensorProto.FLOAT16, TensorProto.BOOL])
def test_input_of_a_type_that_is_not_numbers(kind: int) -> None:
    model = small_model()
    model.graph.input[0].type.tensor_type.elem_type = kind
    error_of(model, "M117")


def test_input_without_axes_behind_the_batch() -> None:
    model = small_model()
    del model.graph.input[0].type.tensor_type.shape.dim[1:]
    error_of(model, "M118")


def test_enormous_input() -> None:
    model = small_net().model(shape=["batch", 10**6, 10**6, 3])
    error_of(model, "M118")


def test_enormous_constant_is_refused() -> None:
    net = OnnxNet((3,))
    filled = net.add("ConstantOfShape", net.constant([10**7, 10**7], np.int64))
    net.add("MatMul", "x", filled)
    error_of(net.model(), "M120")


def test_output_that_does_not_depend_on_the_input() -> None:
    net = OnnxNet((3,))
    net.add("Neg")
    net.add("Identity", net.constant(np.eye(3)))
    error_of(net.model(), "M130")


def test_sparse_weights_are_read() -> None:
    net = OnnxNet((3,))
    net.add("MatMul", net.tip, "sparse")
    model = net.model()
    values = numpy_helper.from_array(np.array([2, 5], np.float32), "sparse")
    indices = numpy_helper.from_array(np.array([1, 8], np.int64), "places")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [3, 3]))
    weight = import_onnx(model).of_type(type(import_onnx(small_model())["gemm0"].operator))[0].operator.weight
    assert weight[1, 0] == 2
    assert weight[2, 2] == 5
    assert np.count_nonzero(weight) == 2


def test_samples_of_another_shape() -> None:
    with pytest.raises(DataError, match="D101"):
        read_model(small_model(), np.zeros((4, 5), np.float32))


def test_check_on_given_samples() -> None:
    model = small_model()
    for samples in (np.ones((100, 3), np.float32), np.ones((4, 7, 3)), np.zeros((0, 3), np.float32)):
        assert read_model(model, samples).check_error <= 1e-5


def test_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = small_model().SerializeToString()
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    imported = read_model(path)
    assert imported.digest == hashlib.sha256(content).hexdigest() == read_model(content).digest
    assert imported.file == str(path)
    assert read_model(content, file="shown.onnx").file == "shown.onnx"


def test_import_does_not_change_the_given_model() -> None:
    model = small_model()
    before = model.SerializeToString(deterministic=True)
    read_model(model)
    assert model.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(
    "change", [lambda m: m.graph.ClearField("input"), lambda m: m.graph.ClearField("output")]
)
def test_graph_without_ends(change: Callable[[onnx.ModelProto], None]) -> None:
    model = small_model()
    change(model)
    with pytest.raises(ModelError) as caught:
        read_model(model)
    assert caught.value.code in ("M106", "M115", "M116")
