"""Neurons that more axons listen to than a core has room for copies send to splitters, and nothing else changes."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from truenorth_networks import truenorth_networks

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.neurons import RateSource
from snnc.graph.operators import Bias, Conv, Delay, Input, Linear, Output, Readout, Scale
from snnc.graph.operators.base import Array
from snnc.graph.verify import verify
from snnc.simulate import simulate
from snnc.targets import RunOptions
from snnc.targets.truenorth.check import check_program
from snnc.targets.truenorth.limits import TRUENORTH, TrueNorthLimits
from snnc.targets.truenorth.lower import lower
from snnc.targets.truenorth.neuron import TrueNorthNeuron
from snnc.targets.truenorth.program import TrueNorthProgram
from snnc.targets.truenorth.simulate import simulate_program
from snnc.targets.truenorth.splitters import split_fan_out

SMALL = TrueNorthLimits(axons=32, neurons=16)
TINY = TrueNorthLimits(axons=256, neurons=6)


def mapped(graph: Graph, limits: TrueNorthLimits, ticks: int = 20) -> tuple[Graph, TrueNorthProgram]:
    """The graph with splitters and its program, which does what both graphs do, spike for spike."""
    split = split_fan_out(graph, limits)
    verify(split)
    program = lower(split, limits=limits)
    check_program(program, split, limits)
    x = np.random.default_rng(3).random((2, *graph.inputs[0].operator.infer_shape()), np.float32)
    whole, parts = (simulate(each, x, ticks, record=("spikes", "voltage")) for each in (graph, split))
    found = simulate_program(program, x, ticks, RunOptions(record=("spikes", "voltage")))
    for name, spikes in parts.spikes.items():
        np.testing.assert_array_equal(found.spikes[name], spikes, name)
        if name in whole.spikes:
            np.testing.assert_array_equal(whole.spikes[name], spikes, name)
    for name, voltage in found.voltage.items():
        np.testing.assert_array_equal(parts.voltage[name], voltage, name)
    if len(graph.outputs) == 1:
        np.testing.assert_equal(found.outputs, whole.outputs)
    return split, program


def splitters(graph: Graph) -> list[str]:
    return [node.name for node in graph.populations if ".splitter" in node.name]


def weights(outputs: int, inputs: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(-1, 2, (outputs, inputs)) * 20


def layers(*operators: Any, inputs: int, threshold: int = 25) -> Graph:
    """The host's evenly spaced spikes, and a population behind each operator; the last is read."""
    graph = Graph("layers").add("in", Input((inputs,))).add("rate", RateSource(), "in")
    last = "rate"
    for number, operator in enumerate(operators):
        graph = graph.add(f"w{number}", operator, last)
        last = f"n{number}"
        graph = graph.add(last, TrueNorthNeuron(np.array(threshold)), f"w{number}")
    return graph.add("out", Output(Readout.COUNT), last)


def few(outputs: int, inputs: int) -> Array:
    """Weights of the first three inputs alone."""
    return np.where(np.arange(inputs) < 3, weights(outputs, inputs), 0)


def wide(width: int) -> Graph:
    """Four neurons that so many others listen to."""
    return layers(Linear(weights(4, 4)), Linear(weights(width, 4)), Linear(few(3, width)), inputs=4)


def test_without_splitters_it_is_refused() -> None:
    with pytest.raises(MappingError, match=r"T423.*copies"):
        lower(wide(300), limits=SMALL)


def test_readers_are_divided_among_splitters() -> None:
    split, _ = mapped(wide(300), SMALL)
    assert 2 <= len(splitters(split)) <= 4
    assert all(".split" in reader for reader in split.consumers["n0"])


def test_a_tree_of_splitters() -> None:
    split, _ = mapped(wide(400), TINY)
    starts = {population.name: population.start for population in lower(split, limits=TINY).populations}
    levels = {starts[name] for name in splitters(split)}
    assert len(levels) >= 3 and starts["n1"] == 1 + max(levels)


