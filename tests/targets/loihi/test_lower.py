"""A lowered program computes what its graph computes, spike for spike, however it is cut."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, given, settings
from integer_networks import integer_networks

from snnc.errors import MappingError
from snnc.graph.graph import Graph
from snnc.graph.verify import verify
from snnc.simulate import simulate
from snnc.targets.loihi.check import check_program
from snnc.targets.loihi.limits import LOIHI, LoihiLimits
from snnc.targets.loihi.lower import lower
from snnc.targets.loihi.simulate import simulate_program

LIMITS = [
    LOIHI,
    LoihiLimits(compartments=24),
    LoihiLimits(compartments=64, synapse_bits=4096),
    LoihiLimits(compartments=512, input_axons=128, output_axons=160, compartment_bases=16),
    LoihiLimits(synapse_formats=4, threshold_tables=2, compartment_bases=8),
]


def assert_same(graph: Graph, limits: LoihiLimits, ticks: int = 16) -> None:
    try:
        program = lower(graph, limits=limits)
    except MappingError as error:
        assert error.code in ("T110", "T112") and limits is not LOIHI
        return
    check_program(program, graph, limits)
    shape = graph.inputs[0].operator.infer_shape()
    x = np.random.default_rng(5).random((2, *shape), np.float32)
    record = ("spikes", "voltage", "current")
    expected = simulate(graph, x, ticks, record=record)
    found = simulate_program(program, x, ticks, record=record)
    for variable in record:
        for name, values in found.recorded(variable).items():
            np.testing.assert_array_equal(values, expected.recorded(variable)[name], f"{variable} of {name}")
    assert set(found.spikes) == set(expected.spikes)
    np.testing.assert_array_equal(found.output, expected.output)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(integer_networks(), st.sampled_from(LIMITS))
def test_random_networks(graph: Graph, limits: LoihiLimits) -> None:
    verify(graph)
    assert_same(graph, limits)
