"""Samples by the name of the input that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnc.errors import DataError

from .graph import Graph
from .operators.base import Array


@dataclass(frozen=True, eq=False)
class Samples:
    """What is presented to a network: as many samples of each input.

    Attributes:
        arrays: by input, (samples, *input shape), constant over the ticks, or (samples, ticks, *input shape).
    """

    arrays: Mapping[str, Array]

    @staticmethod
    def of(graph: Graph, x: Data) -> Samples:
        """Samples of a graph's inputs.

        Args:
            graph: with one input or several.
            x: an array for a graph of one input, or an array by each input's name.

        Raises:
            DataError D101: an input has no array, or an array has no input or not its shape; D105: inputs have unlike
                numbers of samples.
        """
        if isinstance(x, np.ndarray):
            if len(graph.inputs) != 1:
                raise _unnamed(graph, "one array was given")
            x = {graph.inputs[0].name: x}
        arrays = (
            x.arrays if isinstance(x, Samples) else {name: np.asarray(array) for name, array in x.items()}
        )
        names = [node.name for node in graph.inputs]
        if set(arrays) != set(names):
            raise _unnamed(graph, f"arrays were given for {', '.join(map(str, arrays)) or 'none'}")
        samples = Samples({name: arrays[name] for name in names})
        for name, array in samples.arrays.items():
            samples._check(graph, name, array)
        if len({len(array) for array in samples.arrays.values()}) > 1:
            counts = ", ".join(f"{len(array)} of {name}" for name, array in samples.arrays.items())
            raise DataError(
                "D105", f"inputs have unlike numbers of samples: {counts}", remedy="give as many of each"
            )
        return samples

    @staticmethod
    def _check(graph: Graph, name: str, array: Array) -> None:
        shape = graph[name].operator.infer_shape()
        if (array.shape[1:] == shape and array.ndim) or (array.shape[2:] == shape and array.ndim > 1):
            return
        axes = ", ".join(("samples", *map(str, shape)))
        raise DataError(
            "D101",
            f"data of shape {tuple(array.shape)} does not fit the model's input ({axes})",
            node=name,
            remedy="bring the data into the model's own layout",
        )

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, rows: slice) -> Samples:
        return Samples({name: array[rows] for name, array in self.arrays.items()})

    def astype(self, dtype: type[np.floating[Any]]) -> Samples:
        """The same in another type, C-contiguous."""
        return Samples({name: np.ascontiguousarray(array, dtype) for name, array in self.arrays.items()})

    def moving(self, graph: Graph) -> frozenset[str]:
        """The inputs whose samples have a tick axis."""
        return frozenset(
            name
            for name, array in self.arrays.items()
            if array.ndim == len(graph[name].operator.infer_shape()) + 2
        )

    def plain(self) -> Any:
        """The array itself where there is one input, as chips take it; else these samples, which slice like it."""
        return self if len(self.arrays) > 1 else next(iter(self.arrays.values()))

    def flat(self) -> Array:
        """All values, in one axis."""
        return np.concatenate([array.ravel() for array in self.arrays.values()])

    def up_to(self, graph: Graph, ticks: int) -> Samples:
        """No more than the first ticks of the inputs that have a tick axis."""
        return self.between(graph, 0, ticks)

    def between(self, graph: Graph, first: int, last: int) -> Samples:
        """The ticks ``first`` to ``last`` (exclusive) of the inputs that have a tick axis."""
        moving = self.moving(graph)
        return Samples({name: a[:, first:last] if name in moving else a for name, a in self.arrays.items()})


Data = Array | Mapping[str, Array] | Samples
"""How samples are given: an array for one input, or an array by each input's name."""


def _unnamed(graph: Graph, received: str) -> DataError:
    names = [node.name for node in graph.inputs]
    example = ", ".join(f"{name!r}: ..." for name in names)
    return DataError(
        "D101",
        f"{received}, but the model's inputs are {', '.join(names)}",
        remedy=f"give an array by each input's name: {{{example}}}",
    )
