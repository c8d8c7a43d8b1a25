"""What a chip must write to be a target, and what it is given: runs, costs, timelines, files, all from one frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from snnc.formats.packed import Packed
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.pipeline import Context, Pass
from snnc.simulate.costs import CostedTrace, Timeline
from snnc.simulate.trace import Trace

from .costs.cost_set import CostSet
from .costs.schema import Schema
from .frame import ProgramShell
from .run_options import DEFAULT, RunOptions
from .target import CompileOptions, Usage

if TYPE_CHECKING:
    from .cost_model import CostModel
    from .simulator import Simulator

F = TypeVar("F", bound=ProgramShell[Any])
"""The chip's program."""

C = TypeVar("C", bound=CostSet[Any])
"""The chip's cost sets."""


class Chip(ABC, Generic[F]):
    """A chip that programs are made for: its limits, its passes, its mapping, its tick.

    Modules that are heavy are best imported in the methods that need them, so that ``snnc targets`` stays quick.

    Attributes:
        name: as in ``--target``.
        summary: one line for ``snnc targets``.
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    @property
    @abstractmethod
    def limits(self) -> Any:
        """A frozen dataclass of the chip's limits, each with its source in the docstring."""

    @abstractmethod
    def pipeline(self, graph: Graph, options: CompileOptions, context: Context) -> tuple[Pass, ...]:
        """The passes from ``graph`` (ANN, SNN or INTEGER) to an INTEGER graph that ``lower`` takes."""

    @abstractmethod
    def lower(self, graph: Graph, options: CompileOptions, context: Context) -> F:
        """The program of an INTEGER graph; raises MappingError with layer, limit and remedy."""

    @abstractmethod
    def check(self, program: F, graph: Graph) -> None:
        """Raise MappingError unless the program keeps every limit and holds the graph's synapses exactly once."""

    @abstractmethod
    def usage(self, program: F) -> Usage:
        """What the program takes of the chips."""

    def estimate(self, graph: Graph, options: CompileOptions) -> Usage:
        """What a network will take, without data; a chip that can say it sooner than by compiling does."""
        from .usage import usage_by_compiling

        return usage_by_compiling(self, graph, options)

    @property
    @abstractmethod
    def simulator(self) -> Simulator[F, Any, Any]:
        """Runs programs."""

    def simulate(self, program: F, x: Array, ticks: int, options: RunOptions = DEFAULT) -> Trace:
        """Run a program on the simulated cores."""
        return self.simulator.run(program, x, ticks, options)

    def recordable(self, program: F) -> tuple[str, ...]:
        """What a run of a program can record, see ``Trace.recordings``."""
        return self.simulator.recordable(program)

    @property
    @abstractmethod
    def program_type(self) -> type[F]:
        """The class of programs, a frozen dataclass."""

    def pack(self, program: F) -> Packed:
        """The program as plain data."""
        from .serialise import packed

        return packed(program)

    def unpack(self, packed: Packed) -> F:
        """The program that was packed.

        Raises:
            ArtifactError: A121, the program contradicts itself; A122, the data do not make a program.
        """
        from .program_checks import refused
        from .serialise import unpacked

        program = unpacked(self.program_type, packed)
        with refused():
            self.require_consistent(program)
        return program

    @abstractmethod
    def require_consistent(self, program: F) -> None:
        """Raise ArtifactError A121 unless the program can be run, whatever a file made of it."""


class CostedChip(Chip[F], Generic[F, C]):
    """A chip that also says what a run takes in time and energy: its events.

    Attributes:
        default_costs: name of the cost set that is taken where none is named.
    """

    default_costs: ClassVar[str]

    @property
    @abstractmethod
    def cost_schema(self) -> Schema:
        """What a cost set holds."""

    @abstractmethod
    def cost_model(self, program: F, costs: C, detailed: bool) -> CostModel[Any]:
        """A program's messages with the costs of a set; ``detailed`` with what an event by event simulation needs."""

    def simulate_with_costs(
        self, program: F, x: Array, ticks: int, costs: C, options: RunOptions = DEFAULT
    ) -> CostedTrace:
        """Run a program on the simulated cores, with time and energy."""
        from .cost_model import run_with_costs

        model = self.cost_model(program, costs, options.detailed)
        return run_with_costs(self.simulator, program, x, ticks, model, options)

    def timeline(self, program: F, x: Array, ticks: int, costs: C, options: RunOptions = DEFAULT) -> Timeline:
        """When everything happens for the first of some samples."""
        from .cost_model import timeline_of

        model = self.cost_model(program, costs, True)
        return timeline_of(self.simulator, program, x, ticks, model, options)
