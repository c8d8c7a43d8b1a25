"""A whole number of ticks between a population and what it drives."""

from __future__ import annotations

from dataclasses import dataclass

from snnc.errors import UsageError

from .base import SPIKING_LEVELS, Array, Rearrangement, Shape


@dataclass(frozen=True, eq=False)
class Delay(Rearrangement):
    """y(t) = x(t - ticks); before that, what x is while nothing has been fired or presented: 0, or its bias.

    So a delay may be moved across any linear map.

    Attributes:
        ticks: whole number of ticks, at least 0.
    """

    ticks: int

    levels = SPIKING_LEVELS

    def __post_init__(self) -> None:
        if self.ticks < 0 or self.ticks != int(self.ticks):
            remedy = "give a whole number of ticks, 0 or more"
            raise UsageError("U303", f"a delay cannot be {self.ticks} ticks", remedy=remedy)

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return shapes[0]

    def evaluate(self, *inputs: Array) -> Array:
        """The elements themselves; the simulators move them in time."""
        return inputs[0]
