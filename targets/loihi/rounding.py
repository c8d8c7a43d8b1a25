"""Weights on the grids of Loihi's synapse lists such that sums keep their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from snnc.graph.operators.base import Array
from snnc.graph.projections import Projection
from snnc.graph.synapses import weight_values
from snnc.targets.rounding import Observed, compensated, has_one_sum, observed_inputs

from .grid import WeightGroups


def rounded_weights(
    projections: Sequence[Projection],
    groups: Sequence[WeightGroups],
    rates: Mapping[str, Array],
    units: float,
) -> tuple[list[Array], Array]:
    """The weights of a population's projections on their grids, and a constant current for its channels.

    Dense layers and convolutions whose sources' rates are known are rounded together such that their sums keep their
    values (see ``compensated``), all else each weight by itself.

    Args:
        projections: of the population.
        groups: their weights.
        rates: spikes a tick of populations on a few samples, (samples, *shape).
        units: multiples of 64 of the potential that stand for one threshold.

    Returns:
        (weights,) int64 for each projection, and (channels,) or (1,) float64, both in multiples of 64.
    """
    weights = [group.rounded(units) for group in groups]
    together = [at for at, each in enumerate(projections) if has_one_sum(each) and each.source in rates]
    inputs = observed_inputs([projections[at] for at in together], rates) if together else None
    if inputs is None:
        return weights, np.zeros(1)
    chosen = [groups[at] for at in together]
    outputs = len(weight_values(projections[together[0]].operator))
    exact = [(group.values * group.gain * units).reshape(outputs, -1) for group in chosen]
    step = np.concatenate([group.steps(units).reshape(outputs, -1) for group in chosen], axis=1)
    sizes = [part.shape[1] for part in exact]
    low, high = (np.repeat([group.levels[end] for group in chosen], sizes) for end in (0, 1))
    rounded = compensated(np.concatenate(exact, axis=1), Observed.of(inputs), step, (low, high))
    parts = np.split(rounded.code * step, np.cumsum(sizes)[:-1], axis=1)
    for at, part in zip(together, parts, strict=True):
        weights[at] = part.ravel()
    return weights, rounded.shift
