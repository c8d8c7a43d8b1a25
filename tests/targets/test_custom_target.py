"""The example of a target in a package of its own: small, found by its entry points, and bit for bit the network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import snnc
from snnc.cli.main import run
from snnc.errors import ArtifactError, GraphError, MappingError, PassError, SnncError, UsageError
from snnc.formats.packed import Packed
from snnc.graph import Add, Bias, Conv, Delay, Flatten, Graph, Input, Linear, Output, Readout
from snnc.graph.evaluate import evaluate
from snnc.graph.neurons import IF, LIF, RateSource, Reset
from snnc.graph.operators.base import Array
from snnc.simulate import Trace, simulate
from snnc.targets import target as registry

EXAMPLES = Path(__file__).parents[2] / "examples"
PACKAGE = EXAMPLES / "custom_target"


def install(folder: Path) -> None:
    """What pip leaves in site-packages: the modules, and the entry points of the project file."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    (folder / "mosaic").symlink_to(PACKAGE / "mosaic")
    info = folder / f"snnc_mosaic-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {place}" for name, place in points.items())])
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n\n".join(groups))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the installed package, on the path."""
    folder = tmp_path_factory.mktemp("site")
    install(folder)
    sys.path.insert(0, str(folder))
    registry.targets.cache_clear()
    yield folder
    sys.path.remove(str(folder))
    registry.targets.cache_clear()


@pytest.fixture(scope="module")
def neuron(site: Path) -> Callable[..., Any]:
    from mosaic.chip import MosaicNeuron

    return MosaicNeuron


def fashion(name: str) -> tuple[Array, Array]:
    data = np.load(EXAMPLES / "data" / f"fashion_{name}.npz")
    return data["x"], data["y"]


def test_it_is_small() -> None:
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    lines = sum(len(path.read_text().splitlines()) for path in files if path.suffix in (".py", ".toml"))
    assert lines < 200
    assert {path.suffix for path in files} == {".py", ".toml"}


def test_its_entry_points_are_all_that_the_commands_need(site: Path) -> None:
    def snnc_run(*arguments: str) -> str:
        paths = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-m", "snnc.cli", *arguments]
        done = subprocess.run(
            command, capture_output=True, env={**os.environ, "PYTHONPATH": paths}, check=True
        )
        return done.stdout.decode()

    assert "mosaic" in json.loads(snnc_run("targets", "--json"))
    assert "mosaic-quantise" in snnc_run("passes")


