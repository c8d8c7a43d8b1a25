"""The target of a chip whose cores have a weight for every pair of an axon and a neuron, but for what is its own."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from snnc.graph.graph import Graph
from snnc.pipeline import Context

from .chip import CostedChip
from .costs.schema import Schema
from .layers import Layers
from .partition import PieceLimits, check_pieces, require_consistent, usage_of_pieces
from .piece_cost_sets import PieceCosts, piece_schema
from .piece_program import PieceProgram, lowered
from .target import CompileOptions, Usage

if TYPE_CHECKING:
    from .piece_costs import PieceModel
    from .simulator import Simulator


PP = TypeVar("PP", bound=PieceProgram[Any])
"""The chip's program."""


class PieceChip(CostedChip[PP, PieceCosts], Generic[PP]):
    """Such a chip: it adds its limits, its neuron and its passes.

    Attributes:
        title: the chip's name in messages.
        neuron: model of its neurons; ``step`` is a tick of them.
    """

    title: ClassVar[str]
    neuron: ClassVar[type[Any]]

    @property
    @abstractmethod
    def limits(self) -> PieceLimits:
        """Of a core and a chip."""

    def lower(self, graph: Graph, options: CompileOptions, context: Context) -> PP:
        """The program; what is too large for a core is found by ``check``."""
        return lowered(self.program_type, graph, self._layers(graph), self.limits)

    def check(self, program: PP, graph: Graph) -> None:
        """Every core keeps its limits, and together they hold every synapse once."""
        check_pieces(self.title, self.usage(program), graph, program.populations, program.pieces)

    def usage(self, program: PP) -> Usage:
        """What every core holds."""
        return usage_of_pieces(self.name, program.names, program.pieces, self.limits)

    @property
    def simulator(self) -> Simulator[PP, Any, Any]:
        """Runs programs."""
        from .piece_simulator import PieceSimulator

        return PieceSimulator[PP]()

    @property
    def cost_schema(self) -> Schema:
        """What a cost set holds."""
        return piece_schema(self.name)

    def cost_model(self, program: PP, costs: PieceCosts, detailed: bool) -> PieceModel:
        """A program's messages with the costs of a set."""
        from .piece_costs import PieceModel

        return PieceModel.of(program, costs, self.limits.cores)

    def require_consistent(self, program: PP) -> None:
        """Raise ArtifactError A121 unless the program can be run."""
        program.require_consistent()
        require_consistent(program.populations, program.pieces, program.neurons)

    def _layers(self, graph: Graph) -> Layers[Any]:
        return Layers.of(graph, self.neuron, self.title, self.limits.delay)
