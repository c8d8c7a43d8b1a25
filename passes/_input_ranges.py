"""The range of each feature or channel of the input, where one range for all would lose what some of them say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnc.graph.evaluate import evaluate_nodes
from snnc.graph.graph import Graph
from snnc.graph.operators.base import Array, Shape
from snnc.graph.samples import Samples
from snnc.validation import without_decision

_SAMPLES = 64
_LEVELS = 64
"""Steps in which the input is tried, those of a rate in the usual number of ticks."""

_WORSE, _ERROR = 4.0, 0.02
"""How many times the error of the outputs must be that with ranges of their own, and how large, to be unlike."""

_MARGIN = 1 / 16
"""Of a range, for samples beyond the calibration samples, on both sides."""

_FAR = 0.25
"""A range that begins this part of itself away from 0 is moved there."""


@dataclass(frozen=True, eq=False)
class Ranges:
    """What stands for 0 and 1 in units of the input.

    Attributes:
        offset, width: float64, (features,) or (channels, 1, ...); offset 0 where a range begins near 0.
    """

    offset: Array
    width: Array

    def rounded(self, samples: Array) -> Array:
        """Samples (samples, *shape) in steps of the ranges."""
        step = self.width / _LEVELS
        return np.asarray(np.rint((samples - self.offset) / step) * step + self.offset)


def unlike_ranges(graph: Graph, samples: Samples, name: str, largest: float) -> Ranges | None:
    """Ranges of an input's features (channels, with spatial axes), or None where one scale for all serves as well.

    The ANN's outputs decide: those of samples that are rounded to steps of one range are compared with those of
    samples rounded to steps of their own ranges.

    Args:
        graph: an ANN.
        samples: of calibration.
        name: of the input.
        largest: magnitude that stands for 1 where there is one scale.
    """
    own = _own_ranges(np.asarray(samples.arrays[name], np.float64), largest)
    tried = samples[:: -(-len(samples) // _SAMPLES)].astype(np.float64)
    logits = without_decision(graph)
    read = [output.name for output in logits.outputs]

    def outputs(ranges: Ranges | None) -> Array:
        """(samples, numbers of all outputs)."""
        rounded = {} if ranges is None else {name: ranges.rounded(tried.arrays[name])}
        values = evaluate_nodes(logits, Samples({**tried.arrays, **rounded}), read)
        return np.concatenate(
            [np.asarray(values[each], np.float64).reshape(len(tried), -1) for each in read], axis=1
        )

    exact = outputs(None)
    spread = float(np.ptp(exact, axis=0).max())
    shared = Ranges(np.zeros(()), np.array(largest))
    errors = [float(np.abs(outputs(each) - exact).max()) for each in (shared, own)]
    return own if errors[0] > max(_ERROR * spread, _WORSE * errors[1]) else None


def _own_ranges(samples: Array, largest: float) -> Ranges:
    """Of each feature or channel over samples (samples, *shape)."""
    axes = (0, *range(2, samples.ndim))
    shape: Shape = (samples.shape[1], *(1,) * (samples.ndim - 2))
    low, high = (bound.reshape(shape) for bound in (samples.min(axis=axes), samples.max(axis=axes)))
    margin = _MARGIN * (high - low)
    low, high = np.where(low < 0, low - margin, np.maximum(low - margin, 0)), high + margin
    far = (low > _FAR * (high - low)) | (high < -_FAR * (high - low))
    offset = np.where(far & (high > low), low, 0.0)
    width = np.where(far, high - low, np.maximum(np.abs(low), np.abs(high)))
    return Ranges(offset, np.where(width > 0, width, largest))
