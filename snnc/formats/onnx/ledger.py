"""The account of an ONNX file: what became of every one of its nodes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from snnc.errors import ModelError


class Outcome(Enum):
    """What became of a node of the file.

    ``CONVERTED``: it is a node of the graph. ``FOLDED``: it is part of a graph node made for another one.
    ``CONSTANT``: its value does not depend on the input and was computed. ``NO_EFFECT``: the network
    computes the same without it. ``REFUSED``: it cannot be converted. ``UNDECIDED``: it reads a refused
    node, so that nothing more can be said of it (only in the ledger of a refused model).
    """

    CONVERTED = "converted"
    FOLDED = "folded"
    CONSTANT = "constant"
    NO_EFFECT = "no effect"
    REFUSED = "refused"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class LedgerRow:
    """One node of the file.

    Attributes:
        node: its name; where the file gives none, or one twice, its first output's name or type and number.
        operator: its ONNX operator, with the domain in front unless it is ONNX's own.
        outcome: what became of it.
        detail: the graph nodes concerned, or why it has no effect or is refused.
        remedy: what the user can do about a refusal, else empty.
    """

    node: str
    operator: str
    outcome: Outcome
    detail: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.node} ({self.operator}): {self.outcome.value}"
        text += f": {self.detail}" if self.detail else ""
        return text + (f"; {self.remedy}" if self.remedy else "")


class RefusedModelError(ModelError):
    """A model with operators that cannot be converted.

    Attributes:
        ledger: a row for every node of the file, those refused among them.
    """

    def __init__(self, ledger: tuple[LedgerRow, ...], file: str | None) -> None:
        self.ledger = ledger
        refused = [row for row in ledger if row.outcome is Outcome.REFUSED]
        super().__init__(
            "M120",
            f"{len(refused)} of {len(ledger)} nodes cannot be converted",
            file=file,
            details=tuple(f"{row.node} ({row.operator}): {row.detail}; {row.remedy}" for row in refused),
            remedy="change the nodes named above in the network and export it again",
        )
