"""Running whole programs: batches and threads, merging, windows, counts, decoding, votes, streams, wrong calls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hand_made import chip, everything, lines, plain_neuron, population, program, read_otherwise
from plain_truenorth import PlainCore

from snnc.errors import ArtifactError, DataError, UsageError
from snnc.graph import Readout, SparseLinear
from snnc.simulate.trace import Trace
from snnc.targets import RunOptions
from snnc.targets.frame import ReadoutTerm
from snnc.targets.truenorth.program import (
    TrueNorthProgram,
    inert_cores,
    pack_crossbar,
    unpack_crossbar,
)
from snnc.targets.truenorth.simulate import simulate_program
from snnc.targets.truenorth.stream import present_stream

RECORD = ("spikes", "voltage", "output")


def random_program(seed: int = 1, cores: int = 3) -> TrueNorthProgram:
    """Recurrent full cores with random registers, stochastic ones among them."""
    rng = np.random.default_rng(seed)
    made = inert_cores(cores)
    size = (cores, 256)
    made.axon_type[:] = rng.integers(0, 4, size)
    made.crossbar[:] = rng.integers(0, 256, made.crossbar.shape)
    made.weight[:] = rng.integers(-40, 60, made.weight.shape)
    made.stochastic_synapse[:] = rng.random(made.weight.shape) < 0.1
    made.leak[:] = rng.integers(-20, 20, size)
    made.stochastic_leak[:] = rng.random(size) < 0.3
    made.mask_bits[:] = rng.integers(0, 8, size)
    made.threshold[:] = rng.integers(0, 900, size)
    made.negative_threshold[:] = rng.integers(0, 500, size)
    made.saturates[:] = rng.random(size) < 0.5
    made.reset_mode[:] = rng.integers(0, 3, size)
    made.target_core[:] = rng.integers(-1, cores, size)
    made.target_axon[:] = rng.integers(0, 256, size)
    made.target_delay[:] = rng.integers(1, 16, size)
    entries = [(int(rng.integers(-1, 9)), int(rng.integers(cores)), n, 1 + n % 20) for n in range(100)]
    first = population("first", [(0, n) for n in range(0, 256, 3)], 1)
    second = population("second", [(n % cores, n) for n in range(40)], 4)
    return program(made, 9, entries, [first, second], readout=Readout.POTENTIAL, seed=99)


def samples(count: int, ticks: int | None = None) -> np.ndarray:
    shape = (count, 9) if ticks is None else (count, ticks, 9)
    return (np.random.default_rng(5).random(shape) < 0.4).astype(np.float32)


def same(first: Trace, second: Trace) -> None:
    for variable in ("spikes", "voltage", "spike_counts"):
        assert getattr(first, variable).keys() == getattr(second, variable).keys()
        for name, values in getattr(first, variable).items():
            np.testing.assert_array_equal(values, getattr(second, variable)[name])
    np.testing.assert_equal(first.outputs, second.outputs)
    np.testing.assert_equal(first.outputs_by_tick, second.outputs_by_tick)
    for name, values in vars(first.counts).items():
        np.testing.assert_array_equal(values, getattr(second.counts, name))


@pytest.mark.parametrize(("batch", "threads"), [(None, 1), (None, 2), (1, 2), (3, 1), (4, 3), (100, 2)])
def test_threads_and_batches_do_not_change_a_bit(batch: int | None, threads: int) -> None:
    made, x = random_program(), samples(11)
    expected = simulate_program(made, x, 15, RunOptions(record=RECORD, batch=11, threads=1, first_sample=5))
    assert 0 < expected.spikes["first"].mean() < 1
    same(
        expected,
        simulate_program(
            made, x, 15, RunOptions(record=RECORD, batch=batch, threads=threads, first_sample=5)
        ),
    )
    part = simulate_program(made, x[4:], 15, RunOptions(record=RECORD, first_sample=9))
    np.testing.assert_array_equal(part.voltage["second"], expected.voltage["second"][4:])


def test_blocks_of_ticks_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    made, x = random_program(), samples(3, 14)
    expected = simulate_program(made, x, 14, RunOptions(record=RECORD))
    monkeypatch.setattr("snnc.targets.truenorth.batch._BLOCK_BYTES", 20000)
    same(expected, simulate_program(made, x, 14, RunOptions(record=RECORD)))


def test_seed_and_sample_choose_the_random_numbers() -> None:
    made, x = random_program(), np.repeat(samples(1), 3, axis=0)
    first = simulate_program(made, x, 12, RunOptions(record=("spikes",))).spikes["first"]
    other = simulate_program(replace(made, seed=98), x, 12, RunOptions(record=("spikes",))).spikes["first"]
    assert (first[0] != first[1]).any() and (first != other).any()


def relay(weight: int, alpha: int, **registers: object) -> PlainCore:
    """One axon to one neuron."""
    return PlainCore([0], [[1]], [plain_neuron(weights=[weight, 0, 0, 0], alpha=alpha, **registers)])


def test_two_spikes_for_one_axon_and_tick_are_one() -> None:
    core = relay(5, 1000)
    entries = [(0, 0, 0, 1), (1, 0, 0, 2), (-1, 0, 0, 3)]
    made = program(chip([core]), 2, entries, everything([core]))
    x = np.zeros((1, 6, 2), np.float32)
    x[0, 2, 0] = x[0, 1, 1] = x[0, 0, 0] = 1  # arrive at ticks 3, 3 and 1; the line always on from tick 3
    trace = simulate_program(made, x, 6, RunOptions(record=("voltage",)))
    np.testing.assert_array_equal(trace.voltage["core0"][0, :, 0], [0, 5, 5, 10, 15, 20])
    np.testing.assert_array_equal(trace.counts.axon_events[0], [0, 1, 0, 1, 1, 1])


def test_spikes_of_two_neurons_merge_and_delays_are_exact() -> None:
    # Two neurons fire in tick 1; with delays 4 and 4 they merge, with 4 and 15 they do not.
    for delays, expected in (((4, 4), 7), ((4, 15), 14)):
        sender = PlainCore(
            [0],
            [[1, 1]],
            [plain_neuron(weights=[1, 0, 0, 0], alpha=1, target=(1, 0, delay)) for delay in delays],
        )
        made = program(chip([sender, relay(7, 100)]), 1, [(0, 0, 0, 1)], everything([sender, relay(7, 100)]))
        x = np.zeros((1, 20, 1), np.float32)
        x[0, 0] = 1
        trace = simulate_program(made, x, 20, RunOptions(record=("voltage",)))
        arrived = np.flatnonzero(np.diff(trace.voltage["core1"][0, :, 0])) + 1
        np.testing.assert_array_equal(arrived, sorted({1 + delay for delay in delays}))
        assert trace.voltage["core1"][0, -1, 0] == expected
        assert trace.counts.messages.sum() == 2


def test_windows_counts_and_decoding() -> None:
    relays = [relay(3, 2, target=(1, 0, 1)), relay(5, 4)]
    names = [population("first", [(0, 0)], 1), population("second", [(1, 0)], 2)]
    made = program(chip(relays), 1, [(0, 0, 0, 1)], names, readout=Readout.POTENTIAL)
    x = np.array([[[1], [0], [1], [1]]], np.float32)
    trace = simulate_program(made, x, 4, RunOptions(record=RECORD))
    np.testing.assert_array_equal(trace.spikes["in"][0, :, 0], [1, 0, 1, 1])
    # First: +3, threshold 2: 1 left; second tick nothing; then 4 - 2, 5 - 2.
    np.testing.assert_array_equal(trace.spikes["first"][0, :, 0], [1, 0, 1, 1])
    np.testing.assert_array_equal(trace.voltage["first"][0, :, 0], [1, 1, 2, 3])
    np.testing.assert_array_equal(trace.spikes["second"][0, :, 0], [1, 0, 1, 1])
    assert {name: int(count[0]) for name, count in trace.spike_counts.items()} == {
        "in": 3, "first": 3, "second": 3,
    }  # fmt: skip
    np.testing.assert_allclose(trace.output_by_tick[0, :, 0], [5, 5 / 2, 10 / 3, 15 / 4])
    np.testing.assert_allclose(trace.output[0], 15 / 4)
    assert trace.latency_ticks == 6 and trace.counts.spikes.shape == (2, 6)
    # The first relay still holds 3 when the host is silent again, and fires once more, outside of its window.
    np.testing.assert_array_equal(trace.counts.spikes, [[0, 1, 0, 1, 1, 1], [0, 0, 1, 0, 1, 1]])
    np.testing.assert_array_equal(trace.counts.synaptic_operations.sum(axis=1), [3, 3])
    assert (trace.counts.neuron_updates == 256).all()


def weighing(matrix: list[list[int]]) -> SparseLinear:
    """A map off the chip, by its (outputs, neurons) matrix."""
    weights = np.array(matrix)
    rows, columns = np.nonzero(weights)
    return SparseLinear(rows, columns, weights[rows, columns], weights.shape[1:], weights.shape[:1])


def test_an_answer_of_weighed_neurons() -> None:
    """Three neurons and one, read by another number of classes; a class of no neuron has the offset alone."""
    plain = [
        PlainCore([0], [[1, 1, 1]], relay(1, 1).neurons + relay(1, 2).neurons + relay(1, 4).neurons),
        relay(1, 8),
    ]
    names = [replace(each, start=1) for each in everything(plain)]
    readings = (
        ReadoutTerm(1, weighing([[3, -1, 0], [0, 0, 2], [0, 0, 0], [1, 1, 1]])),
        ReadoutTerm(2, weighing([[5], [0], [0], [-16]])),
    )
    made = program(chip(plain), 1, [(0, 0, 0, 1), (0, 1, 0, 1)], names, readings=readings)
    made = read_otherwise(
        made, readout=Readout.VALUE, scale=np.array(0.5), offset=np.array([0.0, 1.0, 2.0, 3.0])
    )
    trace = simulate_program(made, np.ones((2, 1), np.float32), 8, RunOptions(record=("output", "spikes")))
    sums = [3 * 8 - 4 + 5 * 1, 2 * 2, 0, 8 + 4 + 2 - 16]
    np.testing.assert_allclose(trace.output, [np.array(sums) / 8 * 0.5 + [0, 1, 2, 3]] * 2)
    fired = np.concatenate([trace.spikes["core0"], trace.spikes["core1"]], axis=2).cumsum(axis=1)
    matrix = np.array([[3, -1, 0, 5], [0, 0, 2, 0], [0, 0, 0, 0], [1, 1, 1, -16]])
    expected = fired @ matrix.T / np.arange(1, 9)[:, None] * 0.5 + [0, 1, 2, 3]
    np.testing.assert_allclose(trace.output_by_tick, expected)


def test_copies_vote_and_negative_parts_are_taken_away() -> None:
    plain = [relay(1, 1), relay(1, 2), relay(1, 4)]
    names = everything(plain)
    entries = [(0, core, 0, 1) for core in range(3)]
    readings = (ReadoutTerm(1), ReadoutTerm(2), ReadoutTerm(3, weighing([[-2]])))
    made = read_otherwise(
        program(chip(plain), 1, entries, [replace(n, start=1) for n in names], readings=readings),
        scale=np.array(1.0),
        offset=np.array(0.25),
    )
    trace = simulate_program(made, np.ones((1, 1), np.float32), 8)
    np.testing.assert_allclose(trace.output[0], 2 * (8 * 0.5 + 4 * 0.5 - 2) / 8 + 0.25)


def memoryless(rng: np.random.Generator, inputs: int, depth: int) -> tuple[list[PlainCore], list]:
    """Layers of step neurons as in Esser 2016: fire where the sum is at least 0, and forget it."""
    plain = []
    for layer in range(depth):
        cells = [
            plain_neuron(
                weights=[1, -1, 0, 0], leak=int(rng.integers(-2, 2)), alpha=0, beta=0, gamma=0, kappa=1, reset=0,
                target=(layer + 1, index, 1) if layer + 1 < depth else None,
            )
            for index in range(inputs)
        ]  # fmt: skip
        types = rng.integers(0, 2, inputs).tolist()
        plain.append(PlainCore(types, rng.integers(0, 2, (inputs, inputs)).tolist(), cells))
    return plain, [(n, 0, n, 1) for n in range(inputs)]


@pytest.mark.parametrize("streams", [1, 4, 50])
def test_a_new_image_every_tick(streams: int) -> None:
    rng = np.random.default_rng(3)
    plain, entries = memoryless(rng, 12, 3)
    names = [replace(each, start=number + 1) for number, each in enumerate(everything(plain))]
    made = program(chip(plain), 12, entries, names)
    images = (rng.random((30, 12)) < 0.5).astype(np.float32)
    expected = images.astype(np.int64)
    for core in plain:
        signs = np.where(np.array(core.types) == 0, 1, -1)
        matrix = np.array(core.connected) * signs[:, None]
        expected = (expected @ matrix + [cell.leak for cell in core.neurons] >= 0).astype(np.int64)
    found = present_stream(made, images, streams=streams)
    np.testing.assert_array_equal(found.output, expected)
    assert found.latency_ticks == 4
    with pytest.raises(UsageError, match="U211"):
        present_stream(read_otherwise(made, readout=Readout.POTENTIAL), images)
    with pytest.raises(UsageError, match="U204"):
        present_stream(made, images, streams=0)


def test_quiet_cores_are_passed_over_without_a_trace() -> None:
    # A neuron that fires on its own for ever, one that ends at rest, one that waits for its only input.
    cells = [
        plain_neuron(alpha=3, gamma=2, v=5),
        plain_neuron(alpha=3, gamma=1, v=8),
        plain_neuron(weights=[9, 0, 0, 0], alpha=3, beta=1, kappa=0, gamma=0, reset=-7),
    ]
    core = PlainCore([0], [[0, 0, 1]], cells)
    made = program(chip([core]), 1, [(0, 0, 0, 20)], everything([core]))
    x = np.zeros((1, 30, 1), np.float32)
    x[0, 3] = 1
    trace = simulate_program(made, x, 30, RunOptions(record=RECORD))
    assert trace.spikes["core0"][0, :, 0].all()
    np.testing.assert_array_equal(np.flatnonzero(trace.spikes["core0"][0, :, 1]), [0, 1])
    # In tick 23 it fires and is set to -7; from there it goes to +7 in tick 24, and so on.
    np.testing.assert_array_equal(trace.voltage["core0"][0, 22:27, 2], [0, -7, 7, -7, 7])


def test_crossbars_pack_and_unpack() -> None:
    connected = np.random.default_rng(0).random((2, 256, 256)) < 0.5
    packed = pack_crossbar(connected)
    assert packed.shape == (2, 256, 32) and packed.dtype == np.uint8
    np.testing.assert_array_equal(unpack_crossbar(packed), connected)
    assert bool(packed[1, 3, 10] >> 5 & 1) == connected[1, 3, 85]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"ticks": 0}, "U201"),
        ({"options": RunOptions(record=("weights",))}, "U202"),
        ({"options": RunOptions(batch=0)}, "U204"),
        ({"x": np.zeros((2, 7, 9), np.float32)}, "U203"),
    ],
)
def test_wrong_calls_are_usage_errors(arguments: dict, code: str) -> None:
    given = {"x": samples(2), "ticks": 5, **arguments}
    with pytest.raises(UsageError, match=code):
        simulate_program(random_program(), **given)


def test_samples_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError, match="D101"):
        simulate_program(random_program(), np.zeros((2, 8), np.float32), 5)


def test_a_program_that_contradicts_itself_is_refused() -> None:
    made = random_program()
    with pytest.raises(ArtifactError, match="A121"):
        simulate_program(replace(made, lines=lines([(9, 0, 0, 1)])), samples(1), 2)
    with pytest.raises(ArtifactError, match="A121"):
        cores = replace(made.cores, target_delay=np.full((3, 256), 16, np.uint8))
        simulate_program(replace(made, cores=cores), samples(1), 2)
