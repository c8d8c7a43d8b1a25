"""What counting and timing cost on TrueNorth, and how far the fast timing model is from the event-driven one.

    python benchmarks/truenorth_costs.py

Rows are a whole chip at 20 Hz (``truenorth_operating_point.py``) and the trained examples. Times are processor
seconds on one thread:

- run: the simulator alone; count: its overhead with all events counted, as every ``snnc eval`` does it;
- fast: the overhead with ticks timed as well, by made-up cycles of every event, since none are published;
- messages/s: how many messages the event-driven model takes a second, with all that cores do; hops: of a message;
- tick, run: the largest error of a tick's length by the fast model against the event-driven one, and of a sample's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from truenorth_operating_point import recurrent_chip

import snnc
from snnc.graph.operators.base import Array
from snnc.simulate.costs import RunCosts
from snnc.targets import RunOptions
from snnc.targets.costs import cost_set_named
from snnc.targets.truenorth.batch import TrueNorthActivity
from snnc.targets.truenorth.costs import TrueNorthCosts, TrueNorthEvents
from snnc.targets.truenorth.program import TrueNorthProgram
from snnc.targets.truenorth.simulate import simulate_program
from snnc.targets.truenorth.timing import TrueNorthCostModel, simulate_with_costs

EXAMPLES = Path(__file__).parent.parent / "examples"
DETAILED_SAMPLES = 4
ROUNDS = 12
COUNTED: TrueNorthCosts = cost_set_named("akopyan2015")
TIMED = replace(
    COUNTED, time=TrueNorthEvents(5.0, 1.0, 5.0, 5.0, 5.0, 5.0, 5.0, 50.0, 5.0), link=5.0, shortest_tick=0.0
)
"""Made up: nanoseconds of the size that a design of 1 GHz might have."""


def seconds(*functions: Callable[[], object]) -> list[float]:
    """Processor time of the fastest call of each, called in turn."""
    for function in functions:
        function()
    best = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for number, function in enumerate(functions):
            began = time.process_time()
            function()
            best[number] = min(best[number], time.process_time() - began)
    return best


def simulated(program: TrueNorthProgram, x: Array, ticks: int) -> tuple[RunCosts, float]:
    """The costs by the event-driven model, and its processor seconds."""
    model, blocks = TrueNorthCostModel.of(program, TIMED, detailed=True), list[TrueNorthActivity]()
    simulate_program(program, x, ticks, RunOptions(threads=1), observe=blocks.append)
    schedule = model.empty_schedule(program.depth + ticks)
    model.simulate(blocks[0], 0, schedule)
    began = time.process_time()
    for block in blocks:
        for sample in range(block.synapses.shape[2]):
            model.simulate(block, sample, model.empty_schedule(program.depth + ticks))
    took = time.process_time() - began
    return simulate_with_costs(program, x, ticks, TIMED, RunOptions(threads=1, detailed=True)).costs, took


def report(name: str, program: TrueNorthProgram, x: Array, ticks: int) -> None:
    """One line."""
    alone, counted, timed = seconds(
        lambda: simulate_program(program, x, ticks, RunOptions(threads=1)),
        lambda: simulate_with_costs(program, x, ticks, COUNTED, RunOptions(threads=1)),
        lambda: simulate_with_costs(program, x, ticks, TIMED, RunOptions(threads=1)),
    )
    few = x[:DETAILED_SAMPLES]
    fast = simulate_with_costs(program, few, ticks, TIMED, RunOptions(threads=1)).costs
    detailed, took = simulated(program, few, ticks)
    tick = np.abs(fast.nanoseconds / detailed.nanoseconds - 1).max()
    whole = np.abs(fast.latency_seconds / detailed.latency_seconds - 1).max()
    hops = sum(
        detailed.events[detailed.kinds.index(kind)].sum() for kind in ("hop_east_west", "hop_north_south")
    )
    print(
        f"{name:18} {alone:8.2f} {counted / alone - 1:8.1%} {timed / alone - 1:8.0%}"
        f" {detailed.messages.sum() / took / 1e6:10.2f} M {hops / detailed.messages.sum():6.1f} {tick:8.1%}"
        f" {whole:8.1%}"
    )


def main() -> None:
    """Print the table."""
    print(
        f"{'network':18} {'run, s':>8} {'count':>8} {'fast':>8} {'messages/s':>12} {'hops':>6} {'tick':>8} {'run':>8}"
    )
    report("chip at 20 Hz", recurrent_chip(20.0), np.zeros((1, 1), np.float32), 20)
    data = EXAMPLES / "data"
    calibration = np.load(data / "fashion_calibration.npz")["x"]
    x = np.load(data / "fashion_test.npz")["x"].astype(np.float32)
    for name, samples, ticks in (("fashion_mlp", 64, 16), ("trinary_convnet", 64, 1)):
        model = EXAMPLES / name / f"{name}.onnx"
        compiled = snnc.compile(model, target="truenorth", calibration=calibration, ticks=ticks)
        report(name, compiled.program, x[:samples].reshape(samples, *compiled.input_shape), ticks)


if __name__ == "__main__":
    main()
