"""Sums that are split over relays keep their value but for what stays in the relays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.graph.graph import Graph
from snnc.graph.neurons import RateSource
from snnc.graph.operators import Conv, Delay, Input, Linear, Operator, Output, Readout, Scale, SparseLinear
from snnc.graph.operators.base import Array, Shape
from snnc.graph.verify import verify
from snnc.pipeline import Context
from snnc.simulate import simulate
from snnc.simulate.trace import Trace
from snnc.targets import RunOptions
from snnc.targets.truenorth.check import check_program
from snnc.targets.truenorth.lower import lower
from snnc.targets.truenorth.neuron import NegativeMode, ResetMode, TrueNorthNeuron
from snnc.targets.truenorth.relays import relay_pair
from snnc.targets.truenorth.simulate import simulate_program
from snnc.targets.truenorth.split import SplitFanIn

TICKS = 64


def large(operator: Operator, shape: Shape, **registers: Array) -> Graph:
    """The host's spikes, one map and the population behind it, read by its charge."""
    graph = (
        Graph("large").add("in", Input(shape)).add("rate", RateSource(), "in").add("map", operator, "rate")
    )
    neuron = TrueNorthNeuron(registers.pop("threshold", np.array(2**18 - 1)), **registers)
    return graph.add("sum", neuron, "map").add("out", Output(Readout.POTENTIAL), "sum")


def relays(graph: Graph) -> list[str]:
    return [node.name for node in graph.populations if node.name.endswith("relays")]


def run(graph: Graph, seed: int = 0) -> tuple[Array, Trace]:
    x = np.random.default_rng(seed).random((3, *graph.inputs[0].operator.infer_shape()), np.float32)
    return x, simulate(graph, x, TICKS, record=("spikes", "voltage"))


def operators() -> dict[str, tuple[Operator, Shape]]:
    random = np.random.default_rng(4)

    def weights(*shape: int) -> Array:
        return random.integers(-8, 8, shape) * 5

    sparse = np.unique(np.stack([random.integers(0, 6, 900), random.integers(0, 400, 900)]), axis=1)
    return {
        "dense": (Linear(weights(7, 150)), (150,)),
        "pruned": (Linear(weights(7, 200) * (np.arange(200) % 2)), (200,)),
        "window": (Conv(weights(4, 12, 3, 3), None, (1, 1), ((1, 1), (1, 1))), (12, 4, 4)),
        "groups": (Conv(weights(4, 10, 3, 3), None, (1, 1), ((1, 1), (1, 1)), (1, 1), 2), (20, 3, 3)),
        "one row": (Conv(weights(2, 3, 40), None, (1,), ((0, 0),)), (3, 45)),
        "large window": (Conv(weights(2, 1, 9, 9), None, (3, 3), ((0, 0), (0, 0))), (1, 12, 12)),
        "entries": (SparseLinear(*sparse, weights(sparse.shape[1]), (400,), (6,)), (400,)),
    }


def _unsent(split: Graph, name: str, trace: Trace) -> Array:
    """What a part's sum has passed the last sent multiple of the relays' threshold by, (samples, *half the shape)."""
    neuron = split[name].operator
    assert isinstance(neuron, TrueNorthNeuron)
    shape = split.shapes[name]
    begin, threshold = (
        np.split(np.broadcast_to(np.asarray(values, np.float64), shape), 2)[0]
        for values in (neuron.initial_potential, neuron.threshold)
    )
    positive, negative = np.split(trace.voltage[name].astype(np.float64), 2, axis=2)
    mirrored = positive + negative == -1
    opened = mirrored & ~np.pad(mirrored, ((0, 0), (1, 0), *((0, 0),) * len(shape)))[:, :-1]
    by_negative = (opened & np.split(trace.spikes[name], 2, axis=2)[1]).any(axis=1)
    return positive[:, -1] - begin + np.where(by_negative, threshold, 0)


@pytest.mark.parametrize("kind", list(operators()))
def test_nothing_is_lost_but_what_relays_hold(kind: str) -> None:
    """The charge of the split sum is the charge of the whole one, less the relays' potentials."""
    whole = large(*operators()[kind])
    split = SplitFanIn()(whole, Context())
    verify(split)
    assert len(relays(split)) >= 2
    _, before = run(whole)
    _, after = run(split)
    left = np.zeros(before.output.shape)
    for name in relays(split):
        positive = _unsent(split, name, after)
        (reader,) = split.consumers[name]
        joined = split[reader].operator
        assert isinstance(joined, SparseLinear)
        half = int(np.prod(split.shapes[name])) // 2
        first = joined.columns < half
        flat = left.reshape(len(left), -1)
        np.add.at(flat.T, joined.rows[first], positive.reshape(len(left), -1).T[joined.columns[first]])
    factor = _factor(whole, split)
    np.testing.assert_allclose(after.output, before.output - left / TICKS, atol=1e-6 + 1e-9 / factor.min())


def _factor(whole: Graph, split: Graph) -> Array:
    old, new = (graph[graph.outputs[0].name].operator for graph in (whole, split))
    assert isinstance(old, Output) and isinstance(new, Output)
    return np.asarray(old.scale) / np.asarray(new.scale)