def test_the_multilayer_perceptron_by_the_command_line(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def snnc_json(*arguments: str) -> Any:
        capsys.readouterr()
        assert run([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    model, artefact = str(EXAMPLES / "fashion_mlp" / "fashion_mlp.onnx"), str(tmp_path / "mlp.snnc")
    calibration, test = (str(EXAMPLES / "data" / f"fashion_{name}.npz") for name in ("calibration", "test"))
    compiled = snnc_json("compile", model, "--target", "mosaic", "--calibration", calibration, "-o", artefact)
    # 4 cores of 64 for 256 neurons, 2 for 128, 1 for 10.
    assert (compiled["target"], compiled["cores"], compiled["chips"]) == ("mosaic", 7, 1)
    assert [step["name"] for step in compiled["passes"]][-2:] == ["mosaic-quantise", "lower"]
    result = snnc_json("eval", artefact, "--data", test, "--samples", "300")
    assert abs(result["accuracy"] - result["ann_accuracy"]) <= 0.02
    assert result["agreement"] >= 0.96
    assert result["energy_joules_per_sample"] > 0 and result["latency_seconds_per_sample"] > 0
    snnc_json("inspect", artefact)
    assert snnc_json("inspect", model, "--target", "mosaic")["usage"]["target"] == "mosaic"
    out = str(tmp_path / "spikes.npz")
    snnc_json(
        "run", artefact, "--data", test, "--samples", "3", "--ticks", "5", "--record", "spikes", "-o", out
    )
    assert np.load(out)["spikes:/2/Relu"].shape == (3, 5, 256)


def test_the_convolutional_network_is_the_integer_network(site: Path, tmp_path: Path) -> None:
    model = EXAMPLES / "fashion_convnet" / "fashion_convnet.onnx"
    x, y = fashion("test")
    compiled = snnc.compile(model, "mosaic", calibration=fashion("calibration")[0][:64], ticks=24)
    compiled.save(tmp_path / "convnet.snnc")
    loaded = snnc.load(tmp_path / "convnet.snnc")
    assert loaded.usage.chips == 6  # 334 cores of 64 a chip
    trace = loaded.run(x[:64], ticks=24)
    assert (trace.output.argmax(axis=1) == y[:64]).mean() >= 0.85
    agreement = trace.output.argmax(axis=1) == evaluate(compiled.ann, x[:64]).argmax(axis=1)
    assert agreement.mean() >= 0.94
    record = ("spikes", "voltage", "output")
    assert_equal(loaded.run(x[:2], ticks=9, record=record), simulate(compiled.graph, x[:2], 9, record=record))


def assert_equal(chip: Trace, network: Trace) -> None:
    for name, spikes in network.spikes.items():
        assert np.array_equal(chip.spikes[name], spikes), name
        assert np.array_equal(chip.spike_counts[name], network.spike_counts[name]), name
    for name, voltage in chip.voltage.items():
        assert np.array_equal(voltage, network.voltage[name]), name
    assert np.array_equal(chip.output_by_tick, network.output_by_tick)


@st.composite
def networks(draw: st.DrawFn, neuron: Callable[..., Any]) -> Graph:
    """A host source, convolutions and dense layers, branches of unequal length, delays, and perhaps a cycle."""
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    scale = draw(st.sampled_from([4, 120]))

    def weights(*shape: int) -> Array:
        return random.integers(-scale, scale + 1, shape)

    def fire(shape: tuple[int, ...]) -> Any:
        # Small and large registers: some potentials saturate at 20 bits within the few ticks of the tests.
        size = draw(st.sampled_from([100, 400_000]))
        return neuron(
            random.integers(1, size + 1, shape),
            random.integers(-size, size + 1, shape),
            random.integers(-9, 9, shape),
        )

    channels, side = draw(st.integers(1, 3)), draw(st.integers(3, 6))
    graph = Graph("random").add("in", Input((2, side, side))).add("source", RateSource(1.0, 0.5), "in")
    last = "source"
    for number in range(draw(st.integers(1, 3))):
        padded = Conv(weights(channels, graph.shapes[last][0], 3, 3), None, (1, 1), ((1, 1), (1, 1)))
        graph = graph.add(f"conv{number}", padded, last)
        inputs = [f"conv{number}"]
        if draw(st.booleans()):
            skipped = Conv(weights(channels, 2, 1, 1), None)
            graph = graph.add(f"skip{number}", skipped, "source")
            graph = graph.add(f"late{number}", Delay(draw(st.integers(1, 5))), f"skip{number}")
            inputs.append(f"late{number}")
        if draw(st.booleans()):
            own = Conv(weights(channels, channels, 1, 1), None)
            graph = graph.add(f"own{number}", own, f"layer{number}")
            inputs.append(f"own{number}")
        last = f"layer{number}"
        graph = graph.add(last, fire((channels, side, side)), *inputs)
    graph = graph.add("flat", Flatten(), last).add("dense", Linear(weights(5, channels * side**2)), "flat")
    readout = draw(st.sampled_from([Readout.COUNT, Readout.POTENTIAL]))
    return graph.add("read", fire((5,)), "dense").add("out", Output(readout, 0.25, 1.0), "read")


@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_random_networks_run_as_they_are_written(neuron: Callable[..., Any], data: st.DataObject) -> None:
    graph = data.draw(networks(neuron))
    x = np.random.default_rng(0).random((3, *graph.shapes["in"]), np.float32)
    compiled = snnc.compile(graph, "mosaic")
    record = ("spikes", "voltage", "output")
    assert_equal(compiled.run(x, ticks=7, record=record), simulate(graph, x, 7, record=record))


def test_a_neuron_saturates_and_keeps_the_excess(neuron: Callable[..., Any]) -> None:
    model = neuron(np.array([10, 10, 500_000]), np.array([3, 0, 0]), np.array([0, 0, 400_000]))
    state = model.start((3,), np.arange(1), np.dtype(np.int64))
    state, spikes = model.step(state, np.array([[9, -(2**20), 2**20]]))
    # 0 + 9 + 3 = 12 >= 10 leaves 2; below 20 bits stays the lowest; above stays the highest, less the threshold.
    assert state["voltage"].tolist() == [[2, -(2**19), 2**19 - 1 - 500_000]]
    assert spikes.tolist() == [[True, False, True]]


def test_events_are_counted(neuron: Callable[..., Any]) -> None:
    graph = Graph("two").add("in", Input((2,))).add("source", RateSource(1.0, 0.0), "in")
    graph = graph.add("w", Linear(np.array([[5, 0], [5, 7], [0, 0]])), "source")
    graph = graph.add("read", neuron(10), "w").add("out", Output(Readout.COUNT), "read")
    counts = snnc.compile(graph, "mosaic").run(np.array([[1.0, 0.0]], np.float32), ticks=4).counts
    # A spike a tick reaches the core a tick later, whose axon has 3 weights; two neurons fire at every second.
    assert counts.axon_events.tolist() == [[0, 1, 1, 1, 1]]
    assert counts.synaptic_operations.tolist() == [[0, 3, 3, 3, 3]]
    assert counts.neuron_updates.tolist() == [[0, 3, 3, 3, 3]]
    assert counts.spikes.tolist() == [[0, 0, 2, 0, 2]]
    assert counts.messages.tolist() == [[0, 0, 0, 0, 0]]  # no core listens to the neurons that are read


def chain(*operators: Any, shape: tuple[int, ...] = (4,)) -> Graph:
    """Operators in a row behind spikes of the host."""
    graph = Graph("chain").add("in", Input(shape)).add("source", RateSource(), "in")
    last = "source"
    for number, operator in enumerate(operators):
        graph = graph.add(f"node{number}", operator, last)
        last = f"node{number}"
    return graph.add("out", Output(Readout.COUNT), last)


def test_what_does_not_fit_is_refused_by_layer_limit_and_excess(neuron: Callable[..., Any]) -> None:
    wide = chain(Linear(np.ones((3, 2050), np.int64)), neuron(5), shape=(2050,))
    with pytest.raises(MappingError) as caught:
        snnc.compile(wide, "mosaic")
    text = "axons: 2,050 on one core of Mosaic, 2 more than its limit of 2,048"
    assert (caught.value.code, caught.value.node, caught.value.message) == ("T005", "node1", text)
    assert "groups" in str(caught.value.remedy)
    for operators, what in (
        ((Linear(np.full((3, 4), 200)), neuron(5)), "weight: 200 .*, 73 more than its limit of 127"),
        (
            (Delay(16), Linear(np.ones((3, 4), np.int64)), neuron(5)),
            "delay: 17 .*, 1 more than its limit of 16",
        ),
    ):
        with pytest.raises(MappingError, match=what):
            snnc.compile(chain(*operators), "mosaic")


def test_a_neuron_takes_as_many_axons_as_a_core_has(neuron: Callable[..., Any]) -> None:
    """Neurons that share no input get cores of their own, as far as they must."""
    weight = np.kron(np.eye(8, dtype=np.int64), np.ones((1, 1000), np.int64))
    compiled = snnc.compile(chain(Linear(weight), neuron(5), shape=(8000,)), "mosaic")
    assert compiled.usage.cores == 4
    assert compiled.usage.layers[0].binding.used == 2000


def test_a_layer_is_not_cut_where_its_axons_are_just_enough(neuron: Callable[..., Any]) -> None:
    for inputs, cores in ((2048, 1), (2049, 2)):
        weight = np.zeros((2, inputs), np.int64)
        weight[0, :2048], weight[1, inputs - 2048 :] = 1, 1
        assert snnc.compile(chain(Linear(weight), neuron(5), shape=(inputs,)), "mosaic").usage.cores == cores


def test_a_neuron_that_is_heard_twice_has_two_axons(neuron: Callable[..., Any]) -> None:
    graph = chain(Linear(np.full((3, 4), 100)), neuron(500))
    edit = graph.edit()
    edit.set("node1", inputs=("node0", "node0"))
    compiled = snnc.compile(edit.done(), "mosaic")
    assert len(compiled.program.pieces[0].source) == 8
    x = np.ones((1, 4), np.float32)
    assert np.array_equal(compiled.run(x, ticks=4).output, simulate(compiled.graph, x, 4).output)


def test_graphs_for_another_chip_are_refused(neuron: Callable[..., Any]) -> None:
    from snnc.graph import SpikeSource
    from snnc.targets.truenorth.neuron import TrueNorthNeuron

    weight = Linear(np.ones((3, 4), np.int64))
    good = chain(weight, neuron(5))
    late = good.add("spikes", SpikeSource(), "in").add("other", Output(Readout.COUNT), "spikes")
    direct = Graph("host").add("in", Input((4,))).add("w", weight, "in").add("read", neuron(5), "w")
    for code, graph in {
        "T002": chain(weight, TrueNorthNeuron(threshold=1)),
        "T003": direct.add("out", Output(Readout.COUNT), "read"),
        "T004": late,
        "T104": chain(weight, Bias(np.array([1, 2, 3])), neuron(5)),
    }.items():
        with pytest.raises(MappingError) as caught:
            snnc.compile(graph, "mosaic")
        assert caught.value.code == code
        assert caught.value.remedy
    with pytest.raises(GraphError, match="G104"):
        neuron(2**19)
    with pytest.raises(GraphError, match="G104"):
        neuron(0)


def test_networks_of_other_neurons_are_refused(site: Path) -> None:
    weight = Linear(np.ones((3, 4)))
    for model in (LIF(1.0, voltage_decay=0.1), IF(1.0, Reset.ZERO)):
        with pytest.raises(PassError, match="P220") as caught:
            snnc.compile(chain(weight, model), "mosaic")
        assert caught.value.node == "node1"
    current = Graph("both").add("in", Input((3,))).add("source", RateSource(), "in")
    current = current.add("sum", Add(), "in", "source").add("if", IF(1.0), "sum")
    with pytest.raises(SnncError):
        snnc.compile(current.add("out", Output(Readout.COUNT), "if"), "mosaic")


def test_choices_that_the_chip_has_not(site: Path, tmp_path: Path) -> None:
    model = EXAMPLES / "fashion_mlp" / "fashion_mlp.onnx"
    with pytest.raises(UsageError, match="U104"):
        snnc.compile(model, "mosaic", weight_bits=9)
    with pytest.raises(PassError, match="P220"):
        snnc.compile(model, "mosaic", reset="zero")
    convnet = EXAMPLES / "fashion_convnet" / "fashion_convnet.onnx"
    with pytest.raises(MappingError, match=r"T001.* 334 cores on 6 chips of mosaic, but at most 2"):
        snnc.compile(convnet, "mosaic", max_chips=2)


def test_fewer_bits_are_taken(site: Path) -> None:
    model = EXAMPLES / "fashion_mlp" / "fashion_mlp.onnx"
    compiled = snnc.compile(model, "mosaic", weight_bits=3)
    assert max(int(np.abs(piece.weight).max()) for piece in compiled.program.pieces) == 3


def test_a_program_that_is_another_network_is_found(neuron: Callable[..., Any]) -> None:
    chip = registry.target_named("mosaic")
    compiled = snnc.compile(chain(Linear(np.ones((3, 4), np.int64)), neuron(5)), "mosaic")
    (piece,) = compiled.program.pieces
    for changes in ({"weight": piece.weight + np.eye(4, 3, dtype=np.int64)}, {"source": piece.source[::-1]}):
        forged = replace(compiled.program, pieces=(replace(piece, **changes),))
        if "source" in changes:
            forged = replace(forged, pieces=(replace(piece, source=piece.source * 0),))
        with pytest.raises(MappingError, match="T006"):
            chip.check(forged, compiled.graph)


def test_files_that_make_no_program_are_refused(neuron: Callable[..., Any]) -> None:
    chip = registry.target_named("mosaic")
    compiled = snnc.compile(chain(Linear(np.ones((3, 4), np.int64)), neuron(np.array([5, 6, 7]))), "mosaic")
    packed = chip.pack(compiled.program)
    again = chip.unpack(packed)
    assert np.array_equal(again.pieces[0].weight, compiled.program.pieces[0].weight)
    with pytest.raises(ArtifactError, match="A122"):
        chip.unpack(Packed({**packed.header, "populations": 3}, packed.arrays))
    refused = 0
    for key, array in packed.arrays.items():
        for forged in (array.ravel()[:-1], np.full_like(array, 99), array.astype(np.float32) + 0.5):
            try:
                chip.unpack(Packed(packed.header, {**packed.arrays, key: forged}))
            except SnncError as error:
                refused += error.code in ("A121", "A122")
    assert refused >= 2 * len(packed.arrays) // 2


def costed(neuron: Callable[..., Any]) -> tuple[snnc.Compiled, Array]:
    """A network of two layers on several cores, with delays, and samples for it."""
    random = np.random.default_rng(5)
    graph = chain(
        Linear(random.integers(-9, 30, (90, 6))),
        neuron(60),
        Delay(2),
        Linear(random.integers(-9, 30, (70, 90))),
        neuron(200),
        shape=(6,),
    )
    return snnc.compile(graph, "mosaic"), random.random((3, 6)).astype(np.float32)


def test_costs_are_of_the_events_that_are_counted(neuron: Callable[..., Any]) -> None:
    compiled, x = costed(neuron)
    costs, trace = compiled.run_with_costs(x, 12).costs, compiled.run(x, 12)
    events = dict(zip(costs.kinds, costs.events, strict=True))
    counts, cores = trace.counts, len(compiled.program.pieces)
    assert cores == 4 and counts is not None
    on_chip = costs.unit_core >= 0
    pairs = {"neuron_access": counts.neuron_updates, "spike": counts.spikes, "message_out": counts.messages}
    for kind, counted in pairs.items():
        np.testing.assert_array_equal(events[kind][on_chip], counted, kind)
    # What a spike reads is counted by the simulator in the tick that reads it, here in that which sends the spike.
    totals = {"synapse": counts.synaptic_operations, "axon_event": counts.axon_events}
    for kind, counted in totals.items():
        np.testing.assert_array_equal(events[kind][on_chip].sum(axis=1), counted.sum(axis=1), kind)
    host = int(trace.spike_counts["source"].sum())
    assert events["message_out"][~on_chip].sum() == 2 * host  # two cores listen to each neuron of the host
    assert events["message_in"].sum() == events["message_out"].sum()
    prices = {"neuron_access": 20, "spike": 5, "message_out": 10, "message_in": 4, "synapse": 0.5}
    total = sum(price * int(events[kind].sum()) for kind, price in prices.items())
    assert costs.dynamic_joules.sum() == pytest.approx(total * 1e-12, rel=1e-12)


def test_a_tick_lasts_as_long_as_its_slowest_core(neuron: Callable[..., Any]) -> None:
    compiled, x = costed(neuron)
    detailed = compiled.run_with_costs(x, 12, detailed=True).costs
    timeline = compiled.timeline(x, 12)
    np.testing.assert_array_equal(timeline.nanoseconds, detailed.nanoseconds[0])
    ends = np.maximum(timeline.updated, timeline.done).max(axis=1) + 50  # the barrier
    np.testing.assert_allclose(timeline.nanoseconds, ends, rtol=1e-12)
    estimated = compiled.run_with_costs(x, 12).costs
    np.testing.assert_allclose(estimated.nanoseconds, detailed.nanoseconds, rtol=0.3)


def test_threads_and_batches_change_no_bit(neuron: Callable[..., Any]) -> None:
    compiled, x = costed(neuron)
    record = ("spikes", "voltage", "output")
    one, two = (compiled.run(np.repeat(x, 5, axis=0), 9, record=record, threads=n) for n in (1, 3))
    assert_equal(one, two)
