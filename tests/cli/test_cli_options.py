"""The command line repeats what the library offers, because it must not import it for its help text."""

from __future__ import annotations

import inspect as python_inspect

import click
import pytest

import snnc
from snnc.choices import choose_options
from snnc.cli import options
from snnc.cli.compile import command as compile_command
from snnc.cli.export import command as export_command
from snnc.cli.main import commands
from snnc.graph import Reset
from snnc.simulate import RECORDABLE
from snnc.targets import CompileOptions, InputMode

CONSOLE = {"as_json", "quiet", "verbose", "debug"}


def parameters(command: click.Command) -> dict[str, click.Parameter]:
    return {str(parameter.name): parameter for parameter in command.params if parameter.name not in CONSOLE}


def test_choices_are_those_of_the_library() -> None:
    assert set(options.RESETS) == {member.value for member in Reset}
    assert set(options.INPUTS) == {member.value for member in InputMode}
    assert options.RECORDABLE == RECORDABLE
    for name, choices in (
        ("initial", options.INITIALS),
        ("max_pool", options.MAX_POOLS),
        ("readout", options.READOUTS),
        ("placement", options.PLACEMENTS),
    ):
        for choice in choices:
            assert getattr(choose_options(**{name: choice}), name) == choice
        with pytest.raises(snnc.errors.UsageError, match=", ".join(choices)):
            choose_options(**{name: "no-such-choice"})


def test_every_option_of_compile_is_a_keyword_with_the_same_default() -> None:
    keywords = python_inspect.signature(snnc.compile).parameters
    only_here = {"model", "output", "print_passes", "dump_after"}
    only_there = {"model", "observe", "progress"}
    given = parameters(compile_command)
    assert set(given) - only_here == set(keywords) - only_there
    for name in set(given) - only_here:
        default, expected = given[name].default, keywords[name].default
        shown = None if not isinstance(default, str | int | float | bool) else default
        assert shown == getattr(expected, "value", expected), name


def test_every_field_of_the_options_is_a_keyword() -> None:
    keywords = python_inspect.signature(choose_options).parameters
    assert set(keywords) == set(CompileOptions.__dataclass_fields__)
    assert choose_options() == CompileOptions()


def test_every_command_has_the_common_options() -> None:
    context = click.Context(commands)
    for name in commands.list_commands(context):
        command = commands.get_command(context, name)
        assert command is not None and command.help and command.name == name
        assert {parameter.name for parameter in command.params} >= CONSOLE
    assert "passes" in parameters(export_command)
