"""Errors and values cross the border of a process: nothing is lost when they are pickled."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
from small_models import small_model

import snnc
import snnc.passes
import snnc.targets
from snnc.errors import Diagnostic, Severity, SnncError
from snnc.formats.onnx.ledger import LedgerRow, Outcome, RefusedModelError
from snnc.graph import Graph, Input, Output, Relu
from snnc.options import CompileOptions
from snnc.passes import PASSES

LEDGER = (LedgerRow("fft", "DFT", Outcome.REFUSED, "no real numbers", "leave it out"),)
OWN: dict[type[SnncError], SnncError] = {RefusedModelError: RefusedModelError(LEDGER, "net.onnx")}
"""Errors that are made from something else than code and message."""


def kinds(base: type[SnncError]) -> Iterator[type[SnncError]]:
    yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


def all_errors() -> list[type[SnncError]]:
    rooms = ((snnc.__path__[0], "snnc."), (snnc.passes.__path__[0], "snnc.passes."))
    for path, prefix in (*rooms, (snnc.targets.__path__[0], "snnc.targets.")):
        for module in pkgutil.walk_packages([path], prefix):
            if "__main__" not in module.name:
                importlib.import_module(module.name)
    return [kind for kind in kinds(SnncError) if kind.__module__.startswith("snnc")]


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: str(kind.__name__))
def test_every_error_survives_pickling(kind: type[SnncError]) -> None:
    error = OWN[kind] if kind in OWN else kind("X999", "it is wrong", file="f", node="n", details=("a", "b"))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), vars(again), again.args) == (str(error), vars(error), error.args)


def _refuse() -> None:
    raise OWN[RefusedModelError]


def test_a_refused_model_reaches_the_parent_process() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        with pytest.raises(RefusedModelError, match="M120") as caught:
            pool.submit(_refuse).result()
        assert caught.value.ledger == LEDGER
        assert pool.submit(abs, -1).result() == 1


@pytest.mark.parametrize(
    "value",
    [
        CompileOptions(ticks=3),
        Diagnostic("W999", Severity.WARNING, "careful", "node"),
        *(step() for step in PASSES),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_survive_pickling(value: Any) -> None:
    assert pickle.loads(pickle.dumps(value)) == value


def test_graphs_contexts_and_results_survive_pickling() -> None:
    graph = Graph("net").add("in", Input((2,))).add("act", Relu(), "in").add("out", Output(), "act")
    assert str(pickle.loads(pickle.dumps(graph))) == str(graph)
    context = pickle.loads(pickle.dumps(snnc.Context(np.ones((1, 2)), 3)))
    assert (context.seed, context.calibration.shape) == (3, (1, 2))
    compiled = snnc.compile(small_model(), ticks=4)
    again = pickle.loads(pickle.dumps(compiled))
    x = np.random.default_rng(0).random((2, 1, 6, 6), np.float32)
    trace, other = compiled.run(x, record=("spikes",)), again.run(x, record=("spikes",))
    assert (trace.output == other.output).all() and trace.spikes.keys() == other.spikes.keys()
    assert again.records == compiled.records and again.usage == compiled.usage
    assert (pickle.loads(pickle.dumps(trace)).output == trace.output).all()
