"""What counting and timing cost, and how far the fast timing model is from the event-driven one.

    python benchmarks/loihi_costs.py [samples] [ticks]

Rows are the networks of ``loihi_simulator.py``, whose neurons fire in every fifth tick, and the examples. Times
are processor seconds on one thread:

- run: the simulator alone; count: its overhead with all events counted; fast: with the ticks timed as well;
- messages/s: how many messages the event-driven model takes a second;
- tick, run: the largest error of a tick's length by the fast model against the event-driven one, and of a sample's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from runpy import run_path

import numpy as np
from loihi_simulator import best, convolutional, perceptron

import snnc
from snnc.graph.operators.base import Array
from snnc.targets import RunOptions
from snnc.targets.costs import cost_set_named, cost_set_names
from snnc.targets.loihi.lower import lower
from snnc.targets.loihi.program import LoihiProgram
from snnc.targets.loihi.simulate import simulate_program
from snnc.targets.loihi.timing import LoihiCostModel
from snnc.targets.spike_costs import SpikeActivity

EXAMPLES = Path(__file__).parent.parent / "examples"
DETAILED_SAMPLES = 16


def seconds(function: Callable[[], object]) -> float:
    """Processor time of the fastest of three calls, the first one being warm."""
    function()
    return best(function, clock=time.process_time)


def report(name: str, program: LoihiProgram, x: Array, ticks: int) -> None:
    """One line a cost set."""
    for costs in cost_set_names("loihi"):
        model, depth = LoihiCostModel.of(program, cost_set_named(costs)), program.depth
        seen: list[SpikeActivity] = []

        def run(observe: Callable[[SpikeActivity], object] | None) -> None:
            simulate_program(program, x, ticks, RunOptions(threads=1), observe=observe)  # type: ignore[arg-type]

        alone = seconds(lambda: run(None))
        counted = seconds(lambda: run(lambda activity: model.count(activity, depth + ticks)))  # noqa: B023
        timed = seconds(lambda: run(lambda activity: model.costs_of(activity, depth)))  # noqa: B023
        run(seen.append)
        first = seen[0]
        fast = model.estimated(first, depth + ticks).nanoseconds[:DETAILED_SAMPLES]
        schedules = [model.schedule(first, sample, depth + ticks) for sample in range(len(fast))]
        began = time.process_time()
        schedules = [model.schedule(first, sample, depth + ticks) for sample in range(len(fast))]
        took = time.process_time() - began
        detailed = np.stack([schedule.nanoseconds for schedule in schedules])
        messages = model.count(first, depth + ticks).messages.sum() / first.samples * len(fast)
        tick = np.abs(fast / detailed - 1).max()
        whole = np.abs(fast.sum(axis=1) / detailed.sum(axis=1) - 1).max()
        print(
            f"{name:16} {costs:13} {alone:8.2f} {counted / alone - 1:8.0%} {timed / alone - 1:8.0%}"
            f" {messages / took / 1e6:10.1f} M {tick:8.1%} {whole:8.1%}"
        )


def main() -> None:
    """Print the table."""
    given = [int(text) for text in sys.argv[1:3]]
    samples, ticks = (*given, *(128, 64)[len(given) :])
    print(
        f"{'network':16} {'costs':13} {'run, s':>8} {'count':>8} {'fast':>8} {'messages/s':>12} {'tick':>8} {'run':>8}"
    )
    for make in (perceptron, convolutional):
        graph = make(np.random.default_rng(0))
        x = (np.random.default_rng(1).random((samples, *graph.shapes["x"])) ** 3).astype(np.float32)
        report(graph.name, lower(graph), x, ticks)
    data = EXAMPLES / "data"
    calibration = np.load(data / "fashion_calibration.npz")["x"]
    x = np.load(data / "fashion_test.npz")["x"][:samples].astype(np.float32)
    for name in ("fashion_mlp", "fashion_convnet"):
        compiled = snnc.compile(EXAMPLES / name / f"{name}.onnx", calibration=calibration, ticks=ticks)
        report(name, compiled.program, x, ticks)
    recurrent = snnc.compile(run_path(str(EXAMPLES / "recurrent_network.py"))["network"](), ticks=ticks)
    report("recurrent", recurrent.program, np.random.default_rng(1).random((samples, 12), np.float32), ticks)


if __name__ == "__main__":
    main()
