"""Time and memory of compiling a VGG-style network (318,730 neurons, 207 million synapses) for Loihi.

Run it with ``python benchmarks/compile_large.py``; weights are random, with a fixed seed.
"""

from __future__ import annotations

import resource
import time

import numpy as np

import snnc
from snnc.graph import Conv, Flatten, Graph, Input, Linear, MaxPool, Output, Relu

WIDTHS = (64, 128, 256)


def network(rng: np.random.Generator) -> Graph:
    """Two convolutions and a max-pool for each width, then two fully connected layers."""
    graph, last, channels = Graph("vgg").add("in", Input((3, 32, 32))), "in", 3
    for stage, width in enumerate(WIDTHS):
        for number in range(2):
            weight = rng.normal(0, (2 / (9 * channels)) ** 0.5, (width, channels, 3, 3)).astype(np.float32)
            bias = rng.normal(0, 0.1, width).astype(np.float32)
            name = f"conv{stage}.{number}"
            graph = graph.add(name, Conv(weight, bias, pads=((1, 1), (1, 1))), last)
            last, channels = f"relu{stage}.{number}", width
            graph = graph.add(last, Relu(), name)
        graph = graph.add(f"pool{stage}", MaxPool((2, 2), (2, 2)), last)
        last = f"pool{stage}"
    graph = graph.add("flat", Flatten(), last)
    hidden = rng.normal(0, 0.02, (256, 4096)).astype(np.float32)
    graph = graph.add("fc", Linear(hidden), "flat").add("relu", Relu(), "fc")
    answers = rng.normal(0, 0.1, (10, 256)).astype(np.float32)
    return graph.add("classes", Linear(answers), "relu").add("out", Output(), "classes")


def main() -> None:
    """Compile once and print."""
    rng = np.random.default_rng(0)
    graph, samples = network(rng), rng.random((64, 3, 32, 32), np.float32)
    started = time.perf_counter()
    usage = snnc.compile(graph, target="loihi", calibration=samples).usage
    seconds = time.perf_counter() - started
    gibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{usage.neurons:,} neurons, {usage.synapses:,} synapses on {usage.cores} cores, {usage.chips} chips"
    )
    print(f"compiled in {seconds:.1f} s, at most {gibibytes:.2f} GiB of memory")


if __name__ == "__main__":
    main()
