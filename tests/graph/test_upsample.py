"""Nearest-neighbour resizing: equal to onnxruntime's in every mode and size, exported, and run on both chips."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_nets import OnnxNet, run

import snnc
from snnc.formats.onnx import RefusedModelError, export_onnx
from snnc.graph import Conv, Flatten, Graph, Input, Linear, Output, Relu, evaluate
from snnc.graph.operators.upsample import Upsample

RNG = np.random.default_rng(8)
COORDINATES = ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"]
ROUNDINGS = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


def uniform(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def check(net: OnnxNet) -> Graph:
    model = net.model()
    graph = snnc.import_onnx(model)
    x = uniform(1 if net.batch == 1 else 3, *net.shape_given)
    np.testing.assert_array_equal(evaluate(graph, x), run(model, x))
    np.testing.assert_array_equal(run(export_onnx(graph), x), run(model, x))
    return graph


@pytest.mark.parametrize("size", [(8, 12), (4, 4), (5, 3), (1, 7), (16, 4)])
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_every_mode_and_size(coordinates: str, rounding: str, size: tuple[int, int]) -> None:
    net = OnnxNet((2, 4, 4), opset=19)
    scales = net.constant([1, 1, size[0] / 4, size[1] / 4])
    modes = {"coordinate_transformation_mode": coordinates, "nearest_mode": rounding}
    net.step("Resize", net.tip, "", scales, mode="nearest", **modes)
    check(net)


def test_sizes_instead_of_scales() -> None:
    net = OnnxNet((2, 4, 4), batch=1)
    net.step("Resize", net.tip, "", "", net.constant([1, 2, 8, 12], np.int64), mode="nearest")
    assert check(net).of_type(Upsample)


@pytest.mark.parametrize(("kind", "opset"), [("Upsample", 9), ("Resize", 10)])
def test_the_old_operators(kind: str, opset: int) -> None:
    net = OnnxNet((2, 3, 4), opset=opset)
    net.step(kind, net.tip, net.constant([1, 1, 2, 3]))
    assert check(net).of_type(Upsample)


def test_interpolation_is_refused() -> None:
    net = OnnxNet((2, 3, 4))
    net.step("Resize", net.tip, "", net.constant([1, 1, 2, 2]), mode="linear")
    with pytest.raises(RefusedModelError, match="linear interpolation"):
        snnc.import_onnx(net.model())


@pytest.mark.parametrize("target", ["loihi", "truenorth"])
def test_it_runs_on_a_chip(target: str) -> None:
    graph = Graph("g").add("x", Input((1, 4, 4))).add("a", Conv(uniform(3, 1, 3, 3), uniform(3) / 4), "x")
    graph = graph.add("r", Relu(), "a").add("up", Upsample((1, 2, 3)), "r")
    graph = graph.add("c", Conv(uniform(2, 3, 2, 2) / 2, uniform(2) / 4), "up").add("s", Relu(), "c")
    graph = (
        graph.add("flat", Flatten(), "s")
        .add("b", Linear(uniform(3, 30) / 2), "flat")
        .add("out", Output(), "b")
    )
    x = RNG.random((16, 1, 4, 4), np.float32)
    compiled = snnc.compile(graph, target, calibration=x, ticks=128)
    wanted = evaluate(graph, x)
    error = np.abs(compiled.run(x, ticks=128).output - wanted).max() / np.abs(wanted).max()
    assert error < (0.05 if target == "loihi" else 0.3)
