"""A node of a graph: a name, an operator, and what it reads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .operators.base import Operator


class Role(Enum):
    """What a node is for, where later work has to know it.

    ``UNIT_INPUT``: it brings samples to the range from -1 to 1. ``ASSUMED_INPUT``: an Input whose samples were taken
    to lie between 0 and 1, because there were none to look at. ``BALANCED_START``: a population whose initial
    potential was chosen for an input that is the same at every tick.
    """

    UNIT_INPUT = "unit input"
    ASSUMED_INPUT = "assumed input"
    BALANCED_START = "balanced start"


@dataclass(frozen=True, eq=False)
class Node:
    """One node.

    Attributes:
        name: unique in its graph.
        operator: what it computes.
        inputs: names of the nodes it reads, in the operator's order.
        sources: the ONNX nodes that it came from, each as ``"name (Operator)"``.
        role: what it is for, or None.
        group: what it is called together with its like where a pass made many nodes of one, e.g.
            ``"fc1.part*.relays"``; None for a node that stands for itself.
    """

    name: str
    operator: Operator
    inputs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    role: Role | None = None
    group: str | None = None

    def group_of(self, part: str) -> str | None:
        """The group of a node that is made for this one, called ``<name>.<part>``."""
        return None if self.group is None else f"{self.group}.{part}"

    @property
    def source(self) -> str | None:
        """The sources as one text for messages, or None."""
        return ", ".join(self.sources) or None
