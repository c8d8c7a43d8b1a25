"""Every command has the common options, and an option of the library's has the library's name."""

from __future__ import annotations

import inspect as python_inspect

import click

import snnc
from snnc.cli.compile import command as compile_command
from snnc.cli.export import command as export_command
from snnc.cli.main import commands
from snnc.fields import options_of
from snnc.options import CompileOptions

CONSOLE = {"as_json", "quiet", "verbose", "debug"}


def parameters(command: click.Command) -> set[str]:
    given = command.get_params(click.Context(command))
    return {str(parameter.name) for parameter in given} - CONSOLE - {"_click_default_help", "help"}


def test_every_option_of_compile_is_a_keyword() -> None:
    only_here = {"model", "output", "print_passes", "dump_after", "copies"}
    only_there = {"model", "observe", "progress", "own"}
    keywords = set(python_inspect.signature(snnc.compile).parameters)
    assert parameters(compile_command) - only_here == keywords - only_there
    assert keywords > {option.name for option in options_of(CompileOptions)}


def test_every_command_has_the_common_options() -> None:
    context = click.Context(commands)
    for name in commands.list_commands(context):
        command = commands.get_command(context, name)
        assert command is not None and command.help and command.name == name
        assert {parameter.name for parameter in command.params} >= CONSOLE
    assert "passes" in parameters(export_command)
