"""The ends of a graph: where samples enter and where the answer is read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from snnc.errors import GraphError

from .base import Array, Operator, Shape, member


@dataclass(frozen=True, eq=False)
class Input(Operator):
    """The samples, constant over all ticks or one array a tick.

    Attributes:
        sample_shape: shape of one sample without batch and tick axes.
    """

    sample_shape: Shape

    minimum_inputs = 0
    maximum_inputs = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "sample_shape", tuple(int(size) for size in self.sample_shape))
        if any(size < 1 for size in self.sample_shape):
            raise GraphError("G102", f"an input needs positive sizes, not {self.sample_shape}")

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The sample shape."""
        return self.sample_shape

    def evaluate(self, *inputs: Array) -> Array:
        """Not evaluated: the samples are given from outside."""
        raise GraphError("G103", "an Input has no meaning of its own: samples are given from outside")


class Readout(Enum):
    """How the answer is read from the last node.

    ``VALUE``: the node's own value (ANN). ``COUNT``: spikes per tick. ``POTENTIAL``: the charge that the
    population has taken up per tick: potential minus initial potential, plus what its resets took away.
    """

    VALUE = "value"
    COUNT = "count"
    POTENTIAL = "potential"


@dataclass(frozen=True, eq=False)
class Output(Operator):
    """The answer of the network.

    Attributes:
        readout: how a population is read; ``VALUE`` in an ANN.
        scale: factor, scalar or of the output's shape, from the reading to the ANN's units.
        offset: added after scaling, e.g. to undo a common offset that let negative logits fire.
    """

    readout: Readout = Readout.VALUE
    scale: float | Array = 1.0
    offset: float | Array = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "readout", member(self, "readout", Readout))

    def infer_shape(self, *shapes: Shape) -> Shape:
        """The shape of its input."""
        return shapes[0]

    def evaluate(self, *inputs: Array) -> Array:
        """The value itself (ANN reading)."""
        return inputs[0]
