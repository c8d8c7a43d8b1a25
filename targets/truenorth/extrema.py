"""Maxima over steps as steps behind a sum, and maxima of other signals moved until a step is in front of them."""

from __future__ import annotations

from functools import partial

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.node import Node
from snnc.graph.operators import BatchNorm, Bias, Conv, MaxPool, Scale, Step
from snnc.graph.operators.activation import Rectifier
from snnc.graph.operators.base import Array, Operator, Shape
from snnc.graph.rewrite import Draft, Rule


def without_extrema(graph: Graph) -> Graph:
    """The graph with those of its maxima written as steps that can be.

    While a maximum is moved, it is one of some channels and a minimum of the others.
    """
    draft = Draft(graph)
    rules = extremum_rules({})
    while draft.apply(rules, reversed(draft.names)):
        pass
    return draft.done()


def extremum_rules(lowest: dict[str, Array]) -> tuple[Rule, ...]:
    """The rules for MaxPool nodes.

    1. A maximum over steps is a step at 1 behind their sum; a minimum is one at the size of the window.
    2. A maximum goes behind its readers, if all of them keep or reverse the order of each channel's elements, unless
       the maxima in front of it begin at a step: then the first rule comes to it.

    Args:
        lowest: for nodes (channels,) bool, where the minimum is taken instead; all false for a node without entry.
            The rules keep it up to date.
    """
    return Rule((MaxPool,), partial(_counted, lowest)), Rule((MaxPool,), partial(_passed_on, lowest))


def _counted(lowest: dict[str, Array], draft: Draft, pool: Node) -> bool:
    """A maximum over steps as a step behind their sum."""
    operator, (channels, *space) = pool.operator, draft.shapes[pool.inputs[0]]
    assert isinstance(operator, MaxPool)
    if not isinstance(draft[pool.inputs[0]].operator, Step):
        return False
    ones = np.ones((channels, 1, *operator.kernel), np.float32)
    window = Conv(ones, None, operator.stride, operator.pads, operator.dilation, groups=channels)
    threshold, minima = np.ones((), np.float32), lowest.pop(pool.name, np.zeros(channels, bool))
    if minima.any():
        sizes = window.evaluate(np.ones((1, channels, *space), np.float32))[0]
        threshold = np.where(minima.reshape(-1, *(1 for _ in space)), sizes, 1).astype(np.float32)
    counted = draft.add(f"{pool.name}.count", window, *pool.inputs, sources=pool.sources)
    draft.set(pool.name, operator=Step(threshold), inputs=(counted,))
    return True


def _passed_on(lowest: dict[str, Array], draft: Draft, pool: Node) -> bool:
    """A maximum of other signals behind its readers."""
    if isinstance(draft[_first_signal(draft, pool)].operator, Step):
        return False
    shape = draft.shapes[pool.inputs[0]]
    signs = {reader: slopes(draft[reader].operator, shape) for reader in draft.readers(pool.name)}
    if any(sign is None for sign in signs.values()):
        return False
    minima = lowest.pop(pool.name, np.zeros(shape[0], bool))
    for reader, sign in signs.items():
        draft.set(reader, inputs=pool.inputs)
        group = draft[reader].group_of("maximum")
        behind = draft.add(f"{reader}.maximum", pool.operator, reader, sources=pool.sources, group=group)
        draft.reroute(reader, behind)
        lowest[behind] = minima ^ (np.asarray(sign) < 0)
    draft.remove(pool.name)
    return True


def _first_signal(draft: Draft, pool: Node) -> str:
    """What the first maximum is over of those in a row that end with ``pool``."""
    source = pool.inputs[0]
    while isinstance(draft[source].operator, MaxPool):
        source = draft[source].inputs[0]
    return source


def slopes(operator: Operator, shape: Shape) -> Array | None:
    """Sign of the slope of a map for each channel; None unless it treats all elements of a channel alike.

    A slope of 0 counts as one of either sign.
    """
    channels = shape[0]
    if isinstance(operator, Rectifier):
        return np.ones(channels)
    if isinstance(operator, BatchNorm):
        return np.sign(operator.affine()[0])
    if not isinstance(operator, Step | Bias | Scale):
        return None
    values = np.asarray(
        operator.threshold if isinstance(operator, Step) else next(iter(operator.coefficients().values()))
    )
    if not set(values.shape[max(0, values.ndim - len(shape) + 1) :]) <= {1}:
        return None
    own = values.reshape(-1) if values.ndim == len(shape) else values.reshape(1)
    return np.sign(np.broadcast_to(own, channels)) if isinstance(operator, Scale) else np.ones(channels)
