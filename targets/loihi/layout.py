"""The order of a population's neurons in which it is cut into blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.conv import Conv
from snnc.graph.operators.linear import Linear
from snnc.graph.projections import Projection

ATOMS = 512
"""Most neurons that may share a population axon: an atom has at most 9 bits (nengo-loihi)."""

DENSE_ATOMS = 32
"""Neurons that share a population axon where a layer has no space: 5 bits cost no bit of the axon's number."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The order of a population's neurons for cutting: channels, rows and columns.

    Attributes:
        channels, rows, columns: sizes; layout index = (channel * rows + row) * columns + column.
        order: (neurons,) int64, flat index in the population of each layout index; None where they are equal.
    """

    channels: int
    rows: int = 1
    columns: int = 1
    order: Array | None = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.channels * self.rows * self.columns

    def neurons(self, layout_indices: Array) -> Array:
        """Flat indices in the population."""
        return layout_indices if self.order is None else self.order[layout_indices]

    @cached_property
    def places(self) -> Array:
        """(neurons,) int64, the layout index of each neuron of the population."""
        if self.order is None:
            return np.arange(self.size)
        places = np.empty(self.size, np.int64)
        places[self.order] = np.arange(self.size)
        return places

    @property
    def atoms(self) -> int:
        """How many channels of one position share a population axon."""
        return min(self.channels, DENSE_ATOMS if self.rows * self.columns == 1 else ATOMS)

    @property
    def groups(self) -> int:
        """Number of sets of neurons that share population axons."""
        return -(-self.channels // self.atoms) * self.rows * self.columns

    @property
    def atom_bits(self) -> int:
        """Bits that number the atoms."""
        return (self.atoms - 1).bit_length()

    def group_of(self, neurons: Array) -> Array:
        """The set of each neuron (flat indices in the population)."""
        index = neurons if self.order is None else self.places[neurons]
        space = self.rows * self.columns
        return np.asarray(index // space // self.atoms * space + index % space)


def layout_of(shape: Shape, projections: Sequence[Projection]) -> Layout:
    """The layout of a population: that of the largest window map into it where that fills it, else its own."""
    spatial = len(shape) in (2, 3)
    natural = Layout(shape[0], *_space(shape[1:])) if spatial else Layout(int(np.prod(shape)))
    windows = [p for p in projections if _has_space(p)]
    if not windows:
        return natural
    largest = max(windows, key=lambda p: int(np.prod(p.mid_shape)))
    canonical, mid_order = canonical_output(largest)
    if int(np.prod(canonical)) != natural.size:
        return natural
    order = np.arange(natural.size) if mid_order is None else mid_order
    if largest.place is not None:
        placed = largest.place.indices
        if len(np.unique(placed)) != natural.size or placed.min() < 0:
            return natural
        order = np.argsort(placed)[order]
    same = (order == np.arange(natural.size)).all()
    return Layout(*canonical, order=None if same else order)


def _has_space(projection: Projection) -> bool:
    return isinstance(projection.operator, Conv) or (
        isinstance(projection.operator, Linear) and len(projection.in_shape) > 1
    )


def _space(shape: Shape) -> tuple[int, int]:
    """Rows and columns of one or two spatial axes; one axis is taken as columns."""
    return (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])


def canonical_output(projection: Projection) -> tuple[tuple[int, int, int], Array | None]:
    """(channels, rows, columns) of the operator's output, and the flat index of each element, None if equal."""
    shape = projection.mid_shape
    if isinstance(projection.operator, Linear):
        lead = int(np.prod(shape[:-1]))
        order = None if lead == 1 else np.arange(lead * shape[-1]).reshape(lead, shape[-1]).T.ravel()
        return (shape[-1], 1, lead), order
    if len(shape) in (2, 3):
        return (shape[0], *_space(shape[1:])), None
    return (int(np.prod(shape)), 1, 1), None
