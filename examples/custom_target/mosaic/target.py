"""The functions that snnc asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from snnc.errors import MappingError
from snnc.formats.packed import Packed
from snnc.graph import Graph
from snnc.graph.operators.base import Array
from snnc.pipeline import Context, Pass, Pipeline
from snnc.simulate import Trace
from snnc.targets import CompileOptions, Usage
from snnc.targets.conversion import legalising
from snnc.targets.frame import Frame
from snnc.targets.layers import Layers, Synapses
from snnc.targets.packing import unpacked
from snnc.targets.usage import Held, usage_of

from .chip import MOSAIC, MosaicLimits, MosaicNeuron
from .program import MosaicProgram, cores_of, run
from .quantise import MosaicQuantise


@dataclass(frozen=True)
class Mosaic:
    """Mosaic."""

    limits: MosaicLimits = MOSAIC

    name = "mosaic"
    summary = "a chip that does not exist: 64 cores of 64 neurons, dense weights of 8 bits, one bus"

    def pipeline(self, graph: Graph, options: CompileOptions, context: Context) -> tuple[Pass, ...]:
        """What all chips share, and then the chip's own pass."""
        return legalising(graph, options, (MosaicQuantise(options.weight_bits or MOSAIC.weight_bits),))

    def lower(self, graph: Graph, options: CompileOptions, context: Context) -> MosaicProgram:
        """The program."""
        layers = Layers.of(graph, MosaicNeuron, "Mosaic")
        own = layers.on_chip.items()
        cores = [core for n, layer in own for core in cores_of(n, layer, layers.synapses(layer).merged())]
        return MosaicProgram(Frame.of(graph, layers), tuple(cores))

    def check(self, program: MosaicProgram, graph: Graph) -> None:
        """Every limit is kept, and every synapse is there once."""
        layers = Layers.of(graph, MosaicNeuron, "Mosaic")
        for number, layer in layers.on_chip.items():
            parts = [np.zeros((4, 0), np.int64)]
            for core in program.cores:
                if core.population == number:
                    row, column = np.nonzero(core.weight)
                    parts.append(
                        np.stack(
                            [
                                core.neurons[column],
                                core.source[row],
                                core.delay[row],
                                core.weight[row, column],
                            ]
                        )
                    )
                    if max(len(core.neurons) / MOSAIC.neurons, len(core.source) / MOSAIC.axons) > 1:
                        raise MappingError("T902", "a core holds more than it can", node=layer.node.name)
            held, wanted = Synapses.of(*np.concatenate(parts, axis=1)), layers.synapses(layer).merged()
            if not all(np.array_equal(getattr(held, f), getattr(wanted, f)) for f in vars(wanted)):
                raise MappingError("T902", "its synapses are not those of the network", node=layer.node.name)

    def simulate(
        self,
        program: MosaicProgram,
        x: Array,
        ticks: int,
        *,
        record: Iterable[str] = (),
        first_sample: int = 0,
        threads: int | None = None,
    ) -> Trace:
        """Some samples at a time."""
        names = frozenset(record)
        batch = lambda part, first: run(program, part, ticks, names, first)
        return program.frame.in_batches(batch, x, ticks, names, first_sample, threads)

    def usage(self, program: MosaicProgram) -> Usage:
        """What every core holds."""
        cores, frame = program.cores, program.frame
        limits = {
            "neurons": (np.array([len(core.neurons) for core in cores]), MOSAIC.neurons),
            "axons": (np.array([len(core.source) for core in cores]), MOSAIC.axons),
        }
        layers = [
            Held(p.name, p.size, sum(np.count_nonzero(cores[c].weight) for c in own), np.array(own))
            for n, p in enumerate(frame.populations)
            if (own := [c for c, core in enumerate(cores) if core.population == n])
        ]
        return usage_of(program.target, layers, limits, len(cores), MOSAIC.cores)

    def estimate(self, graph: Graph, options: CompileOptions) -> Usage:
        """A trial without calibration data."""
        context = Context()
        graph, _ = Pipeline(self.pipeline(graph, options, context), None).run(graph, context)
        return self.usage(self.lower(graph, options, context))

    def unpack(self, packed: Packed) -> MosaicProgram:
        """The program that was packed."""
        return unpacked(MosaicProgram, packed)


TARGET = Mosaic()
