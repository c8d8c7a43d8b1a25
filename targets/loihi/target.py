"""Loihi as a target: the protocol's functions, each imported when it is first used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from snnc.graph.graph import Graph
from snnc.pipeline import Context, Pass
from snnc.targets.chip import CostedChip
from snnc.targets.costs.schema import Schema
from snnc.targets.target import CompileOptions, Placement, Usage

from .limits import LOIHI, LoihiLimits

if TYPE_CHECKING:
    from .costs import LoihiCosts
    from .program import LoihiProgram
    from .simulate import LoihiSimulator
    from .timing import LoihiCostModel


@dataclass(frozen=True)
class LoihiTarget(CostedChip["LoihiProgram", "LoihiCosts"]):
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

    @property
    def simulator(self) -> LoihiSimulator:
        """Runs programs."""
        from .simulate import SIMULATOR

        return SIMULATOR

    def cost_model(self, program: LoihiProgram, costs: LoihiCosts, detailed: bool) -> LoihiCostModel:
        """A program's messages with the costs of a set."""
        from .timing import LoihiCostModel

        return LoihiCostModel.of(program, costs)

    def usage(self, program: LoihiProgram) -> Usage:
        """What a program takes of the chips."""
        from .usage import usage

        return usage(program, self.limits)

    def estimate(self, graph: Graph, options: CompileOptions) -> Usage:
        """What an ANN graph will take, with remedies, without data."""
        from .estimate import estimate

        return estimate(graph, options, self.limits)

    @property
    def program_type(self) -> type[LoihiProgram]:
        """The class of programs."""
        from .program import LoihiProgram

        return LoihiProgram

    def require_consistent(self, program: LoihiProgram) -> None:
        """Raise ArtifactError A121 unless the program can be run."""
        from .validity import check_arrays

        check_arrays(program)


TARGET = LoihiTarget()
