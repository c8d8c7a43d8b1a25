"""Programs as plain data: the same again, and no damaged data ever reach a kernel."""

from __future__ import annotations

import copy
import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hand_made import population, program, read_otherwise
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.errors import ArtifactError, SnncError
from snnc.formats.packed import Packed
from snnc.graph import Readout, SparseLinear
from snnc.graph.operators.base import Array
from snnc.targets import RunOptions
from snnc.targets.frame import ReadoutTerm
from snnc.targets.truenorth import TARGET
from snnc.targets.truenorth.program import TrueNorthProgram, inert_cores
from snnc.targets.truenorth.simulate import simulate_program


def example() -> TrueNorthProgram:
    rng = np.random.default_rng(0)
    cores = inert_cores(2)
    cores.axon_type[:] = rng.integers(0, 4, (2, 256))
    cores.crossbar[:] = rng.integers(0, 256, cores.crossbar.shape)
    cores.weight[:] = rng.integers(-256, 256, cores.weight.shape)
    cores.leak[:] = rng.integers(-256, 256, (2, 256))
    cores.threshold[:] = rng.integers(0, 2000, (2, 256))
    cores.mask_bits[:] = rng.integers(0, 19, (2, 256))
    cores.target_core[:] = rng.integers(-1, 2, (2, 256))
    cores.target_axon[:] = rng.integers(0, 256, (2, 256))
    cores.target_delay[:] = rng.integers(1, 16, (2, 256))
    first = population("first", [(0, n) for n in range(30)], 1)
    last = population("last", [(1, n) for n in range(4)], 2)
    made = program(
        cores, 5, [(n, 0, n, 1) for n in range(5)], [first, last], readout=Readout.POTENTIAL, seed=4
    )
    entries = rng.integers(0, 4, 50), rng.integers(0, 30, 50), rng.integers(-9, 10, 50)
    readings = (ReadoutTerm(2), ReadoutTerm(1, SparseLinear(*entries, (30,), (4,))))
    return read_otherwise(made, readings=readings, scale=np.linspace(0.1, 0.7, 4), offset=np.array([0.25]))


PACKED = TARGET.pack(example())
X = (np.random.default_rng(1).random((2, 6, 5)) < 0.5).astype(np.float32)


def test_a_program_comes_back_the_same() -> None:
    header = json.loads(json.dumps(PACKED.header, allow_nan=False))
    again = TARGET.unpack(Packed(header, PACKED.arrays))
    first, second = (
        simulate_program(each, X, 6, RunOptions(record=("spikes", "voltage", "output")))
        for each in (example(), again)
    )
    for variable in ("spikes", "voltage"):
        for name, values in first.recorded(variable).items():
            np.testing.assert_array_equal(values, second.recorded(variable)[name])
    np.testing.assert_equal(first.outputs_by_tick, second.outputs_by_tick)
    packed = TARGET.pack(again)
    assert packed.header == PACKED.header and list(packed.arrays) == list(PACKED.arrays)
    for name, array in PACKED.arrays.items():
        assert array.dtype == packed.arrays[name].dtype
        np.testing.assert_array_equal(array, packed.arrays[name])


def test_every_field_of_cores_and_lines_is_packed() -> None:
    made = example()
    names = {f"cores/{field.name}" for field in fields(made.cores)}
    names |= {f"lines/{field.name}" for field in fields(made.lines)}
    assert names <= set(PACKED.arrays)


def test_values_that_do_not_fit_are_refused() -> None:
    made = example()
    wrong = replace(made, cores=replace(made.cores, weight=made.cores.weight.astype(np.int64) * 1000))
    with pytest.raises(ValueError, match="do not fit"):
        TARGET.pack(wrong)


