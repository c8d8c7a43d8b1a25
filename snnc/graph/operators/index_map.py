"""Where each element of an array comes from in another: axis by axis where that is so, else one by one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, reduce

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Sizes = tuple[int, ...]


class IndexMap:
    """For each element of an array of ``shape`` the element of one of ``in_shape`` that it is, or none (a zero).

    Attributes:
        in_shape, shape: of the arrays; either may also be seen under another shape of as many elements in C order.
    """

    in_shape: Sizes
    shape: Sizes

    @property
    def indices(self) -> Indices:
        """(elements,) int64, flat indices, -1 for a zero; made anew at each call where they are not stored."""
        raise NotImplementedError

    @property
    def is_identity(self) -> bool:
        """Whether every element is the one at its own place, and none is left out."""
        raise NotImplementedError

    def then(self, second: IndexMap) -> IndexMap:
        """The map that applies this one and then ``second``."""
        return ListedMap(np.append(self.indices, -1)[second.indices], self.in_shape, second.shape)


@dataclass(frozen=True, eq=False)
class ListedMap(IndexMap):
    """A map element by element.

    Attributes:
        listed: (elements,) int64, the indices.
    """

    listed: Indices
    in_shape: Sizes
    shape: Sizes

    @property
    def indices(self) -> Indices:
        """As they are stored."""
        return self.listed

    @property
    def is_identity(self) -> bool:
        """As in ``IndexMap``."""
        size = int(np.prod(self.in_shape))
        return len(self.listed) == size and bool((self.listed == np.arange(size)).all())


@dataclass(frozen=True, eq=False)
class AxisMap(IndexMap):
    """A map that treats every axis by itself: slices, pads, parts of a concatenation, repetitions, transpositions.

    Attributes:
        in_shape: of the array that elements are taken from.
        axes: for each output axis (size,) int64, where each of its places is along the input axis, -1 for zeros.
        order: for each output axis the input axis that it is; each stands once.
    """

    in_shape: Sizes
    axes: tuple[Indices, ...]
    order: Sizes
    shape: Sizes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(len(axis) for axis in self.axes))

    @staticmethod
    def identity(shape: Sizes) -> AxisMap:
        """The map that leaves everything in its place."""
        return AxisMap(shape, tuple(np.arange(size) for size in shape), tuple(range(len(shape))))

    @staticmethod
    def along(in_shape: Sizes, axis: int, places: npt.ArrayLike) -> AxisMap:
        """The map that takes ``places`` along an axis and leaves the others as they are."""
        same = AxisMap.identity(in_shape)
        return replace(same, axes=(*same.axes[:axis], np.asarray(places, np.int64), *same.axes[axis + 1 :]))

    @property
    def indices(self) -> Indices:
        """Written out."""
        strides = np.cumprod((1, *self.in_shape[:0:-1]))[::-1]
        parts = [axis * strides[where] for axis, where in zip(self.axes, self.order, strict=True)]
        flat = np.asarray(reduce(np.add.outer, parts, np.zeros((), np.int64)))
        for number, axis in enumerate(self.axes):
            if (axis < 0).any():
                flat[(slice(None),) * number + (axis < 0,)] = -1
        return flat.ravel()

    @property
    def is_identity(self) -> bool:
        """As in ``IndexMap``."""
        long = [where for where in self.order if self.in_shape[where] != 1]
        return long == sorted(long) and all(
            len(axis) == self.in_shape[where] and (axis == np.arange(len(axis))).all()
            for axis, where in zip(self.axes, self.order, strict=True)
        )

    def then(self, second: IndexMap) -> IndexMap:
        """As in ``IndexMap``; axis by axis where both are and agree in their shapes."""
        if not isinstance(second, AxisMap) or second.in_shape != self.shape:
            return super().then(second)
        inner = [np.append(self.axes[where], -1) for where in second.order]
        axes = tuple(inside[outer] for inside, outer in zip(inner, second.axes, strict=True))
        return AxisMap(self.in_shape, axes, tuple(self.order[where] for where in second.order))

    @cached_property
    def inverse(self) -> AxisMap | None:
        """Where each element of the input goes, if no place along an axis goes to several."""
        axes: list[Indices] = [np.empty(0, np.int64)] * len(self.axes)
        for axis, where in zip(self.axes, self.order, strict=True):
            taken = np.flatnonzero(axis >= 0)
            back = np.full(self.in_shape[where], -1)
            back[axis[taken]] = taken
            if np.count_nonzero(back >= 0) < len(taken):
                return None
            axes[where] = back
        return AxisMap(self.shape, tuple(axes), tuple(int(at) for at in np.argsort(self.order)))

    @cached_property
    def offset(self) -> Sizes | None:
        """Where the whole input lies as a box in the output, from whose ends it may stick out; None if it does not."""
        if self.order != tuple(range(len(self.order))):
            return None
        offsets = []
        for axis, size in zip(self.axes, self.in_shape, strict=True):
            taken = np.flatnonzero(axis >= 0)
            if not len(taken):
                return None
            offset = int(taken[0] - axis[taken[0]])
            inside = np.arange(len(axis)) - offset
            if (axis != np.where((inside >= 0) & (inside < size), inside, -1)).any():
                return None
            offsets.append(offset)
        return tuple(offsets)

    def moved(self, values: npt.NDArray[np.generic], outside: float) -> npt.NDArray[np.generic]:
        """Values that broadcast to ``in_shape`` as the map moves them, so that they broadcast to ``shape``.

        An axis along which they do not differ stays of size 1 unless zeros are put there, which become ``outside``.
        """
        spread = values.reshape((1,) * (len(self.in_shape) - values.ndim) + values.shape).transpose(
            self.order
        )
        for number, axis in enumerate(self.axes):
            if spread.shape[number] > 1:
                spread = np.take(spread, np.maximum(axis, 0), number)
            elif (axis < 0).any():
                spread = np.repeat(spread, len(axis), number)
            else:
                continue
            spread[(slice(None),) * number + (axis < 0,)] = outside
        return spread
