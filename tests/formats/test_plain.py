from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.errors import Diagnostic, UsageError
from snnc.formats.plain import from_plain, to_plain
from snnc.pipeline import PassRecord
from snnc.targets import CompileOptions, Usage

KINDS = (CompileOptions, Usage, PassRecord, Diagnostic)
st.register_type_strategy(
    CompileOptions,
    st.builds(
        CompileOptions,
        ticks=st.integers(1, 1000),
        weight_bits=st.none() | st.integers(1, 9),
        percentile=st.floats(0, 100, exclude_min=True),
        max_chips=st.none() | st.integers(1, 99),
    ),
)
finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.sampled_from(KINDS).flatmap(st.from_type))
@settings(deadline=None, max_examples=100)
def test_dataclasses_survive_json(value: Any) -> None:
    if "nan" in repr(value) or "inf" in repr(value).replace("info", ""):
        return
    assert from_plain(type(value), json.loads(json.dumps(to_plain(value)))) == value


def test_integers_stand_for_floats() -> None:
    plain = {**to_plain(CompileOptions()), "percentile": 99}
    assert from_plain(CompileOptions, plain).percentile == 99.0


@pytest.mark.parametrize(
    "change",
    [
        {"ticks": "64"},
        {"ticks": 64.0},
        {"ticks": True},
        {"ticks": None},
        {"reset": "sometimes"},
        {"percentile": float("nan")},
        {"ticks": 0},
        {"more": 1},
    ],
)
def test_wrong_types_are_found(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, UsageError)):
        from_plain(CompileOptions, {**to_plain(CompileOptions()), **change})


@pytest.mark.parametrize("data", [None, [], 3, "x", {}, {"ticks": 1}])
def test_other_data_are_found(data: Any) -> None:
    with pytest.raises(ValueError):
        from_plain(CompileOptions, data)


def test_tuples() -> None:
    assert from_plain(tuple[int, ...], [1, 2]) == (1, 2)
    assert from_plain(tuple[int, str], [1, "a"]) == (1, "a")
    for wrong in ([1], [1, 2], 3):
        with pytest.raises(ValueError):
            from_plain(tuple[int, str], wrong)
