"""TrueNorth as a target: the protocol's functions, each imported when it is first used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snnc.formats.packed import Packed
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.pipeline import Context, Pass
from snnc.simulate.costs import CostedTrace, Timeline
from snnc.simulate.trace import Stream, Trace
from snnc.targets.costs.schema import Schema
from snnc.targets.target import CompileOptions, Placement, Usage

from .limits import TRUENORTH, TrueNorthLimits
from .options import TrueNorthOptions

if TYPE_CHECKING:
    from .costs import TrueNorthCosts
    from .program import TrueNorthProgram


@dataclass(frozen=True)
class TrueNorthTarget:
    """TrueNorth.

    Attributes:
        limits: of a chip.
    """

    limits: TrueNorthLimits = TRUENORTH

    options = TrueNorthOptions

    name = "truenorth"
    default_costs = "akopyan2015"
    summary = (
        "IBM TrueNorth (2014): 4096 cores of 256 axons and 256 neurons a chip, binary crossbars, four weights"
    )

    @property
    def cost_schema(self) -> Schema:
        """What a cost set holds."""
        from .costs import TRUENORTH_COSTS

        return TRUENORTH_COSTS

    def pipeline(self, graph: Graph, options: CompileOptions, context: Context) -> tuple[Pass, ...]:
        """The passes from ``graph`` to a graph of integers that ``lower`` takes."""
        from .pipeline import truenorth_pipeline

        return truenorth_pipeline(graph, options, context)

    def lower(self, graph: Graph, options: CompileOptions, context: Context) -> TrueNorthProgram:
        """The program of an INTEGER graph; raises MappingError T4xx."""
        from .lower import lower

        return lower(graph, options, context, limits=self.limits)

    def place(
        self, program: TrueNorthProgram, graph: Graph, options: CompileOptions, context: Context
    ) -> tuple[TrueNorthProgram, Placement]:
        """The program with its cores placed as the options say, and what that is worth."""
        from .placement import place_cores

        return place_cores(program, graph, options, context, self.limits)

    def check(self, program: TrueNorthProgram, graph: Graph) -> None:
        """Raise MappingError T4xx unless the program keeps every limit of the chip and holds the graph."""
        from .check import check_program

        check_program(program, graph, self.limits)

    def simulate(
        self,
        program: TrueNorthProgram,
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
        program: TrueNorthProgram,
        x: Array,
        ticks: int,
        costs: TrueNorthCosts,
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
        self, program: TrueNorthProgram, x: Array, ticks: int, costs: TrueNorthCosts, *, first_sample: int = 0
    ) -> Timeline:
        """When everything happens for the first of some samples."""
        from .timing import timeline_of

        return timeline_of(program, x, ticks, costs, first_sample=first_sample)

    def simulate_stream(
        self, program: TrueNorthProgram, samples: Array, *, first_sample: int = 0, threads: int | None = None
    ) -> Stream:
        """Run a program with a new sample every tick; raises UsageError U211 where neurons keep potentials."""
        from .simulate import present_stream

        return present_stream(program, samples, first_sample=first_sample, threads=threads)

    def usage(self, program: TrueNorthProgram) -> Usage:
        """What a program takes of the chips."""
        from .usage import usage

        return usage(program, self.limits)

    def estimate(self, graph: Graph, options: CompileOptions) -> Usage:
        """What an ANN graph will take, with remedies, without data."""
        from .estimate import estimate

        return estimate(graph, options, self.limits)

    def pack(self, program: TrueNorthProgram) -> Packed:
        """The program as plain data."""
        from .packing import pack

        return pack(program)

    def unpack(self, packed: Packed) -> TrueNorthProgram:
        """The program that was packed; raises ArtifactError A1xx."""
        from .packing import unpack

        return unpack(packed)


TARGET = TrueNorthTarget()
