"""A whole number of ticks between a population and what it drives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snnc.errors import UsageError

from .base import NOTHING_WATCHED, SPIKING_LEVELS, Array, Rearrangement, Shape, State


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
        """The elements themselves, whatever their tick."""
        return inputs[0]

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """What is on its way, (samples, ticks, *shape): nothing."""
        return {"underway": np.zeros((len(samples), self.ticks, *shape), bool)}

    def at_rest(self, *rest: Array) -> Array:
        """The input's value."""
        return rest[0]

    def settle(self, state: State, rest: Sequence[Array]) -> State:
        """What is on its way is what the input gives at rest."""
        shape = state["underway"].shape
        return {"underway": np.broadcast_to(rest[0][:, None], shape)}

    def advance(
        self,
        state: State,
        inputs: Sequence[Array],
        ticks: int,
        watched: Mapping[str, Array] = NOTHING_WATCHED,
    ) -> tuple[State, Array]:
        """The values of ``self.ticks`` ticks ago."""
        samples, _, *shape = inputs[0].shape
        entering = np.broadcast_to(inputs[0], (samples, ticks, *shape))
        underway = np.concatenate([state["underway"], entering], axis=1)
        return {"underway": underway[:, ticks:]}, underway[:, :ticks]
