"""The checker: programs made by hand from a graph pass, and every single change to one is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hand_made import lines, read_otherwise

from snnc.errors import MappingError, SnncError
from snnc.graph import (
    Add,
    Bias,
    Delay,
    Graph,
    Input,
    Linear,
    Output,
    Readout,
    Scale,
    SparseLinear,
    SpikeSource,
)
from snnc.simulate import simulate
from snnc.targets import RunOptions
from snnc.targets.frame import Answer, ReadoutTerm
from snnc.targets.truenorth.check import check_limits, check_program
from snnc.targets.truenorth.neuron import ResetMode, TrueNorthNeuron
from snnc.targets.truenorth.program import (
    InputLines,
    TrueNorthPopulation,
    TrueNorthProgram,
    inert_cores,
    pack_crossbar,
)
from snnc.targets.truenorth.simulate import simulate_program

RNG = np.random.default_rng(8)
FIRST = RNG.integers(-3, 4, (5, 4))
"""Weights -4 + 1 + 2 of three axons an input: -4..3."""
RECURRENT = RNG.integers(-1, 2, (5, 5))
LAST = np.array([[1, -1, 1, -1, 1], [-1, 1, 0, 0, 1]])
BIAS = np.array([1, 0, 2, -1, 1])


def network() -> Graph:
    """Spikes of samples, a recurrent layer with a bias, a delay, and a layer behind it with a leak."""
    return (
        Graph("small")
        .add("x", Input((4,)))
        .add("in", SpikeSource(), "x")
        .add("w1", Linear(FIRST), "in")
        .add("b1", Bias(BIAS), "w1")
        .add("h", TrueNorthNeuron(np.array(3), np.array(6)), "b1", "w2")
        .add("w2", Linear(RECURRENT), "h")
        .add("d", Delay(2), "h")
        .add("w3", Linear(LAST), "d")
        .add("o", TrueNorthNeuron(np.array(5), np.array(40), leak=np.array(-1)), "w3")
        .add("out", Output(Readout.COUNT, 0.5, 1.0), "o")
    )


def subset(value: int, parts: tuple[int, ...]) -> list[int]:
    """Which parts sum to the value."""
    for code in range(2 ** len(parts)):
        chosen = [code >> place & 1 for place in range(len(parts))]
        if sum(c * p for c, p in zip(chosen, parts, strict=True)) == value:
            return chosen
    raise AssertionError(value)


def mapped() -> TrueNorthProgram:
    """Core 0 holds h: axons 0..11 its inputs by three types, 12..21 itself by two, 22 to 25 the bias.

    Neurons 0..4 send to core 1, which holds o; 5..9 and 10..14 are their twins and send to the core itself, for
    +1 and for -1.
    """
    cores = inert_cores(2)
    connected = np.zeros((2, 256, 256), bool)
    parts = (-4, 1, 2, -1)
    twins = np.arange(15) % 5
    cores.axon_type[0, :12] = np.tile([0, 1, 2], 4)
    cores.axon_type[0, 12:22] = np.tile([1, 3], 5)
    cores.axon_type[0, 22:26] = [0, 1, 2, 3]
    for neuron, row in enumerate(twins):
        own = [subset(int(w), (-4, 1, 2)) for w in FIRST[row]]
        back = [[int(w == 1), int(w == -1)] for w in RECURRENT[row]]
        connected[0, :12, neuron] = np.ravel(own)
        connected[0, 12:22, neuron] = np.ravel(back)
        connected[0, 22:26, neuron] = subset(int(BIAS[row]), parts)
    cores.weight[0, :15] = parts
    cores.threshold[0, :15], cores.negative_threshold[0, :15] = 3, 6
    cores.target_core[0, :5], cores.target_core[0, 5:15] = 1, 0
    cores.target_axon[0, :15] = [*range(5), *(12 + 2 * np.arange(5)), *(13 + 2 * np.arange(5))]
    # One tick within the component; o opens three ticks later and the Delay adds two.
    cores.target_delay[0, :15] = [5] * 5 + [1] * 10
    # One axon for each neuron of h, with a sign of each neuron's own.
    cores.axon_type[1, :5] = [0, 1, 0, 1, 2]
    cores.weight[1, 0] = [1, -1, 1, 0]
    cores.weight[1, 1] = [-1, 1, 1, 0]
    connected[1, :5, :2] = (LAST != 0).T
    cores.threshold[1, :2], cores.negative_threshold[1, :2], cores.leak[1, :2] = 5, 40, -1
    # It leaks in the four ticks before its window opens.
    cores.initial_potential[1, :2] = 4
    cores.crossbar[:] = pack_crossbar(connected)
    entries = [(n, 0, 3 * n + kind, 1) for n in range(4) for kind in range(3)]
    entries += [(-1, 0, axon, 1) for axon in range(22, 26)]
    none = np.zeros(0, np.int32)
    both = np.arange(2, dtype=np.int32)
    host = Graph("host").add("x", Input((4,))).add("in", SpikeSource(), "x").add("spikes", Output(), "in")
    return TrueNorthProgram(
        name="small",
        cores=cores,
        lines=lines(entries),
        populations=(
            TrueNorthPopulation("in", (4,), 0, none, none, source="spikes"),
            TrueNorthPopulation("h", (5,), 1, np.zeros(5, np.int32), np.arange(5, dtype=np.int32)),
            TrueNorthPopulation("o", (2,), 4, np.ones(2, np.int32), both),
        ),
        host=host,
        answers=(Answer("out", (ReadoutTerm(2),), Readout.COUNT, np.array(0.5), np.array(1.0)),),
    )


def test_a_mapped_network_passes_and_runs_as_the_network() -> None:
    graph, made = network(), mapped()
    check_program(made, graph)
    x = (np.random.default_rng(1).random((6, 40, 4)) < 0.5).astype(np.float32)
    expected = simulate(graph, x, 40, record=("spikes", "voltage", "output"))
    trace = simulate_program(made, x, 40, RunOptions(record=("spikes", "voltage", "output")))
    assert 0.05 < expected.spikes["o"].mean() < 0.95 and 0.05 < expected.spikes["h"].mean() < 0.95
    for name in ("in", "h", "o"):
        np.testing.assert_array_equal(trace.spikes[name], expected.spikes[name])
    for name in ("h", "o"):
        np.testing.assert_array_equal(trace.voltage[name], expected.voltage[name])
    np.testing.assert_equal(trace.outputs_by_tick, expected.outputs_by_tick)


def changed(name: str, place: tuple, value: object) -> Callable[[TrueNorthProgram], TrueNorthProgram]:
    def change(made: TrueNorthProgram) -> TrueNorthProgram:
        values = getattr(made.cores, name).copy()
        values[place] = value
        return replace(made, cores=replace(made.cores, **{name: values}))

    return change


def toggled(core: int, axon: int, neuron: int) -> Callable[[TrueNorthProgram], TrueNorthProgram]:
    def change(made: TrueNorthProgram) -> TrueNorthProgram:
        values = made.cores.crossbar.copy()
        values[core, axon, neuron // 8] ^= 1 << neuron % 8
        return replace(made, cores=replace(made.cores, crossbar=values))

    return change


def relined(**columns: np.ndarray) -> Callable[[TrueNorthProgram], TrueNorthProgram]:
    def change(made: TrueNorthProgram) -> TrueNorthProgram:
        given = {name: getattr(made.lines, name).copy() for name in vars(made.lines)}
        for name, (place, value) in columns.items():
            given[name][place] = value
        return replace(made, lines=InputLines(**given))

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (changed("threshold", (0, 2), 4), "T401"),
        (changed("reset_mode", (0, 2), ResetMode.NONE.value), "T401"),
        (changed("saturates", (1, 0), False), "T401"),
        (changed("leak", (1, 1), 0), "T401"),
        (changed("leak_reversal", (1, 1), True), "T401"),
        (changed("initial_potential", (1, 1), 3), "T401"),
        (changed("stochastic_synapse", (1, 1, 2), True), "T401"),
        (changed("mask_bits", (0, 0), 1), "T401"),
        (changed("threshold", (0, 7), 4), "T404"),  # no twin any more
        (changed("target_axon", (0, 6), 13), "T404"),
        (changed("target_core", (0, 20), 1), "T404"),
        (toggled(1, 3, 0), "T403"),
        (toggled(0, 25, 3), "T404"),
        (changed("weight", (0, 1, 2), 3), "T404"),
        (changed("axon_type", (0, 4), 2), "T403"),
        (changed("target_delay", (0, 3), 6), "T403"),
        (changed("target_core", (0, 3), -1), "T403"),
        (changed("target_axon", (0, slice(0, 2)), [1, 0]), "T403"),
        (relined(delay=(2, 2)), "T403"),
        (relined(neuron=(2, 1)), "T403"),
        (relined(delay=(13, 2)), "T403"),
        (relined(axon=(2, 3)), "T404"),
        (lambda made: read_otherwise(made, scale=np.array(1.0)), "T405"),
        (lambda made: read_otherwise(made, readout=Readout.POTENTIAL), "T405"),
        (lambda made: read_otherwise(made, readings=(ReadoutTerm(1),)), "T405"),
        (changed("x", 1, 300), "T402"),
        (changed("y", 1, 256), "T402"),
        (changed("x", 1, 0), "T402"),
        (changed("reset_potential", (0, 99), 2), "T402"),
    ],
)
def test_every_change_is_found(change: Callable[[TrueNorthProgram], TrueNorthProgram], code: str) -> None:
    with pytest.raises(MappingError) as caught:
        check_program(change(mapped()), network())
    assert caught.value.code == code


def test_random_flips_of_synapses_are_all_found() -> None:
    rng = np.random.default_rng(2)
    for _ in range(60):
        made = mapped()
        core = int(rng.integers(2))
        axon = int(rng.integers(26 if core == 0 else 5))
        neuron = int(rng.integers(15 if core == 0 else 2))
        with pytest.raises(SnncError) as caught:
            check_program(toggled(core, axon, neuron)(made), network())
        assert caught.value.code in ("T403", "T404")


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("axon_type", 0, 3),
        ("weight", -256, 255),
        ("leak", -256, 255),
        ("threshold", 0, 2**18 - 1),
        ("negative_threshold", 0, 2**18 - 1),
        ("mask_bits", 0, 18),
        ("initial_potential", -(2**19), 2**19 - 1),
        ("target_axon", 0, 255),
        ("target_delay", 1, 15),
    ],
)
def test_limits_of_registers(name: str, low: int, high: int) -> None:
    cores = inert_cores(1)
    values = getattr(cores, name).astype(np.int64)
    for good in (low, high):
        check_limits(replace(cores, **{name: np.full_like(values, good)}))
    for bad in (low - 1, high + 1):
        with pytest.raises(MappingError, match="T402"):
            check_limits(replace(cores, **{name: np.full_like(values, bad)}))


def test_a_spike_travels_255_cores() -> None:
    cores = inert_cores(2)
    cores.target_core[0, 7] = 1
    for axis in ("x", "y"):
        for distance, fits in ((255, True), (256, False)):
            there = replace(cores, **{axis: np.array([0, distance], np.int32)})
            if fits:
                check_limits(there)
            else:
                with pytest.raises(MappingError, match=f"256 cores far along {axis}"):
                    check_limits(there)


def weighed(**changes: np.ndarray) -> SparseLinear:
    """The map behind the first layer in ``read_behind_maps``, or another."""
    entries = {"rows": np.array([0, 0, 1]), "columns": np.array([0, 4, 2]), "values": np.array([3, -1, 2])}
    return SparseLinear(**entries | changes, in_shape=(5,), out_shape=(2,))


def read_behind_maps() -> tuple[Graph, TrueNorthProgram]:
    """The network with an answer that is a sum over both layers."""
    edit = network().edit()
    edit.add("read", weighed(), "h")
    edit.add("turn", Scale(np.array([-1, 1])), "o")
    edit.add("sum", Add(), "read", "turn")
    edit.set("out", operator=Output(Readout.VALUE, 0.5, 1.0), inputs=("sum",))
    turned = SparseLinear(np.arange(2), np.arange(2), np.array([-1, 1]), (2,), (2,))
    readings = (ReadoutTerm(1, weighed()), ReadoutTerm(2, turned))
    return edit.done(), read_otherwise(mapped(), readings=readings, readout=Readout.VALUE)


def test_an_answer_behind_maps_passes() -> None:
    graph, made = read_behind_maps()
    check_program(made, graph)
    x = (np.random.default_rng(1).random((3, 20, 4)) < 0.5).astype(np.float32)
    expected = simulate(graph, x, 20, record=("output",)).output_by_tick
    np.testing.assert_array_equal(
        simulate_program(made, x, 20, RunOptions(record=("output",))).output_by_tick, expected
    )


@pytest.mark.parametrize(
    "readings",
    [
        (ReadoutTerm(1, weighed()),),
        (ReadoutTerm(1, weighed()), ReadoutTerm(2)),
        (ReadoutTerm(1, weighed(values=np.array([3, -1, 1]))), ReadoutTerm(2)),
        (ReadoutTerm(1, weighed(columns=np.array([0, 4, 1]))), ReadoutTerm(2)),
        (ReadoutTerm(1, weighed(rows=np.array([0, 1, 1]))), ReadoutTerm(2)),
        (ReadoutTerm(2), ReadoutTerm(1, weighed())),
    ],
)
def test_another_answer_is_found(readings: tuple[ReadoutTerm, ...]) -> None:
    graph, made = read_behind_maps()
    with pytest.raises(MappingError, match="T405"):
        check_program(read_otherwise(made, readings=readings), graph)


def test_early_spikes_that_are_kept_are_found() -> None:
    """The first layer fires without input before its window, and nobody behind it forgets."""
    edit = network().edit()
    early = TrueNorthNeuron(np.array(0), np.array(0), ResetMode.NORMAL, leak=np.array(1))
    edit.set("h", operator=early)
    made = mapped()
    cores = made.cores
    values = {"threshold": 0, "negative_threshold": 0, "reset_mode": 0, "leak": 1}
    for name, value in values.items():
        getattr(cores, name)[0, :15] = value
    with pytest.raises(MappingError, match=r"T401.*fires before its window"):
        check_program(made, edit.done())


@pytest.mark.parametrize(
    ("change", "source"),
    [
        (toggled(1, 3, 0), "neuron 3 of h"),
        (changed("axon_type", (0, 4), 2), "neuron 1 of in"),
        (lambda made: toggled(0, 25, 3)(toggled(0, 25, 8)(toggled(0, 25, 13)(made))), "what is always on"),
    ],
)
def test_the_error_names_the_synapse_that_differs(
    change: Callable[[TrueNorthProgram], TrueNorthProgram], source: str
) -> None:
    with pytest.raises(MappingError) as caught:
        check_program(change(mapped()), network())
    assert caught.value.code == "T403" and f"from {source} to neuron" in caught.value.message
