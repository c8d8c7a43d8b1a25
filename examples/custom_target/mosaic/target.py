"""The chip as a target: its limits, its neuron and its passes; all else is the frame's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snnc.graph import Graph
from snnc.pipeline import Context, Pass
from snnc.targets import CompileOptions, Target
from snnc.targets.conversion import default_passes
from snnc.targets.partition import PieceLimits
from snnc.targets.piece_chip import PieceChip
from snnc.targets.piece_program import PieceProgram

from .chip import MOSAIC, MosaicNeuron, MosaicQuantise


@dataclass(frozen=True, eq=False)
class MosaicProgram(PieceProgram[MosaicNeuron]):
    """What is around the cores, the axons and weights of every core, and its neurons."""

    neurons: tuple[MosaicNeuron, ...]

    target = "mosaic"


@dataclass(frozen=True)
class Mosaic(PieceChip[MosaicProgram]):
    """The chip."""

    limits: PieceLimits = MOSAIC

    name = "mosaic"
    title = "Mosaic"
    summary = "a chip that does not exist: 64 cores of 64 neurons, dense weights of 8 bits, one bus"
    default_costs = str(Path(__file__).with_name("costs.toml"))
    neuron = MosaicNeuron
    program_type = MosaicProgram

    def pipeline(self, graph: Graph, options: CompileOptions, context: Context) -> tuple[Pass, ...]:
        """What all chips share, and then the chip's own pass."""
        return default_passes(graph, options, (MosaicQuantise(options.weight_bits or 8),))


TARGET: Target[MosaicProgram] = Mosaic()
