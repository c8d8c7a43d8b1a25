"""How fast TrueNorth programs run: synapses and core ticks a second, against this machine's limit and numpy.

    OPENBLAS_NUM_THREADS=1 python benchmarks/truenorth_simulator.py [samples] [ticks]

Programs: full cores with random registers that send to the next ones (chain) or to each other (cycle), and the
trained examples with 4-bit weights. Times are processor seconds on one thread; they depend on the machine, the
ratios do so less:

- of bare: the share of the time that additions of rows and updates of neurons would take by themselves, from
  data in the cache;
- x numpy: how many times faster than the same cores in numpy, tick by tick, all samples at once: a product of
  spikes and effective weights by BLAS for each core, the neuron's equations on whole arrays.

Both give the same spikes, which is checked.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numba import njit

import snnc
from snnc.graph import Graph, Input, Output, SpikeSource
from snnc.graph.operators.base import Array
from snnc.graph.operators.interface import Readout
from snnc.targets import RunOptions
from snnc.targets.frame import Answer
from snnc.targets.host import host_signals
from snnc.targets.truenorth.batch import TrueNorthActivity
from snnc.targets.truenorth.kernels.crossbar import NEURONS, add_row, empty_table
from snnc.targets.truenorth.kernels.update import update_plain
from snnc.targets.truenorth.program import (
    Cores,
    InputLines,
    TrueNorthPopulation,
    TrueNorthProgram,
    inert_cores,
    unpack_crossbar,
)
from snnc.targets.truenorth.simulate import simulate_program

EXAMPLES = Path(__file__).parent.parent / "examples"
RANDOM_CORES = 32


@dataclass(frozen=True)
class Speed:
    """Seconds for one addition of a row of a table and for one update of a core, on one processor."""

    row: float
    update: float


def random_program(cyclic: bool) -> TrueNorthProgram:
    """Full cores whose neurons fire in about every tenth tick; half of the synapses are there."""
    rng = np.random.default_rng(0)
    size = (RANDOM_CORES, NEURONS)
    cores = inert_cores(RANDOM_CORES)
    cores.axon_type[:] = rng.integers(0, 4, size)
    cores.crossbar[:] = rng.integers(0, 256, cores.crossbar.shape)
    cores.weight[:] = rng.integers(-8, 10, cores.weight.shape)
    cores.threshold[:] = rng.integers(100, 200, size)
    cores.negative_threshold[:] = 200
    following = np.arange(1, RANDOM_CORES + 1)
    targets = following % RANDOM_CORES if cyclic else np.where(following < RANDOM_CORES, following, -1)
    cores.target_core[:] = targets[:, None]
    cores.target_axon[:] = rng.permuted(np.tile(np.arange(NEURONS), (RANDOM_CORES, 1)), axis=1)
    count = np.arange(NEURONS)
    lines = InputLines(
        population=np.zeros(NEURONS, np.int32),
        neuron=count.astype(np.int32),
        core=np.zeros(NEURONS, np.int32),
        axon=count.astype(np.uint8),
        delay=np.ones(NEURONS, np.int32),
    )
    host = Graph("host").add("x", Input((NEURONS,))).add("in", SpikeSource(), "x").add("out", Output(), "in")
    none, last = np.zeros(0, np.int32), np.full(NEURONS, RANDOM_CORES - 1, np.int32)
    return TrueNorthProgram(
        name="cycle" if cyclic else "chain",
        cores=cores,
        lines=lines,
        populations=(
            TrueNorthPopulation("in", (NEURONS,), 0, none, none, source="out"),
            TrueNorthPopulation("last", (NEURONS,), 1, last, count.astype(np.int32)),
        ),
        host=host,
        answers=(Answer.of_output("out", Output(Readout.COUNT), 1),),
    )


def numpy_spikes(program: TrueNorthProgram, x: Array, ticks: int) -> Array:
    """Spikes of each core, (cores,) int64, in all samples, by numpy alone: cores without random numbers."""
    cores, lines, samples = program.cores, program.lines, len(x)
    waits = 1 + max(int(lines.delay.max(initial=0)), int(cores.target_delay.max()))
    weight, given = effective(cores), host_spikes(program, x, ticks)
    # An axon of a core is a row of (slots, cores * axons, samples), so that a spike is copied in one piece.
    arriving = np.zeros((waits, len(cores) * NEURONS, samples), np.float32)
    at, sender = np.nonzero(cores.target_core >= 0)
    target = cores.target_core[at, sender] * NEURONS + cores.target_axon[at, sender]
    delay, place = cores.target_delay[at, sender].astype(int), lines.core * NEURONS + lines.axon
    v = np.repeat(cores.initial_potential[:, :, None], samples, axis=2)
    fired = np.zeros(len(cores), np.int64)
    for tick in range(program.depth + ticks):
        if tick < ticks:
            arriving[(tick + lines.delay) % waits, place] += given[tick]
        now = np.minimum(arriving[tick % waits], 1).reshape(len(cores), NEURONS, samples)
        v += np.matmul(weight, now).astype(np.int32)
        arriving[tick % waits] = 0
        v, spikes = stepped(cores, v)
        arriving[(tick + delay) % waits, target] += spikes[at, sender]
        fired += np.count_nonzero(spikes, axis=(1, 2))
    return fired


def effective(cores: Cores) -> Array:
    """(cores, neurons, axons) float32 of every synapse."""
    found = np.zeros((len(cores), NEURONS, NEURONS), np.float32)
    for core in range(len(cores)):
        found[core] = unpack_crossbar(cores.crossbar[core]).T * cores.weight[core][:, cores.axon_type[core]]
    return found


def host_spikes(program: TrueNorthProgram, x: Array, ticks: int) -> Array:
    """(ticks, lines, samples) bool."""
    signals, lines = host_signals(program.host, x, ticks), program.lines
    found = np.ones((ticks, len(lines), len(x)), bool)
    for number, population in enumerate(program.populations):
        if population.source is not None:
            spikes = np.broadcast_to(signals[population.source], (len(x), ticks, *population.shape))
            own = lines.population == number
            found[:, own] = spikes.reshape(len(x), ticks, -1)[:, :, lines.neuron[own]].transpose(1, 2, 0)
    return found


def stepped(cores: Cores, v: Array) -> tuple[Array, Array]:
    """Potentials and spikes after leak, threshold and reset, for (cores, 256, samples) sums."""
    alpha, beta, mode, leak, reset, saturates = (
        np.asarray(values)[:, :, None]
        for values in (
            cores.threshold, cores.negative_threshold, cores.reset_mode, cores.leak, cores.reset_potential,
            cores.saturates,
        )
    )  # fmt: skip
    v = np.clip(v + leak, -(2**19), 2**19 - 1)
    spikes, low = v >= alpha, v < -beta
    factor, after = (mode != 0).astype(np.int32), np.where(mode == 0, reset, np.where(mode == 1, -alpha, 0))
    v = np.where(spikes, factor * v + after, v)
    kept, below = (
        factor * ~saturates,
        np.where(saturates, -beta, np.where(mode == 0, -reset, np.where(mode == 1, beta, 0))),
    )
    return np.where(low & ~spikes, kept * v + below, v), spikes


def best(function: Callable[[], object], repeats: int = 3) -> float:
    """Shortest processor time of a few runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


