"""Max-pooling of spike trains by a gate that follows the most active input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.errors import GraphError
from snnc.graph.operators.base import Array, Shape
from snnc.graph.operators.pool import MaxPool
from snnc.graph.operators.windows import Pads, pad_space, taps, window_counts

from .base import Neuron, State, full


@dataclass(frozen=True, eq=False)
class MaxGate(Neuron):
    """In every window pass on the spikes of the input that has had most spikes so far, the first of equals.

    The gate of Rueckauer 2017 (section on spiking max-pooling); inputs are spikes, 0 or 1. The count of a
    tick includes the tick itself. No chip here has such a neuron: it runs in the functional simulator only.

    Attributes:
        kernel, stride, pads, dilation: as in MaxPool.
        in_shape: (channels, *space) of the input.
    """

    kernel: Shape
    in_shape: Shape
    stride: Shape = ()
    pads: Pads = ()
    dilation: Shape = ()

    variables = ("voltage", "counts")

    def __post_init__(self) -> None:
        pool = MaxPool(self.kernel, self.stride, self.pads, self.dilation)
        for name in ("kernel", "stride", "pads", "dilation"):
            object.__setattr__(self, name, getattr(pool, name))
        if len(self.in_shape) != len(self.kernel) + 1:
            raise GraphError("G104", f"MaxGate needs channels and {len(self.kernel)} spatial axes")

    def infer_shape(self, *shapes: Shape) -> Shape:
        """(channels, *window positions)."""
        return MaxPool(self.kernel, self.stride, self.pads, self.dilation).infer_shape(*shapes)

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """No spikes counted; the potential is always 0."""
        return {"voltage": full(0, shape, samples, dtype), "counts": full(0, self.in_shape, samples, dtype)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """Count, then look up the spike of the leader of each window."""
        counts = state["counts"] + current
        leading: Array | None = None
        passed: Array | None = None
        windows = window_counts(current.shape[2:], self.kernel, self.stride, self.pads, self.dilation)
        scores, spikes = pad_space(counts, self.pads, -1), pad_space(current, self.pads)
        for (_, score), (_, spike) in zip(
            taps(scores, self.kernel, self.stride, self.dilation, windows),
            taps(spikes, self.kernel, self.stride, self.dilation, windows),
            strict=True,
        ):
            if leading is None or passed is None:
                leading, passed = score, spike
            else:
                ahead = score > leading
                leading, passed = np.where(ahead, score, leading), np.where(ahead, spike, passed)
        assert passed is not None
        return {**state, "counts": counts}, passed > 0