@pytest.mark.parametrize("kind", list(operators()))
def test_relays_mirror_each_other_from_a_spike_on(kind: str) -> None:
    """A spike that only one of the two sees ends the common start; then nothing does."""
    split = SplitFanIn()(large(*operators()[kind]), Context())
    _, trace = run(split)
    for name in relays(split):
        neuron = split[name].operator
        assert isinstance(neuron, TrueNorthNeuron)
        begin = np.split(np.broadcast_to(np.asarray(neuron.threshold), split.shapes[name]), 2)[0] - 1
        positive, negative = np.split(trace.voltage[name].astype(np.int64), 2, axis=2)
        mirrored = positive + negative == -1
        assert mirrored.any() and (mirrored | (positive + negative == begin)).all()
        assert (mirrored[:, 1:] | ~mirrored[:, :-1]).all()


def test_relays_round_sums_of_either_sign() -> None:
    """Constant sums: the spikes sent are the nearest multiple of the threshold, not the one next to zero."""
    threshold, sums = 10, np.arange(-9, 10)
    pair = relay_pair(np.full((2, 1), threshold), 1)
    for total in sums:
        state = pair.start((2, 1), np.zeros(1, np.int64), np.dtype(np.int64))
        sent = 0
        for tick in range(7):
            state, spikes = pair.step(state, np.array([[[total], [-total]]]))
            sent += int(spikes[0, 0, 0]) - int(spikes[0, 1, 0])
            assert abs(sent * threshold - total * (tick + 1)) <= threshold / 2


@pytest.mark.parametrize("kind", list(operators()))
def test_the_split_network_maps(kind: str) -> None:
    split = SplitFanIn()(large(*operators()[kind]), Context())
    program = lower(split)
    check_program(program, split)
    x, expected = run(split)
    found = simulate_program(program, x, TICKS, RunOptions(record=("spikes",)))
    for name, spikes in found.spikes.items():
        np.testing.assert_array_equal(spikes, expected.spikes[name], name)
    np.testing.assert_equal(found.outputs, expected.outputs)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-90, 90), min_size=1, max_size=80), st.integers(1, 120))
def test_a_pair_of_relays_counts_exactly(sums: list[int], threshold: int) -> None:
    """For any partial sums: threshold times the spikes' difference is the sum less the potential."""
    pair = TrueNorthNeuron(
        np.array(threshold),
        np.array(threshold),
        ResetMode.LINEAR,
        NegativeMode.RESET,
        initial_potential=np.array([0, -1]),
    )
    state = pair.start((2,), np.zeros(1, np.int64), np.dtype(np.int64))
    difference = 0
    for value in sums:
        state, spikes = pair.step(state, np.array([[value, -value]]))
        difference += int(spikes[0, 0]) - int(spikes[0, 1])
    assert threshold * difference == sum(sums) - int(state["voltage"][0, 0])


def test_very_large_sums_take_two_levels() -> None:
    """More parts than a neuron has axons for."""
    whole = large(Linear(np.random.default_rng(2).integers(-8, 8, (2, 9000))), (9000,))
    split = SplitFanIn()(whole, Context())
    assert [name for name in relays(split) if name.startswith("sum.sum")]
    program = lower(split)
    check_program(program, split)
    x, expected = run(split)
    found = simulate_program(program, x, TICKS, RunOptions(record=("spikes",)))
    for name, spikes in found.spikes.items():
        np.testing.assert_array_equal(spikes, expected.spikes[name], name)
    exact = run(whole)[1].output
    assert np.abs(expected.output - exact).max() < 0.1 * np.abs(exact).max()


def test_a_shortcut_beside_a_large_sum() -> None:
    """A map of one line a neuron is a part of its own, with all its inputs in their shape."""
    graph = large(operators()["window"][0], (12, 4, 4))
    edit = graph.edit()
    edit.add("shortcut", Scale(np.array(40)), "first")
    edit.add("few", Conv(np.eye(4, 12, dtype=int)[:, :, None, None] * 20), "rate")
    edit.add("first", TrueNorthNeuron(np.array(20)), "few")
    edit.set("sum", inputs=("map", "shortcut"))
    split = SplitFanIn()(edit.done(), Context())
    check_program(lower(split), split)
    assert [name for name in relays(split) if name.startswith("shortcut")]


def test_a_map_without_weights_beside_a_large_sum() -> None:
    graph = large(operators()["dense"][0], (150,))
    edit = graph.edit()
    edit.add("nothing", Linear(np.zeros((7, 150), int)), "rate")
    edit.set("sum", inputs=("map", "nothing"))
    split = SplitFanIn()(edit.done(), Context())
    check_program(lower(split), split)
    assert "nothing" not in split


def test_small_sums_stay_as_they_are() -> None:
    graph = large(Linear(np.random.default_rng(0).integers(-8, 8, (5, 64))), (64,))
    assert not relays(SplitFanIn()(graph, Context()))


