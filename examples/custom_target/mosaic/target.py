"""What the chip's cores hold, how it is made from a graph of integers, and how it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snnc.formats.packed import Packed
from snnc.graph import Graph
from snnc.graph.operators.base import Array
from snnc.pipeline import Context, Pass
from snnc.simulate import Trace
from snnc.targets.conversion import legalising
from snnc.targets.frame import Frame, Run
from snnc.targets.layers import Layers
from snnc.targets.packing import packed, unpacked
from snnc.targets.partition import (
    Piece,
    PieceLimits,
    check_pieces,
    pieces,
    require_consistent,
    usage_of_pieces,
)
from snnc.targets.target import CompileOptions, Target, Usage
from snnc.targets.usage import trial

from .chip import MOSAIC, MosaicNeuron, MosaicQuantise


@dataclass(frozen=True, eq=False)
class MosaicProgram:
    """What is around the cores, the axons and weights of every core, and its neurons."""

    frame: Frame
    pieces: tuple[Piece, ...]
    neurons: tuple[MosaicNeuron, ...]
    target: str = "mosaic"

    def run(self, run: Run) -> None:
        """Every core sums what arrives in every tick of its window, and its neurons take that up."""
        pairs = zip(self.neurons, self.pieces, strict=True)
        states = [neuron.start(piece.neurons.shape, run.numbers, run.dtype) for neuron, piece in pairs]
        for tick in run.chip_ticks:
            for core, neuron in enumerate(self.neurons):
                if run.is_open(core, tick):
                    states[core], spikes = neuron.step(states[core], run.current(tick, core))
                    run.write(tick, core, spikes, states[core]["voltage"])


@dataclass(frozen=True)
class Mosaic:
    """The chip."""

    limits: PieceLimits = MOSAIC

    name = "mosaic"
    summary = "a chip that does not exist: 64 cores of 64 neurons, dense weights of 8 bits, one bus"

    def pipeline(self, graph: Graph, options: CompileOptions, context: Context) -> tuple[Pass, ...]:
        """What all chips share, and then the chip's own pass."""
        return legalising(graph, options, (MosaicQuantise(options.weight_bits or 8),))

    def lower(self, graph: Graph, options: CompileOptions, context: Context) -> MosaicProgram:
        """The program; what is too large for it is found by ``check``."""
        layers = Layers.of(graph, MosaicNeuron, "Mosaic", MOSAIC.delay)
        held = tuple(pieces(layers, MOSAIC))
        neurons = tuple(layers.layers[piece.population].part(piece.neurons) for piece in held)
        return MosaicProgram(Frame.of(graph, layers), held, neurons)

    def check(self, program: MosaicProgram, graph: Graph) -> None:
        """Every core keeps its limits, and together they hold every synapse once."""
        layers = Layers.of(graph, MosaicNeuron, "Mosaic", MOSAIC.delay)
        check_pieces(self.usage(program), graph, layers, program.pieces)

    def simulate(self, program: MosaicProgram, x: Array, ticks: int, **how: Any) -> Trace:
        """All cores, tick by tick."""
        return program.frame.simulate(program.run, x, ticks, pieces=program.pieces, **how)

    def usage(self, program: MosaicProgram) -> Usage:
        """What every core holds."""
        return usage_of_pieces(self.name, program.frame.names, program.pieces, MOSAIC)

    def estimate(self, graph: Graph, options: CompileOptions) -> Usage:
        """What a compilation without calibration data gives."""
        return trial(self, graph, options)

    def pack(self, program: MosaicProgram) -> Packed:
        """The program as plain data."""
        return packed(program)

    def unpack(self, packed: Packed) -> MosaicProgram:
        """The program that was packed."""
        program = unpacked(MosaicProgram, packed)
        require_consistent(program.frame.sizes, program.pieces, program.neurons)
        return program


TARGET: Target = Mosaic()
