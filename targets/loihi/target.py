"""Loihi as a target: the protocol's functions, each imported when it is first used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snnc.formats.packed import Packed
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.pipeline import Context, Pass
from snnc.simulate.costs import CostedTrace, Timeline
from snnc.simulate.trace import Trace
from snnc.targets.costs.schema import Schema
from snnc.targets.target import CompileOptions, Placement, Usage

from .limits import LOIHI, LoihiLimits

if TYPE_CHECKING:
    from .costs import LoihiCosts
    from .program import LoihiProgram


@dataclass(frozen=True)
class LoihiTarget:
    """Loihi 1.

    Attributes:
        limits: of a chip.
    """

    limits: LoihiLimits = LOIHI

    name = "loihi"
    default_costs = "sanafe-loihi"
    summary = "Intel Loihi 1 (2018): 128 cores of 1024 compartments a chip, weights up to 8 bits and sign"

    @property
    def cost_schema(self) -> Schema:
        """What a cost set holds."""
        from .costs import LOIHI_COSTS

        return LOIHI_COSTS

    def pipeline(self, graph: Graph, options: CompileOptions, context: Context) -> tuple[Pass, ...]:
        """The passes from ``graph`` to a graph of integers that ``lower`` takes."""
        from .pipeline import loihi_pipeline

        return loihi_pipeline(graph, options)

    def lower(self, graph: Graph, options: CompileOptions, context: Context) -> LoihiProgram:
        """The program of an INTEGER graph; raises MappingError T1xx."""
        from .lower import lower

        return lower(graph, options, context, limits=self.limits)

    def place(
        self, program: LoihiProgram, graph: Graph, options: CompileOptions, context: Context
    ) -> tuple[LoihiProgram, Placement]:
        """The program with its cores placed as the options say, and what that is worth."""
        from .placement import place_cores

        return place_cores(program, graph, options, context)

    def check(self, program: LoihiProgram, graph: Graph) -> None:
        """Raise MappingError T2xx unless the program keeps every limit and holds each synapse exactly once."""
        from .check import check_program

        check_program(program, graph, self.limits)

    def simulate(
        self,
        program: LoihiProgram,
        x: Array,
        ticks: int,
        *,
        record: Iterable[str] = (),
        first_sample: int = 0,
        threads: int | None = None,
    ) -> Trace:
        """Run a program on the simulated cores."""
        from .simulate import simulate_program

        return simulate_program(program, x, ticks, record=record, first_sample=first_sample, threads=threads)

    def simulate_with_costs(
        self,
        program: LoihiProgram,
        x: Array,
        ticks: int,
        costs: LoihiCosts,
        *,
        record: Iterable[str] = (),
        first_sample: int = 0,
        threads: int | None = None,
        detailed: bool = False,
    ) -> CostedTrace:
        """Run a program on the simulated cores, with time and energy."""
        from .timing import simulate_with_costs

        return simulate_with_costs(
            program,
            x,
            ticks,
            costs,
            record=record,
            first_sample=first_sample,
            threads=threads,
            detailed=detailed,
        )

    def timeline(
        self, program: LoihiProgram, x: Array, ticks: int, costs: LoihiCosts, *, first_sample: int = 0
    ) -> Timeline:
        """When everything happens for the first of some samples."""
        from .timing import timeline_of

        return timeline_of(program, x, ticks, costs, first_sample=first_sample)

    def usage(self, program: LoihiProgram) -> Usage:
        """What a program takes of the chips."""
        from .usage import usage

        return usage(program, self.limits)

    def estimate(self, graph: Graph, options: CompileOptions) -> Usage:
        """What an ANN graph will take, with remedies, without data."""
        from .estimate import estimate

        return estimate(graph, options, self.limits)

    def pack(self, program: LoihiProgram) -> Packed:
        """The program as plain data."""
        from .packing import pack

        return pack(program)

    def unpack(self, packed: Packed) -> LoihiProgram:
        """The program that was packed; raises ArtifactError A1xx."""
        from .packing import unpack

        return unpack(packed)


TARGET = LoihiTarget()
