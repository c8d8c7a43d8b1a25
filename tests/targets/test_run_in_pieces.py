"""A run of a chip in pieces, each from the state that the one before it kept, is the whole run, bit for bit."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import small_data, small_model

import snnc
from snnc.errors import UsageError
from snnc.graph import Add, Conv, CurrentLIF, Delay, Flatten, Graph, Input, Linear, LowPass, Output, Readout
from snnc.graph.neurons import RateSource
from snnc.graph.operators.base import Array
from snnc.simulate import Trace
from snnc.simulate.state import RunState
from snnc.targets import RunOptions
from snnc.targets import target as registry

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent / "truenorth")]

from test_custom_target import install

LENGTHS = (1, 5, 2, 9)
TICKS = sum(LENGTHS)

Run = Callable[[Array, int, RunState | None], Trace]


def in_pieces(run: Run, x: Array, sequence: bool) -> tuple[Trace, list[Trace]]:
    """The whole run, and that in pieces; states go through a file's bytes."""
    whole = run(x, TICKS, None)
    pieces, state, start = list[Trace](), None, 0
    for length in LENGTHS:
        part = x[:, start : start + length] if sequence else x
        pieces.append(run(part, length, state))
        state, start = pickle.loads(pickle.dumps(pieces[-1].state)), start + length
    assert state is not None and state.ticks == TICKS
    return whole, pieces


def check(whole: Trace, pieces: Sequence[Trace]) -> None:
    for variable, arrays in whole.recordings.items():
        for name, array in arrays.items():
            joined = np.concatenate([piece.recordings[variable][name] for piece in pieces], axis=1)
            np.testing.assert_array_equal(joined, array, f"{variable} of {name}")
    for name, counts in whole.spike_counts.items():
        np.testing.assert_array_equal(sum(piece.spike_counts[name] for piece in pieces), counts, name)
    for name, answers in whole.outputs_by_tick.items():
        joined = np.concatenate([piece.outputs_by_tick[name] for piece in pieces], axis=1)
        np.testing.assert_array_equal(joined, answers, name)
        np.testing.assert_array_equal(pieces[-1].outputs[name], whole.outputs[name])
    assert sum(int(counts.sum()) for counts in whole.spike_counts.values()) > 0


def runner(compiled: snnc.Compiled) -> Run:
    def run(x: Array, ticks: int, state: RunState | None) -> Trace:
        return compiled.run(x, ticks, compiled.recordable, threads=2, state=state, keep_state=True)

    return run


@pytest.mark.parametrize("target", ["loihi", "truenorth"])
@pytest.mark.parametrize("source", ["neurons", "host", "poisson"])
def test_a_small_model(target: str, source: str) -> None:
    compiled = snnc.compile(small_model(), target, calibration=small_data(16, 2)[0], input=source, ticks=16)
    check(*in_pieces(runner(compiled), small_data(5)[0], sequence=False))


def test_a_recurrent_network_of_reals_on_loihi() -> None:
    """Currents, pauses and delays; samples change from tick to tick, through a filter on the host."""
    random = np.random.default_rng(3)
    graph = (
        Graph("cycle")
        .add("in", Input((4,)))
        .add("slow", LowPass(0.5), "in")
        .add("drive", Linear(random.random((6, 4)) * 0.5), "slow")
        .add(
            "E",
            CurrentLIF(threshold=1.0, current_decay=0.3, voltage_decay=0.05, refractory=3),
            "drive",
            "back",
        )
        .add("late", Delay(3), "E")
        .add("forth", Linear(random.normal(0, 0.5, (5, 6))), "late")
        .add("I", CurrentLIF(threshold=0.5, current_decay=0.5, voltage_decay=0.1), "forth")
        .add("back", Linear(random.normal(0, 0.3, (6, 5))), "I")
        .add("out", Output(Readout.COUNT), "E")
    )
    compiled = snnc.compile(graph, "loihi", ticks=TICKS)
    x = random.random((3, TICKS, 4), np.float32) * 3
    check(*in_pieces(runner(compiled), x, sequence=True))


def test_random_cores_of_truenorth_with_random_numbers() -> None:
    """Recurrent cores whose draws go on with the tick, and lines that the host holds back."""
    from test_truenorth_simulate import random_program, samples

    from snnc.targets.truenorth.simulate import SIMULATOR, simulate_program

    made = random_program()
    made = replace(made, populations=tuple(replace(p, start=0) for p in made.populations))

    def run(x: Array, ticks: int, state: RunState | None) -> Trace:
        return simulate_program(
            made, x, ticks, RunOptions(SIMULATOR.recordable(made), 7, state=state, keep_state=True)
        )

    check(*in_pieces(run, samples(4, TICKS), sequence=True))


def test_a_chip_of_dense_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.targets.cache_clear()
    try:
        from mosaic.chip import MosaicNeuron

        compiled = snnc.compile(mosaic_network(MosaicNeuron), "mosaic", ticks=TICKS)
        x = np.random.default_rng(2).random((3, 2, 4, 4), np.float32)
        check(*in_pieces(runner(compiled), x, sequence=False))
    finally:
        registry.targets.cache_clear()


def mosaic_network(neuron: Callable[..., Any]) -> Graph:
    """Branches of unequal length, a delay and a cycle."""
    random = np.random.default_rng(4)

    def weights(*shape: int) -> Array:
        return random.integers(-30, 60, shape)

    graph = Graph("dense").add("in", Input((2, 4, 4))).add("source", RateSource(1.0, 0.5), "in")
    graph = graph.add("conv", Conv(weights(3, 2, 3, 3), None, (1, 1), ((1, 1), (1, 1))), "source")
    graph = graph.add("skip", Conv(weights(3, 2, 1, 1), None), "source").add("late", Delay(4), "skip")
    graph = graph.add("both", Add(), "conv", "late")
    graph = graph.add("own", Conv(weights(3, 3, 1, 1), None), "layer")
    graph = graph.add("layer", neuron(np.full((3, 4, 4), 150)), "both", "own")
    graph = graph.add("flat", Flatten(), "layer").add("dense", Linear(weights(5, 48)), "flat")
    return graph.add("read", neuron(np.full(5, 300)), "dense").add(
        "out", Output(Readout.POTENTIAL, 0.25), "read"
    )


def test_a_state_of_another_program_is_refused() -> None:
    x = small_data(3)[0]
    first, second = (snnc.compile(small_model(), target, ticks=4) for target in ("loihi", "truenorth"))
    state = first.run(x, 4, keep_state=True).state
    assert first.run(x, 4).state is None and state is not None
    assert first.run(x, 4, state=state).state is None
    for compiled, samples in ((second, x), (first, x[:2])):
        with pytest.raises(UsageError, match="U205"):
            compiled.run(samples, 4, state=state)
    with pytest.raises(UsageError, match="U205"):
        first.run(x, 4, state=replace(state, cores={}))
