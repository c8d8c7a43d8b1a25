"""The rules of RANC, an open architecture of the same kind, give the same runs where both have the feature.

RANC (commit 08ae4bd) adds sum and leak, fires at V >= threshold, resets to a value or by subtraction, and below the
negative threshold (its type 0, a strict comparison) sets the value or adds the threshold; a destination tick of d is
integrated d + 1 ticks later. Reset potentials there have a sign of their own on the negative side, so 0 is used.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hand_made import population, program
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc.targets import RunOptions
from snnc.targets.truenorth.program import inert_cores, pack_crossbar
from snnc.targets.truenorth.simulate import simulate_program

TICKS = 40


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_two_random_cores_run_as_by_the_rules_of_ranc(seed: int) -> None:
    rng = np.random.default_rng(seed)
    connected = rng.random((2, 256, 256)) < 0.3
    types = rng.integers(0, 4, (2, 256))
    weight = rng.integers(-30, 35, (2, 256, 4))
    leak, threshold = rng.integers(-5, 8, (2, 256)), rng.integers(1, 300, (2, 256))
    negative, linear = rng.integers(0, 300, (2, 256)), rng.random((2, 256)) < 0.5
    core, axon = rng.integers(0, 2, (2, 256)), rng.integers(0, 256, (2, 256))
    wait = rng.integers(0, 15, (2, 256))
    given_spikes = rng.random((TICKS, 256)) < 0.1

    effective = np.stack([connected[c] * weight[c][:, types[c]].T for c in range(2)])
    v = np.zeros((2, 256), np.int64)
    arriving = np.zeros((TICKS + 20, 2, 256), bool)
    arriving[1 : TICKS + 1, 0] = given_spikes
    potentials, fired = [], []
    for tick in range(TICKS):
        v = v + np.einsum("ca,can->cn", arriving[tick], effective) + leak
        spikes = v >= threshold
        under = ~spikes & (v < -negative)
        v = np.where(spikes, np.where(linear, v - threshold, 0), v)
        v = np.where(under, np.where(linear, v + negative, 0), v)
        at = np.nonzero(spikes)
        arriving[tick + wait[at] + 1, core[at], axon[at]] = True
        potentials.append(v.copy())
        fired.append(spikes)

    cores = replace(
        inert_cores(2),
        axon_type=types.astype(np.uint8),
        crossbar=pack_crossbar(connected),
        weight=weight.astype(np.int16),
        leak=leak.astype(np.int16),
        threshold=threshold.astype(np.int32),
        negative_threshold=negative.astype(np.int32),
        saturates=np.zeros((2, 256), bool),
        reset_mode=linear.astype(np.uint8),
        target_core=core.astype(np.int32),
        target_axon=axon.astype(np.uint8),
        target_delay=(wait + 1).astype(np.uint8),
    )
    names = [population(f"core{c}", [(c, n) for n in range(256)]) for c in range(2)]
    made = program(cores, 256, [(n, 0, n, 1) for n in range(256)], names)
    x = given_spikes[None].astype(np.float32)
    trace = simulate_program(made, x, TICKS, RunOptions(record=("spikes", "voltage")))
    for c in range(2):
        np.testing.assert_array_equal(trace.spikes[f"core{c}"][0], np.array(fired)[:, c])
        np.testing.assert_array_equal(trace.voltage[f"core{c}"][0], np.array(potentials)[:, c])
