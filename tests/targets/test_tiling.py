"""Tiling arithmetic and window starts against their definitions, tried out one by one."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings

from snnc.targets.schedule import window_starts
from snnc.targets.tiling import Axis, ranges, reach, step_sizes


@st.composite
def axes(draw: st.DrawFn) -> tuple[Axis, int, int]:
    axis = Axis(
        inputs=draw(st.integers(1, 12)),
        outputs=draw(st.integers(1, 12)),
        kernel=draw(st.integers(1, 4)),
        stride=draw(st.integers(1, 3)),
        before=draw(st.integers(0, 3)),
        dilation=draw(st.integers(1, 3)),
        offset=draw(st.integers(-3, 4)),
    )
    start = draw(st.integers(0, 8))
    return axis, start, start + draw(st.integers(1, 8))


@settings(deadline=None, max_examples=300)
@given(axes())
def test_reach_is_every_tap_of_every_position(case: tuple[Axis, int, int]) -> None:
    axis, start, stop = case
    expected = set()
    for output in range(axis.outputs):
        for tap in range(axis.kernel):
            read = output * axis.stride - axis.before + tap * axis.dilation
            if 0 <= read < axis.inputs and start <= output + axis.offset < stop:
                expected.add((read, output + axis.offset - start, tap))
    found = reach(axis, start, stop)
    listed = [
        (int(source), int(first + step), int(tap))
        for source, first, kind in zip(found.inputs, found.first, found.pattern, strict=True)
        for step, tap in zip(found.steps[kind], found.taps[kind], strict=True)
    ]
    assert len(listed) == len(set(listed)) and set(listed) == expected
    assert all((steps[:1] == 0).all() and (steps[1:] > steps[:-1]).all() for steps in found.steps)


def test_tiles_in_the_middle_of_an_axis_have_one_key() -> None:
    axis = Axis(inputs=32, outputs=32, kernel=3, before=1)
    keys = [reach(axis, *part).key for part in ranges(32, 8)]
    assert keys[1] == keys[2] and len(set(keys)) == 3


@given(st.integers(1, 300), st.sampled_from([1, 4]))
def test_step_sizes(size: int, multiple: int) -> None:
    steps = step_sizes(size, multiple)
    assert steps[0] == size and steps[-1] == 1 and list(steps) == sorted(set(steps), reverse=True)
    for parts in range(1, size + 1):
        assert -(-size // parts) in steps
    assert [stop - start for start, stop in ranges(size, steps[-1])] == [1] * size


def test_a_window_opens_one_tick_after_the_latest_it_listens_to() -> None:
    # 0 -> 1 -> 3 and 0 -> 3 and a loop of 2 and 4 behind 1; 5 listens to nobody.
    components = [[0], [1], [2, 4], [3], [5]]
    edges = [(0, 1), (1, 3), (0, 3), (1, 2), (2, 4), (4, 2), (4, 3)]
    assert window_starts(components, edges) == (0, 1, 2, 3, 2, 0)
