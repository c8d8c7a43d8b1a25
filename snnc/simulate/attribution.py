"""Why the rates of integrate-and-fire neurons differ from the rectified input that they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snnc.graph.graph import Graph
from snnc.graph.neurons.base import Reset
from snnc.graph.neurons.integrate_and_fire import IF
from snnc.graph.operators.base import Array

from .functional import simulate
from .trace import Trace


@dataclass(frozen=True, eq=False)
class RateError:
    """Error of a population's rates, N / T - max(0, Z / theta) / T, and its three parts, which sum to it.

    N spikes were fired in T ticks at threshold theta and start potential v0, for the total input charge Z.
    Each array is (samples, *population shape) float64, in spikes per tick.

    Attributes:
        clipping: what lies above one spike a tick; never positive.
        flooring: of whole spikes, clip(floor((v0 + Z) / theta), 0, T) instead of clip(Z / theta, 0, T).
        arrival: N less the spikes that the same charge gives when all of it comes before the first spike; not
            0 only where the potential ends outside of [0, theta).
    """

    clipping: Array
    flooring: Array
    arrival: Array

    @property
    def total(self) -> Array:
        """The whole error."""
        return self.clipping + self.flooring + self.arrival


def attribute_errors(graph: Graph, x: Array, ticks: int, *, batch: int = 4) -> Mapping[str, RateError]:
    """The rate errors of every IF population with reset by subtraction.

    The identity N theta = Z - (v(T) - v0), exact for any order of arrival, gives Z from what a run records.
    An error is that of the population for the input it got; errors of its inputs are theirs.

    Args:
        graph: level SNN or INTEGER.
        x: (samples, *input shape), or with a tick axis behind the samples.
        ticks: length of the run.
        batch: samples at a time; a batch's potentials of all ticks are held in memory.
    """
    parts: dict[str, list[RateError]] = {name: [] for name in _subtracting(graph)}
    for start in range(0, len(x), batch):
        trace = simulate(
            graph, x[start : start + batch], ticks, record=("spikes", "voltage"), first_sample=start
        )
        for name, neuron in _subtracting(graph).items():
            parts[name].append(_rate_error(neuron, trace, name, ticks))
    return {name: _joined(errors) for name, errors in parts.items() if errors}


def _joined(errors: Sequence[RateError]) -> RateError:
    return RateError(
        clipping=np.concatenate([error.clipping for error in errors]),
        flooring=np.concatenate([error.flooring for error in errors]),
        arrival=np.concatenate([error.arrival for error in errors]),
    )


def _subtracting(graph: Graph) -> Mapping[str, IF]:
    return {
        node.name: node.operator
        for node in graph.populations
        if isinstance(node.operator, IF) and node.operator.reset is Reset.SUBTRACT
    }


def _rate_error(neuron: IF, trace: Trace, name: str, ticks: int) -> RateError:
    count = trace.spikes[name].sum(axis=1)
    threshold = np.asarray(neuron.threshold, np.float64)
    initial = np.asarray(neuron.initial_voltage, np.float64)
    final = trace.voltage[name][:, -1].astype(np.float64)
    ideal = count + (final - initial) / threshold
    held = np.clip(ideal, 0, ticks)
    # floor((v0 + Z) / theta) is N + floor(v(T) / theta), which rounds nothing.
    even = np.clip(count + np.floor(final / threshold), 0, ticks)
    return RateError(
        clipping=(held - np.maximum(ideal, 0)) / ticks,
        flooring=(even - held) / ticks,
        arrival=(count - even) / ticks,
    )
