"""The checker takes right programs and refuses every kind of wrong one."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from dense_programs import read_otherwise
from hypothesis import HealthCheck, given, settings

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Reset
from snnc.graph.operators.conv import Conv
from snnc.graph.operators.delay import Delay
from snnc.graph.operators.encode import QuantiseCurrent
from snnc.graph.operators.interface import Input, Output, Readout
from snnc.graph.operators.linear import Linear
from snnc.graph.operators.rearrange import Flatten
from snnc.targets.frame import ReadoutTerm
from snnc.targets.loihi.check import check_program
from snnc.targets.loihi.compartment import LoihiCompartment
from snnc.targets.loihi.limits import LOIHI, LoihiLimits
from snnc.targets.loihi.lower import lower
from snnc.targets.loihi.program import LoihiProgram, SynapticMemory, Tile

SMALL = LoihiLimits(compartments=64)


def compartment(**changes: Any) -> LoihiCompartment:
    charge = np.array(64 * 100)
    given: dict[str, Any] = {"reset": Reset.SUBTRACT, "reset_charge": charge, "initial_voltage": charge // 2}
    return LoihiCompartment(charge, **{**given, **changes})


def network() -> Graph:
    random = np.random.default_rng(1)

    def weights(*shape: int) -> Any:
        values = random.integers(1, 60, shape) * random.choice([-2, 2], shape)
        return values * 64

    bias = random.integers(-100, 100, (4, 1, 1))
    return (
        Graph("checked")
        .add("in", Input((2, 6, 6)))
        .add("current", QuantiseCurrent(3000.0), "in")
        .add("first", compartment(driven=True), "current")
        .add("conv", Conv(weights(4, 2, 3, 3), None, (1, 1), ((1, 1), (1, 1))), "first")
        .add("second", compartment(bias=bias), "conv")
        .add("flat", Flatten(), "second")
        .add("dense", Linear(weights(10, 144)), "flat")
        .add("late", Delay(2), "again")
        .add("again", Linear(weights(10, 10)), "third")
        .add("third", compartment(reset=Reset.ZERO, current_decay=300, refractory=3), "dense", "late")
        .add("out", Output(Readout.COUNT), "third")
    )


GRAPH = network()
PROGRAM = lower(GRAPH, limits=SMALL)
LAST = len(PROGRAM.tiles) - 1
MIDDLE = next(i for i, tile in enumerate(PROGRAM.tiles) if tile.population == 1)


def refused(program: LoihiProgram, limits: LoihiLimits = SMALL) -> str:
    with pytest.raises(MappingError) as caught:
        check_program(program, GRAPH, limits)
    return caught.value.code


def with_tile(number: int, **changes: Any) -> LoihiProgram:
    tiles = list(PROGRAM.tiles)
    tiles[number] = replace(tiles[number], **changes)
    return replace(PROGRAM, tiles=tuple(tiles))


def with_population(number: int, **changes: Any) -> LoihiProgram:
    populations = list(PROGRAM.populations)
    populations[number] = replace(populations[number], **changes)
    return replace(PROGRAM, populations=tuple(populations))


def with_memory(number: int, **changes: Any) -> LoihiProgram:
    memories = list(PROGRAM.memories)
    memories[number] = replace(memories[number], **changes)
    return replace(PROGRAM, memories=tuple(memories))


def altered(values: Any, at: int, value: Any) -> Any:
    changed = values.copy()
    changed[at] = value
    return changed


AXON_COLUMNS = [field.name for field in fields(Tile) if field.name.startswith("axon_")]


def axons(tile: Tile, chosen: Any) -> dict[str, Any]:
    return {name: getattr(tile, name)[chosen] for name in AXON_COLUMNS}


def test_a_right_program_passes() -> None:
    check_program(PROGRAM, GRAPH, SMALL)
    check_program(lower(GRAPH), GRAPH)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"shape": (10, 1)},
        {"v_min": -5},
        {"v_max": 5},
        {"source": "first.host"},
    ],
    ids=lambda value: str(value)[:30],
)
def test_population_parameters(change: dict[str, Any]) -> None:
    assert refused(with_population(2, **change)) == "T201"


def test_reset_kind() -> None:
    assert refused(with_population(2, subtract=True)) == "T201"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("threshold", 1),
        ("bias_mantissa", 1),
        ("bias_exponent", 1),
        ("initial_voltage", -1),
        ("current_decay", 1),
        ("voltage_decay", 1),
        ("refractory", 1),
    ],
)
def test_registers(name: str, change: int) -> None:
    values = getattr(PROGRAM.tiles[MIDDLE], name)
    assert refused(with_tile(MIDDLE, **{name: altered(values, 0, values[0] + change)})) == "T201"


def test_neurons_on_the_chip_once() -> None:
    neurons = PROGRAM.tiles[MIDDLE].neurons
    assert refused(with_tile(MIDDLE, neurons=altered(neurons, 0, neurons[1]))) == "T201"
    assert refused(replace(PROGRAM, tiles=PROGRAM.tiles[1:])) == "T201"


def test_host_and_readout() -> None:
    assert refused(with_population(0, drive=None)) == "T208"
    assert refused(with_population(2, drive="first.host")) == "T208"
    assert refused(read_otherwise(PROGRAM, readings=(ReadoutTerm(1),))) == "T208"
    assert refused(read_otherwise(PROGRAM, readout=Readout.POTENTIAL)) == "T208"
    assert refused(read_otherwise(PROGRAM, scale=np.array(2.0))) == "T208"


@pytest.mark.parametrize(
    "limits",
    [
        LoihiLimits(compartments=40),
        LoihiLimits(compartments=64, input_axons=20),
        LoihiLimits(compartments=64, output_axons=20),
        LoihiLimits(compartments=64, synapse_bits=500),
        LoihiLimits(compartments=64, synapse_formats=1),
        LoihiLimits(compartments=64, threshold_tables=0),
        LoihiLimits(compartments=64, compartment_profiles=0),
    ],
    ids=lambda value: str(value)[:30],
)
def test_limits_of_a_core(limits: LoihiLimits) -> None:
    assert refused(PROGRAM, limits) == "T202"


def test_two_tiles_on_one_core() -> None:
    assert refused(with_tile(LAST, core=PROGRAM.tiles[MIDDLE].core)) in ("T202", "T206")


@pytest.mark.parametrize("what", ["step", "range", "weight_bits", "index_bits", "delay_bits", "exponent"])
def test_formats(what: str) -> None:
    number = PROGRAM.tiles[MIDDLE].memory
    memory = PROGRAM.memories[number]
    form = memory.formats[0]
    changes = {
        "weight_bits": replace(form, weight_bits=7),
        "index_bits": replace(form, index_bits=5),
        "delay_bits": replace(form, delay_bits=7),
        "exponent": replace(form, exponent=8),
    }
    if what in changes:
        assert refused(with_memory(number, formats=(changes[what], *memory.formats[1:]))) == "T205"
        return
    at = int(memory.run_weight[0])
    value = 258 if what == "range" else memory.weights[at] + 1
    assert refused(with_memory(number, weights=altered(memory.weights, at, value))) == "T205"


def test_one_format_a_block() -> None:
    number = next(i for i, m in enumerate(PROGRAM.memories) if (np.diff(m.list_block) == 0).any())
    memory = PROGRAM.memories[number]
    at = int(np.flatnonzero(np.diff(memory.list_block) == 0)[0])
    other = (memory.list_format[at] + 1) % len(memory.formats)
    assert refused(with_memory(number, list_format=altered(memory.list_format, at, other))) == "T205"


@pytest.mark.parametrize("width", [0, 6])
def test_index_width(width: int) -> None:
    program = lower(GRAPH)
    number = next(tile.memory for tile in program.tiles if tile.population == 1)
    memories = list(program.memories)
    formats = [replace(form, index_bits=min(width, form.index_bits)) for form in memories[number].formats]
    memories[number] = replace(memories[number], formats=tuple(formats))
    assert refused(replace(program, memories=tuple(memories)), LOIHI) == "T205"


def test_axon_bases() -> None:
    tile = PROGRAM.tiles[MIDDLE]
    assert refused(with_tile(MIDDLE, axon_base=tile.axon_base + 256)) == "T206"
    assert refused(with_tile(MIDDLE, axon_base=tile.axon_base + 30)) in ("T206", "T205")


def test_slots() -> None:
    tile = PROGRAM.tiles[MIDDLE]
    assert refused(with_tile(MIDDLE, axon_slot=np.zeros_like(tile.axon_slot))) == "T206"
    shared = np.flatnonzero(np.bincount(tile.axon_slot) > 1)[0]
    assert refused(with_tile(MIDDLE, slot_width=altered(tile.slot_width, shared, 3))) == "T206"
    assert refused(with_tile(MIDDLE, slot_width=altered(tile.slot_width, shared, 0))) == "T206"
    one = int(np.flatnonzero(tile.axon_slot == shared)[0])
    assert (
        refused(with_tile(MIDDLE, axon_neuron=altered(tile.axon_neuron, one, tile.axon_neuron[one + 1])))
        == "T206"
    )


def test_delays_and_order() -> None:
    tile = PROGRAM.tiles[LAST]
    assert refused(with_tile(LAST, axon_delay=tile.axon_delay + 63)) == "T207"
    slow = tile.axon_delay.copy()
    slow[tile.axon_delay == 0] = 1
    assert refused(with_tile(LAST, axon_delay=slow)) in ("T203", "T205")
    assert refused(replace(PROGRAM, components=PROGRAM.components[::-1])) == "T207"
    assert refused(replace(PROGRAM, components=PROGRAM.components[1:])) == "T207"
    assert refused(with_population(2, start=0)) == "T207"
    assert refused(with_population(2, start=9)) == "T203"


def test_resets() -> None:
    tile = PROGRAM.tiles[0]
    plain = {"axon_resets": np.zeros_like(tile.axon_resets)}
    assert refused(with_tile(0, **plain)) == "T204"
    swapped = tile.axon_neuron.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    assert refused(with_tile(0, axon_neuron=swapped)) == "T204"
    memory = PROGRAM.memories[tile.memory]
    step = memory.formats[0].mantissa_step
    assert refused(with_memory(tile.memory, weights=memory.weights + step)) == "T204"


def test_population_axons_that_cannot_be_numbered() -> None:
    number = next(
        i
        for i, tile in enumerate(PROGRAM.tiles)
        if (np.bincount(tile.axon_slot, minlength=len(tile.slot_width))[tile.slot_width == 1] > 1).any()
    )
    tile = PROGRAM.tiles[number]
    far = np.concatenate([np.zeros(2000, np.int8), tile.slot_width])
    moved = with_tile(number, axon_slot=tile.axon_slot + 2000, slot_width=far)
    assert refused(moved) == "T206"


@pytest.mark.parametrize("how", ["dropped", "doubled"])
def test_axons_dropped_or_doubled(how: str) -> None:
    tile = PROGRAM.tiles[LAST]
    count = len(tile.axon_list)
    chosen = np.arange(1, count) if how == "dropped" else np.append(np.arange(count), 0)
    changes = axons(tile, chosen)
    changes["axon_slot"] = np.arange(len(chosen))
    changes["slot_width"] = np.ones(len(chosen), np.int8)
    assert refused(with_tile(LAST, **changes)) == "T203"


def _moved_weight(memory: SynapticMemory, at: int) -> Any:
    run = int(np.flatnonzero((memory.run_weight <= at) & (memory.run_weight + memory.run_length > at))[0])
    form = memory.formats[memory.list_format[np.searchsorted(memory.list_runs, run, side="right") - 1]]
    step = form.mantissa_step * max(1, 2**-form.exponent)
    high = form.mantissa_range[1]
    value = memory.weights[at]
    return altered(memory.weights, at, value + step if value + step <= high else value - step)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_weight(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(PROGRAM.memories) - 1))
    memory = PROGRAM.memories[number]
    run = data.draw(st.integers(0, len(memory.run_weight) - 1))
    at = int(memory.run_weight[run]) + data.draw(st.integers(0, int(memory.run_length[run]) - 1))
    assert refused(with_memory(number, weights=_moved_weight(memory, at))) in ("T203", "T204", "T205")


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_axon(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, LAST))
    tile = PROGRAM.tiles[number]
    name = data.draw(
        st.sampled_from(["axon_population", "axon_neuron", "axon_delay", "axon_base", "axon_resets"])
    )
    at = data.draw(st.integers(0, len(tile.axon_list) - 1))
    values = getattr(tile, name)
    sizes = [int(np.prod(population.shape)) for population in PROGRAM.populations]
    largest = {"axon_population": len(sizes) - 1, "axon_neuron": min(sizes) - 1, "axon_resets": 1}.get(
        name, 6
    )
    value = data.draw(st.integers(0, largest))
    if name == "axon_population" and tile.axon_neuron[at] >= sizes[value]:
        return
    if value != values[at]:
        assert refused(with_tile(number, **{name: altered(values, at, value)}))[0] == "T"


def test_runs() -> None:
    for number in range(len(PROGRAM.memories)):
        memory = PROGRAM.memories[number]
        for name in ("run_first", "run_weight"):
            values = getattr(memory, name)
            at = len(values) // 2
            moved = altered(values, at, values[at] - 1 if values[at] else 1)
            code = refused(with_memory(number, **{name: moved}))
            assert code in ("T203", "T204", "T205", "T206")


def test_the_error_names_population_core_and_limit() -> None:
    with pytest.raises(MappingError) as caught:
        check_program(PROGRAM, GRAPH, replace(LOIHI, compartments=40))
    assert "compartments" in str(caught.value) and "core" in str(caught.value)
    assert caught.value.node in {population.name for population in PROGRAM.populations}


def test_the_error_names_the_synapse_that_differs() -> None:
    """The neuron whose sum is wrong, and the one whose spike makes it so, found by halving."""
    number = next(i for i, tile in enumerate(PROGRAM.tiles) if tile.population == 2)
    tile = PROGRAM.tiles[number]
    memory = PROGRAM.memories[tile.memory]
    axon = int(np.flatnonzero(~tile.axon_resets & (tile.axon_population == 1))[17])
    at = int(memory.run_weight[memory.list_runs[tile.axon_list[axon]]])
    with pytest.raises(MappingError) as caught:
        check_program(with_memory(tile.memory, weights=_moved_weight(memory, at)), GRAPH, SMALL)
    assert caught.value.code == "T203" and caught.value.node == "third"
    first = tile.neurons[tile.axon_base[axon] + memory.run_first[memory.list_runs[tile.axon_list[axon]]]]
    assert f"from neuron {tile.axon_neuron[axon]} of second to neuron {first} " in caught.value.message
    assert f"on core {tile.core}" in caught.value.message
