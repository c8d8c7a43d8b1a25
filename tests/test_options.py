"""Options are declared once: everything that shows, reads or checks one follows from its declaration."""

from __future__ import annotations

import inspect
import json
import pickle
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import pytest
from fake_target import FakeTarget
from small_models import small_model

import snnc
from snnc.cli.compile import command as compile_command
from snnc.cli.inspect import command as inspect_command
from snnc.cli.main import run
from snnc.compiler import planned_passes
from snnc.errors import UsageError
from snnc.fields import option, options_of
from snnc.graph import Graph
from snnc.options import Choices, CompileOptions
from snnc.passes import PASSES, BalanceThresholds, ConvertToSpiking, ReplaceMaxPool
from snnc.pipeline import Context, Pass
from snnc.report.options_page import options_page
from snnc.targets import target as registry

PAGE = Path(__file__).parent.parent / "docs" / "options.md"


class Flavour(Enum):
    SWEET = "sweet"
    SOUR = "sour"


@dataclass(frozen=True)
class FlavouredOptions(CompileOptions):
    """One class with one line an option is all that a target writes."""

    flavour: Flavour = option(Flavour.SWEET, "What it tastes of.")
    spoons: int | None = option(None, "Sugar.", least=2)


@dataclass(frozen=True)
class FlavouredTarget(FakeTarget):
    name: str = "flavoured"
    options = FlavouredOptions

    def pipeline(self, graph: Graph, options: CompileOptions, context: Context) -> tuple[Pass, ...]:
        assert isinstance(options, FlavouredOptions)
        ticks = 7 if options.flavour is Flavour.SOUR else options.ticks
        steps = super().pipeline(graph, options, context)
        return tuple(
            BalanceThresholds(ticks=ticks) if type(step) is BalanceThresholds else step for step in steps
        )


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    loihi, truenorth = (registry.targets()[name] for name in ("loihi", "truenorth"))
    known = {chip.name: chip for chip in (loihi, truenorth, FakeTarget(), FlavouredTarget())}
    monkeypatch.setattr(registry, "targets", lambda: known)
    monkeypatch.setattr("snnc.report.options_page.targets", lambda: known)


def parameters(command: click.Command) -> dict[str, click.Option]:
    given = command.get_params(click.Context(command))
    return {str(item.name): item for item in given if isinstance(item, click.Option)}


