"""The command ``snnc``: finds a command's file, runs it, and makes every error a message and an exit code."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from importlib import import_module

import click

from snnc import __version__
from snnc.errors import ArtifactError, DataError, SnncError, UsageError

from .text import echo

_COMMANDS = {
    "compile": "compile",
    "run": "run",
    "eval": "evaluate",
    "inspect": "inspect",
    "export": "export",
    "targets": "targets",
    "passes": "passes",
}
"""File of each command, in the order of the help text."""

_INTERRUPTED = 130


class _Commands(click.Group):
    """Commands that are imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the help text."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f".{_COMMANDS[cmd_name]}", __package__).command
        return command


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="snnc")
def commands() -> None:
    """Compile trained neural networks to neuromorphic chips."""


def run(arguments: Sequence[str]) -> int:
    """Run a command line.

    Returns:
        0: done; 1: the model or data cannot be used; 2: wrong usage; 130: interrupted.
    """
    try:
        result = commands.main(list(arguments), prog_name="snnc", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return error.exit_code
    except click.UsageError as error:
        return _report(_usage_error(error), arguments)
    except SnncError as error:
        return _report(error, arguments)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return _INTERRUPTED
    except MemoryError:
        remedy = "give fewer samples or ticks, or record less"
        return _report(DataError("D104", "there is not enough memory", remedy=remedy), arguments)
    except OSError as error:
        return report_system_error(error, arguments)
    except Exception as error:
        if "--debug" in arguments:
            raise
        return _report_defect(error, arguments)
    return result if isinstance(result, int) else 0


def _usage_error(error: click.UsageError) -> UsageError:
    command = error.ctx.command_path if error.ctx else "snnc"
    return UsageError("U001", error.format_message(), remedy=f"{command} --help lists what it takes")


def _report(error: SnncError, arguments: Sequence[str]) -> int:
    if "--debug" in arguments:
        click.echo("".join(_traceback(error)), err=True)
    if "--json" in arguments:
        fields = ("code", "message", "file", "node", "source", "remedy", "details")
        click.echo(json.dumps({"error": True, **{name: getattr(error, name) for name in fields}}))
    else:
        echo(f"error: {error}", err=True)
    return error.exit_code


def report_system_error(error: OSError, arguments: Sequence[str]) -> int:
    """Report what the operating system refused, such as room on the disk behind a redirected stream."""
    reason = ArtifactError(
        "A204",
        f"the operating system refused: {error.strerror or error}",
        file=None if error.filename is None else str(error.filename),
        remedy="look at the disk that output and temporary files go to, and at its permissions",
    )
    with contextlib.suppress(OSError):
        return _report(reason, arguments)
    return reason.exit_code


def _report_defect(error: Exception, arguments: Sequence[str]) -> int:
    message = f"internal error: {type(error).__name__}: {error}".splitlines()[0]
    if "--json" in arguments:
        click.echo(json.dumps({"error": True, "code": "X001", "message": message, "remedy": _REPORT}))
    else:
        echo(f"error: [X001] {message}\n  remedy: {_REPORT}", err=True)
    return 1


_REPORT = "this is a defect of snnc: rerun with --debug and report what it prints"


def _traceback(error: BaseException) -> list[str]:
    import traceback

    return traceback.format_exception(error)