@njit
def add_often(halves: Array, sums: Array, calls: int) -> None:
    """The inner loop of integration and nothing else."""
    for call in range(calls):
        add_row(halves, 0, sums, call & 31, NEURONS)


@njit
def update_often(rules: Array, sums: Array, voltage: Array, fired: Array, calls: int) -> None:
    """The inner loop of neurons and nothing else."""
    for _ in range(calls):
        update_plain(rules, NEURONS, sums, voltage, fired)


def machine_speed() -> Speed:
    """What the two inner loops take over data in the cache."""
    calls, table = 200_000, empty_table()
    rules, sums = np.zeros((11, NEURONS), np.int32), np.ones(NEURONS, np.int32)
    voltage, fired = np.zeros(NEURONS, np.int32), np.zeros(NEURONS, np.uint8)
    add_often(table.halves, table.sums, 1)
    update_often(rules, sums, voltage, fired, 1)
    row = best(lambda: add_often(table.halves, table.sums, calls), 5)
    step = best(lambda: update_often(rules, sums, voltage, fired, calls), 5)
    return Speed(row / calls, step / calls)


def rows_read(program: TrueNorthProgram, x: Array, ticks: int) -> int:
    """How many sets of four neighbouring axons with a spike there are in all cores and ticks."""
    found = []

    def count(activity: TrueNorthActivity) -> None:
        words = activity.arrived
        pairs = words | (words >> np.uint64(1))
        quads = (pairs | (pairs >> np.uint64(2))) & np.uint64(0x1111111111111111)
        found.append(int(np.bitwise_count(quads).sum()))

    simulate_program(program, x, ticks, observe=count)
    return sum(found)


