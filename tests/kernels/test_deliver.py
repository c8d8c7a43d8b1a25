"""The kernels by themselves: delivery along runs, spikes as bits, and where compiled code is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.graph.operators.base import Array
from snnc.kernels import jit
from snnc.kernels.bits import add_sample, samples_in
from snnc.kernels.deliver import Axons, SynapseLists, deliver


def one_list(weights: Array, runs: list[tuple[int, int, int]]) -> SynapseLists:
    first, start, length = np.array(runs, np.int32).reshape(-1, 3).T.copy()
    return SynapseLists(
        weights.astype(np.int16), first, start, length, np.array([0, len(runs)]), np.array([length.sum()])
    )


def words_of(spikes: Array) -> Array:
    """Spikes (samples, ticks, neurons) as words (ticks, neurons), a bit a sample."""
    words = np.zeros(spikes.shape[1:], np.uint64)
    for sample, train in enumerate(spikes):
        words += train.astype(np.uint64) << np.uint64(sample)
    return words


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_delivery_adds_each_run_and_wraps_at_16_bits(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    samples, ticks, neurons, size, entries = data.draw(st.sampled_from([1, 3, 64])), 4, 5, 12, 9
    weights = rng.integers(-(2**15), 2**15, entries)
    runs = []
    for _ in range(data.draw(st.integers(0, 5))):
        length = int(rng.integers(1, 7))
        runs.append(
            (int(rng.integers(0, 6 - length + 1)), int(rng.integers(0, entries - length + 1)), length)
        )
    spikes = rng.random((samples, ticks, neurons)) < 0.5
    place, base = rng.integers(0, neurons, 7), rng.integers(0, size - 6, 7)
    shifts, bounds = np.array([-1, 0, 2]), np.array([0, 2, 2, 7])
    axons = Axons(place, np.zeros(7, np.int32), base.astype(np.int32), shifts, bounds)
    tick = data.draw(st.integers(0, ticks - 1))
    sums = np.zeros((samples, size), np.int16)
    arrived, operations = deliver(sums, one_list(weights, runs), axons, words_of(spikes), tick)

    expected, axon_events = np.zeros((samples, size), np.int64), 0
    for axon in range(7):
        fired_at = tick - shifts[np.searchsorted(bounds, axon, side="right") - 1]
        if 0 <= fired_at < ticks:
            fired = spikes[:, fired_at, place[axon]]
            axon_events += int(fired.sum())
            for first, start, length in runs:
                to = base[axon] + first
                expected[fired, to : to + length] += weights[start : start + length]
    np.testing.assert_array_equal(sums, expected.astype(np.int16))
    assert (arrived, operations) == (axon_events, axon_events * sum(run[2] for run in runs))


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**64 - 1))
def test_bits_are_samples(word: int) -> None:
    samples = np.full(64, -1)
    count = samples_in(np.uint64(word), samples)
    assert samples[:count].tolist() == [sample for sample in range(64) if word >> sample & 1]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.booleans(), max_size=40), st.integers(0, 63))
def test_spikes_of_a_sample_are_added_to_the_others(fired: list[bool], sample: int) -> None:
    words = np.full(len(fired), 0b101, np.uint64)
    count = add_sample(words, np.array(fired, np.uint8), sample)
    assert count == sum(fired)
    assert words.tolist() == [0b101 | int(each) << sample for each in fired]


def test_a_change_of_any_source_gives_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # numba itself would notice a change in the function's own file only.
    sources = tmp_path / "kernels"
    sources.mkdir()
    (sources / "deliver.py").write_text("weight = 1")
    (sources / "loihi.py").write_text("from deliver import weight")
    monkeypatch.setattr(jit, "__file__", str(sources / "jit.py"))
    monkeypatch.setattr(jit.config, "CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "chip").mkdir()
    (tmp_path / "chip" / "tile.py").write_text("tick = 1")
    folders = [sources, tmp_path / "chip"]
    before = [jit._folder.__wrapped__(folder) for folder in folders]
    assert before == [jit._folder.__wrapped__(folder) for folder in folders]
    assert all(folder is not None and folder.is_dir() for folder in before)
    (tmp_path / "chip" / "tile.py").write_text("tick = 2")
    of_chip = jit._folder.__wrapped__(folders[1])
    assert jit._folder.__wrapped__(sources) == before[0] and of_chip != before[1]
    (sources / "deliver.py").write_text("weight = 2")
    assert jit._folder.__wrapped__(sources) != before[0] and jit._folder.__wrapped__(folders[1]) != of_chip


def test_kernels_work_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(jit.config, "CACHE_DIR", str(blocked))
    monkeypatch.setattr(jit, "_folder", jit._folder.__wrapped__)
    assert jit._folder(tmp_path) is None

    def double(value: int) -> int:
        return 2 * value

    assert jit.kernel(double)(21) == 42
