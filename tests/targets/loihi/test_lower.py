"""A lowered program computes what its graph computes, spike for spike, however it is cut."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from integer_networks import integer_networks

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.neurons import IF, Reset
from snnc.graph.operators import (
    Conv,
    Delay,
    Input,
    Linear,
    Operator,
    Output,
    QuantiseCurrent,
    Readout,
    Scale,
)
from snnc.graph.verify import verify
from snnc.pipeline import Context
from snnc.simulate import simulate
from snnc.targets import CompileOptions, RunOptions
from snnc.targets.loihi.check import check_program
from snnc.targets.loihi.compartment import LoihiCompartment
from snnc.targets.loihi.limits import LOIHI, LoihiLimits
from snnc.targets.loihi.lower import lower
from snnc.targets.loihi.simulate import simulate_program

LIMITS = [
    LOIHI,
    LoihiLimits(compartments=24),
    LoihiLimits(compartments=64, synapse_bits=4096),
    LoihiLimits(compartments=512, input_axons=128, output_axons=160, compartment_bases=16),
    LoihiLimits(synapse_formats=4, threshold_tables=2, compartment_bases=8),
    LoihiLimits(compartment_profiles=4),
]


def assert_same(graph: Graph, limits: LoihiLimits, ticks: int = 16) -> None:
    try:
        program = lower(graph, limits=limits)
    except MappingError as error:
        assert error.code in ("T110", "T112") and limits is not LOIHI
        return
    check_program(program, graph, limits)
    shape = graph.inputs[0].operator.infer_shape()
    x = np.random.default_rng(5).random((2, *shape), np.float32)
    record = ("spikes", "voltage", "current")
    expected = simulate(graph, x, ticks, record=record)
    found = simulate_program(program, x, ticks, RunOptions(record=record))
    for variable in record:
        for name, values in found.recorded(variable).items():
            np.testing.assert_array_equal(values, expected.recorded(variable)[name], f"{variable} of {name}")
    assert set(found.spikes) == set(expected.spikes)
    np.testing.assert_equal(found.outputs, expected.outputs)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(integer_networks(), st.sampled_from(LIMITS))
def test_random_networks(graph: Graph, limits: LoihiLimits) -> None:
    verify(graph)
    assert_same(graph, limits)


@settings(deadline=None, max_examples=5, suppress_health_check=list(HealthCheck))
@given(integer_networks(), st.sampled_from(LIMITS))
def test_a_few_random_networks(graph: Graph, limits: LoihiLimits) -> None:
    """For each change of the source; the many take minutes."""
    assert_same(graph, limits)


def weights(*shape: int) -> np.ndarray:
    random = np.random.default_rng(3)
    return random.integers(1, 60, shape) * random.choice([-2, 2], shape) * 64


def compartment(**changes: Any) -> LoihiCompartment:
    given: dict[str, Any] = {"threshold": np.array(6400), "reset": Reset.SUBTRACT}
    return LoihiCompartment(**{**given, "reset_charge": given["threshold"], **changes})


def driven(shape: tuple[int, ...], **changes: Any) -> Graph:
    graph = Graph("lowered").add("in", Input(shape)).add("current", QuantiseCurrent(3000.0), "in")
    return graph.add("first", compartment(driven=True, **changes), "current")


def refused(graph: Graph, options: CompileOptions | None = None, limits: LoihiLimits = LOIHI) -> MappingError:
    with pytest.raises(MappingError) as caught:
        lower(graph, options, limits=limits)
    assert caught.value.remedy
    return caught.value


def image_network(channels: int, size: int = 24) -> Graph:
    conv = Conv(weights(channels, channels, 3, 3), None, (1, 1), ((1, 1), (1, 1)))
    graph = driven((channels, size, size)).add("conv", conv, "first").add("second", compartment(), "conv")
    return graph.add("out", Output(Readout.COUNT), "second")


@pytest.mark.parametrize("size", [40, 80])
def test_tiles_in_the_same_place_of_an_image_share_a_memory(size: int) -> None:
    program = lower(image_network(4, size), limits=LoihiLimits(compartments=128))
    tiles = [tile for tile in program.tiles if tile.population == 1]
    channels = len({tuple(np.unique(tile.neurons // size**2)) for tile in tiles})
    assert len(tiles) == size**2 * 4 // 64
    # Corners, edges and the middle differ; weights are those of a range of channels, wherever the tile lies.
    assert len({tile.memory for tile in tiles}) <= 9 * channels
    assert len({id(program.memories[tile.memory].weights) for tile in tiles}) == channels


def test_channels_of_a_position_share_an_axon() -> None:
    program = lower(image_network(16, 8))
    tile = next(tile for tile in program.tiles if tile.population == 1)
    synaptic = ~tile.axon_resets
    slots, atoms = np.unique(tile.axon_slot[synaptic], return_counts=True)
    assert (atoms == 16).all()
    for slot in slots[:5]:
        neurons = tile.axon_neuron[synaptic & (tile.axon_slot == slot)]
        assert len(np.unique(neurons % 64)) == 1
    assert (tile.slot_width[slots] == 1).all()


def test_a_perceptron_shares_cores() -> None:
    graph = driven((100,))
    for number, (inputs, outputs) in enumerate([(100, 60), (60, 40), (40, 10)]):
        source = "first" if number == 0 else f"layer{number - 1}"
        graph = graph.add(f"dense{number}", Linear(weights(outputs, inputs)), source)
        graph = graph.add(f"layer{number}", compartment(), f"dense{number}")
    program = lower(graph.add("out", Output(Readout.COUNT), "layer2"))
    assert program.cores == 1 and len(program.tiles) == 4
    slots = [set(tile.axon_slot.tolist()) for tile in program.tiles]
    assert sum(map(len, slots)) == len(set().union(*slots))


def test_reset_by_subtraction_takes_two_compartments_and_an_axon() -> None:
    for reset, cores in ((Reset.ZERO, 1), (Reset.SUBTRACT, 2)):
        graph = driven((1024,), reset=reset).add("out", Output(Readout.COUNT), "first")
        program = lower(graph)
        assert program.cores == cores
        axons = sum(len(tile.axon_list) for tile in program.tiles)
        assert axons == (1024 if reset is Reset.SUBTRACT else 0)


def test_weights_of_a_source_neuron_have_an_exponent_of_their_own() -> None:
    fine, coarse = weights(20, 8), weights(20, 8) * 16
    graph = driven((16,)).add("dense", Linear(np.concatenate([fine, coarse], axis=1)), "first")
    graph = graph.add("second", compartment(), "dense").add("out", Output(Readout.COUNT), "second")
    program = lower(graph)
    check_program(program, graph)
    memory = program.memories[next(tile.memory for tile in program.tiles if tile.population == 1)]
    dense = [form for form in memory.formats if form.index_bits == 0]
    assert len({form.exponent for form in dense}) == 2 and {form.weight_bits for form in dense} == {8}


def test_more_than_one_chip_is_warned_of_and_can_be_forbidden() -> None:
    limits = LoihiLimits(cores=2, compartments=64)
    graph = image_network(2, 8)
    context = Context()
    program = lower(graph, context=context, limits=limits)
    assert [diagnostic.code for diagnostic in context.diagnostics] == ["W301"]
    assert f"{program.cores} cores" in context.diagnostics[0].message
    assert max(tile.core for tile in program.tiles) + 1 == program.cores > 2
    error = refused(graph, CompileOptions(max_chips=1), limits)
    assert error.code == "T111" and f"{program.cores} cores" in error.message


def behind(operator: Operator, *, neuron: Any = None, shape: tuple[int, ...] = (6,)) -> Graph:
    graph = driven(shape).add("map", operator, "first").add("second", neuron or compartment(), "map")
    return graph.add("out", Output(Readout.COUNT), "second")


def late(ticks: int) -> Graph:
    return (
        driven((6,))
        .add("late", Delay(ticks), "first")
        .add("map", Linear(weights(4, 6)), "late")
        .add("second", compartment(), "map")
        .add("out", Output(Readout.COUNT), "second")
    )


def test_other_neurons() -> None:
    error = refused(behind(Linear(weights(4, 6)), neuron=IF()))
    assert error.code == "T101" and error.node == "second"


def test_a_current_of_the_host_needs_a_driven_population() -> None:
    graph = Graph("g").add("in", Input((6,))).add("current", QuantiseCurrent(1.0), "in")
    assert (
        refused(graph.add("a", compartment(), "current").add("out", Output(Readout.COUNT), "a")).code
        == "T102"
    )
    assert refused(behind(Linear(weights(4, 6)), neuron=compartment(driven=True))).code == "T102"


def test_weights() -> None:
    bare = driven((6,)).add("second", compartment(), "first").add("out", Output(Readout.COUNT), "second")
    assert refused(bare).code == "T103"
    odd = refused(behind(Linear(weights(4, 6) + 1)))
    assert odd.code == "T103" and "map" in odd.message
    beyond = np.ones((4, 6), np.int64) * 64
    beyond[0] = 64 * 256 * 128
    assert refused(behind(Linear(beyond))).code == "T107"


def test_constant_currents() -> None:
    assert refused(behind(Linear(weights(4, 6), np.arange(4)))).code == "T104"
    assert refused(behind(Linear(weights(4, 6)), neuron=compartment(bias=np.array(4097)))).code == "T108"
    lower(behind(Linear(weights(4, 6)), neuron=compartment(bias=np.array(4095 * 128))))


def test_outputs() -> None:
    read = driven((6,)).add("map", Linear(weights(4, 6)), "first").add("out", Output(Readout.COUNT), "map")
    assert refused(read).code == "T105"
    two = behind(Linear(weights(4, 6))).add("other", Output(Readout.COUNT), "first")
    assert [answer.name for answer in lower(two).answers] == ["out", "other"]


def test_delays() -> None:
    lower(late(62))
    error = refused(late(63))
    assert error.code == "T106" and "63" in error.message


def test_reset_charges() -> None:
    assert (
        refused(behind(Linear(weights(4, 6)), neuron=compartment(reset_charge=np.array(64 * 1001)))).code
        == "T109"
    )


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (LoihiLimits(compartments=1), "compartments"),
        (LoihiLimits(input_axons=1), "input axons"),
        (LoihiLimits(output_axons=1), "output axons"),
        (LoihiLimits(synapse_bits=64), "synaptic memory"),
    ],
)
def test_what_does_not_fit(limits: LoihiLimits, what: str) -> None:
    graph = behind(Conv(weights(3, 8, 3, 3), None, (1, 1), ((1, 1), (1, 1))), shape=(8, 5, 5))
    error = refused(graph, limits=limits)
    assert error.code == "T110" and what in error.message and error.node in ("first", "second")


def test_too_many_formats() -> None:
    graph = driven((6,))
    for number in range(3):
        graph = graph.add(f"map{number}", Linear(np.full((4, 6), 64 * 255 * 2**number)), "first")
    graph = graph.add("second", compartment(), *(f"map{number}" for number in range(3)))
    error = refused(graph.add("out", Output(Readout.COUNT), "second"), limits=LoihiLimits(synapse_formats=2))
    assert error.code == "T112"


def test_host_graph() -> None:
    graph = image_network(2, 6)
    program = lower(graph)
    drive = program.populations[0].drive
    assert drive is not None and program.host[drive].inputs == ("current",)
    assert {type(node.operator) for node in program.host} == {Input, QuantiseCurrent, Output}
    verify(program.host)


def test_windows_and_delays_align_branches() -> None:
    graph = (
        driven((6,))
        .add("a", Linear(weights(5, 6)), "first")
        .add("second", compartment(), "a")
        .add("b", Linear(weights(6, 5)), "second")
        .add("c", Scale(np.array([128])), "first")
        .add("third", compartment(), "b", "c")
        .add("out", Output(Readout.COUNT), "third")
    )
    program = lower(graph)
    assert [population.start for population in program.populations] == [0, 1, 2]
    tile = program.tiles[-1]
    delays = {int(p): set(tile.axon_delay[tile.axon_population == p].tolist()) for p in (0, 1)}
    assert delays == {0: {1}, 1: {0}}
    assert_same(graph, LOIHI)
