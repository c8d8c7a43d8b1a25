"""What placement is worth on samples that it has not seen: hops, busiest link, energy and time, by method.

Run it from the root of the repository: ``python -m benchmarks.placement [NETWORK ...]``, by default with all of
``NETWORKS``. Each is compiled once and placed three times by the same calibration samples; other samples are run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import snnc
from benchmarks.compile_large import network
from snnc.compiled import Compiled
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.pipeline import Context
from snnc.simulate.costs import RunCosts
from snnc.targets import target_named
from snnc.targets.loihi.placement import sites as loihi_sites
from snnc.targets.placement import Messages, Sites, busiest_link
from snnc.targets.truenorth.placement import sites as truenorth_sites

EXAMPLES = Path(__file__).parent.parent / "examples"
METHODS = ("rows", "curve", "traffic")


def fashion(name: str) -> Callable[[], tuple[Path, Array, Array]]:
    """A Fashion-MNIST example, calibration images and eight test images."""

    def load() -> tuple[Path, Array, Array]:
        calibration, test = (
            np.load(EXAMPLES / "data" / f"fashion_{part}.npz")["x"] for part in ("calibration", "test")
        )
        return EXAMPLES / name / f"{name}.onnx", calibration, test[:8]

    return load


def large() -> tuple[Graph, Array, Array]:
    """The network of ``compile_large``, and random samples of which two are held back."""
    random = np.random.default_rng(0)
    graph, samples = network(random), random.random((10, 3, 32, 32), np.float32)
    return graph, samples[:8], samples[8:]


NETWORKS: Mapping[str, tuple[str, Callable[[], tuple[Any, Array, Array]]]] = {
    "convnet": ("loihi", fashion("fashion_convnet")),
    "mlp": ("loihi", fashion("fashion_mlp")),
    "vgg": ("loihi", large),
    "convnet-truenorth": ("truenorth", fashion("fashion_convnet")),
    "mlp-truenorth": ("truenorth", fashion("fashion_mlp")),
    "trinary-truenorth": ("truenorth", fashion("trinary_convnet")),
}


def sites_of(compiled: Compiled) -> tuple[Sites, Array]:
    """The mesh of a program, and the site of each of its cores as they are numbered in a run."""
    if compiled.target == "loihi":
        cores = 1 + max(tile.core for tile in compiled.program.tiles)
        return loihi_sites(cores), np.arange(cores)
    held = compiled.program.cores
    sites = truenorth_sites(len(held))
    at = {place: number for number, place in enumerate(zip(sites.x.tolist(), sites.y.tolist(), strict=True))}
    return sites, np.array([at[place] for place in zip(held.x.tolist(), held.y.tolist(), strict=True)])


def busiest(compiled: Compiled, costs: RunCosts) -> int:
    """Messages of the link that had most in a run."""
    sites, site = sites_of(compiled)
    source = np.where(costs.message_source < 0, len(site), costs.message_source)
    count = costs.messages.sum(axis=1)
    return busiest_link(Messages(len(site), source, costs.message_target, count, count), sites, site)


def main() -> None:
    """Compile, place, run and print."""
    print("network, placement, spike-hops, busiest link, dynamic energy, energy, latency, seconds to place")
    for name in sys.argv[1:] or NETWORKS:
        target, load = NETWORKS[name]
        model, calibration, samples = load()
        compiled = snnc.compile(model, target=target, calibration=calibration, placement="rows")
        chip, first = target_named(target), None
        for method in METHODS:
            started = time.process_time()
            options, context = replace(compiled.options, placement=method), Context(calibration)
            program, _ = chip.place(compiled.program, compiled.graph, options, context)
            seconds = time.process_time() - started
            placed = replace(compiled, program=program)
            costs = placed.run_with_costs(samples).costs
            total = dict(zip(costs.kinds, costs.events.sum(axis=(1, 2)).tolist(), strict=True))
            hops = (total["hop_east_west"] + total["hop_north_south"]) / len(samples)
            first = first or hops
            change = f"{100 * (hops / first - 1):+.1f} %"
            link = busiest(placed, costs) / len(samples)
            joules, static = costs.dynamic_joules.mean(), costs.static_joules.mean()
            print(
                f"{name} ({compiled.usage.cores} cores, {compiled.usage.chips} chips), {method}: {hops:,.0f}"
                f" ({change}), {link:,.0f}, {1e6 * joules:.4g} µJ, {1e6 * (joules + static):.4g} µJ,"
                f" {1e3 * costs.latency_seconds.mean():.5g} ms, {seconds:.2f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
