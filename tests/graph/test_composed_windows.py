"""Maps in a row as one projection, against the matrix of their own evaluations; what axes say is never written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.graph import Graph, Input, Output
from snnc.graph.composition import composed, weighted_form
from snnc.graph.neurons import IF
from snnc.graph.operators import (
    AvgPool,
    Concat,
    Conv,
    Gather,
    Operator,
    Pad,
    Scale,
    Select,
    Transpose,
)
from snnc.graph.operators.base import LinearMap, Shape
from snnc.graph.operators.index_map import AxisMap, ListedMap
from snnc.graph.operators.upsample import Upsample
from snnc.graph.projections import drives
from snnc.graph.synapses import real_entries

Axes = tuple[np.ndarray, ...]


@st.composite
def rearrangements(draw: st.DrawFn, shape: Shape) -> Operator:
    """A Select, Pad, Transpose or Upsample of a small array."""
    kind = draw(st.sampled_from(["select", "pad", "transpose", "upsample"]))
    if kind == "pad":
        return Pad(tuple(draw(st.tuples(st.integers(-(n - 1) // 2, 2), st.integers(0, 2))) for n in shape))
    if kind == "transpose":
        return Transpose(tuple(draw(st.permutations(range(len(shape))))))
    if kind == "upsample":
        return Upsample(tuple(draw(st.integers(1, 2)) for _ in shape))
    order = tuple(draw(st.permutations(range(len(shape)))))
    places = [draw(st.lists(st.integers(-1, shape[axis] - 1), min_size=1, max_size=5)) for axis in order]
    return Select(tuple(np.array(each) for each in places), shape, order)


def matrix(operators: list[Operator], shape: Shape) -> np.ndarray:
    """(outputs, inputs) of operators in a row, by their own evaluations of every single input."""
    value = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    for operator in operators:
        value = operator.evaluate(value)
    return value.reshape(len(value), -1).T


@settings(deadline=None)
@given(st.data())
def test_rearrangements_stay_axis_by_axis(data: st.DataObject) -> None:
    shape: Shape = data.draw(st.tuples(*[st.integers(1, 4)] * 3))
    operators, now, moved = [], shape, AxisMap.identity(shape)
    for _ in range(data.draw(st.integers(1, 3))):
        operators.append(data.draw(rearrangements(now)))
        moved = moved.then(operators[-1].index_map(now))  # type: ignore[attr-defined,assignment]
        now = operators[-1].infer_shape(now)
    assert isinstance(moved, AxisMap) and moved.shape == now
    expected = matrix(operators, shape)
    written = np.zeros_like(expected)
    taken = np.flatnonzero(moved.indices >= 0)
    written[taken, moved.indices[taken]] = 1
    np.testing.assert_array_equal(written, expected)
    assert moved.is_identity == (
        expected.shape[0] == expected.shape[1] and (expected == np.eye(len(expected))).all()
    )
    values = np.arange(1.0, 1 + int(np.prod(shape))).reshape(shape)
    spread = np.where(expected.any(axis=1), expected @ values.ravel(), 99.0).reshape(now)
    np.testing.assert_array_equal(np.broadcast_to(moved.moved(values, 99.0), now), spread)
    if moved.inverse is not None:
        np.testing.assert_array_equal(
            moved.inverse.indices, np.where(expected.any(axis=0), expected.argmax(axis=0), -1)
        )
    else:
        places = [axis[axis >= 0] for axis in moved.axes]
        assert any(len(np.unique(each)) < len(each) for each in places)


@settings(deadline=None)
@given(st.data())
def test_maps_in_a_row_are_their_matrix(data: st.DataObject) -> None:
    shape: Shape = (2, data.draw(st.integers(3, 5)), data.draw(st.integers(3, 5)))
    graph = Graph("row").add("x", Input(shape)).add("a", IF(1.0), "x")
    operators: list[Operator] = []
    now, last = shape, "a"
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    for number in range(data.draw(st.integers(2, 4))):
        operator = data.draw(
            st.one_of(rearrangements(now), st.sampled_from(_weighted(now, rng)))  # type: ignore[arg-type]
        )
        operators.append(operator)
        shown = weighted_form(operator, now) if isinstance(operator, LinearMap) else operator
        graph = graph.add(f"n{number}", shown, last)
        now, last = operator.infer_shape(now), f"n{number}"
    graph = graph.add("b", IF(1.0), last).add("out", Output(), "b")
    (projection,) = drives(graph, composed)["b"].projections
    target, source, weight = real_entries(projection)
    dense = np.zeros((int(np.prod(now)), int(np.prod(shape))))
    np.add.at(dense, (target, source), weight)
    np.testing.assert_allclose(dense, matrix(operators, shape), atol=1e-12)


def _weighted(shape: Shape, rng: np.random.Generator) -> list[Operator]:
    channels = shape[0]
    kernel = (min(2, shape[1]), min(3, shape[2]))
    weight = rng.integers(-3, 4, (2, channels, *kernel)).astype(np.float64)
    depthwise = rng.integers(1, 4, (channels, 1, *kernel)).astype(np.float64)
    return [
        Conv(weight, pads=((1, 0), (1, 1))),
        Conv(weight),
        Conv(depthwise, groups=channels, stride=(1, 2)),
        AvgPool(kernel, pads=((0, kernel[0] - 1), (kernel[1] // 2, kernel[1] // 2))),
        Scale(rng.integers(1, 4, (channels, 1, 1)).astype(np.float64)),
        Scale(rng.integers(1, 4, shape).astype(np.float64)),
    ]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_part_of_a_concatenation_is_a_box(axis: int) -> None:
    graph = Graph("joined").add("x", Input((2, 3, 4))).add("a", IF(1.0), "x")
    for name in ("p", "q", "r"):
        graph = graph.add(name, Scale(np.array(2.0)), "a")
    graph = graph.add("joined", Concat(axis), "p", "q", "r").add("b", IF(1.0), "joined")
    drive = drives(graph.add("out", Output(), "b"))["b"]
    offsets = [part.place.offset for part in drive.projections if isinstance(part.place, AxisMap)]
    step = (2, 3, 4)[axis]
    assert offsets == [tuple(at * step if each == axis else 0 for each in range(3)) for at in range(3)]


def test_maps_that_do_not_go_by_axes_are_listed() -> None:
    turned = AxisMap((2, 3), (np.arange(3), np.arange(2)), (1, 0))
    listed = turned.then(ListedMap(np.array([5, -1, 0, 1]), (6,), (4,)))
    np.testing.assert_array_equal(listed.indices, [5, -1, 0, 3])
    assert not listed.is_identity and Gather(np.arange(6), (6,)).index_map((6,)).is_identity
    assert turned.offset is None and AxisMap.along((4,), 0, [3, 2]).offset is None
    assert AxisMap.along((4,), 0, [-1, -1]).offset is None
    assert AxisMap.along((4,), 0, [2, 3, -1]).offset == (-2,)
