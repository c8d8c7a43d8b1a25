"""Programs and graphs as plain data: the same again, and no damaged data ever reach a kernel."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from dense_programs import Connection, layer, program, read_otherwise
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.errors import ArtifactError, SnncError
from snnc.formats.packed import Packed
from snnc.graph import Readout
from snnc.graph.operators.base import Array
from snnc.targets import RunOptions
from snnc.targets.loihi import TARGET
from snnc.targets.loihi.program import LoihiProgram
from snnc.targets.loihi.simulate import simulate_program
from snnc.targets.loihi.synapses import Sign, SynapseFormat


def example() -> LoihiProgram:
    rng = np.random.default_rng(0)
    chosen = [
        layer("in", 5, source="source"),
        layer("hidden", 9, threshold=40, reset=rng.integers(1, 90, 9), tiles=2, start=1),
        layer("last", 4, threshold=30, bias=5, bias_exponent=2, current_decay=900, refractory=3, start=2),
    ]
    connections = [
        Connection(0, 1, rng.integers(-50, 90, (5, 9)) * 2),
        Connection(1, 1, rng.integers(-50, 50, (9, 9)) * 2, delay=1),
        Connection(1, 2, rng.integers(0, 63, (9, 4)) * 4, SynapseFormat(6, 1, Sign.EXCITATORY)),
    ]
    made = program(chosen, connections, readout=Readout.POTENTIAL)
    return read_otherwise(made, scale=np.linspace(0.1, 0.7, 4), offset=np.array([0.25]))


PACKED = TARGET.pack(example())
X = (np.random.default_rng(1).random((2, 6, 5)) < 0.5).astype(np.float32)


def through_json(packed: Packed) -> Packed:
    return Packed(json.loads(json.dumps(packed.header, allow_nan=False)), packed.arrays)


def test_a_program_comes_back_the_same() -> None:
    again = TARGET.unpack(through_json(PACKED))
    record = ("spikes", "voltage", "current", "output")
    first, second = (simulate_program(each, X, 6, RunOptions(record=record)) for each in (example(), again))
    for variable in ("spikes", "voltage", "current"):
        for name, values in first.recorded(variable).items():
            np.testing.assert_array_equal(values, second.recorded(variable)[name])
    np.testing.assert_equal(first.outputs_by_tick, second.outputs_by_tick)
    packed = TARGET.pack(again)
    assert packed.header == PACKED.header and list(packed.arrays) == list(PACKED.arrays)
    for name, array in PACKED.arrays.items():
        assert array.dtype == packed.arrays[name].dtype
        np.testing.assert_array_equal(array, packed.arrays[name])


def test_arrays_do_not_grow_in_number_with_tiles() -> None:
    few, many = (program([layer("in", 5, source="source"), layer("cells", 64, tiles=n)], []) for n in (4, 32))
    assert len(TARGET.pack(many).arrays) == len(TARGET.pack(few).arrays)


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
            limits = (0, 1) if array.dtype.kind == "b" else (-(2**62), 2**62)
            if array.dtype.kind == "i":
                info = np.iinfo(array.dtype)
                limits = (info.min, info.max)
            places = st.integers(0, array.size - 1)
            nearby = st.integers(max(-3, limits[0]), min(12, limits[1]))
            array.flat[draw(places)] = draw(nearby | st.integers(*limits))
        elif kind == "shorter":
            array = array.ravel()[: draw(st.integers(0, array.size))]
        elif kind == "longer":
            array = np.append(array.ravel(), array.ravel()[:1])
        elif kind == "dtype":
            array = array.astype(draw(st.sampled_from([np.int8, np.uint64, np.float64, np.bool_, "U3"])))
        elif kind == "axes":
            array = array[None]
        arrays[name] = array
    return arrays


def run_or_refuse(packed: Packed) -> bool:
    """Whether damaged data still make a program; if so it runs, or says what is wrong with it."""
    try:
        made = TARGET.unpack(packed)
    except ArtifactError as error:
        assert error.code in ("A121", "A122")
        return False
    try:
        simulate_program(made, X, 6, RunOptions(record=("voltage",)))
    except SnncError:
        return False
    return True


@settings(deadline=None, max_examples=400)
@given(damaged_arrays())
def test_damaged_arrays_are_refused_or_harmless(arrays: dict[str, Array]) -> None:
    run_or_refuse(Packed(PACKED.header, arrays))


def places_of(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value of a header."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place, *(path for key, value in items for path in places_of(value, (*place, key)))]


junk = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        -1,
        3,
        2**70,
        1.5,
        1e300,
        "",
        "Output",
        "x",
        [],
        [0],
        [[0, 1, 2]],
        {},
        {"array": "x"},
        {"tuple": [1]},
    ]
)


@settings(deadline=None, max_examples=400)
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
        ("tiles/neurons/offsets", lambda a: a[::-1], "divide"),
        ("tiles/axon_list", lambda a: a + 1000, "no list"),
        ("tiles/axon_base", lambda a: a - 1, "out of the core"),
        ("memories/run_weight", lambda a: a + 10**6, "no weights"),
        ("memories/list_runs", lambda a: a * 0, "out of order"),
        ("tiles/axon_population", lambda a: a * 0 + 2, "from"),
        ("answers/scale", lambda a: a * np.nan, "units"),
    ],
)
def test_what_is_wrong_is_said(name: str, change: Any, message: str) -> None:
    arrays = {**PACKED.arrays, name: np.ascontiguousarray(change(PACKED.arrays[name]))}
    with pytest.raises(ArtifactError, match=message):
        TARGET.unpack(Packed(PACKED.header, arrays))


def test_a_fresh_process_knows_the_chips_neuron_and_no_compiler() -> None:
    code = (
        "import sys; from snnc.targets.target import target_named; from snnc.graph import registered_operator;"
        "target_named('loihi'); import snnc.targets.serialise; registered_operator('LoihiCompartment');"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
