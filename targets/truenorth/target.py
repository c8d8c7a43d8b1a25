"""TrueNorth as a target: the protocol's functions, each imported when it is first used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.pipeline import Context, Pass
from snnc.simulate.trace import Stream
from snnc.targets.chip import CostedChip
from snnc.targets.costs.schema import Schema
from snnc.targets.run_options import DEFAULT, RunOptions
from snnc.targets.target import CompileOptions, Placement, Usage

from .limits import TRUENORTH, TrueNorthLimits
from .options import TrueNorthOptions

if TYPE_CHECKING:
    from .costs import TrueNorthCosts
    from .program import TrueNorthProgram
    from .simulate import TrueNorthSimulator
    from .timing import TrueNorthCostModel


@dataclass(frozen=True)
class TrueNorthTarget(CostedChip["TrueNorthProgram", "TrueNorthCosts"]):
    """TrueNorth.

    Attributes:
        limits: of a chip.
    """

    limits: TrueNorthLimits = TRUENORTH

    options = TrueNorthOptions

    name = "truenorth"
    default_costs = "akopyan2015"
    summary = (
        "IBM TrueNorth (2014): 4096 cores of 256 axons and 256 neurons a chip, binary crossbars, four weights;"
        " maps steps one to one"
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

    @property
    def simulator(self) -> TrueNorthSimulator:
        """Runs programs."""
        from .simulate import SIMULATOR

        return SIMULATOR

    def cost_model(
        self, program: TrueNorthProgram, costs: TrueNorthCosts, detailed: bool
    ) -> TrueNorthCostModel:
        """A program's messages with the costs of a set."""
        from .timing import TrueNorthCostModel

        return TrueNorthCostModel.of(program, costs, detailed=detailed)

    def simulate_stream(
        self, program: TrueNorthProgram, samples: Array, options: RunOptions = DEFAULT
    ) -> Stream:
        """Run a program with a new sample every tick; raises UsageError U211 where neurons keep potentials."""
        from .stream import present_stream

        return present_stream(program, samples, options=options)

    def usage(self, program: TrueNorthProgram) -> Usage:
        """What a program takes of the chips."""
        from .usage import usage

        return usage(program, self.limits)

    def estimate(self, graph: Graph, options: CompileOptions) -> Usage:
        """What an ANN graph will take, with remedies, without data."""
        from .estimate import estimate

        return estimate(graph, options, self.limits)

    @property
    def program_type(self) -> type[TrueNorthProgram]:
        """The class of programs."""
        from .program import TrueNorthProgram

        return TrueNorthProgram

    def require_consistent(self, program: TrueNorthProgram) -> None:
        """Raise ArtifactError A121 unless the program can be run."""
        from .validity import check_arrays

        check_arrays(program)


TARGET = TrueNorthTarget()
