"""Passes in an order that cannot work are refused before any of them runs, with the pass that is missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import ClassVar

import numpy as np
import pytest
from small_models import small_model

import snnc
from snnc.errors import SnncError, UsageError
from snnc.graph import Clip, Graph, Input, Level, Linear, MaxPool, Output, Relu
from snnc.pass_text import known_passes, parse_passes
from snnc.passes import ConvertToSpiking, EncodeInput, FoldBatchNorm, MergeLinearMaps
from snnc.pipeline import Context, Pass, Pipeline
from snnc.stages import Form, Need, check_order
from snnc.targets import CompileOptions, targets


def net(clip: float = 0.0) -> Graph:
    weight = np.eye(4, dtype=np.float32)
    return (
        Graph("net")
        .add("in", Input((4,)))
        .add("w", Linear(weight), "in")
        .add("act", Clip(clip, 6.0), "w")
        .add("v", Linear(weight), "act")
        .add("out", Output(), "v")
    )


class Never(Pass):
    """Fails if it ever runs."""

    name = "never"

    def __call__(self, graph: Graph, context: Context) -> Graph:
        raise AssertionError("it ran")


def refused(text: str, graph: Graph | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        Pipeline((Never(), *parse_passes(text)), None)(graph or net())
    assert caught.value.code == "U105"
    return caught.value


def test_a_level_that_comes_later() -> None:
    error = refused("encode-input{coding=rate},convert-to-spiking")
    assert error.message == "encode-input needs a graph of level snn, but is given one of level ann"
    assert error.remedy == "put it behind convert-to-spiking, which gives that"
    assert error.details == ("order: never, encode-input, convert-to-spiking",)


def test_a_level_that_was_left() -> None:
    error = refused("convert-to-spiking,balance-thresholds")
    assert "balance-thresholds needs a graph of level ann, but is given one of level snn" in error.message
    assert error.remedy == "put it before convert-to-spiking"


def test_a_level_that_nothing_gives() -> None:
    error = refused("fold-batch-norm,merge-linear-maps")
    assert error.remedy == "put convert-to-spiking before it"
    integers = refused("split-fan-in")
    assert integers.remedy is not None and "loihi-quantise" in integers.remedy


def test_a_normal_form_that_is_missing() -> None:
    error = refused("convert-to-spiking", net(clip=-1.0))
    assert error.message == "convert-to-spiking needs 'clips from 0', which no pass before it gives"
    assert error.remedy == "put normalise-clip before it"
    Pipeline(parse_passes("normalise-clip,convert-to-spiking"), None)(net(clip=-1.0))


def test_a_normal_form_that_the_network_has_is_not_asked_for() -> None:
    Pipeline((ConvertToSpiking(),), None)(net())


def test_a_normal_form_that_a_pass_undoes() -> None:
    error = refused("convert-to-spiking,merge-linear-maps,encode-input{coding=rate},loihi-quantise")
    assert "loihi-quantise needs 'linear maps merged'" in error.message
    assert error.remedy == "put it before encode-input"


def test_max_pools() -> None:
    graph = (
        Graph("pool")
        .add("in", Input((1, 4, 4)))
        .add("pool", MaxPool((2, 2), (2, 2)), "in")
        .add("act", Relu(), "pool")
        .add("out", Output(), "act")
    )
    assert refused("convert-to-spiking", graph).remedy == "put replace-max-pool before it"


COLD = Form("cold", Level.ANN, lambda graph: False)


@dataclass(frozen=True)
class Cool(Pass):
    name: ClassVar[str] = "cool"
    gives: ClassVar[tuple[Need, ...]] = (COLD,)

    def __call__(self, graph: Graph, context: Context) -> Graph:
        return graph


@dataclass(frozen=True)
class Serve(Cool):
    name: ClassVar[str] = "serve"
    requires: ClassVar[tuple[Need, ...]] = (COLD,)
    gives: ClassVar[tuple[Need, ...]] = ()


def test_passes_and_forms_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    Pipeline((Cool(), Serve()), None)(net())
    known = {**known_passes(), "cool": Cool, "serve": Serve}
    monkeypatch.setattr("snnc.pass_text.known_passes", lambda: known)
    with pytest.raises(UsageError, match=r"U105.*serve needs 'cold'(.|\n)*remedy: put cool before it"):
        Pipeline((Serve(),), None)(net())
    with pytest.raises(UsageError, match="put it behind cool, which gives that"):
        Pipeline((Serve(), Cool()), None)(net())


def test_a_pass_that_declares_nothing_stands_anywhere() -> None:
    class Plain(Pass):
        name = "plain"

        def __call__(self, graph: Graph, context: Context) -> Graph:
            return graph

    steps = (Plain(), ConvertToSpiking(), Plain(), MergeLinearMaps(), Plain())
    assert Pipeline(steps, None)(net()).level is Level.SNN


def test_compile_refuses_before_it_runs() -> None:
    with pytest.raises(UsageError, match="U105"):
        snnc.compile(small_model(), passes=(Never(), EncodeInput("rate")))


STEPS = "normalise-clip,convert-to-spiking,merge-linear-maps,loihi-quantise"


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_what_is_not_refused_runs_and_what_runs_is_not_refused(order: tuple[int, ...]) -> None:
    """The declarations agree with what the passes do: each order is tried without and with the check."""
    steps = [parse_passes(STEPS)[place] for place in order]
    for clip in (0.0, -1.0):
        try:
            check_order(net(clip), steps, list)
        except UsageError:
            with pytest.raises((SnncError, ZeroDivisionError)):
                graph = net(clip)
                for step in steps:
                    graph = step(graph, Context())
        else:
            Pipeline(steps, None)(net(clip))


@pytest.mark.parametrize("name", ["loihi", "truenorth"])
def test_what_passes_give_is_so(name: str) -> None:
    """In the targets' own pipelines every level and form that a pass declares holds behind it."""
    graph, context = net(clip=-1.0), Context(np.ones((2, 4), np.float32))
    for step in targets()[name].pipeline(graph, replace(CompileOptions(), ticks=4), context):
        graph = step(graph, context)
        for gift in step.gives:
            assert graph.level is gift if isinstance(gift, Level) else gift.holds(graph), (step.name, gift)


def test_every_pass_but_clean_up_says_where_it_stands() -> None:
    silent = {name for name, step in known_passes().items() if not step.requires}
    assert silent == {"fold-batch-norm", "normalise-clip", "replace-max-pool", "simplify"}
    assert FoldBatchNorm.gives == ()
