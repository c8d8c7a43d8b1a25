"""Merges that make the imported graph as plain as the network it came from; values stay the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from snnc.graph import (
    Bias,
    Clip,
    Conv,
    Flatten,
    Graph,
    Input,
    Linear,
    MaxPool,
    Node,
    Operator,
    Output,
    Pad,
    Relu,
    Reshape,
    Shape,
)

Rule = Callable[[Any, Any, Shape], Operator | None]


def simplify(graph: Graph) -> tuple[Graph, Mapping[str, str]]:
    """Remove what no output reads and merge neighbours of which the first is read by the second alone.

    Returns:
        The new graph, and for each of its nodes the given graph's node of the same value.
    """
    graph = prune(graph)
    edit = graph.edit()
    readers = Counter(source for node in graph for source in node.inputs)
    names = {node.name: node.name for node in graph}
    for node in graph.ordered:
        second = edit[node.name]
        if len(second.inputs) != 1 or isinstance(second.operator, Output):
            continue
        first = edit[second.inputs[0]]
        merged = _merge(first, second, graph.shapes[names[first.name]])
        if merged is None or readers[first.name] != 1:
            continue
        sources = tuple(dict.fromkeys(first.sources + second.sources))
        if _keeps_second(second.operator):
            edit.set(second.name, operator=merged, inputs=first.inputs, sources=sources)
            edit.remove(first.name)
        else:
            edit.set(first.name, operator=merged, sources=sources)
            edit.bypass(second.name)
            readers[first.name] = readers[second.name]
            names[first.name] = second.name
    merged_graph = edit.done()
    return merged_graph, {node.name: names[node.name] for node in merged_graph}


def prune(graph: Graph) -> Graph:
    """The graph without the nodes that no output depends on; inputs stay."""
    needed: set[str] = set()
    for node in reversed(graph.ordered):
        if isinstance(node.operator, Input | Output) or node.name in needed:
            needed |= {node.name, *node.inputs}
    return Graph(graph.name, (node for node in graph if node.name in needed))


def _merge(first: Node, second: Node, shape: Shape) -> Operator | None:
    for kinds, rule in _RULES:
        if isinstance(first.operator, kinds[0]) and isinstance(second.operator, kinds[1]):
            return rule(first.operator, second.operator, shape)
    return None


def _keeps_second(operator: Operator) -> bool:
    """Whether the merged node goes on under the second one's name: the one that names the layer."""
    return isinstance(operator, Conv | MaxPool | Reshape | Flatten)


def _bias_after_map(first: Conv | Linear, second: Bias, shape: Shape) -> Operator | None:
    """A constant added to each output channel is the map's bias."""
    channels = first.weight.shape[0]
    value = np.asarray(second.value)
    axis = 0 if isinstance(first, Conv) else len(shape) - 1
    if value.ndim:
        aligned = value.reshape((1,) * (len(shape) - value.ndim) + value.shape)
        if aligned.size != aligned.shape[axis]:
            return None
        value = aligned.ravel()
    start = np.zeros(channels, np.float64) if first.bias is None else np.asarray(first.bias, np.float64)
    return replace(first, bias=(start + value).astype(np.float32))


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


def _clip_twice(first: Relu | Clip, second: Relu | Clip, shape: Shape) -> Operator | None:
    """One clipping at the tighter bounds, if they leave a range."""
    lows = [operator.low if isinstance(operator, Clip) else 0.0 for operator in (first, second)]
    highs = [operator.high if isinstance(operator, Clip) else np.inf for operator in (first, second)]
    low, high = max(lows), min(highs)
    if not low < high:
        return None
    return Relu() if high == np.inf else Clip(low, high)


_RULES: tuple[tuple[tuple[Any, Any], Rule], ...] = (
    ((Conv | Linear, Bias), _bias_after_map),
    ((Pad, Conv), _pad_before_conv),
    ((MaxPool, MaxPool), _maximum_of_padded),
    ((Reshape | Flatten, Reshape | Flatten), _reshape_twice),
    ((Relu | Clip, Relu | Clip), _clip_twice),
)
