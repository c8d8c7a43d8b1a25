"""Time and memory of compiling a convolutional network of 4402 cores, more than one TrueNorth chip has, for TrueNorth.

Run it with ``python benchmarks/compile_truenorth.py``; weights are random, with a fixed seed. The first run compiles
the kernels as well, which later ones find on disk.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

import snnc
from snnc.graph import Conv, Flatten, Graph, Input, Linear, Output, Relu

WIDTHS = (22, 36, 72)


def network(rng: np.random.Generator, widths: tuple[int, ...]) -> Graph:
    """A convolution and one with stride 2 for each width, then two fully connected layers."""
    graph, last, channels = Graph("deep").add("in", Input((3, 32, 32))), "in", 3
    for stage, width in enumerate(widths):
        for number in range(2):
            weight = rng.normal(0, (2 / (9 * channels)) ** 0.5, (width, channels, 3, 3)).astype(np.float32)
            bias = rng.normal(0, 0.1, width).astype(np.float32)
            stride = (1 + number, 1 + number)
            conv = Conv(weight, bias, stride, ((1, 1), (1, 1)))
            graph = graph.add(f"conv{stage}.{number}", conv, last)
            last, channels = f"relu{stage}.{number}", width
            graph = graph.add(last, Relu(), f"conv{stage}.{number}")
    graph = graph.add("flat", Flatten(), last)
    hidden = rng.normal(0, 0.05, (256, int(np.prod(graph.shapes["flat"])))).astype(np.float32)
    graph = graph.add("fc", Linear(hidden), "flat").add("relu", Relu(), "fc")
    answers = rng.normal(0, 0.1, (10, 256)).astype(np.float32)
    return graph.add("classes", Linear(answers), "relu").add("out", Output(), "classes")


def main() -> None:
    """Compile once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS, help="channels of each stage")
    widths = tuple(parser.parse_args().widths)
    rng = np.random.default_rng(0)
    graph, samples = network(rng, widths), rng.random((64, 3, 32, 32), np.float32)
    started, used = time.perf_counter(), time.process_time()
    compiled = snnc.compile(graph, target="truenorth", calibration=samples)
    seconds, processor = time.perf_counter() - started, time.process_time() - used
    gibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    usage = compiled.usage
    print(
        f"{usage.neurons:,} neurons, {usage.synapses:,} synapses on {usage.cores} cores, {usage.chips} chips"
    )
    print(
        f"compiled in {seconds:.1f} s ({processor:.1f} s of all processors), at most {gibibytes:.2f} GiB of memory"
    )
    for record in compiled.records:
        print(f"  {record.text}: {record.seconds:.1f} s")


if __name__ == "__main__":
    main()
