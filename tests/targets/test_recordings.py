"""State variables of a chip's neurons by their names: those of the network that the program stands for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_models import small_data, small_model

import snnc
from snnc.cli.main import run
from snnc.errors import UsageError
from snnc.graph import CurrentLIF, Graph, Input, Linear, Output, Readout, SpikeSource
from snnc.simulate import simulate
from snnc.targets.truenorth.neuron import TrueNorthNeuron


def test_all_registers_of_loihi_are_those_of_the_network() -> None:
    random = np.random.default_rng(3)
    neuron = CurrentLIF(threshold=1.0, current_decay=0.3, voltage_decay=0.05, refractory=4)
    graph = Graph("pauses").add("in", Input((4,))).add("drive", Linear(random.random((6, 4)) * 0.5), "in")
    graph = graph.add("E", neuron, "drive", "back").add("forth", Linear(random.normal(0, 0.5, (5, 6))), "E")
    graph = graph.add("I", neuron, "forth").add("back", Linear(random.normal(0, 0.3, (6, 5))), "I")
    compiled = snnc.compile(graph.add("out", Output(Readout.COUNT), "E"), "loihi", ticks=16)
    assert set(compiled.recordable) == {"spikes", "output", "voltage", "current", "pause", "fired"}
    x = random.random((3, 16, 4), np.float32) * 3
    trace = compiled.run(x, record=compiled.recordable)
    expected = simulate(compiled.graph, x, 16, record=compiled.recordable)
    for variable in set(compiled.recordable) - {"output"}:
        for name in ("E", "I"):
            np.testing.assert_array_equal(
                trace.recordings[variable][name], expected.recordings[variable][name], variable
            )
    # A pause of 4 ticks, that of the spike among them, is counted down from 3.
    assert (trace.recordings["pause"]["E"][trace.spikes["E"]] == 3).all() and trace.spikes["E"].any()


def test_the_drawn_part_of_a_threshold_of_truenorth_is_what_a_spike_took_beside_it() -> None:
    neuron = TrueNorthNeuron(threshold=np.array([3, 4]), reset="linear", mask_bits=3, phase=1)
    graph = Graph("draws").add("x", Input((2,))).add("in", SpikeSource(), "x")
    graph = graph.add("drive", Linear(np.array([[2, 0], [0, 3]])), "in").add("cells", neuron, "drive")
    compiled = snnc.compile(graph.add("out", Output(Readout.COUNT), "cells"), "truenorth", ticks=60)
    assert set(compiled.recordable) == {"spikes", "output", "voltage", "random_threshold"}
    x = np.ones((2, 2), np.float32)
    trace = compiled.run(x, record=compiled.recordable)
    drawn, spikes = trace.recordings["random_threshold"]["cells"], trace.spikes["cells"]
    before = np.concatenate([np.zeros_like(trace.voltage["cells"][:, :1]), trace.voltage["cells"][:, :-1]], 1)
    taken = before + np.array([2, 3]) - trace.voltage["cells"]
    np.testing.assert_array_equal(taken, np.where(spikes, np.array([3, 4]) + drawn, 0))
    assert set(np.unique(drawn)) == set(range(8)) and spikes.any()
    same = simulate(compiled.graph, x, 60, record=("random_threshold",))
    np.testing.assert_array_equal(drawn, same.recordings["random_threshold"]["cells"])


@pytest.mark.parametrize(("target", "absent"), [("loihi", "random_threshold"), ("truenorth", "current")])
def test_what_a_chip_does_not_have_is_refused_with_what_it_has(target: str, absent: str) -> None:
    compiled = snnc.compile(small_model(), target, ticks=4)
    with pytest.raises(UsageError, match=absent) as error:
        compiled.run(small_data(2)[0], record=("spikes", absent))
    assert error.value.code == "U202"
    assert error.value.remedy == f"choose from {', '.join(compiled.recordable)}"


def test_the_command_writes_any_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    compiled, x = snnc.compile(small_model(), "loihi", ticks=4), small_data(2)[0]
    compiled.save("small.snnc")
    np.save("x.npy", x)
    assert (
        run(["run", "small.snnc", "--data", "x.npy", "--record", "pause,fired", "-o", "out.npz", "-q"]) == 0
    )
    trace = compiled.run(x, record=("fired", "pause"))
    with np.load("out.npz") as arrays:
        for variable in ("fired", "pause"):
            for name, values in trace.recordings[variable].items():
                np.testing.assert_array_equal(arrays[f"{variable}:{name}"], values)
        assert not any(name.startswith(("spikes:", "voltage:")) for name in arrays)