class TestOfEveryTarget:
    def test_type_checkers_know_the_same_names_and_types(self) -> None:
        hints = typing.get_type_hints(Choices)
        assert list(hints) == [item.name for item in options_of(CompileOptions)]
        for item in options_of(CompileOptions):
            kinds = (
                set(item.kinds)
                | ({str} if item.choices else set())
                | ({type(None)} if item.name == "ticks" else set())
            )
            said = hints[item.name]
            assert set(typing.get_args(said) or (said,)) == kinds, item.name

    def test_help_knows_every_option_and_its_default(self) -> None:
        keywords = inspect.signature(snnc.compile).parameters
        for item in options_of(CompileOptions):
            assert keywords[item.name].default == (None if item.shown else item.default)
            assert f"{item.name}: {item.help}" in str(snnc.compile.__doc__)
        assert {"calibration", "seed", "passes", "observe", "own"} <= set(keywords)

    @pytest.mark.parametrize("command", [compile_command, inspect_command])
    def test_the_command_line_has_each_with_its_help(self, command: click.Command) -> None:
        given = parameters(command)
        for item in options_of(CompileOptions):
            assert given[item.name].help == f"{item.help}  [default: {item.default_text}]"
            if item.choices:
                assert isinstance(given[item.name].type, click.Choice)
                assert tuple(given[item.name].type.choices) == item.choices

    def test_every_declaration_has_help(self) -> None:
        for item in options_of(CompileOptions):
            assert item.help.endswith(".") and item.default_text

    def test_the_page_of_options(self, update_golden: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        if update_golden:
            PAGE.write_text(options_page())
        assert PAGE.read_text() == options_page(), "run make golden"


class TestOfATarget:
    """Declaring an option is all: no file of the compiler or its command line is edited."""

    def test_python(self) -> None:
        sour = snnc.compile(small_model(), "flavoured", flavour="sour", ticks=5)  # type: ignore[call-arg]
        assert isinstance(sour.options, FlavouredOptions)
        assert (sour.options.flavour, sour.options.ticks) == (Flavour.SOUR, 5)
        assert "balance-thresholds{ticks=7}" in [record.text for record in sour.records]

    def test_checks(self) -> None:
        with pytest.raises(
            UsageError, match=r"U302.*flavour cannot be 'salty'(.|\n)*choose from sweet, sour"
        ):
            snnc.compile(small_model(), "flavoured", flavour="salty")  # type: ignore[call-arg]
        with pytest.raises(UsageError, match=r"U303.*spoons is a whole number from 2, not 1"):
            snnc.compile(small_model(), "flavoured", spoons=1)  # type: ignore[call-arg]

    @pytest.mark.parametrize("name", ["loihi", "fake"])
    def test_other_targets_refuse_it_by_name(self, name: str) -> None:
        with pytest.raises(
            UsageError, match=rf"U314.*flavour is an option of flavoured alone, not of {name}"
        ):
            snnc.compile(small_model(), name, flavour="sour")  # type: ignore[call-arg]

    def test_a_misspelt_one(self) -> None:
        with pytest.raises(UsageError, match=r"U314.*'tikcs'(.|\n)*did you mean ticks"):
            snnc.compile(small_model(), "fake", tikcs=4)  # type: ignore[call-arg]

    def test_artefact(self, tmp_path: Path) -> None:
        compiled = snnc.compile(small_model(), "flavoured", spoons=3, ticks=4)  # type: ignore[call-arg]
        compiled.save(tmp_path / "a.snnc")
        assert (
            snnc.load(tmp_path / "a.snnc").options == compiled.options == FlavouredOptions(ticks=4, spoons=3)
        )

    def test_command_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        path = "net.onnx"
        onnx.save(small_model(), path)
        assert run(["compile", path, "--target", "flavoured", "--flavour", "sour", "-q"]) == 0
        assert run(["inspect", "net.snnc", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["options"]["flavour"] == "sour"
        assert run(["compile", path, "--target", "loihi", "--flavour", "sour"]) == 2
        assert "flavour is an option of flavoured alone" in capsys.readouterr().err
        assert run(["compile", path, "--target", "flavoured", "--flavour", "salty"]) == 2

    def test_help_and_tables(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["compile", "--help"]) == 0
        said = capsys.readouterr().out
        assert "--flavour [sweet|sour]" in said and "For flavoured." in said and "For truenorth." in said
        assert run(["targets"]) == 0
        assert "What it tastes of." in capsys.readouterr().out
        assert "| `spoons` | `--spoons` | a whole number from 2 | none | Sugar. |" in options_page()

    def test_pickling(self) -> None:
        options = FlavouredOptions(spoons=2)
        assert pickle.loads(pickle.dumps(options)) == options


def test_copies_are_of_truenorth_alone() -> None:
    with pytest.raises(UsageError, match=r"U314.*copies is an option of truenorth alone, not of loihi"):
        snnc.compile(small_model(), "loihi", copies=2)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="U312"):
        snnc.compile(small_model(), "truenorth", copies=2)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConvertToSpiking(reset="nonsense"), "convert-to-spiking: reset cannot be nonsense"),
        (lambda: ConvertToSpiking(readout=3), "readout cannot be 3"),
        (lambda: ReplaceMaxPool("median"), "one of exact, average, gate"),
        (lambda: BalanceThresholds(ticks="64"), "ticks cannot be 64"),
        (lambda: BalanceThresholds(ticks=0), "a whole number from 1"),
        (lambda: BalanceThresholds(per_channel="yes"), "true or false"),
        (lambda: BalanceThresholds(percentile=float("nan")), "above 0 and at most 100"),
        (lambda: CompileOptions(reset="nonsense"), "U302"),
    ],
)
def test_words_and_numbers_given_in_python_are_checked(make: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_the_text_of_an_enum_is_the_enum_in_every_pass() -> None:
    for kind in PASSES:
        for item in options_of(kind):
            for word in item.choices:
                assert getattr(kind(**{item.name: word}), item.name).value == word


def test_a_pass_of_another_package_is_checked_too() -> None:
    @dataclass(frozen=True)
    class Stir(Pass):
        flavour: Flavour = Flavour.SWEET
        shape: tuple[int, ...] = (2, 3)

        name = "stir"

    assert Stir(flavour="sour").text == "stir{flavour=sour}"  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"U104.*stir: flavour cannot be salty"):
        Stir(flavour="salty")  # type: ignore[arg-type]


def test_numbers_of_numpy_are_numbers() -> None:
    options = CompileOptions(ticks=np.int64(3), percentile=np.float32(99))  # type: ignore[arg-type]
    assert (type(options.ticks), type(options.percentile)) == (int, float)


def test_planned_passes_takes_the_same_options() -> None:
    choices: Mapping[str, Any] = {"flavour": "sour"}
    steps = planned_passes(small_model(), "flavoured", **choices)
    assert "balance-thresholds{ticks=7}" in [step.text for step in steps]


def test_none_takes_the_default() -> None:
    assert snnc.compile(small_model(), "fake", ticks=None, reset=None).options == CompileOptions()  # type: ignore[arg-type]
    assert {item.name for item in fields(CompileOptions)} == {
        item.name for item in options_of(CompileOptions)
    }
