"""Merges that make a graph as plain as the network that it came from; values stay the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from .graph import Graph
from .operators import Bias, Clip, Conv, Flatten, Input, Linear, MaxPool, Output, Pad, Relu, Reshape
from .operators.activation import Rectifier
from .operators.base import Operator, Shape
from .rewrite import Draft, pair


def simplified(graph: Graph) -> tuple[Graph, Mapping[str, str]]:
    """Remove what no output reads and merge neighbours of which the first is read by the second alone.

    Returns:
        The new graph, and for each of its nodes the given graph's node of the same value.
    """
    draft = Draft(without_unread(graph))
    draft.apply(RULES)
    result = draft.done()
    return result, {node.name: draft.equals[node.name] for node in result}


def without_unread(graph: Graph) -> Graph:
    """The graph without the nodes that no output depends on; inputs stay."""
    needed: set[str] = set()
    for node in reversed(graph.ordered):
        if isinstance(node.operator, Input | Output) or node.name in needed:
            needed |= {node.name, *node.inputs}
    return Graph(graph.name, (node for node in graph if node.name in needed))


def _bias_after_map(first: Conv | Linear, second: Bias, shape: Shape) -> Operator | None:
    """A constant added to each output channel is the map's bias."""
    start = np.zeros(len(first.weight)) if first.bias is None else first.bias
    biased = replace(first, bias=np.asarray(start, np.float64))
    raised = biased.with_bias(np.broadcast_to(np.asarray(second.value, np.float64), shape))
    return (
        None if raised is None or raised.bias is None else replace(first, bias=raised.bias.astype(np.float32))
    )


def _pad_before_conv(first: Pad, second: Conv, shape: Shape) -> Operator | None:
    """Zeros around the spatial axes are the convolution's own padding."""
    if first.pads[0] != (0, 0) or min(min(pair) for pair in first.pads) < 0:
        return None
    pads = tuple((b + x, a + y) for (b, a), (x, y) in zip(first.pads[1:], second.pads, strict=True))
    return replace(second, pads=pads)


def _maximum_of_padded(first: MaxPool, second: MaxPool, shape: Shape) -> Operator | None:
    """A maximum over single elements only pads, with values that never win."""
    if set(first.kernel) != {1} or set(first.stride) != {1}:
        return None
    pads = tuple((b + x, a + y) for (b, a), (x, y) in zip(first.pads, second.pads, strict=True))
    return replace(second, pads=pads)


def _reshape_twice(first: Operator, second: Operator, shape: Shape) -> Operator | None:
    """The last shape counts."""
    return second


def _clip_twice(first: Rectifier, second: Rectifier, shape: Shape) -> Operator | None:
    """One clipping at the tighter bounds, if they leave a range."""
    low, high = max(first.low, second.low), min(first.high, second.high)
    if not low < high:
        return None
    return Relu() if high == np.inf else Clip(low, high)


RULES = (
    pair((Conv, Linear), (Bias,), _bias_after_map, named_second=False),
    pair((Pad,), (Conv,), _pad_before_conv, named_second=True),
    pair((MaxPool,), (MaxPool,), _maximum_of_padded, named_second=True),
    pair((Reshape, Flatten), (Reshape, Flatten), _reshape_twice, named_second=True),
    pair((Relu, Clip), (Relu, Clip), _clip_twice, named_second=False),
)
"""The merged node has the name of the one that names the layer."""
