"""Putting real weights and biases on the grids that Loihi's registers and synapse formats span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from snnc.graph.operators import Conv, Linear, Operator, Scale, SparseLinear
from snnc.graph.operators.base import Array, Shape
from snnc.graph.synapses import weight_values

from .limits import LOIHI, UNIT
from .synapses import EXPONENTS

SIGN_BIT_LIMITS = {bits: 2 ** (bits - 1) - 1 for bits in (2, 3, 4, 5, 6, 8)}
"""Largest magnitude, in steps, of weights of both signs by width."""

ONE_SIGN_LIMITS = {bits: 2**bits - 1 for bits in (1, 2, 3, 4, 5, 6, 8)}
"""Largest magnitude, in steps, of weights of one sign by width."""

LARGEST_WEIGHT = 2**13
"""Bound of weights in multiples of 64 of the potential: a quarter of what a tick's sum can hold before it wraps."""

_SAMPLED_WEIGHTS = 100_000


@dataclass(frozen=True, eq=False)
class WeightGroups:
    """A projection's weights with the synapse list that each is stored in.

    Attributes:
        values: (weights,) float64 in thresholds of the population, flat.
        group: (weights,) int64, source channel or neuron; the weights of one share an exponent.
        gain: (weights,) float64, power of two by which the target neuron's units are finer.
        limit: largest magnitude in steps that the format holds.
        exponents: how many different exponents the groups may use.
    """

    values: Array
    group: Array
    gain: Array
    limit: int
    exponents: int

    def steps(self, units: float) -> Array:
        """(weights,) int64 power of two: the step of each weight's grid, in multiples of 64 of the potential.

        Args:
            units: multiples of 64 that stand for one threshold.
        """
        scaled = np.abs(self.values) * self.gain * units
        largest = np.zeros(int(self.group.max(initial=0)) + 1)
        np.maximum.at(largest, self.group, scaled)
        needed = np.ceil(np.log2(np.maximum(largest, 1e-9) / self.limit)).astype(np.int64)
        needed = np.minimum(needed, int(np.log2(LARGEST_WEIGHT / self.limit)))
        top = max(int(needed.max()), 0)
        return np.asarray(2 ** np.clip(needed, max(top - self.exponents + 1, 0), None)[self.group])

    @property
    def levels(self) -> tuple[int, int]:
        """Smallest and largest weight in steps."""
        low = 0 if (self.values >= 0).all() else -self.limit
        return low, 0 if (self.values <= 0).all() else self.limit

    def rounded(self, units: float) -> Array:
        """(weights,) int64 weights in multiples of 64 of the potential, each on its group's grid.

        What lies beyond the largest weight is cut off there: it is many thresholds, and the sum would wrap.
        """
        steps = self.steps(units)
        counts = np.rint(self.values * self.gain * units / steps)
        return np.asarray(np.clip(counts, -self.limit, self.limit).astype(np.int64) * steps)

    def sampled(self) -> WeightGroups:
        """Every n-th weight, so that trying many units stays cheap; the largest weight is kept."""
        stride = -(-self.values.size // _SAMPLED_WEIGHTS)
        if stride <= 1:
            return self
        picked = np.append(np.arange(0, self.values.size, stride), np.abs(self.values * self.gain).argmax())
        return replace(self, values=self.values[picked], group=self.group[picked], gain=self.gain[picked])

    def squared_error(self, units: float) -> float:
        """Sum of squared rounding errors, in thresholds."""
        return float(((self.rounded(units) / (units * self.gain) - self.values) ** 2).sum())


def weight_groups(
    operator: Operator, mid_shape: Shape, gain: Array, *, weight_bits: int, exponents: int
) -> tuple[Operator, WeightGroups]:
    """An operator's weights by synapse list.

    Args:
        operator: with weights in thresholds.
        mid_shape: shape of its output.
        gain: of ``mid_shape``, NaN for outputs that lead nowhere.
        weight_bits: width of a weight.
        exponents: see ``WeightGroups``.

    Returns:
        The operator, its Scale factors written out where gains differ, and the groups of its weights.
    """
    gain = np.nan_to_num(gain, nan=1.0)
    if isinstance(operator, Scale) and (gain != gain.flat[0]).any():
        operator = Scale(np.broadcast_to(operator.factor, mid_shape).copy())
    values = weight_values(operator)
    one_sign = bool((values >= 0).all() or (values <= 0).all())
    limit = (ONE_SIGN_LIMITS if one_sign else SIGN_BIT_LIMITS)[weight_bits]
    flat = np.asarray(values, np.float64).ravel()
    spread = np.broadcast_to(_gain_of_weights(operator, gain), values.shape).ravel()
    return operator, WeightGroups(flat, _lists(operator), spread, limit, exponents)


def _gain_of_weights(operator: Operator, gain: Array) -> Array:
    if isinstance(operator, Conv):
        channels = gain.reshape(gain.shape[0], -1).max(axis=1)
        return np.asarray(channels.reshape(-1, *(1,) * (operator.weight.ndim - 1)))
    if isinstance(operator, Linear):
        return np.asarray(gain.reshape(-1, gain.shape[-1]).max(axis=0)[:, None])
    if isinstance(operator, SparseLinear):
        return gain.ravel()[operator.rows]
    return gain if np.ndim(operator.factor) and np.size(operator.factor) == gain.size else gain.ravel()[0]  # type: ignore[attr-defined]


def _lists(operator: Operator) -> Array:
    """The synapse list of every weight: by source channel for a convolution, by source neuron otherwise."""
    if isinstance(operator, Conv):
        outputs, per_group = operator.weight.shape[:2]
        block = np.arange(outputs)[:, None] // (outputs // operator.groups)
        channel = block * per_group + np.arange(per_group)
        tail = (1,) * (operator.weight.ndim - 2)
        return np.broadcast_to(channel.reshape(outputs, per_group, *tail), operator.weight.shape).ravel()
    if isinstance(operator, Linear):
        return np.broadcast_to(np.arange(operator.weight.shape[1]), operator.weight.shape).ravel()
    if isinstance(operator, SparseLinear):
        return operator.columns
    return np.zeros(weight_values(operator).size, np.int64)


def best_mantissa(groups: Sequence[WeightGroups], exponent: int, gain: int = 1) -> int:
    """The threshold's mantissa, 128 to 255, whose units round the weights with the least error.

    It is a multiple of the largest gain: then mantissa and gain times mantissa have 8 bits in one synapse format,
    and the charges that reset by subtraction takes from all channels need no more than that one.

    Args:
        groups: all projections of a population.
        exponent: of the threshold: mantissa * 2^exponent units stand for one threshold.
        gain: the largest of any channel, a power of two.
    """
    if not groups:
        return 128
    few = [group.sampled() for group in groups]
    mantissas = range(128, 256, gain)
    errors = [sum(group.squared_error(mantissa * 2.0**exponent) for group in few) for mantissa in mantissas]
    return mantissas[int(np.argmin(errors))]


def bias_on_grid(bias: Array) -> Array:
    """Biases as the registers hold them, mantissa * 2^exponent with 12 bits and sign; int64."""
    magnitude = np.maximum(np.abs(bias), 1)
    exponent = np.ceil(np.log2(magnitude / LOIHI.bias_mantissa)).clip(0, LOIHI.bias_exponent)
    step = 2.0**exponent
    mantissa = np.clip(np.rint(bias / step), -LOIHI.bias_mantissa, LOIHI.bias_mantissa)
    return np.asarray(mantissa * step, np.int64)


def charge_on_grid(charge: Array) -> Array:
    """The nearest multiples of 64 that one synapse of 8 bits and one sign can carry; int64, positive."""
    units = np.maximum(np.asarray(charge, np.float64) / UNIT, 1.0)
    step = 2.0 ** np.ceil(np.log2(units / ONE_SIGN_LIMITS[8])).clip(0, EXPONENTS[-1])
    mantissa = np.minimum(np.rint(units / step), ONE_SIGN_LIMITS[8])
    return np.asarray(mantissa * step * UNIT, np.int64)
