"""What a target is: limits, a default_passes pipeline, lowering, a simulator; and the registry of targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar, runtime_checkable

from snnc.choices import InputMode as InputMode
from snnc.choices import PlacementMethod
from snnc.errors import UsageError
from snnc.formats.packed import Packed as Packed
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array
from snnc.options import CompileOptions as CompileOptions
from snnc.pipeline import Context, Pass
from snnc.simulate.costs import CostedTrace, Timeline
from snnc.simulate.trace import Stream, Trace
from snnc.targets.costs.schema import Schema
from snnc.targets.run_options import DEFAULT, RunOptions


@dataclass(frozen=True)
class LimitUse:
    """How much of one limit of a core is used.

    Attributes:
        limit: the limit's name, e.g. ``"synaptic memory (bit)"``.
        used: the largest use of any core concerned.
        available: what one core has.
    """

    limit: str
    used: int
    available: int

    @property
    def share(self) -> float:
        """Used / available."""
        return self.used / self.available


@dataclass(frozen=True)
class LayerUse:
    """What one population takes on the target.

    Attributes:
        name: population.
        neurons, synapses: numbers; synapses counted unrolled.
        cores: cores that hold a part of it.
        limits: use of each limit by its fullest core.
        group: what many populations that a pass made of one are called together, or None.
    """

    name: str
    neurons: int
    synapses: int
    cores: int
    limits: tuple[LimitUse, ...]
    group: str | None = None

    @property
    def binding(self) -> LimitUse:
        """The limit that is used most."""
        return max(self.limits, key=lambda use: use.share)


@dataclass(frozen=True)
class Remedy:
    """What another choice would change.

    Attributes:
        change: e.g. ``"--weight-bits 4"``.
        cores: cores that the whole network would then take.
        note: what it costs.
    """

    change: str
    cores: int
    note: str


@dataclass(frozen=True)
class Usage:
    """What a network takes on a target.

    Attributes:
        target: name of the target.
        cores, chips, neurons, synapses: totals; synapses counted unrolled.
        layers: a row a population.
        remedies: what other choices would change; empty unless asked for.
    """

    target: str
    cores: int
    chips: int
    neurons: int
    synapses: int
    layers: tuple[LayerUse, ...]
    remedies: tuple[Remedy, ...] = field(default=())

    def grouped(self, groups: Mapping[str, str]) -> Usage:
        """The same with the group of each layer that has one, by the layer's name."""
        layers = tuple(replace(layer, group=groups.get(layer.name)) for layer in self.layers)
        return replace(self, layers=layers)


@dataclass(frozen=True)
class Placement:
    """How cores were placed, and messages of a run of some samples, a sample, beside those when placed row by row.

    Attributes:
        method: as in ``CompileOptions.placement``.
        samples, ticks: of the run; 0 where the program could not be run: then every neuron is taken to fire once.
        spike_hops: hops of all messages between routers of the mesh.
        crossings: those of them that lead to another chip.
        busiest_link: messages of the link that has most.
        spike_hops_rows, crossings_rows, busiest_link_rows: the same row by row.
    """

    method: PlacementMethod
    samples: int
    ticks: int
    spike_hops: float
    crossings: float
    busiest_link: float
    spike_hops_rows: float
    crossings_rows: float
    busiest_link_rows: float


P = TypeVar("P")
"""A chip's program: self-contained, serialisable without pickle."""

P_contra = TypeVar("P_contra", contravariant=True)
"""The same where it is only taken."""


class Target(Protocol[P]):
    """A chip that programs are made for."""

    @property
    def name(self) -> str:
        """As in ``--target``."""

    @property
    def summary(self) -> str:
        """One line for ``snnc targets``."""

    @property
    def limits(self) -> Any:
        """A frozen dataclass of the chip's limits, each with its source in the docstring."""

    def pipeline(self, graph: Graph, options: CompileOptions, context: Context) -> tuple[Pass, ...]:
        """The passes from ``graph`` (ANN, SNN or INTEGER) to an INTEGER graph that ``lower`` takes."""

    def lower(self, graph: Graph, options: CompileOptions, context: Context) -> P:
        """The program of an INTEGER graph; raises MappingError with layer, limit and remedy."""

    def check(self, program: P, graph: Graph) -> None:
        """Raise MappingError unless the program keeps every limit and holds the graph's synapses exactly once."""

    def simulate(self, program: P, x: Array, ticks: int, options: RunOptions = DEFAULT) -> Trace:
        """Run the program."""

    def recordable(self, program: P) -> tuple[str, ...]:
        """What a run can record: ``spikes``, ``output`` and state variables of neurons by their names."""

    def usage(self, program: P) -> Usage:
        """What the program takes."""

    def estimate(self, graph: Graph, options: CompileOptions) -> Usage:
        """What an ANN graph will take, with remedies, in seconds and without data."""

    def pack(self, program: P) -> Packed:
        """The program as plain data."""

    def unpack(self, packed: Packed) -> P:
        """The program that was packed; raises ArtifactError when the data do not make one."""


@runtime_checkable
class CostedTarget(Protocol[P_contra]):
    """A target that also says what a run takes in time and energy."""

    @property
    def default_costs(self) -> str:
        """Name of the cost set that is taken where none is named."""

    @property
    def cost_schema(self) -> Schema:
        """What a cost set of this target holds."""

    def simulate_with_costs(
        self, program: P_contra, x: Array, ticks: int, costs: Any, options: RunOptions = DEFAULT
    ) -> CostedTrace:
        """Run the program and count, time and weigh every event; ``detailed`` simulates the queues of every tick."""

    def timeline(
        self, program: P_contra, x: Array, ticks: int, costs: Any, options: RunOptions = DEFAULT
    ) -> Timeline:
        """When everything happens for the first of some samples."""


@runtime_checkable
class StreamingTarget(Protocol[P_contra]):
    """A target some of whose programs take a new sample every tick."""

    def simulate_stream(self, program: P_contra, samples: Array, options: RunOptions = DEFAULT) -> Stream:
        """Run the program with a new sample every tick; raises UsageError U211 where it cannot."""


DEFAULT_TARGET = "loihi"
"""The target that is compiled for where none is named."""


@runtime_checkable
class PlacedTarget(Protocol[P]):
    """A target whose cores lie on a mesh."""

    def place(
        self, program: P, graph: Graph, options: CompileOptions, context: Context
    ) -> tuple[P, Placement]:
        """The program with its cores placed as the options say, and what that is worth."""


@runtime_checkable
class ChoosyTarget(Protocol):
    """A target that has options of its own beside those of every target."""

    @property
    def options(self) -> type[CompileOptions]:
        """A frozen dataclass with a field for each, made by ``snnc.fields.option``; its functions are given one."""


@cache
def targets() -> Mapping[str, Target[Any]]:
    """All installed targets by name (entry point group ``snnc.targets``)."""
    loaded = (point.load() for point in entry_points(group="snnc.targets"))
    return {target.name: target for target in sorted(loaded, key=lambda target: str(target.name))}


def target_named(name: str) -> Target[Any]:
    """The target of that name; raises UsageError U301 for an unknown one."""
    if name not in targets():
        known = ", ".join(targets()) or "none is installed"
        raise UsageError("U301", f"there is no target {name!r}", remedy=f"choose from {known}")
    return targets()[name]