@st.composite
def damaged_arrays(draw: st.DrawFn) -> dict[str, Array]:
    """The arrays with one to three of them changed: entries, length, dtype, or gone."""
    arrays = dict(PACKED.arrays)
    for name in draw(st.lists(st.sampled_from(sorted(arrays)), min_size=1, max_size=3, unique=True)):
        array = arrays[name].copy()
        kind = draw(
            st.sampled_from(["entry", "entry", "entry", "shorter", "longer", "dtype", "axes", "gone"])
        )
        if kind == "gone":
            del arrays[name]
            continue
        if kind == "entry" and array.size:
            limits = (0, 1)
            if array.dtype.kind in "iu":
                limits = (int(np.iinfo(array.dtype).min), int(np.iinfo(array.dtype).max))
            nearby = st.integers(max(-3, limits[0]), min(12, limits[1]))
            array.flat[draw(st.integers(0, array.size - 1))] = draw(nearby | st.integers(*limits))
        elif kind == "shorter":
            array = array[:-1] if array.ndim and len(array) else array
        elif kind == "longer":
            array = np.concatenate([array, array[-1:]]) if array.ndim else array[None]
        elif kind == "dtype":
            array = array.astype(draw(st.sampled_from([np.int8, np.float64, np.int64, np.bool_])))
        else:
            array = array[None]
        arrays[name] = array
    return arrays


def run_or_refuse(packed: Packed) -> None:
    """Either the data are refused with a code, or they make a program that runs."""
    try:
        made = TARGET.unpack(packed)
    except ArtifactError as error:
        assert error.code in ("A121", "A122")
        return
    if made.depth < 100:
        try:
            simulate_program(made, X, 6, RunOptions(record=("voltage",)))
        except SnncError:
            return


@settings(deadline=None, max_examples=250)
@given(damaged_arrays())
def test_damaged_arrays_are_refused_or_harmless(arrays: dict[str, Array]) -> None:
    run_or_refuse(Packed(PACKED.header, arrays))


def places_of(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value of a header."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place, *(path for key, value in items for path in places_of(value, (*place, key)))]


junk = st.sampled_from(
    [None, True, 0, 1, -1, 3, 2**70, 1.5, 1e300, "", "Output", "x", [], [0], [[0, 1]], {}, {"array": "x"}]
)


@settings(deadline=None, max_examples=250)
@given(st.sampled_from(places_of(dict(PACKED.header))[1:]), junk, st.booleans())
def test_damaged_headers_are_refused_or_harmless(place: tuple[Any, ...], value: Any, remove: bool) -> None:
    header = copy.deepcopy(dict(PACKED.header))
    parent: Any = header
    for key in place[:-1]:
        parent = parent[key]
    if remove:
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    run_or_refuse(Packed(header, PACKED.arrays))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("cores/axon_type", lambda a: a + 4, "axon_type is out of range"),
        ("cores/weight", lambda a: a + 256, "weight is out of range"),
        ("cores/target_core", lambda a: a + 2, "target_core is out of range"),
        ("cores/target_delay", lambda a: a * 0, "target_delay is out of range"),
        ("cores/mask_bits", lambda a: a * 0 + 65, "mask_bits is out of range"),
        ("cores/leak", lambda a: a[:, :-1], "leak has the shape"),
        ("cores/saturates", lambda a: a.astype(np.int8), "saturates is int8"),
        ("lines/neuron", lambda a: a + 5, "no neuron of the host"),
        ("lines/population", lambda a: a + 1, "no neuron of the host"),
        ("lines/delay", lambda a: a * 0, "delay"),
        ("populations/core", lambda a: a + 1, "a core does not exist"),
        ("populations/neuron", lambda a: a * 0, "have one place"),
        ("populations/core/offsets", lambda a: a[::-1], "divide"),
        ("answers/scale", lambda a: a * np.nan, "units"),
        ("answers/readings/weights/1/rows", lambda a: a + 4, "a weight has no place"),
        ("answers/readings/weights/1/columns", lambda a: a + 30, "a weight has no place"),
        ("answers/readings/weights/1/values", lambda a: a[:-1], "weights are missing"),
        ("answers/readings/weights/1/values", lambda a: a * 2**40, "a weight is out of range"),
    ],
)
def test_what_is_wrong_is_said(name: str, change: Any, message: str) -> None:
    arrays = {**PACKED.arrays, name: np.ascontiguousarray(change(PACKED.arrays[name]))}
    with pytest.raises(ArtifactError, match=message):
        TARGET.unpack(Packed(PACKED.header, arrays))
