"""No code runs in lowering and in a proof of it, but that of the graph, its operators and the chip's own formats."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import Any

import numpy as np
import pytest
from test_planted_faults import CALIBRATION, SHAPE, for_loihi, for_truenorth

from snnc.pipeline import Context
from snnc.simulate import simulate
from snnc.targets.target import CompileOptions, target_named

COMMON = (
    "snnc.graph.graph",
    "snnc.graph.node",
    "snnc.graph.shapes",
    "snnc.graph.operators",
    "snnc.graph.neurons",
    "snnc.targets.program_checks",
)
"""A graph's order, names and shapes; what an operator says of itself; whether numbers lie within bounds."""

OF_THE_CHIP = ("synapses", "neuron", "compartment", "program", "limits")
"""How numbers are stored, and the equations of a neuron."""

NETWORKS = {"loihi": for_loihi, "truenorth": for_truenorth}


def modules_of(work: Callable[[], Any]) -> tuple[Any, set[tuple[str, str]]]:
    """What a call returns, and (module, function) of all of the project's code that it runs."""
    functions = set()

    def record(frame: FrameType, event: str, _: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("snnc."):
            functions.add((module, frame.f_code.co_qualname))

    sys.setprofile(record)
    try:
        return work(), functions
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_line_of_lowering_runs_in_a_proof(name: str) -> None:
    chip, check = target_named(name), import_module(f"snnc.targets.{name}.check").check_program
    program, lowering = modules_of(
        lambda: chip.lower(NETWORKS[name](), CompileOptions(), Context(calibration=CALIBRATION))
    )
    stored, graph = chip.unpack(chip.pack(program)), NETWORKS[name]()
    _, checking = modules_of(lambda: check(stored, graph))
    x = np.random.default_rng(4).random((2, *SHAPE), np.float32)
    _, running = modules_of(lambda: simulate(NETWORKS[name](), x, 4, record=("spikes", "voltage")))
    common = (*COMMON, *(f"snnc.targets.{name}.{module}" for module in OF_THE_CHIP))
    for proof in (checking, running):
        assert len(proof) > 50
        assert not {place for place in lowering & proof if not place[0].startswith(common)}
