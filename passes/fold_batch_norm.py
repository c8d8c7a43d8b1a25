"""Takes batch normalisation, and scales and biases written as nodes, into the weights around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snnc.graph.graph import Edit, Graph
from snnc.graph.node import Node
from snnc.graph.operators import BatchNorm, Bias, Scale
from snnc.pipeline import Context, Guarantee, Pass

from ._folding import fold_elementwise


@dataclass(frozen=True)
class FoldBatchNorm(Pass):
    """Fold BatchNorm, Scale and Bias nodes into Conv and Linear weights.

    1. Every BatchNorm is first written as Scale and Bias, y = gamma / sqrt(variance + epsilon) x + shift; a
       factor of one or a shift of zero leaves its node out.
    2. Scale and Bias behind a Conv or Linear that nobody else reads go into its weight and bias.
    3. A Scale in front of a Conv or Linear goes into its weight. A Bias there goes into its bias, unless the
       Conv pads with zeros: a padded zero would not get the shift.
    4. What cannot be folded exactly (a shared producer, a shift before zero padding, a factor that varies
       over space) stays as Scale and Bias nodes. No BatchNorm is left.

    Weights are computed in float64 and stored in float32.
    """

    name: ClassVar[str] = "fold-batch-norm"
    guarantee: ClassVar[Guarantee] = Guarantee.EXACT

    def __call__(self, graph: Graph, context: Context) -> Graph:
        """The graph without BatchNorm."""
        edit = graph.edit()
        for node in graph.of_type(BatchNorm):
            _write_out(edit, node, len(graph.shapes[node.name]))
        plain = edit.done()
        names = [node.name for node in plain.of_type(Scale, Bias)]
        return fold_elementwise(plain, names) if names else plain


def _write_out(edit: Edit, node: Node, axes: int) -> None:
    """A BatchNorm as a Scale and a Bias (case 1); the last of them keeps the name."""
    assert isinstance(node.operator, BatchNorm)
    factor, shift = (part.reshape(-1, *(1,) * (axes - 1)) for part in node.operator.affine())
    scaled, shifted = bool((factor != 1).any()), bool((shift != 0).any())
    if not scaled and not shifted:
        edit.bypass(node.name)
        return
    if not shifted:
        edit.set(node.name, operator=Scale(factor.astype(np.float32)))
        return
    source = edit[node.name].inputs[0]
    if scaled:
        source = edit.add(
            f"{node.name}.scale", Scale(factor.astype(np.float32)), source, sources=node.sources
        )
    edit.set(node.name, operator=Bias(shift.astype(np.float32)), inputs=(source,))
