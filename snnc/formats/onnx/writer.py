"""The nodes of an ONNX model that is written, and the table of rules by which operators write theirs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

import numpy as np
import onnx

from snnc.graph import Array, Node, Operator, Shape


class Writer:
    """The ONNX nodes and initializers written so far."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._taken = set(taken)

    def unused(self, stem: str) -> str:
        """``stem``, with a number behind it if the model has such a name already."""
        name, number = stem, 1
        while name in self._taken:
            number += 1
            name = f"{stem}.{number}"
        self._taken.add(name)
        return name

    def constant(self, stem: str, value: Array | Shape | float, dtype: type = np.float32) -> str:
        """Add an initializer; returns its name."""
        name = self.unused(stem)
        array: Array = np.array(value, dtype, order="C")
        self.initializers.append(onnx.numpy_helper.from_array(array, name))
        return name

    def add(self, kind: str, inputs: Iterable[str], output: str, **attributes: object) -> str:
        """Add a node called like its output; returns the output."""
        self.nodes.append(onnx.helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def step(self, kind: str, inputs: Iterable[str], stem: str, **attributes: object) -> str:
        """Add a node whose output is an intermediate value."""
        return self.add(kind, inputs, self.unused(stem), **attributes)


@singledispatch
def write(operator: Operator, writer: Writer, node: Node, shapes: tuple[Shape, ...]) -> None:
    """Add the ONNX nodes that compute ``node``; the last one's output has its name."""
    raise NotImplementedError


def onnx_pads(pads: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """All paddings before, then all behind."""
    pairs = tuple(pads)
    return (*(before for before, _ in pairs), *(after for _, after in pairs))
