"""What a tensor of an ONNX file stands for while the file is read: an array, or the value of a graph node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph import Array, Shape


@dataclass(frozen=True)
class BatchAxis:
    """How many samples the file may be run with.

    A file with a free batch axis is read with two trial sizes at once: what depends on the size (shape
    arithmetic) then shows by differing between them, and what would mix samples shows by not fitting both.

    Attributes:
        sizes: two trial sizes for a free batch axis, or the one size that the file fixes.
    """

    sizes: tuple[int, ...] = (2, 3)

    @property
    def is_free(self) -> bool:
        """Whether the file leaves the number of samples open."""
        return len(self.sizes) > 1


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that does not depend on the input's values.

    Attributes:
        arrays: its value for each size of the batch; one entry if it is the same for all.
    """

    arrays: tuple[Array, ...]

    @property
    def varies(self) -> bool:
        """Whether it depends on the batch size."""
        return len(self.arrays) > 1

    @property
    def array(self) -> Array:
        """Its value for the first batch size."""
        return self.arrays[0]

    def at(self, position: int) -> Array:
        """Its value for the batch size at a position of ``BatchAxis.sizes``."""
        return self.arrays[position if self.varies else 0]


@dataclass(frozen=True, eq=False)
class Signal:
    """A tensor that depends on the input: the value of a graph node with its axes in some order.

    Transposes only change ``order``; a Transpose node is made when an operator needs the axes as they stand
    in the file, so channel-last layouts cancel on their way through elementwise operators.

    Attributes:
        node: graph node.
        shape: shape in the file, without the batch axis.
        order: for each axis in the file (without the batch axis) the axis of the graph node.
        dtype: its type in the file.
        moves: positions in the file of the Transposes that are only in ``order`` yet.
    """

    node: str
    shape: Shape
    order: Shape
    dtype: np.dtype
    moves: tuple[int, ...] = ()

    @property
    def is_moved(self) -> bool:
        """Whether its axes stand in another order than the graph node's."""
        return self.order != tuple(range(len(self.order)))

    @property
    def inverse(self) -> Shape:
        """For each axis of the graph node the axis in the file."""
        return tuple(int(axis) for axis in np.argsort(self.order))


Value = Constant | Signal
