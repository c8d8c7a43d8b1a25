"""Every compilation runs its program beside the graph that it was made from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from fake_target import FakeProgram, FakeTarget
from small_models import small_data, small_model

import snnc
from snnc.cli.main import run
from snnc.errors import MappingError
from snnc.formats.graph_data import graph_from_data
from snnc.formats.packed import Packed
from snnc.graph import Graph, Input, Linear, Output, Readout
from snnc.graph.neurons import Reset, SpikeSource
from snnc.graph.operators import Operator, Scale
from snnc.graph.samples import Samples
from snnc.pipeline import Guarantee
from snnc.simulate import Trace, simulate
from snnc.targets import target as registry
from snnc.targets.loihi.compartment import LoihiCompartment

CALIBRATION, _ = small_data(16, 2)


@dataclass(frozen=True)
class Faulty(FakeTarget):
    """A made-up chip whose runs are altered, and which remembers them.

    Attributes:
        alter: what becomes of a trace.
        runs: arguments of all runs.
    """

    alter: Callable[[Trace], Trace] = lambda trace: trace
    runs: list[tuple[tuple[int, ...], int]] = None  # type: ignore[assignment]

    def simulate(self, program: FakeProgram, x: Any, ticks: int, *how: Any) -> Trace:
        if self.runs is not None:
            self.runs.append((x.shape, ticks))
        return self.alter(super().simulate(program, x, ticks, *how))


def compiled(
    monkeypatch: pytest.MonkeyPatch,
    alter: Callable[[Trace], Trace] = lambda trace: trace,
    runs: list[tuple[tuple[int, ...], int]] | None = None,
    **changes: Any,
) -> snnc.Compiled:
    target = Faulty(alter=alter, runs=runs if runs is not None else [])
    monkeypatch.setattr(registry, "targets", lambda: {"fake": target})
    return snnc.compile(small_model(), "fake", **{"calibration": CALIBRATION, "ticks": 16, **changes})


def refused(monkeypatch: pytest.MonkeyPatch, alter: Callable[[Trace], Trace], **changes: Any) -> MappingError:
    with pytest.raises(MappingError) as caught:
        compiled(monkeypatch, alter, **changes)
    assert caught.value.code == "T007" and caught.value.remedy
    return caught.value


def changed(values: Mapping[str, Any], name: str, at: tuple[int, ...], value: Any) -> Mapping[str, Any]:
    copy = {key: array.copy() for key, array in values.items()}
    copy[name][at] = value(copy[name][at])
    return copy


def recording(trace: Trace, variable: str, values: Mapping[str, Any]) -> Trace:
    return replace(trace, recordings={**trace.recordings, variable: values})


def flipped(name: str, at: tuple[int, ...]) -> Callable[[Trace], Trace]:
    return lambda trace: recording(trace, "spikes", changed(trace.spikes, name, at, np.logical_not))


def raised(name: str, at: tuple[int, ...]) -> Callable[[Trace], Trace]:
    return lambda trace: recording(
        trace, "voltage", changed(trace.voltage, name, at, lambda value: value + 1)
    )


@pytest.mark.parametrize("ticks, run", [(16, 8), (3, 3)])
def test_two_samples_and_eight_ticks_at_most(monkeypatch: pytest.MonkeyPatch, ticks: int, run: int) -> None:
    runs: list[tuple[tuple[int, ...], int]] = []
    record = compiled(monkeypatch, runs=runs, ticks=ticks).records[-1]
    assert runs == [((2, 1, 6, 6), run)]
    assert (record.name, record.guarantee) == ("lower", Guarantee.EXACT)
    assert (record.error, record.agreement) == (0.0, 1.0)


def test_a_wrong_spike_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    error = refused(monkeypatch, flipped("relu", (1, 5, 1, 2, 3)))
    assert error.node == "relu" and error.source is not None and "relu" in error.source
    assert "in sample 1, at tick 5, neuron (1, 2, 3) fires" in error.message


def test_a_wrong_potential_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    error = refused(monkeypatch, raised("relu", (0, 7, 0, 0, 1)))
    assert error.node == "relu"
    assert "in sample 0, at tick 7, neuron (0, 0, 1) has the potential" in error.message


def test_the_cause_is_named_before_what_follows_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """First by dataflow, then by time: what is behind a wrong population is wrong because of it."""
    names = [node.name for node in compiled(monkeypatch).graph.populations]
    readout = next(name for name in names if name not in ("relu", "x.on"))

    def alter(trace: Trace) -> Trace:
        return raised("relu", (0, 4, 0, 0, 0))(flipped("relu", (0, 6, 0, 0, 0))(early(trace)))

    early = raised(readout, (0, 0, 0))
    error = refused(monkeypatch, alter)
    assert error.node == "relu" and "tick 4" in error.message


def test_a_wrong_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def scaled(trace: Trace, factor: float) -> Trace:
        return replace(trace, outputs={name: array * factor for name, array in trace.outputs.items()})

    error = refused(monkeypatch, lambda trace: scaled(trace, 1 + 1e-6))
    assert "the answer" in error.message
    compiled(monkeypatch, lambda trace: scaled(trace, 1 + 1e-15))


def test_a_population_that_is_not_recorded_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(trace: Trace) -> Trace:
        return recording(trace, "spikes", {k: v for k, v in trace.spikes.items() if k != "relu"})

    assert "record" in refused(monkeypatch, without).message
    compiled(monkeypatch, lambda trace: recording(trace, "voltage", {}))


def test_a_large_network_runs_sample_by_sample_and_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnc.proof._NUMBERS", 100)
    monkeypatch.setattr(FakeTarget, "pack", lambda self, program: pytest.fail("it was packed"))
    shapes: list[tuple[int, ...]] = []

    def watched(graph: Graph, x: Any, *arguments: Any, **options: Any) -> Trace:
        shapes.append(x.plain().shape if isinstance(x, Samples) else x.shape)
        return simulate(graph, x, *arguments, **options)

    monkeypatch.setattr("snnc.simulate.simulate", watched)
    runs: list[tuple[tuple[int, ...], int]] = []
    record = compiled(monkeypatch, runs=runs).records[-1]
    assert (record.error, record.agreement) == (0.0, 1.0)
    assert runs == [((2, 1, 6, 6), 8)] and shapes[-2:] == [(1, 1, 6, 6)] * 2
    assert "in sample 1, at tick 5" in refused(monkeypatch, flipped("relu", (1, 5, 0, 0, 0))).message


def test_what_runs_is_what_an_artefact_would_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of packing is found when the network is compiled, not when its artefact is loaded."""

    def without_weights(self: FakeTarget, packed: Packed) -> Any:
        altered = {
            name: array * 0 if name.endswith("weight") else array for name, array in packed.arrays.items()
        }
        return FakeProgram(graph_from_data(Packed(packed.header, altered)))

    monkeypatch.setattr(FakeTarget, "unpack", without_weights)
    assert refused(monkeypatch, lambda trace: trace).node


