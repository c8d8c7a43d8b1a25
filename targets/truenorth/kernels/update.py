"""One tick of a TrueNorth core's neurons: leak, thresholds and resets."""

from __future__ import annotations

from numpy import int32, uint64

from snnc.graph.operators.base import Array
from snnc.kernels.jit import inner_kernel

from .draws import draw_updates
from .state import (
    ALPHA,
    BETA,
    LEAK,
    LOW_ADD,
    LOW_ETA,
    LOW_KEEP,
    LOW_TEST_ETA,
    REVERSAL,
    SPIKE_ADD,
    SPIKE_ETA,
    SPIKE_KEEP,
    PackedCores,
    Workspace,
)

LOWEST, HIGHEST = -(2**19), 2**19 - 1
"""Where a potential saturates."""


@inner_kernel
def update(
    rules: Array, neurons: int, sums: Array, leak: Array, eta: Array, voltage: Array, fired: Array
) -> bool:
    """One tick of a core's first neurons, steps 2 to 5 of ``TrueNorthNeuron``; whether anything changed.

    All values fit 32 bits: |v| < 2^20 + 2^16 before it saturates. The loop has no branches, so it vectorises.
    """
    changed = int32(0)
    for i in range(neurons):
        before = voltage[i]
        v = int32(before + sums[i])
        sign = int32(v > 0) - int32(v < 0)
        v = int32(v + leak[i] * (sign if rules[REVERSAL, i] else int32(1)))
        v = min(max(v, int32(LOWEST)), int32(HIGHEST))
        spike = v >= int32(rules[ALPHA, i] + eta[i])
        low = v < int32(-int32(rules[BETA, i] + int32(eta[i] * rules[LOW_TEST_ETA, i])))
        after_spike = int32(
            int32(rules[SPIKE_KEEP, i] * v) + int32(rules[SPIKE_ADD, i] - int32(eta[i] * rules[SPIKE_ETA, i]))
        )
        after_low = int32(
            int32(rules[LOW_KEEP, i] * v) + int32(rules[LOW_ADD, i] + int32(eta[i] * rules[LOW_ETA, i]))
        )
        v = after_spike if spike else (after_low if low else v)
        voltage[i] = v
        fired[i] = spike
        changed |= int32(v ^ before) | int32(spike)
    return bool(changed != 0)


@inner_kernel
def update_plain(rules: Array, neurons: int, sums: Array, voltage: Array, fired: Array) -> bool:
    """The same for a core without leak reversal and random numbers, in half the time."""
    changed = int32(0)
    for i in range(neurons):
        before = voltage[i]
        v = int32(before + sums[i])
        v = int32(v + rules[LEAK, i])
        v = min(max(v, int32(LOWEST)), int32(HIGHEST))
        spike, low = v >= rules[ALPHA, i], v < int32(-rules[BETA, i])
        after_spike = int32(int32(rules[SPIKE_KEEP, i] * v) + rules[SPIKE_ADD, i])
        after_low = int32(int32(rules[LOW_KEEP, i] * v) + rules[LOW_ADD, i])
        v = after_spike if spike else (after_low if low else v)
        voltage[i] = v
        fired[i] = spike
        changed |= int32(v ^ before) | int32(spike)
    return bool(changed != 0)


@inner_kernel
def update_core(
    cores: PackedCores, core: int, sequence: uint64, tick: int, work: Workspace, voltage: Array
) -> bool:
    """Leak, thresholds and resets of a core's neurons, with all that is random; whether anything changed."""
    neurons, rules = cores.neurons[core], cores.rules[core]
    if cores.plain[core]:
        return update_plain(rules, neurons, work.sums, voltage, work.fired)
    if cores.draws_updates[core]:
        draw_updates(cores.random, core, sequence, tick, rules[LEAK], work.leak, work.eta)
        return update(rules, neurons, work.sums, work.leak, work.eta, voltage, work.fired)
    return update(rules, neurons, work.sums, rules[LEAK], work.none, voltage, work.fired)
