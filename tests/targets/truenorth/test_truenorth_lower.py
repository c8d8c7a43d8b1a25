"""A lowered program computes what its graph computes, spike for spike and potential for potential."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from truenorth_networks import truenorth_networks

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.neurons import IF, SpikeSource
from snnc.graph.operators import Add, Bias, Delay, Gather, Input, Linear, Output, Readout, Scale
from snnc.graph.verify import verify
from snnc.simulate import simulate
from snnc.targets import RunOptions
from snnc.targets.truenorth.axon_types import set_kinds, subset_sums
from snnc.targets.truenorth.check import check_program
from snnc.targets.truenorth.limits import TRUENORTH, TrueNorthLimits
from snnc.targets.truenorth.lower import lower
from snnc.targets.truenorth.neuron import NegativeMode, ResetMode, TrueNorthNeuron
from snnc.targets.truenorth.simulate import simulate_program
from snnc.targets.truenorth.sites import places

LIMITS = [TRUENORTH, TrueNorthLimits(axons=80, neurons=64), TrueNorthLimits(axons=48, neurons=96)]
NO_ROOM = {"T422", "T423", "T424", "T425"}
"""What random networks may meet: sums of two maps of one source, small cores, cycles, leaks."""


def assert_same(graph: Graph, limits: TrueNorthLimits, ticks: int = 16) -> bool:
    try:
        program = lower(graph, limits=limits)
    except MappingError as error:
        assert error.code in NO_ROOM
        return False
    check_program(program, graph, limits)
    x = np.random.default_rng(5).random((2, *graph.inputs[0].operator.infer_shape()), np.float32)
    record = ("spikes", "voltage", "output")
    expected = simulate(graph, x, ticks, record=record)
    found = simulate_program(program, x, ticks, RunOptions(record=record))
    assert set(found.spikes) == set(expected.spikes)
    for name, values in found.spikes.items():
        np.testing.assert_array_equal(values, expected.spikes[name], name)
        np.testing.assert_array_equal(found.voltage[name], expected.voltage[name], name)
    np.testing.assert_equal(found.outputs_by_tick, expected.outputs_by_tick)
    return True


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(truenorth_networks(), st.sampled_from(LIMITS))
def test_random_networks(graph: Graph, limits: TrueNorthLimits) -> None:
    verify(graph)
    assert_same(graph, limits)


@settings(deadline=None, max_examples=5, suppress_health_check=list(HealthCheck))
@given(truenorth_networks(), st.sampled_from(LIMITS))
def test_a_few_random_networks(graph: Graph, limits: TrueNorthLimits) -> None:
    """For each change of the source; the many take minutes."""
    assert_same(graph, limits)


def neuron(threshold: int = 20, **changes: Any) -> TrueNorthNeuron:
    return TrueNorthNeuron(np.array(threshold), **changes)


def chain(*operators: Any, inputs: int = 4) -> Graph:
    """Spikes of the host, the operators in a row, and an Output."""
    graph = Graph("chain").add("in", Input((inputs,))).add("spikes", SpikeSource(), "in")
    last = "spikes"
    for number, operator in enumerate(operators):
        graph, last = graph.add(f"n{number}", operator, last), f"n{number}"
    return graph.add("out", Output(Readout.COUNT), last)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([(-1, 1), (0, 15), (-15, 0), (-4, 3), (-3, 4), (-8, 7), (-7, 8), (5, 5)]),
    st.integers(1, 16),
    st.integers(0, 2**31),
)
def test_weights_are_sums_of_four_values(levels: tuple[int, int], step: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    neurons = np.sort(random.integers(0, 5, 40))
    weight = random.integers(levels[0], levels[1] + 1, 40) * step
    neurons, weight = neurons[weight != 0], weight[weight != 0]
    sums = subset_sums(neurons, weight, 5)
    assert sums.possible[np.unique(neurons)].all()
    member = sums.types[:, None] >> np.arange(4, dtype=np.uint64) & np.uint64(1)
    np.testing.assert_array_equal((member.astype(np.int64) * sums.values[neurons]).sum(axis=1), weight)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.integers(-1000, 1000).filter(bool), min_size=1, max_size=30),
    st.sampled_from([1, 2, 100]),
    st.sampled_from([-1, 0, 1]),
)
def test_other_weights_take_values_several_times(weights: list[int], step: int, sign: int) -> None:
    weight = np.array(weights) * step if sign == 0 else np.abs(weights) * step * sign
    sums = subset_sums(np.zeros(len(weight), np.int64), weight, 1)
    assert sums.possible[0] or np.abs(weight).max() > 2000
    if sums.possible[0]:
        assert sums.values.min() >= -256 and sums.values.max() <= 255
        at, kind = set_kinds(sums.types)
        np.testing.assert_array_equal(np.bincount(at, sums.values[0][kind % 4], len(weight)), weight)
        assert sums.bits[0] == len(np.unique(kind))


@pytest.mark.parametrize("weights", [[1, 16], [-9, 1], [257, 257], [3, 100], [-20, 7, 11, -3, 5, 90]])
def test_hand_written_weights(weights: list[int]) -> None:
    size = len(weights)
    assert assert_same(chain(Linear(np.array([weights, weights[::-1]])), neuron(), inputs=size), TRUENORTH)


def test_weights_that_are_no_sums() -> None:
    with pytest.raises(MappingError, match=r"T422.*neuron 0, 5003 to 5003"):
        lower(chain(Linear(np.array([[5003, 5003]])), neuron(), inputs=2))


def test_two_synapses_of_one_source() -> None:
    """As one where their sum is possible, else on axons of their own."""
    for second, lines in ((Scale(np.array([3])), 4), (Scale(np.array([7])), 8)):
        graph = Graph("two").add("in", Input((4,))).add("spikes", SpikeSource(), "in")
        graph = graph.add("a", Linear(np.diag([4, 4, 4, 4]) - np.eye(4, k=1, dtype=int) * 8), "spikes")
        graph = graph.add("b", second, "spikes").add("sum", neuron(), "a", "b")
        graph = graph.add("out", Output(Readout.COUNT), "sum")
        assert assert_same(graph, TRUENORTH)
        lines_of = lower(graph).lines
        by_neuron = np.bincount(lines_of.neuron)
        assert by_neuron.sum() >= lines


def test_a_line_takes_only_the_axons_that_it_needs() -> None:
    program = lower(chain(Linear(np.array([[1, -1, 0, 1]])), neuron()))
    assert program.cores.crossbar.any(axis=2).sum() == 3


def test_copies_share_a_core() -> None:
    """Two bits and two cores that listen: four copies of every neuron."""
    graph = chain(
        Linear(np.eye(4, dtype=int) * 20), neuron(), Linear(np.array([[1, -1], [-1, 1]] * 40).repeat(2, axis=1)),
        neuron(),
    )  # fmt: skip
    program = lower(graph, limits=TrueNorthLimits(neurons=64))
    core, count = np.unique(program.cores.target_core, return_counts=True)
    assert count[core >= 0].tolist() == [8, 8]
    assert assert_same(graph, TrueNorthLimits(neurons=64))


def test_neurons_of_the_same_inputs() -> None:
    """Their copies cannot be told apart, and need not be; but they can from one of other inputs."""
    first = np.array([[20, 0, 0, 0], [20, 0, 0, 0], [0, 20, 0, 0], [20, 0, 0, 0]])
    second = np.array([[1, 2, -1, 0], [0, -1, 3, 2], [-4, 0, 1, 1]]).repeat(20, axis=0)
    graph = chain(Linear(first), neuron(), Linear(second), neuron(3))
    assert assert_same(graph, TrueNorthLimits(neurons=40))
    program = lower(graph)
    other = replace(graph["n2"].operator, weight=np.roll(second, 1, axis=1))  # type: ignore[type-var]
    edit = graph.edit()
    edit.set("n2", operator=other)
    with pytest.raises(MappingError, match="T403"):
        check_program(program, edit.done())


def test_no_room_for_axons_or_copies() -> None:
    with pytest.raises(MappingError, match=r"T423.*needs 64 axons but a core has 48"):
        lower(chain(Linear(np.ones((1, 64), int)), neuron(), inputs=64), limits=LIMITS[2])
    wide = chain(Linear(np.ones((1, 4), int)), neuron(), Linear(np.ones((300, 1), int)), neuron())
    with pytest.raises(MappingError, match=r"T423.*copies"):
        lower(wide, limits=TrueNorthLimits(neurons=16, axons=16, mesh=64))


def test_an_early_spike_is_refused() -> None:
    first = (Linear(np.eye(4, dtype=int) * 20), neuron(), Linear(np.eye(4, dtype=int) * 5))
    with pytest.raises(MappingError, match="T425"):
        lower(chain(*first, neuron(20, leak=np.array(-10), initial_potential=np.array(15))))
    assert assert_same(
        chain(*first, neuron(20, leak=np.array(-10), initial_potential=np.array(5))), TRUENORTH
    )
    assert assert_same(chain(*first, neuron(20, leak=np.array(7), initial_potential=np.array(15))), TRUENORTH)


def forgetful(leak: int, **changes: Any) -> TrueNorthNeuron:
    """A neuron that fires where its sum is at least minus its leak, and forgets."""
    registers = {"reset": ResetMode.NORMAL, "negative": NegativeMode.RESET, "leak": np.array(leak)} | changes
    return TrueNorthNeuron(np.array(0), np.array(0), **registers)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(ResetMode),
    st.sampled_from(NegativeMode),
    st.tuples(st.integers(0, 2), st.integers(0, 1), st.sampled_from([0, 0, 1, -3]), st.integers(0, 1)),
    st.integers(-3, 3),
)
def test_what_a_neuron_that_forgets_is(
    reset: ResetMode, negative: NegativeMode, values: tuple[int, int, int, int], leak: int
) -> None:
    """It forgets if it has the potential 0 after every tick, whatever potential and sum there were."""
    alpha, beta, back, bits = values
    registers = TrueNorthNeuron(
        np.array(alpha), np.array(beta), reset, negative, np.array(back), np.array(leak), mask_bits=bits
    )
    potentials = np.arange(-6, 7).repeat(13).reshape(-1, 1)
    state = registers.start((1,), np.arange(len(potentials)), np.dtype(np.int64))
    state, _ = registers.step({**state, "voltage": potentials}, np.tile(np.arange(-6, 7), 13).reshape(-1, 1))
    if registers.forgets:
        assert not state["voltage"].any()
    elif not bits:
        assert state["voltage"].any()


@pytest.mark.parametrize("leak", [-2, 0, 3])
def test_neurons_that_forget_may_fire_before_their_window(leak: int) -> None:
    """Three layers, of which the first two fire without input where the leak is not negative."""
    rng = np.random.default_rng(leak + 9)
    maps = [Linear(rng.integers(-1, 2, (6, size))) for size in (4, 6, 6)]
    layers = [part for each in maps for part in (each, forgetful(leak))]
    assert assert_same(chain(*layers), TRUENORTH)


def test_what_keeps_early_spikes_is_refused() -> None:
    eye = Linear(np.eye(4, dtype=int) * 20)
    early = (eye, forgetful(0), eye)
    for later in ((neuron(),), (Delay(2), forgetful(-5)), (forgetful(-5, initial_potential=np.array(1)),)):
        with pytest.raises(MappingError, match=r"T425.*\(node"):
            lower(chain(*early, *later))
    back = chain(*early, forgetful(-5)).edit()
    back.add("back", eye, "n3")
    back.set("n1", inputs=("n0", "back"))
    with pytest.raises(MappingError, match="T425"):
        lower(back.done())
    quiet = (eye, forgetful(-1), eye)
    assert assert_same(chain(*quiet, neuron()), TRUENORTH)


@pytest.mark.parametrize("bias", [None, 3])
def test_an_answer_behind_linear_maps(bias: int | None) -> None:
    """A sum over two populations, one of them behind a rearrangement, read by value."""
    rng = np.random.default_rng(2)
    graph = chain(
        Linear(rng.integers(-1, 2, (6, 4)) * 20), neuron(), Linear(np.eye(6, dtype=int) * 20), neuron()
    )
    edit = graph.edit()
    turned = edit.add("turned", Gather(np.arange(5, -1, -1), (6,)), "n1")
    first = edit.add("first", Linear(rng.integers(-5, 6, (3, 6))), turned)
    second = edit.add("second", Linear(rng.integers(-5, 6, (3, 6))), "n3")
    last = edit.add("both", Add(), first, second)
    if bias is not None:
        last = edit.add("more", Bias(np.full(3, bias)), last)
    edit.set("out", operator=Output(Readout.VALUE, 0.5, np.array([0.0, 1.0, -2.0])), inputs=(last,))
    assert assert_same(edit.done(), TRUENORTH)
    program = lower(edit.done())
    assert [program.populations[part.population].name for part in program.answer.readings] == ["n1", "n3"]
    assert program.shape_of(program.answer) == (3,)


def test_delays() -> None:
    """A window opens later where that spares a delay; two readers of one population may not allow it."""
    eye = Linear(np.eye(4, dtype=int) * 20)

    def delayed(ticks: int) -> Graph:
        return chain(eye, neuron(), Delay(ticks), eye, neuron())

    assert assert_same(delayed(14), TRUENORTH, ticks=40)
    assert assert_same(delayed(20), TRUENORTH, ticks=40)
    edit = delayed(15).edit()
    edit.add("direct", eye, "n1")
    edit.set("n4", inputs=("n3", "direct"))
    with pytest.raises(MappingError, match=r"T426.*16 ticks later, at most 15"):
        lower(edit.done())


def test_refused_graphs() -> None:
    with pytest.raises(MappingError, match=r"T002.*IF"):
        lower(chain(Scale(np.array([1])), IF(np.array(5), initial_voltage=np.array(0))))
    with pytest.raises(MappingError, match="T427"):
        lower(chain(Linear(np.eye(4, dtype=int)), neuron(), Scale(np.array([2]))))  # read by count
    late = chain(Linear(np.eye(4, dtype=int)), neuron(), Delay(1)).edit()
    late.set("out", operator=Output())
    of_the_host = Graph("host").add("in", Input((4,))).add("spikes", SpikeSource(), "in")
    for graph in (late.done(), of_the_host.add("out", Output(Readout.COUNT), "spikes")):
        with pytest.raises(MappingError, match="T427"):
            lower(graph)
    current = Graph("current").add("in", Input((4,))).add("fire", neuron(), "in")
    with pytest.raises(MappingError, match="T003"):
        lower(current.add("out", Output(Readout.COUNT), "fire"))


@pytest.mark.parametrize("count", [1, 500, 4096, 4097, 5 * 4096, 16 * 4096])
def test_places(count: int) -> None:
    x, y = places(count, TRUENORTH)
    assert len(np.unique(np.stack([x, y]), axis=1).T) == count
    assert x.min() >= 0 and y.min() >= 0
    assert max(np.ptp(x), np.ptp(y)) <= TRUENORTH.distance
    chips = len(np.unique(np.stack([x // 64, y // 64]), axis=1).T)
    assert chips == -(-count // 4096)
    np.testing.assert_array_equal(y % 64 * 64 + x % 64, np.arange(count) % 4096)