def of_integers(source: Operator, size: int) -> Graph:
    """A dense layer of whole weights behind what a node makes of the samples."""
    neuron = LoihiCompartment(threshold=np.array(6400), reset=Reset.ZERO)
    graph = Graph("by hand").add("in", Input((size,))).add("given", source, "in")
    graph = graph.add("dense", Linear(np.full((1, size), 64)), "given").add("neuron", neuron, "dense")
    return graph.add("out", Output(Readout.COUNT), "neuron")


def test_a_network_that_cannot_be_run_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reals where integers must be: the network itself refuses the samples, so nothing is compared."""
    monkeypatch.setattr(registry, "targets", lambda: {"fake": FakeTarget()})
    found = snnc.compile(of_integers(Scale(np.array(64)), 4), "fake", ticks=4, passes=())
    assert [record.error for record in found.records] == [None]
    assert [item.code for item in found.diagnostics] == ["N302"]


def test_samples_without_calibration_do_not_drive_all_inputs_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def look(trace: Trace) -> Trace:
        seen.append(int(trace.spikes["given"][0, 0].sum()))
        return trace

    monkeypatch.setattr(registry, "targets", lambda: {"fake": Faulty(alter=look)})
    snnc.compile(of_integers(SpikeSource(), 40), "fake", ticks=4, passes=())
    assert 10 < seen[0] < 30


def test_the_record_is_shown_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(small_model(), tmp_path / "net.onnx")
    path = str(tmp_path / "net.snnc")
    assert run(["compile", str(tmp_path / "net.onnx"), "-o", path, "--json"]) == 0
    last = json.loads(capsys.readouterr().out)["passes"][-1]
    assert (last["name"], last["preserves"], last["error"]) == ("lower", "exact", 0.0)
    record = snnc.load(path).records[-1]
    assert (record.name, record.error, record.agreement) == ("lower", 0.0, 1.0)