def test_a_real_core() -> None:
    """2,000 neurons on four types, 64 a core: more than 256 axons listen to each of 64 neurons."""
    random = np.random.default_rng(2)
    graph = layers(
        Linear(random.integers(-8, 8, (60, 60)) * 3), Linear(random.integers(-8, 8, (18000, 60)) * 3),
        Linear(few(4, 18000)), inputs=60, threshold=40,
    )  # fmt: skip
    with pytest.raises(MappingError, match=r"T423.*copies.*a core has 256"):
        lower(graph)
    split, _ = mapped(graph, TRUENORTH, ticks=6)
    assert len(splitters(split)) == 2


def test_splitters_where_copies_take_more_cores() -> None:
    """Every core of every layer takes all its axons: copies ask for copies of copies, splitters for one axon each."""
    graph = layers(*(Linear(weights(120, 120, seed)) for seed in range(4)), inputs=120, threshold=60)
    limits = TrueNorthLimits(neurons=80)
    split, program = mapped(graph, limits, ticks=8)
    assert len(splitters(split)) >= 1
    assert len(program.cores) < 0.7 * len(lower(graph, limits=limits).cores)
    assert split_fan_out(graph, limits, only_needed=True) is graph


def test_an_equal_network_stays_as_it_is() -> None:
    graph = layers(Linear(weights(8, 8)), Linear(weights(8, 8)), inputs=8)
    assert split_fan_out(graph, TRUENORTH) is graph


def test_branches_stay_aligned() -> None:
    """One reader through splitters, one not, one after a delay, and a constant current."""
    graph = wide(150)
    edit = graph.edit()
    edit.add("late", Delay(3), "n0")
    edit.add("more", Linear(weights(150, 4, 7)), "late")
    edit.add("constant", Bias(np.full(150, 20)), "more")
    edit.set("n1", inputs=("w1", "constant"))
    edit.add("skip", Linear(weights(3, 4, 8)), "n0")
    edit.set("n2", inputs=("w2", "skip"))
    split, _ = mapped(edit.done(), SMALL)
    assert splitters(split)


def test_windows_and_shared_maps() -> None:
    """A convolution whose output two populations read."""
    graph = Graph("conv").add("in", Input((2, 6, 6))).add("rate", RateSource(), "in")
    graph = graph.add("a", Scale(np.array(20)), "rate").add("first", TrueNorthNeuron(np.array(20)), "a")
    random = np.random.default_rng(1)
    kernel = Conv(random.integers(-1, 2, (6, 2, 3, 3)) * 10, None, (1, 1), ((1, 1), (1, 1)))
    graph = graph.add("b", kernel, "first")
    for number, threshold in enumerate((12, 17)):
        graph = graph.add(f"second{number}", TrueNorthNeuron(np.array(threshold)), "b")
        graph = graph.add(f"out{number}", Output(Readout.COUNT), f"second{number}")
    edit = graph.edit()
    edit.remove("out1")
    split, _ = mapped(_read_all(edit.done()), TrueNorthLimits(axons=40, neurons=12))
    assert splitters(split)


def _read_all(graph: Graph) -> Graph:
    """Populations that nobody reads are read by one last neuron."""
    edit = graph.edit()
    edit.add("unread", Conv(np.eye(6, dtype=int)[:2, :, None, None], None), "second1")
    edit.add("end", TrueNorthNeuron(np.array(2)), "unread")
    edit.add("other", Conv(np.eye(6, dtype=int)[:2, :, None, None], None), "second0")
    edit.set("end", inputs=("unread", "other"))
    edit.set("out0", inputs=("end",))
    return edit.done()


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(truenorth_networks(), st.sampled_from([SMALL, TrueNorthLimits(axons=48, neurons=8), TINY]))
def test_random_networks(graph: Graph, limits: TrueNorthLimits) -> None:
    try:
        lower(split_fan_out(graph, limits), limits=limits)
    except MappingError as error:
        assert error.code in {"T422", "T423", "T424", "T425", "T426"}
        return
    mapped(graph, limits, ticks=12)