def report(program: TrueNorthProgram, x: Array, ticks: int, speed: Speed) -> None:
    """One line of the table."""
    few, short = x[:32], min(ticks, 12)
    if x.ndim == 2 + len(program.populations[0].shape):
        few = few[:, :short]
    counts = simulate_program(program, few, short).counts
    assert counts is not None
    np.testing.assert_array_equal(counts.spikes.sum(axis=1), numpy_spikes(program, few, short))
    slow = best(lambda: numpy_spikes(program, few, short), 1)
    fast = best(lambda: simulate_program(program, few, short, RunOptions(threads=1)))
    took = best(lambda: simulate_program(program, x, ticks, RunOptions(threads=1)))
    counts = simulate_program(program, x, ticks).counts
    assert counts is not None
    core_ticks = len(program.cores) * (program.depth + ticks) * len(x)
    bare = rows_read(program, x[:4], ticks) * len(x) / 4 * speed.row + core_ticks * speed.update
    synapses = int(counts.synaptic_operations.sum())
    print(
        f"{program.name:16} {len(program.cores):6,} {took:8.2f} {took / len(x) * 1e3:12.2f}"
        f" {synapses / took / 1e9:13.2f} {took / core_ticks * 1e9:14.0f} {bare / took:8.0%} {slow / fast:8.1f}"
    )


def main() -> None:
    """Print the table."""
    given = [int(text) for text in sys.argv[1:3]]
    samples, ticks = (*given, *(64, 64)[len(given) :])
    speed = machine_speed()
    print(f"row of a table {speed.row * 1e9:.1f} ns, update of a core {speed.update * 1e9:.1f} ns")
    print(
        f"{'program':16} {'cores':>6} {'cpu s':>8} {'ms a sample':>12} {'G synapses/s':>13} {'ns a core tick':>14}"
        f" {'of bare':>8} {'x numpy':>8}"
    )
    for cyclic in (False, True):
        program = random_program(cyclic)
        x = (np.random.default_rng(1).random((samples, ticks, NEURONS)) < 0.1).astype(np.float32)
        report(program, x, ticks, speed)
    calibration = np.load(EXAMPLES / "data" / "fashion_calibration.npz")["x"]
    x = np.load(EXAMPLES / "data" / "fashion_test.npz")["x"][:samples].astype(np.float32)
    for name in ("fashion_mlp", "fashion_convnet"):
        compiled = snnc.compile(
            EXAMPLES / name / f"{name}.onnx",
            target="truenorth",
            calibration=calibration,
            ticks=ticks,
            weight_bits=4,
        )
        report(replace(compiled.program, name=name), x, ticks, speed)


if __name__ == "__main__":
    main()
