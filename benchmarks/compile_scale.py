"""Time and memory of compiling two ImageNet networks for Loihi, each size of the image in a process of its own.

Run it with ``python benchmarks/compile_scale.py``, or with sizes; weights are random, with a fixed seed, and so are
the eight calibration samples. CPU seconds are those of all threads: on a machine that does nothing else, two
processors take about as many seconds by the clock, or fewer.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (112, 160, 224)
NETWORKS = ("resnet18", "mobilenet_v2")
SAMPLES = 8
HEAD = ("network", "size", "neurons", "synapses", "cores", "CPU s", "CPU µs a neuron", "clock s", "GiB")


def measure(name: str, size: int) -> tuple[str, ...]:
    """Compile once in this process: the cells of a row."""
    import numpy as np
    from imagenet_networks import save_network

    import snnc

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.onnx"
        save_network(name, path, size)
        samples = np.random.default_rng(0).random((SAMPLES, 3, size, size), np.float32)
        cpu, clock = time.process_time(), time.perf_counter()
        usage = snnc.compile(path, target="loihi", calibration=samples).usage
        cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    gibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    counts = (f"{count:,}" for count in (usage.neurons, usage.synapses, usage.cores))
    each = 1e6 * cpu / usage.neurons
    return name, str(size), *counts, f"{cpu:.0f}", f"{each:.0f}", f"{clock:.0f}", f"{gibibytes:.1f}"


def main(arguments: list[str]) -> None:
    """Print the table; with a name and a size, one row of it."""
    if len(arguments) == 2 and arguments[0] in NETWORKS:
        print("| " + " | ".join(measure(arguments[0], int(arguments[1]))) + " |", flush=True)
        return
    print("| " + " | ".join(HEAD) + " |\n" + "| --- " * 2 + "| ---: " * (len(HEAD) - 2) + "|", flush=True)
    for name in NETWORKS:
        for size in map(int, arguments or SIZES):
            subprocess.run([sys.executable, __file__, name, str(size)], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
