"""What a graph has to be for a pass, what a pass makes of it, and whether passes in a row fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from .errors import GraphError, UsageError
from .graph.graph import Graph
from .graph.operators import Level, MaxPool
from .graph.operators.activation import Rectifier
from .graph.projections import drives


@dataclass(frozen=True)
class Form:
    """A normal form of graphs of one level.

    Attributes:
        name: a few words, as ``snnc passes`` shows them.
        level: of the graphs that can have it.
        holds: whether a graph of that level has it; decides for the graph in front of the first pass.
    """

    name: str
    level: Level
    holds: Callable[[Graph], bool]


Need = Level | Form
"""What a pass can require and give: a level, or a normal form."""


class Staged(Protocol):
    """A pass, as far as its place among others goes; see ``Pass`` for the attributes."""

    @property
    def name(self) -> str:
        """As in ``--passes``."""

    @property
    def requires(self) -> tuple[Need, ...]:
        """What it needs."""

    @property
    def gives(self) -> tuple[Need, ...]:
        """What it makes."""

    @property
    def undoes(self) -> tuple[Form, ...]:
        """What it spoils."""


def _clips_are_normal(graph: Graph) -> bool:
    return all(relu.is_normal for relu in _rectifiers(graph))


def _pools_are_replaced(graph: Graph) -> bool:
    pools = graph.of_type(MaxPool)
    return all(isinstance(graph[pool.inputs[0]].operator, Rectifier | MaxPool) for pool in pools)


def _scales_are_set(graph: Graph) -> bool:
    return all(relu.scale is not None for relu in _rectifiers(graph))


def _rectifiers(graph: Graph) -> Iterator[Rectifier]:
    return (node.operator for node in graph if isinstance(node.operator, Rectifier))


def _maps_are_merged(graph: Graph) -> bool:
    try:
        drives(graph)
    except GraphError:
        return False
    return True


NORMAL_CLIPS = Form("clips from 0", Level.ANN, _clips_are_normal)
"""Every rectifier goes from 0 upwards, so that a firing rate can stand for its values."""

POOLS_REPLACED = Form("max pools replaced", Level.ANN, _pools_are_replaced)
"""No MaxPool, or only such as can become gates, because they read what spikes."""

SCALES_SET = Form("scales set", Level.ANN, _scales_are_set)
"""Every rectifier says what a neuron that fires at every tick stands for."""

MAPS_MERGED = Form("linear maps merged", Level.SNN, _maps_are_merged)
"""One weighted map lies between a population and the next."""


def check_order(graph: Graph, passes: Sequence[Staged], known: Callable[[], Iterable[Staged]]) -> None:
    """Refuse passes in an order that cannot work, before any runs.

    Args:
        graph: what the first pass is given.
        passes: in order.
        known: gives the passes that there are, for the remedy.

    Raises:
        UsageError: U105, naming the pass, what it needs, and which pass gives that.
    """
    level, gained, undone = graph.level, set[Form](), set[Form]()
    for place, step in enumerate(passes):
        for need in step.requires:
            if isinstance(need, Level):
                has = level is need
            else:
                has_now = level is graph.level is need.level and need not in undone and need.holds(graph)
                has = need in gained or has_now
            if not has:
                raise _misplaced(passes, place, need, level, known)
        for gift in step.gives:
            level = gift if isinstance(gift, Level) else level
        forms = {gift for gift in step.gives if isinstance(gift, Form)}
        undone = (undone | set(step.undoes)) - forms
        gained = (gained | forms) - undone


def need_text(needs: Iterable[Need]) -> str:
    """Needs with commas between them: levels by their value, forms by their name."""
    return ", ".join(need.value if isinstance(need, Level) else need.name for need in needs)


def _misplaced(
    passes: Sequence[Staged], place: int, need: Need, level: Level, known: Callable[[], Iterable[Staged]]
) -> UsageError:
    name = passes[place].name
    if isinstance(need, Level):
        lack = f"a graph of level {need.value}, but is given one of level {level.value}"
    else:
        lack = f"{need.name!r}, which no pass before it gives"
    order = ", ".join(step.name for step in passes)
    return UsageError(
        "U105",
        f"{name} needs {lack}",
        details=(f"order: {order}",),
        remedy=_remedy(passes, place, need, known),
    )


def _remedy(passes: Sequence[Staged], place: int, need: Need, known: Callable[[], Iterable[Staged]]) -> str:
    later = [step.name for step in passes[place + 1 :] if need in step.gives]
    if later:
        return f"put it behind {later[0]}, which gives that"
    spoilers = [step for step in passes[:place] if _takes_away(step, need)]
    if spoilers:
        return f"put it before {spoilers[0].name}"
    makers = sorted({step.name for step in known() if need in step.gives})
    return f"put {' or '.join(makers)} before it" if makers else "no installed pass gives that"


def _takes_away(step: Staged, need: Need) -> bool:
    if isinstance(need, Level):
        return any(isinstance(gift, Level) and gift is not need for gift in step.gives)
    return need in step.undoes
