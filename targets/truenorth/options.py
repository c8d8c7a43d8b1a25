"""What can be chosen on TrueNorth alone."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.fields import option
from snnc.options import CompileOptions


@dataclass(frozen=True)
class TrueNorthOptions(CompileOptions):
    """The options of every target, and TrueNorth's."""

    copies: int | None = option(
        None,
        "Take weights as probabilities of connections: draw so many networks, which vote.",
        least=1,
        shown="the weights as they are",
    )