def test_groups_and_pruned_weights_whose_inputs_fit_are_not_split() -> None:
    """64 lines a core: 4 by 5 places of a group's 3 channels for 24 neurons, or two blocks of 32 by 32 weights."""
    random = np.random.default_rng(3)
    kernel = random.integers(-8, 8, (64, 3, 3, 3))
    grouped = Conv(kernel, None, (1, 1), ((1, 1), (1, 1)), (1, 1), 16)
    block = np.arange(512) // 32
    pruned = np.where(block[:, None] == random.permutation(block), random.integers(-8, 8, (512, 512)), 0)
    for operator, shape, most in ((grouped, (48, 8, 8), 4096 // 24), (Linear(pruned), (512,), 8)):
        graph = SplitFanIn()(large(operator, shape), Context())
        assert not relays(graph)
        program = lower(graph)
        check_program(program, graph)
        assert len(program.cores) <= most


def test_groups_get_no_relays_of_other_groups() -> None:
    """A part of one group's channels has relays for that group's outputs alone."""
    split = SplitFanIn()(large(*operators()["groups"]), Context())
    sizes = [int(np.prod(split.shapes[name])) for name in relays(split)]
    assert sum(sizes) < 2 * 36 * len(sizes)


def test_large_thresholds_make_the_unit_coarser() -> None:
    """Relays of more than 255 units: their weight is 255, and threshold, leak and start shrink with it."""
    registers = {"threshold": np.array(2000), "leak": np.array(-40), "initial_potential": np.array(700)}
    split = SplitFanIn()(large(Linear(np.arange(256)[None] % 8 * 31), (256,), **registers), Context())
    neuron, relay = split["sum"].operator, split[relays(split)[0]].operator
    assert isinstance(neuron, TrueNorthNeuron) and isinstance(relay, TrueNorthNeuron)
    factor = 255 / int(relay.threshold)
    assert factor < 1
    assert int(neuron.threshold) == round(2000 * factor) or int(neuron.threshold) == 1
    assert int(neuron.leak) == round(-40 * factor)  # type: ignore[arg-type]


def branches(length: int) -> Graph:
    """A population that is read at once and after ``length`` others."""
    one = Scale(np.array([5]))
    graph = Graph("branches").add("in", Input((3,))).add("rate", RateSource(), "in")
    last = "rate"
    for number in range(length + 1):
        graph = graph.add(f"map{number}", one, last).add(
            f"n{number}", TrueNorthNeuron(np.array(5)), f"map{number}"
        )
        last = f"n{number}"
    graph = graph.add("skip", one, "n0").add("end", one, last)
    graph = graph.add("sum", TrueNorthNeuron(np.array(7)), "skip", "end")
    return graph.add("out", Output(Readout.COUNT), "sum")


@pytest.mark.parametrize("length", [5, 14, 15, 16, 40])
def test_far_branches_are_bridged(length: int) -> None:
    graph = branches(length)
    bridged = SplitFanIn()(graph, Context())
    assert any(".repeated" in node.name for node in bridged) == (length > 14)
    program = lower(bridged)
    check_program(program, bridged)
    x, expected = run(graph)
    found = simulate_program(program, x, TICKS, RunOptions(record=("spikes",)))
    np.testing.assert_array_equal(found.spikes["sum"], expected.spikes["sum"])


@pytest.mark.parametrize("ticks", [14, 15, 16, 40])
def test_long_delays_are_bridged(ticks: int) -> None:
    """A Delay of more ticks than a spike can be underway, beside one of none, behind plain weights too."""
    one = Scale(np.array([5]))
    graph = Graph("delays").add("in", Input((3,))).add("rate", RateSource(), "in").add("a", one, "rate")
    graph = graph.add("first", TrueNorthNeuron(np.array(5)), "a").add("late", Delay(ticks), "first")
    graph = graph.add("b", one, "first").add("sum", TrueNorthNeuron(np.array(3)), "late", "b")
    graph = graph.add("out", Output(Readout.COUNT), "sum")
    bridged = SplitFanIn()(graph, Context())
    assert any(".repeated" in node.name for node in bridged) == (ticks > 14)
    program = lower(bridged)
    check_program(program, bridged)
    x, expected = run(graph)
    found = simulate_program(program, x, TICKS, RunOptions(record=("spikes",)))
    np.testing.assert_array_equal(found.spikes["sum"], expected.spikes["sum"])


def test_a_negative_leak_starts_below_its_threshold() -> None:
    one = Scale(np.array([5]))
    graph = Graph("leak").add("in", Input((2,))).add("rate", RateSource(), "in").add("a", one, "rate")
    graph = graph.add("first", TrueNorthNeuron(np.array(5)), "a").add("b", one, "first")
    leaking = TrueNorthNeuron(np.array(20), leak=np.array(-15), initial_potential=np.array(12))
    graph = graph.add("sum", leaking, "b").add("out", Output(Readout.COUNT), "sum")
    settled = SplitFanIn()(graph, Context())
    neuron = settled["sum"].operator
    assert isinstance(neuron, TrueNorthNeuron) and int(neuron.initial_potential) == 4  # type: ignore[arg-type]
    check_program(lower(settled), settled)
