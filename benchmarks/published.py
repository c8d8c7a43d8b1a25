"""Published results of chips, and what snnc says of networks of the same size: the table of docs/published.md.

    python benchmarks/published.py

Weights and samples are random with fixed seeds, so every run prints the same. Where a publication does not say
something (filters of a network, firing rates), docs/published.md says what stands for it. Energies are those of all
events and of chips that do nothing over the time of a sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

import snnc
from snnc.compiled import Compiled
from snnc.graph import AvgPool, Conv, Flatten, Graph, Input, Linear, Output, Relu, Reset
from snnc.graph.operators.base import Array
from snnc.options import CompileOptions
from snnc.simulate.costs import NANO, PICO, RunCosts
from snnc.targets.costs import cost_set_named
from snnc.targets.loihi.estimate import estimate
from snnc.targets.loihi.limits import LOIHI
from snnc.targets.truenorth.costs import TrueNorthCosts
from snnc.targets.truenorth.stream import present_stream

MILLI, MICRO = 1e-3, 1e-6
EXAMPLES = Path(__file__).parent.parent / "examples"

LOIHI_SETS = ("sanafe-loihi", "davies2018")

WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
"""Of the pointwise and the depthwise convolutions of MobileNet (Howard et al. 2017, Table 1)."""


@dataclass(frozen=True)
class Row:
    """One figure held against another.

    Attributes:
        what: the figure.
        published: of the chip, in the unit.
        ours: for each cost set, or one for all.
        unit: of both.
    """

    what: str
    published: float
    ours: tuple[float, ...]
    unit: str = ""

    def __str__(self) -> str:
        ours = " / ".join(f"{value:.3g}" if value < 1000 else f"{value:,.0f}" for value in self.ours)
        ratio = " / ".join(f"{value / self.published:.2g}" for value in self.ours)
        cells = (self.what, f"{self.published:,g} {self.unit}".strip(), f"{ours} {self.unit}".strip(), ratio)
        return f"| {' | '.join(cells)} |"


def perceptron(sizes: Sequence[int], rng: np.random.Generator) -> Graph:
    """Fully connected layers."""
    graph, last = Graph("perceptron").add("in", Input((sizes[0],))), "in"
    for number, (sources, targets) in enumerate(pairwise(sizes)):
        weight = rng.normal(0, (2 / sources) ** 0.5, (targets, sources)).astype(np.float32)
        graph, last = graph.add(f"fc{number}", Linear(weight), last), f"fc{number}"
        if number < len(sizes) - 2:
            graph, last = graph.add(f"relu{number}", Relu(), last), f"relu{number}"
    return graph.add("out", Output(), last)


def convolved(
    graph: Graph,
    last: str,
    channels: int,
    kernel: int,
    stride: int,
    rng: np.random.Generator,
    padding: int = 0,
    groups: int = 1,
) -> tuple[Graph, str]:
    """The graph with one more convolution, and its name."""
    inputs, name = graph.shapes[last][0] // groups, f"conv{len(graph.ordered)}"
    weight = rng.normal(0, (2 / (inputs * kernel**2)) ** 0.5, (channels, inputs, kernel, kernel))
    pads = ((padding, padding),) * 2
    conv = Conv(weight.astype(np.float32), stride=(stride, stride), pads=pads, groups=groups)
    return graph.add(name, conv, last), name


def rectified(graph: Graph, last: str) -> tuple[Graph, str]:
    """The graph with one more activation, and its name."""
    name = f"relu{len(graph.ordered)}"
    return graph.add(name, Relu(), last), name


def digits_network(rng: np.random.Generator) -> Graph:
    """Four convolutions: about 4,000 neurons, 7,000 parameters and 341,000 connections, as published."""
    graph, last = Graph("digits").add("in", Input((1, 28, 28))), "in"
    for number, (channels, kernel, stride) in enumerate(((14, 5, 2), (20, 3, 1), (12, 3, 2), (10, 4, 1))):
        graph, last = convolved(graph, last, channels, kernel, stride, rng)
        if number < 3:
            graph, last = rectified(graph, last)
    return graph.add("flat", Flatten(), last).add("out", Output(), "flat")


def mobilenet(side: int, first_stride: int, classes: int, rng: np.random.Generator) -> Graph:
    """MobileNet of width 1 for images of three channels, without batch normalisation, which would be folded."""
    graph, last = Graph("mobilenet").add("in", Input((3, side, side))), "in"
    graph, last = rectified(*convolved(graph, last, 32, 3, first_stride, rng, padding=1))
    for width, stride in zip(WIDTHS, STRIDES, strict=True):
        channels = graph.shapes[last][0]
        graph, last = rectified(*convolved(graph, last, channels, 3, stride, rng, padding=1, groups=channels))
        graph, last = rectified(*convolved(graph, last, width, 1, 1, rng))
    window = graph.shapes[last][1:]
    graph = graph.add("pool", AvgPool(window, window), last).add("flat", Flatten(), "pool")
    weight = rng.normal(0, 0.05, (classes, WIDTHS[-1])).astype(np.float32)
    return graph.add("fc", Linear(weight), "flat").add("out", Output(), "fc")


def costs_of(compiled: Compiled, x: Array, ticks: int) -> list[RunCosts]:
    """The costs of samples, by each cost set."""
    return [compiled.run_with_costs(x, ticks, name).costs for name in LOIHI_SETS]


def milliseconds(costs: Sequence[RunCosts]) -> tuple[float, ...]:
    """Mean time of a sample, by each cost set."""
    return tuple(float(run.latency_seconds.mean()) / MILLI for run in costs)


def joules(costs: Sequence[RunCosts], unit: float, idle: bool = True) -> tuple[float, ...]:
    """Mean energy of a sample, with or without that of chips that do nothing."""
    return tuple(float((run.dynamic_joules + idle * run.static_joules).mean()) / unit for run in costs)


def milliwatts(costs: Sequence[RunCosts]) -> tuple[float, ...]:
    """Mean power, by each cost set."""
    energies, times = joules(costs, MILLI), milliseconds(costs)
    return tuple(energy / time / MILLI for energy, time in zip(energies, times, strict=True))


def keyword_spotting() -> Iterator[Row]:
    """Blouw et al. 2019: 390 inputs, 256 and 256 neurons, 29 outputs; ten ticks an inference, spikes by the host."""
    graph = perceptron((390, 256, 256, 29), np.random.default_rng(0))
    features = np.random.default_rng(1).random((64, 390), np.float32)
    compiled = snnc.compile(graph, calibration=features, ticks=10, input="poisson")
    for share in (0.5, 0.1):
        costs = costs_of(compiled, 2 * np.float32(share) * features, 10)
        inputs = f"keyword spotting, inputs fire in {100 * share:.0f} % of the ticks"
        yield Row(f"{inputs}: time of an inference", 3.38, milliseconds(costs), "ms")
        yield Row("dynamic energy of an inference", 270, joules(costs, MICRO, idle=False), "µJ")
        yield Row("the same without 70 mW", 37, joules(costs, MICRO, idle=False), "µJ")
        yield Row("power", 110, milliwatts(costs), "mW")


def digits() -> Iterator[Row]:
    """Rueckauer et al. 2022, MNIST: 100 ticks, reset by subtraction."""
    samples = np.load(EXAMPLES / "data" / "fashion_test.npz")["x"][:64].astype(np.float32)
    compiled = snnc.compile(digits_network(np.random.default_rng(0)), calibration=samples, ticks=100)
    costs = costs_of(compiled, samples, 100)
    yield Row("MNIST: cores", 14, (compiled.usage.cores,))
    yield Row("time of a sample", 6.65, milliseconds(costs), "ms")
    yield Row("energy of a sample", 0.66, joules(costs, MILLI), "mJ")


def small_images() -> Iterator[Row]:
    """Rueckauer et al. 2022, CIFAR-10: MobileNet, 400 ticks, reset by subtraction."""
    graph = mobilenet(32, 1, 10, np.random.default_rng(0))
    x = np.random.default_rng(1).random((8, 3, 32, 32), np.float32)
    compiled = snnc.compile(graph, calibration=x, ticks=400)
    costs = costs_of(compiled, x[:1], 400)
    yield Row("MobileNet, CIFAR-10: cores", 861, (compiled.usage.cores,))
    other = estimate(mobilenet(32, 2, 10, np.random.default_rng(0)), CompileOptions())
    yield Row("cores with a stride of 2 in the first convolution", 861, (other.cores,))
    yield Row("chips", 7, (compiled.usage.chips,))
    yield Row("time of a sample", 340, milliseconds(costs), "ms")
    yield Row("energy of a sample", 102, joules(costs, MILLI), "mJ")
    yield Row("that of its events", 102, joules(costs, MILLI, idle=False), "mJ")


def large_images() -> Iterator[Row]:
    """Rueckauer et al. 2022: MobileNet for 128 x 128 on 16 chips, 80 % used; one compartment a neuron."""
    usage = estimate(mobilenet(128, 2, 1000, np.random.default_rng(0)), CompileOptions(reset=Reset.ZERO))
    used = usage.neurons / (usage.chips * LOIHI.cores * LOIHI.compartments)
    yield Row("MobileNet, 128 x 128: chips", 16, (usage.chips,))
    yield Row("share of their compartments in use", 80, (100 * used,), "%")


def frames() -> Iterator[Row]:
    """Esser et al. 2016: trinary networks on TrueNorth; ours takes an image a tick, at 1,000 ticks a second."""
    costs = cost_set_named("akopyan2015")
    assert isinstance(costs, TrueNorthCosts)
    images = np.load(EXAMPLES / "data" / "fashion_test.npz")["x"][:500].astype(np.float32)
    compiled = snnc.compile(EXAMPLES / "trinary_convnet" / "trinary_convnet.onnx", target="truenorth")
    stream = present_stream(compiled.program, images, streams=20)
    a_second = 1 / (costs.shortest_tick * NANO)
    events = stream.counts.synaptic_operations.sum() / len(images) * costs.energy.synaptic_event * PICO
    watts = costs.static_watts + events * a_second
    yield Row("trinary networks: images a second, from", 1200, (a_second,))
    yield Row("power, from", 25, (watts / MILLI,), "mW")
    yield Row("images a second and watt, more than", 6000, (a_second / watts,))


def main() -> None:
    """Print the table."""
    sets = " / ".join(LOIHI_SETS)
    print(f"| what | published | snnc ({sets}) | ratio |\n| --- | --- | --- | --- |")
    for rows in (keyword_spotting, digits, small_images, large_images, frames):
        for row in rows():
            print(row, flush=True)


if __name__ == "__main__":
    main()
