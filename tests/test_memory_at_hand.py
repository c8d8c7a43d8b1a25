"""What would take more memory than there is is refused before it is tried, with an estimate and what would help."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from small_models import small_model

import snnc
from snnc import memory
from snnc.cli.main import run
from snnc.errors import DataError
from snnc.graph import Graph
from snnc.graph.evaluate import most_live
from snnc.graph.operators import Add, Input, Linear, Output, Relu, Scale
from snnc.targets import target_named
from snnc.targets.truenorth.options import TrueNorthOptions

LITTLE = 1e-6
"""GiB, about one thousand bytes: less than anything takes."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    onnx.save(small_model(), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


@pytest.mark.parametrize("command", ["inspect", "compile"])
def test_a_file_that_is_too_large_is_not_read(
    command: str, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    assert run([command, path.name, "--memory", str(LITTLE)]) == 1
    text = capsys.readouterr().err
    assert "[D104]" in text and "to import it: it would take about" in text and "fewer weights" in text


def test_a_network_of_too_many_neurons_is_not_mapped() -> None:
    with pytest.raises(DataError, match=r"D104.*to map its [\d,]+ values a sample(.|\n)*smaller input"):
        snnc.compile(snnc.import_onnx(small_model()), memory=LITTLE)


def test_values_of_the_check_count(path: Path) -> None:
    just_enough_to_read = 3 * path.stat().st_size / memory.GIBIBYTE
    with pytest.raises(DataError, match=r"D104.*to compare the import with onnxruntime"):
        snnc.compile(path, memory=just_enough_to_read)


def test_recordings_that_are_too_large_are_not_made() -> None:
    compiled = snnc.compile(small_model(), ticks=4)
    x = np.zeros((2, *compiled.graph.shapes[compiled.graph.inputs[0].name]), np.float32)
    neurons = sum(int(np.prod(compiled.graph.shapes[node.name])) for node in compiled.graph.populations)
    exact = 2 * 4 * neurons * 5 / memory.GIBIBYTE
    assert compiled.run(x, record=("spikes", "voltage"), memory=exact * 1.001).spikes
    with pytest.raises(DataError, match=r"D104.*to record spikes, voltage: (.|\n)*record less"):
        compiled.run(x, record=("spikes", "voltage"), memory=exact * 0.999)
    compiled.run(x, memory=LITTLE)


def test_synapses_that_truenorth_would_write_out_count(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = np.ones((3, 8), np.float32)
    graph = (
        Graph("dense").add("x", Input((8,))).add("dense", Linear(weight), "x").add("relu", Relu(), "dense")
    )
    graph = graph.add("out", Output(), "relu")
    chip, options = target_named("truenorth"), TrueNorthOptions()
    exact = weight.size * 88
    monkeypatch.setattr(memory, "available_memory", lambda: exact)
    assert chip.estimate(graph, options).synapses
    monkeypatch.setattr(memory, "available_memory", lambda: exact - 1)
    with pytest.raises(DataError, match=r"D104.*to write out 24 synapses for TrueNorth(.|\n)*smaller input"):
        chip.estimate(graph, options)


def test_most_live() -> None:
    graph = Graph("fork").add("x", Input((5,))).add("a", Relu(), "x").add("b", Scale(np.array(2.0)), "a")
    graph = graph.add("c", Scale(np.array(3.0)), "a").add("sum", Add(), "b", "c").add("out", Output(), "sum")
    assert most_live(graph) == 15


@pytest.mark.skipif(sys.platform != "linux", reason="what is free is read from Linux's files")
def test_the_least_of_what_limits_a_process_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = {
        "/proc/meminfo": "MemTotal: 90 kB\nMemAvailable: 50 kB\n",
        "/sys/fs/cgroup/memory.max": "max\n",
        "/sys/fs/cgroup/memory.current": "70\n",
        "/proc/self/statm": "3 1 1",
    }
    monkeypatch.setattr(memory, "_read", lambda path: files.get(str(path), ""))
    page = resource.getpagesize()
    limits = [(resource.RLIM_INFINITY, 50 * 1024), (3 * page + 7, 7)]
    for most, room in limits:
        monkeypatch.setattr(resource, "getrlimit", lambda _, most=most: (most, most))
        assert memory.available_memory() == room
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    files["/sys/fs/cgroup/memory.max"] = "100\n"
    assert memory.available_memory() == 30
    files.clear()
    assert memory.available_memory() is None
    memory.require_memory("to try it", 2**60, "do less")
