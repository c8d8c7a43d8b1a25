"""The core's arithmetic: kernels, compartment operator, published equations and another emulator agree bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dense_programs import Connection, Layer, layer, plain, program
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_loihi import left_after, run, wrapped

from snnc.graph import Graph, Input, Linear, Output, Reset, SpikeSource
from snnc.graph.operators.base import Array
from snnc.simulate import simulate
from snnc.targets import RunOptions
from snnc.targets.loihi.compartment import LoihiCompartment
from snnc.targets.loihi.kernels.tile import decayed
from snnc.targets.loihi.program import LoihiPopulation
from snnc.targets.loihi.simulate import simulate_program
from snnc.targets.loihi.synapses import WEIGHT_BITS, Sign, SynapseFormat

RECORD = ("spikes", "voltage", "current")
GOLDEN = Path(__file__).parent / "data" / "nengo_loihi_golden.npz"

formats = st.builds(
    SynapseFormat, st.sampled_from(WEIGHT_BITS), st.integers(-8, 7), st.sampled_from(list(Sign))
)


@pytest.mark.parametrize("bits", WEIGHT_BITS)
@pytest.mark.parametrize("sign", list(Sign))
def test_ranges_of_mantissas_are_those_of_integers_with_as_many_bits(sign: Sign, bits: int) -> None:
    """A width holds the magnitude and, where both signs occur, one of them for the sign (two's complement)."""
    form = SynapseFormat(bits, 0, sign)
    lowest, highest = (edge // form.mantissa_step for edge in form.mantissa_range)
    expected = {
        Sign.EXCITATORY: (0, 2**bits - 1),
        Sign.INHIBITORY: (1 - 2**bits, 0),
        Sign.MIXED: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
    }
    assert (lowest, highest) == expected[sign]


def test_a_population_is_bounded_as_its_neurons_are() -> None:
    cell = LoihiCompartment(np.array(64))
    for register in ("v_min", "v_max"):
        assert getattr(LoihiPopulation, register) == getattr(cell, register), register
    assert (cell.v_min, cell.v_max) == (1 - 2**23, 2**23 - 1)


def test_a_pause_holds_the_potential_at_zero_as_long_as_it_lasts() -> None:
    """Two ticks of 4,000 exceed 6,400; the spike is the first of four ticks of rest."""
    cell = LoihiCompartment(np.array(6400), Reset.ZERO, refractory=4)
    state = cell.start((1,), np.arange(1), np.dtype(np.int64))
    fired, potentials = [], []
    for _ in range(12):
        state, spikes = cell.step(state, np.array([[4000]]))
        fired.append(bool(spikes[0, 0]))
        potentials.append(int(state["voltage"][0, 0]))
    assert [tick for tick in range(12) if fired[tick]] == [1, 6, 11]
    assert potentials == [4000, 0, 0, 0, 0, 4000, 0, 0, 0, 0, 4000, 0]


@st.composite
def mantissas(draw: st.DrawFn, form: SynapseFormat, rows: int, columns: int) -> Array:
    low, high = form.mantissa_range
    step = form.mantissa_step
    values = st.integers(low // step, high // step)
    extreme = st.sampled_from([low // step, high // step])
    drawn = draw(st.lists(values | extreme, min_size=rows * columns, max_size=rows * columns))
    return np.array(drawn, np.int64).reshape(rows, columns) * step


@st.composite
def layers(draw: st.DrawFn, name: str, start: int) -> Layer:
    size = draw(st.integers(1, 10))

    def registers(values: st.SearchStrategy[int]) -> Array:
        return np.array(draw(st.lists(values, min_size=size, max_size=size)))

    subtract = draw(st.booleans())
    memory = {
        "current_decay": registers(st.sampled_from([1, 2, 100, 2048, 4095, 4096]) | st.integers(1, 4096)),
        "refractory": registers(st.sampled_from([1, 2, 5, 63])),
    }
    narrow = draw(st.booleans())
    return layer(
        name,
        size,
        threshold=registers(st.sampled_from([0, 1, 100, 2000, 131071]) | st.integers(0, 131071)),
        bias=registers(st.sampled_from([0, -4095, 4095]) | st.integers(-4095, 4095)),
        bias_exponent=registers(st.integers(0, 7)),
        initial=registers(st.sampled_from([0, -(2**23) + 1, 2**23 - 1]) | st.integers(-(2**16), 2**16)),
        reset=registers(st.integers(0, 255)) if subtract else None,
        reset_exponent=draw(st.integers(-8, 7)),
        tiles=draw(st.integers(1, 3)),
        start=start,
        voltage_decay=registers(st.sampled_from([0, 1, 5, 4095]) | st.integers(0, 4095)),
        v_min=draw(st.sampled_from([0, -1, -(2**12) + 1])) if narrow else -(2**23) + 1,
        v_max=draw(st.sampled_from([2**9 - 1, 2**15 - 1])) if narrow else 2**23 - 1,
        **({} if subtract else memory),
    )


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[Layer], list[Connection], Array, int]:
    """Inputs, a recurrent layer and one behind it, windows that may be late or early, delays; spikes of one sample."""
    ticks = draw(st.integers(1, 12))
    sources = layer("in", draw(st.integers(1, 12)), source="source", start=draw(st.integers(0, 1)))
    first = draw(layers("first", draw(st.integers(0, 2))))
    second = draw(layers("second", draw(st.integers(0, 3))))
    chosen = [sources, first, second]
    pairs = [
        (0, 1),
        (1, 2),
        *draw(st.lists(st.sampled_from([(1, 1), (2, 2), (2, 1), (0, 2), (0, 1)]), max_size=3)),
    ]
    connections = []
    for source, target in pairs:
        form = draw(formats)
        values = draw(mantissas(form, chosen[source].size, chosen[target].size))
        delay = draw(st.sampled_from([0, 0, 0, 1, 3, 62]))
        connections.append(Connection(source, target, values, form, delay))
    size = ticks * sources.size
    spikes = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    return chosen, connections, np.array(spikes, np.float32).reshape(ticks, -1), ticks


def compare(chosen: list[Layer], connections: list[Connection], x: Array, ticks: int) -> None:
    """The program against the plain model, every register at every tick."""
    expected = run(*plain(chosen, connections, x), ticks)
    trace = simulate_program(program(chosen, connections), x[None], ticks, RunOptions(record=RECORD))
    for each, values in zip(chosen, expected, strict=True):
        name = each.population.name
        np.testing.assert_array_equal(trace.spikes[name][0], values["spikes"], err_msg=f"spikes of {name}")
        if each.population.source is None:
            np.testing.assert_array_equal(trace.current[name][0], values["u"], err_msg=f"u of {name}")
            np.testing.assert_array_equal(trace.voltage[name][0], values["v"], err_msg=f"v of {name}")


@settings(deadline=None, max_examples=200)
@given(networks())
def test_every_register_follows_the_published_equations(network: tuple) -> None:
    compare(*network)


@settings(deadline=None, max_examples=200)
@given(st.integers(-(2**23), 2**23), st.integers(0, 4096))
def test_decay_in_32_bits_is_exact(value: int, decay: int) -> None:
    assert int(decayed(np.int32(value), np.int32(4096 - decay))) == left_after(value, decay)


@pytest.mark.parametrize("count", [4, 5, 6, 7, 8, 9, 100])
@pytest.mark.parametrize("mantissa", [255, -255])
def test_synaptic_sum_wraps_at_21_bits(count: int, mantissa: int) -> None:
    # 255 * 2^7 * 64 is just below 2^21, so two of them wrap, and so do partial sums on the way to 100 of them.
    form = SynapseFormat(8, 7, Sign.EXCITATORY if mantissa > 0 else Sign.INHIBITORY)
    chosen = [layer("in", count, source="source"), layer("sum", 1, threshold=131071)]
    connections = [Connection(0, 1, np.full((count, 1), mantissa), form)]
    x = np.ones((4, count), np.float32)
    compare(chosen, connections, x, 4)
    trace = simulate_program(program(chosen, connections), x[None], 4, RunOptions(record=RECORD))
    assert trace.current["sum"][0, -1, 0] == wrapped(count * mantissa * 128 * 64, 21)


def test_current_wraps_and_potential_saturates() -> None:
    form = SynapseFormat(8, 7, Sign.EXCITATORY)
    chosen = [layer("in", 1, source="source"), layer("sum", 1, threshold=131071, current_decay=1)]
    connections = [Connection(0, 1, np.array([[200]]), form)]
    x = np.ones((40, 1), np.float32)
    compare(chosen, connections, x, 40)
    trace = simulate_program(program(chosen, connections), x[None], 40, RunOptions(record=RECORD))
    current, voltage = trace.current["sum"][0, :, 0], trace.voltage["sum"][0, :, 0]
    assert current.min() < 0 < current.max() and (np.diff(current) < -(2**23)).any()
    assert voltage.min() == -(2**23) + 1


def test_a_driven_population_takes_its_current_from_the_host() -> None:
    chosen = [layer("cells", 3, threshold=5, bias=np.array([0, -7, 9]), drive="drive", reset=3)]
    x = np.array([[[300, -50, 80]] * 10, [[524160, 1, -524160]] * 10], np.float32)
    for sample in x:
        compare(chosen, [], sample, 10)
    constant = simulate_program(program(chosen, []), x[:, 0], 10, RunOptions(record=RECORD))
    moving = simulate_program(program(chosen, []), x, 10, RunOptions(record=RECORD))
    np.testing.assert_array_equal(constant.voltage["cells"], moving.voltage["cells"])


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_compartment_operator_is_the_same_arithmetic(data: st.DataObject) -> None:
    # The operator is what integer graphs are made of; here it is run by the functional simulator.
    cells = data.draw(layers("cells", 0))
    sources = layer("in", data.draw(st.integers(1, 6)), source="source")
    form = data.draw(formats)
    values = data.draw(mantissas(form, sources.size, cells.size))
    ticks = 10
    spikes = data.draw(st.lists(st.booleans(), min_size=ticks * sources.size, max_size=ticks * sources.size))
    x = np.array(spikes, np.float32).reshape(1, ticks, -1)
    chosen, connections = [sources, cells], [Connection(0, 1, values, form)]
    # A spike takes a tick on the chip and none between populations of a graph: the window starts one tick later.
    late = layer_with_start(cells, 1)
    trace = simulate_program(program([sources, late], connections), x, ticks, RunOptions(record=RECORD))
    population = cells.population
    charge = plain(chosen, connections, x[0])[0][1].reset_charge
    compartment = LoihiCompartment(
        threshold=cells.threshold * 64,
        reset=Reset.SUBTRACT if population.subtract else Reset.ZERO,
        reset_charge=np.array(charge) if population.subtract else None,
        current_decay=cells.current_decay,
        voltage_decay=cells.voltage_decay,
        bias=cells.bias_mantissa << cells.bias_exponent,
        refractory=cells.refractory,
        v_min=population.v_min,
        v_max=population.v_max,
        initial_voltage=cells.initial,
    )
    graph = (
        Graph("one population")
        .add("x", Input((sources.size,)))
        .add("in", SpikeSource(), "x")
        .add("synapses", Linear(form.effective(values).T), "in")
        .add("cells", compartment, "synapses")
        .add("out", Output(), "cells")
    )
    expected = simulate(graph, x, ticks, record=RECORD)
    for variable in RECORD:
        np.testing.assert_array_equal(trace.recorded(variable)["cells"], expected.recorded(variable)["cells"])


def layer_with_start(chosen: Layer, start: int) -> Layer:
    from dataclasses import replace

    return replace(chosen, population=replace(chosen.population, start=start))


def golden_cases() -> list[str]:
    with np.load(GOLDEN) as file:
        return sorted({name.partition("/")[0] for name in file.files if "/" in name})


@pytest.mark.parametrize("case", golden_cases())
@pytest.mark.parametrize("tiles", [1, 3])
def test_nengo_loihi_gives_the_same_bits(case: str, tiles: int) -> None:
    with np.load(GOLDEN) as file:
        stored = {name.partition("/")[2]: file[name] for name in file.files if name.startswith(f"{case}/")}
    form = SynapseFormat(8, int(stored["exponent"]), Sign.MIXED)
    bias = stored["bias"]
    chosen = [layer("in", 8, source="source")]
    for number, (name, part) in enumerate((("first", slice(0, 24)), ("second", slice(24, 36)))):
        chosen.append(
            layer(
                name,
                part.stop - part.start,
                threshold=int(stored["threshold"]),
                bias=bias[part] // 8,
                bias_exponent=3,
                tiles=tiles,
                current_decay=int(stored["current_decay"][number]),
                voltage_decay=int(stored["voltage_decay"][number]),
                refractory=int(stored["refractory"][number]),
                v_min=int(stored["v_min"]),
                v_max=int(stored["v_max"]),
            )
        )
    connections = [
        Connection(0, 1, stored["w_in"], form),
        Connection(1, 1, stored["w_rec"], form),
        Connection(1, 2, stored["w_out"], form),
    ]
    x = stored["inputs"][None].astype(np.float32)
    trace = simulate_program(program(chosen, connections), x, len(x[0]), RunOptions(record=RECORD))
    for variable, key in (("spikes", "spikes"), ("current", "u"), ("voltage", "v")):
        both = np.concatenate([trace.recorded(variable)[name][0] for name in ("first", "second")], axis=1)
        np.testing.assert_array_equal(both, stored[key], err_msg=f"{key} of case {case}")
