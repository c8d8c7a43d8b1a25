"""How fast Loihi programs run: synapses and neurons a second, against this machine's limit and against numpy.

    python benchmarks/loihi_simulator.py [samples] [ticks]

Two networks with random integer weights: a multilayer perceptron and a convolutional network. Seconds depend on
the machine (cpu s: processor time on one thread; s, 2 thr: until the answer is there); the ratios do so less:

- of bare: the share of the time that the additions and updates would take by themselves, from data in the cache;
- x numpy: how many times faster than the same program in numpy, tick by tick (``weights[arrived].sum(axis=0)`` and
  ``LoihiCompartment``);
- x graph: how many times faster than the functional simulator of the unmapped graph, which computes all ticks of a
  layer at once by matrix products and counts no events.

All three give the same bits, which is checked.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

from snnc.graph import Conv, Flatten, Graph, Input, Linear, Operator, Output, QuantiseCurrent, Readout, Reset
from snnc.graph.operators.base import Array
from snnc.kernels.deliver import add_run
from snnc.simulate import simulate
from snnc.targets import RunOptions
from snnc.targets.host import host_signals
from snnc.targets.loihi.compartment import LoihiCompartment
from snnc.targets.loihi.kernels.tile import Compartments, update
from snnc.targets.loihi.lower import lower
from snnc.targets.loihi.program import LoihiProgram, Tile
from snnc.targets.loihi.simulate import simulate_program

THRESHOLD = 200 * 64


@dataclass(frozen=True)
class Speed:
    """Seconds for one addition of a weight and for one update of a neuron, on one processor."""

    addition: float
    update: float


def cells(driven: bool = False) -> LoihiCompartment:
    """Reset by subtraction, half a threshold to begin with."""
    threshold, half = np.array(THRESHOLD), np.array(THRESHOLD // 2)
    return LoihiCompartment(threshold, Reset.SUBTRACT, threshold, initial_voltage=half, driven=driven)


def network(name: str, shape: tuple[int, ...], maps: list[Operator]) -> Graph:
    """Input neurons of ``shape`` and a population behind every weighted map."""
    graph = Graph(name).add("x", Input(shape)).add("q", QuantiseCurrent(float(THRESHOLD)), "x")
    graph = graph.add("in", cells(driven=True), "q")
    last = "in"
    for number, operator in enumerate(maps):
        graph = graph.add(f"map{number}", operator, last)
        last = f"map{number}"
        if not isinstance(operator, Flatten):
            graph = graph.add(f"cells{number}", cells(), last)
            last = f"cells{number}"
    return graph.add("out", Output(Readout.POTENTIAL, 1 / THRESHOLD), last)


def weights(rng: np.random.Generator, *shape: int) -> Array:
    """8-bit weights such that rates neither die out nor saturate."""
    fan_in = int(np.prod(shape[1:]))
    drawn = rng.normal(0.3, 5, shape) * 400 / fan_in**0.5 / 5
    return np.clip(np.rint(drawn / 2) * 2, -254, 254).astype(np.int64) * 64


def perceptron(rng: np.random.Generator) -> Graph:
    """784 - 512 - 512 - 10."""
    maps = [Linear(weights(rng, 512, 784)), Linear(weights(rng, 512, 512)), Linear(weights(rng, 10, 512))]
    return network("perceptron", (784,), list(maps))


def convolutional(rng: np.random.Generator) -> Graph:
    """Two convolutions and 10 classes behind 28 x 28 input neurons: 19,610 neurons."""
    pads = ((1, 1), (1, 1))
    maps: list[Operator] = [
        Conv(weights(rng, 16, 1, 3, 3), pads=pads),
        Conv(weights(rng, 32, 16, 3, 3), pads=pads, stride=(2, 2)),
        Flatten(),
        Linear(weights(rng, 10, 32 * 14 * 14)),
    ]
    return network("convolutional", (1, 28, 28), maps)


def numpy_spikes(program: LoihiProgram, x: Array, ticks: int) -> list[Array]:
    """Spikes (samples, ticks, neurons) of every population of a feed-forward program, by numpy alone."""
    host = host_signals(program.host, x, ticks)
    sizes = [int(np.prod(population.shape)) for population in program.populations]
    spikes = [np.zeros((len(x), ticks, size), bool) for size in sizes]
    for tile in program.tiles:
        population = program.populations[tile.population]
        loaded = cells(driven=population.drive is not None)
        state = loaded.start((len(tile.neurons),), np.arange(len(x)), np.dtype(np.int64))
        delivered = np.flatnonzero(~tile.axon_resets)
        weights = axon_weights(program, tile)[delivered]
        source = tile.axon_neuron[delivered]
        for tick in range(ticks):
            inputs = np.zeros((len(x), len(tile.neurons)), np.int64)
            for sample in range(len(x) if len(delivered) else 0):
                inputs[sample] = weights[spikes[tile.axon_population[0]][sample, tick, source]].sum(axis=0)
            drive = (
                host[population.drive][:, 0].reshape(len(x), -1)[:, tile.neurons] if population.drive else 0
            )
            given = [inputs, drive] if population.drive else [inputs]
            state, spikes[tile.population][:, tick, tile.neurons] = loaded.receive(state, given)
    return spikes


def axon_weights(program: LoihiProgram, tile: Tile) -> Array:
    """(axons, neurons) int64, the lists of a tile written out."""
    memory = program.memories[tile.memory]
    written = np.zeros((len(tile.axon_list), len(tile.neurons)), np.int64)
    for axon, (which, base) in enumerate(zip(tile.axon_list, tile.axon_base, strict=True)):
        form = memory.formats[memory.list_format[which]]
        for run in range(memory.list_runs[which], memory.list_runs[which + 1]):
            start, length = base + memory.run_first[run], memory.run_length[run]
            entry = memory.run_weight[run]
            written[axon, start : start + length] += form.effective(memory.weights[entry : entry + length])
    return written


def best(
    function: Callable[[], object], repeats: int = 3, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Shortest time of a few runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = clock()
        function()
        times.append(clock() - start)
    return min(times)


@njit
def add_often(sums: Array, weights: Array, calls: int) -> None:
    """The inner loop of delivery and nothing else."""
    for _ in range(calls):
        add_run(sums, weights)


@njit
def update_often(compartments: Compartments, arrays: tuple[Array, ...], fired: Array, calls: int) -> None:
    """The inner loop of neurons and nothing else."""
    for _ in range(calls):
        update(compartments, arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], fired)


def machine_speed() -> Speed:
    """What the two inner loops take over data in the cache."""
    size, calls = 512, 100_000
    sums, weights = np.zeros(size, np.int16), np.ones(size, np.int16)
    registers = tuple(np.zeros(size, np.int32) for _ in range(4))
    messages, keep = np.zeros(size, np.int64), np.full((2, size), [[0], [4096]], np.int32)
    compartments = Compartments(
        registers[0], sums, messages, True, False, keep[0], keep[1], keep[0], -(2**23) + 1, 2**23 - 1
    )
    arrays, fired = (sums, *registers), np.zeros(size, np.uint8)
    add_often(sums, weights, 1)
    update_often(compartments, arrays, fired, 1)
    addition = best(lambda: add_often(sums, weights, calls), clock=time.process_time)
    step = best(lambda: update_often(compartments, arrays, fired, calls), clock=time.process_time)
    return Speed(addition / calls / size, step / calls / size)


def report(graph: Graph, samples: int, ticks: int, speed: Speed) -> None:
    """One line of the table."""
    program = lower(graph)
    rng = np.random.default_rng(1)
    x = (rng.random((samples, *graph.shapes["x"])) ** 3).astype(np.float32)
    trace = simulate_program(program, x[:2], 2)
    one = best(lambda: simulate_program(program, x, ticks, RunOptions(threads=1)), clock=time.process_time)
    two = best(lambda: simulate_program(program, x, ticks, RunOptions(threads=2)))
    trace = simulate_program(program, x, ticks)
    expected = simulate(graph, x[:20], ticks)
    np.testing.assert_array_equal(trace.output[:20], expected.output)
    few = x[:2]
    counted = {name: int(values[:2].sum()) for name, values in trace.spike_counts.items()}
    by_numpy = dict(zip(counted, numpy_spikes(program, few, ticks), strict=True))
    assert counted == {name: int(spikes.sum()) for name, spikes in by_numpy.items()}
    slow = best(lambda: numpy_spikes(program, few, ticks), 1, time.process_time) * samples / len(few)
    whole = best(lambda: simulate(graph, x, ticks, threads=1), 1, time.process_time)
    assert trace.counts is not None
    synapses, updates = int(trace.counts.synaptic_operations.sum()), int(trace.counts.neuron_updates.sum())
    bare = synapses * speed.addition + updates / 2 * speed.update
    print(
        f"{graph.name:14} {program.cores:5} {synapses / 1e9:8.2f} {updates / 1e9:8.2f}"
        f" {one:8.2f} {two:8.2f} {synapses / one / 1e9:8.2f} {updates / one / 1e9:8.2f}"
        f" {bare / one:8.0%} {slow / one:8.1f} {whole / one:8.2f}"
    )


def main() -> None:
    """Print the table."""
    given = [int(text) for text in sys.argv[1:3]]
    samples, ticks = (*given, *(200, 64)[len(given) :])
    speed = machine_speed()
    print(
        f"{samples} samples, {ticks} ticks; bare loops: {1e-9 / speed.addition:.0f} G synapses/s,"
        f" {1e-9 / speed.update:.1f} G neurons/s"
    )
    print(
        f"{'network':14} {'cores':>5} {'Gsynapse':>8} {'Gupdate':>8} {'cpu s':>8} {'s, 2 thr':>8}"
        f" {'Gsyn/s':>8} {'Gupd/s':>8} {'of bare':>8} {'x numpy':>8} {'x graph':>8}"
    )
    for make in (perceptron, convolutional):
        report(make(np.random.default_rng(0)), samples, ticks, speed)


if __name__ == "__main__":
    main()
