"""The kernels by themselves: delivery along runs, the list of spikes, and where compiled code is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.graph.operators.base import Array
from snnc.kernels import jit
from snnc.kernels.deliver import Axons, Events, Synapses, deliver
from snnc.kernels.loihi import collect


def one_list(weights: Array, runs: list[tuple[int, int, int]]) -> Synapses:
    first, start, length = np.array(runs, np.int32).reshape(-1, 3).T.copy()
    return Synapses(
        weights.astype(np.int16), first, start, length, np.array([0, len(runs)]), np.array([length.sum()])
    )


def events_of(spikes: Array) -> Events:
    """Spikes (blocks, samples, ticks, neurons) as lists."""
    count = spikes.sum(axis=-1)
    neurons = np.nonzero(spikes.reshape(-1, spikes.shape[-1]))[1]
    first = (np.cumsum(count) - count.ravel()).reshape(count.shape)
    return Events(first, count.astype(np.int32), neurons.astype(np.int16), np.array([len(neurons)]))


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_delivery_adds_each_run_and_wraps_at_16_bits(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    neurons, size, entries = 5, 12, 9
    weights = rng.integers(-(2**15), 2**15, entries)
    runs = []
    for _ in range(data.draw(st.integers(0, 5))):
        length = int(rng.integers(1, 7))
        runs.append(
            (int(rng.integers(0, 6 - length + 1)), int(rng.integers(0, entries - length + 1)), length)
        )
    spikes = rng.random((2, 3, 4, neurons)) < 0.5
    bounds = np.sort(rng.integers(0, 8, neurons + 1))
    bounds[0], bounds[-1] = 0, 7
    base = rng.integers(0, size - 6, 7).astype(np.int32)
    shift = data.draw(st.integers(-2, 2))
    axons = Axons(
        np.zeros(7, np.int32),
        base,
        np.array([1], np.int32),
        np.array([shift], np.int32),
        np.array([0]),
        bounds.astype(np.int32),
    )
    sample, tick = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 3))
    sums = np.zeros(size, np.int16)
    arrived, operations = deliver(sums, one_list(weights, runs), axons, events_of(spikes), sample, tick)

    expected, axon_events = np.zeros(size, np.int64), 0
    if 0 <= tick - shift < 4:
        for neuron in np.flatnonzero(spikes[1, sample, tick - shift]):
            for axon in range(bounds[neuron], bounds[neuron + 1]):
                axon_events += 1
                for first, start, length in runs:
                    place = base[axon] + first
                    expected[place : place + length] += weights[start : start + length]
    np.testing.assert_array_equal(sums, expected.astype(np.int16))
    assert (arrived, operations) == (axon_events, axon_events * sum(run[2] for run in runs))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.booleans(), max_size=40), st.integers(0, 3))
def test_collect_lists_the_spikes(fired: list[bool], first: int) -> None:
    padded = np.zeros(-(-len(fired) // 8) * 8, np.uint8)
    padded[: len(fired)] = fired
    neurons = np.full(first + len(fired) + 8, -1, np.int16)
    count = collect(padded, neurons, first)
    np.testing.assert_array_equal(neurons[first : first + count], np.flatnonzero(fired))
    assert (neurons[:first] == -1).all()


def test_a_change_of_any_source_gives_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # numba itself would notice a change in the function's own file only.
    sources = tmp_path / "kernels"
    sources.mkdir()
    (sources / "deliver.py").write_text("weight = 1")
    (sources / "loihi.py").write_text("from deliver import weight")
    monkeypatch.setattr(jit, "__file__", str(sources / "jit.py"))
    monkeypatch.setattr(jit.config, "CACHE_DIR", str(tmp_path / "cache"))
    before = jit._folder.__wrapped__()
    assert before is not None and before == jit._folder.__wrapped__() and before.is_dir()
    (sources / "deliver.py").write_text("weight = 2")
    assert jit._folder.__wrapped__() != before


def test_kernels_work_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(jit.config, "CACHE_DIR", str(blocked))
    monkeypatch.setattr(jit, "_folder", jit._folder.__wrapped__)
    assert jit._folder() is None

    def double(value: int) -> int:
        return 2 * value

    assert jit.kernel(double)(21) == 42
