"""One weight and the spikes through it, from the ONNX file to a core.

Compiles the convolutional example for Loihi, prints what each pass makes of one weight of the second convolution,
how the cores store it, and what an image's spikes do in front of and behind it.

Run it with ``python examples/follow_one_weight.py``; it needs snnc alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import snnc
from snnc.graph import Conv

FOLDER = Path(__file__).parent
LAYER, SOURCE, TARGET = "/4/Conv", "/2/Relu", "/6/Relu"
OUT_CHANNEL, IN_CHANNEL, ROW, COLUMN = 3, 5, 1, 1
TICKS = 32


def weight_of(graph: snnc.Graph) -> float:
    """The weight in one graph."""
    convolution = graph[LAYER].operator
    assert isinstance(convolution, Conv)
    return float(convolution.weight[OUT_CHANNEL, IN_CHANNEL, ROW, COLUMN])


def compile_and_watch() -> snnc.Compiled:
    """Compile, and print the weight after every pass that changes it."""
    model = FOLDER / "fashion_convnet" / "fashion_convnet.onnx"
    last = weight_of(snnc.import_onnx(model))
    print(f"{'in the ONNX file':<24} {last:>12.6g}")

    def watch(step: snnc.Pass, graph: snnc.Graph) -> None:
        nonlocal last
        if LAYER in graph and weight_of(graph) != last:
            last = weight_of(graph)
            print(f"{'after ' + step.name:<24} {last:>12.6g}")

    calibration = FOLDER / "data" / "fashion_calibration.npz"
    return snnc.compile(model, target="loihi", calibration=calibration, ticks=TICKS, observe=watch)


def show_cores(compiled: snnc.Compiled) -> None:
    """How many cores hold the layer's weights, and how many synapses share them."""
    names = [population.name for population in compiled.program.populations]
    tiles = [tile for tile in compiled.program.tiles if names[tile.population] == TARGET]
    layer = next(layer for layer in compiled.usage.layers if layer.name == TARGET)
    stored = sum(len(compiled.program.memories[tile.memory].weights) for tile in tiles)
    print(f"\n{TARGET}: {layer.synapses:,} synapses on {layer.cores} cores, which store {stored:,} weights")
    for population in compiled.program.populations:
        print(f"window of {population.name:<22} opens at chip tick {population.start}")


def show_spikes(compiled: snnc.Compiled) -> None:
    """One image's spikes on both sides of the weight."""
    image = np.load(FOLDER / "data" / "fashion_test.npz")["x"][:1]
    trace = compiled.run(image, record=("spikes", "voltage", "output"))
    source, target = trace.spikes[SOURCE][0, :, IN_CHANNEL], trace.spikes[TARGET][0, :, OUT_CHANNEL]
    busy = (
        target.sum(axis=0) * source.sum(axis=0)[1::2, 1::2]
    )  # the pool's windows that the kernel's middle reads
    row, column = (int(i) for i in np.unravel_index(busy.argmax(), busy.shape))
    above, left = 2 * row + 1, 2 * column + 1
    fired, answered = np.flatnonzero(source[:, above, left]), np.flatnonzero(target[:, row, column])
    print(f"\n{SOURCE} {(IN_CHANNEL, above, left)} fires at ticks {fired.tolist()}")
    print(f"{TARGET} {(OUT_CHANNEL, row, column)} fires at ticks {answered.tolist()}")
    assert trace.output_by_tick is not None
    for tick in (1, 4, 16, TICKS):
        logits = trace.output_by_tick[0, tick - 1]
        print(f"after {tick:>2} ticks: class {logits.argmax()}, logit {logits.max():.2f}")


def main() -> None:
    """Compile, then show the cores and a run."""
    compiled = compile_and_watch()
    show_cores(compiled)
    show_spikes(compiled)


if __name__ == "__main__":
    main()
