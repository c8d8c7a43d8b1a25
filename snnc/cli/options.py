"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from snnc.fields import Option, options_of
from snnc.options import CompileOptions

from .console import Console

if TYPE_CHECKING:
    from snnc.graph import Shape

Command = TypeVar("Command", bound=Callable[..., Any])

TIMINGS = ("fast", "detailed")


class IntegerList(click.ParamType[tuple[int, ...]]):
    """Positive integers with commas between them."""

    name = "n,n,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The integers."""
        try:
            return tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of integers like 3,224,224", param, ctx)


class InputShape(click.ParamType[tuple[str | None, tuple[int, ...]]]):
    """Positive integers with commas between them, perhaps behind an input's name."""

    name = "[input=]n,n,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str | None, Shape]:
        """The name, None if there is none, and the integers."""
        name, named, sizes = str(value).rpartition("=")
        return name if named else None, IntegerList().convert(sizes, param, ctx)


def _shapes(
    context: click.Context, parameter: click.Parameter, given: tuple[tuple[str | None, Shape], ...]
) -> Shape | Mapping[str, Shape] | None:
    """The one shape, or those by the inputs' names; None where none was given."""
    if not given:
        return None
    by_name = {name: shape for name, shape in given if name is not None}
    if len(given) == 1 and not by_name:
        return given[0][1]
    if len(by_name) < len(given):
        message = "several shapes need an input's name each, and each another: --input-shape image=3,32,32"
        raise click.BadParameter(message, context, parameter)
    return by_name


input_shape_option = click.option(
    "--input-shape",
    type=InputShape(),
    multiple=True,
    callback=_shapes,
    help="Sizes of one sample, e.g. 3,224,224, where the model leaves them open; image=3,224,224, once an input,"
    " where it has several.",
)
"""``--input-shape``; the command is given a shape, shapes by the inputs' names, or None."""


class NameList(click.ParamType[tuple[str, ...]]):
    """Names with commas between them."""

    name = "name,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names."""
        return tuple(filter(None, str(value).split(",")))


PATH = click.Path(path_type=Path)
"""A path that the library checks, so that a missing file is named in one way everywhere."""


def output_options(command: Command) -> Command:
    """Give a command ``--json``, ``-q``, ``-v`` and ``--debug``, and a Console as its first argument."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    @click.option("-q", "--quiet", is_flag=True, help="Print results and warnings only.")
    @click.option("-v", "--verbose", is_flag=True, help="Print more.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @wraps(command)
    def wrapped(as_json: bool, quiet: bool, verbose: bool, debug: bool, **arguments: Any) -> Any:
        return command(Console(as_json, quiet, verbose), **arguments)

    return wrapped  # type: ignore[return-value]


def model_options(command: Command) -> Command:
    """Give a command ``--input-shape`` and ``--memory``; how the model is compiled, a ``CompilingCommand`` adds."""
    for option in (
        click.option(
            "--memory",
            type=click.FloatRange(0, min_open=True),
            help="GiB that may be taken; what would take more is refused. What the system has free by default.",
        ),
        input_shape_option,
    ):
        command = option(command)
    return command


class CompilingCommand(click.Command):
    """A command with the compiler's options and those that targets have of their own.

    Targets are loaded when the options are needed, not for the list of commands. What is not given is absent from
    the function's ``choices``.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters, then the target and the compiler's."""
        from snnc.targets.target import DEFAULT_TARGET

        own = super().get_params(ctx)
        target = click.Option(
            ["--target"], default=DEFAULT_TARGET, show_default=True, help="Chip, see `snnc targets`."
        )
        return [
            *own[:-1],
            target,
            *(_as_click_option(option, owners) for option, owners in _choosable()),
            own[-1],
        ]

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command with the options that were given."""
        names = {option.name for option, _ in _choosable()}
        ctx.params = {
            name: value for name, value in ctx.params.items() if name not in names or value is not None
        }
        return super().invoke(ctx)


def _choosable() -> list[tuple[Option, tuple[str, ...]]]:
    """The options of all targets, then each that some have of their own, with these targets' names."""
    from snnc.targets.choosing import own_options, owners
    from snnc.targets.target import targets

    own = {option.name: option for target in targets().values() for option in own_options(target)}
    common = [(option, ()) for option in options_of(CompileOptions)]
    return [*common, *((option, owners()[name]) for name, option in own.items())]


def _as_click_option(option: Option, owners: tuple[str, ...]) -> click.Option:
    """An option as the command line has it; one that is not given is None."""
    whose = f" For {', '.join(owners)}." if owners else ""
    return click.Option(
        [option.flag],
        type=_click_type(option),
        default=None,
        help=f"{option.help}{whose}  [default: {option.default_text}]",
    )


def _click_type(option: Option) -> click.ParamType[Any] | type[Any]:
    if option.choices:
        return click.Choice(option.choices)
    return next((kind for kind in option.kinds if kind in (bool, int, float)), str)


def ticks_option(command: Command) -> Command:
    """Give a command ``--ticks``, the artefact's own by default."""
    return click.option(
        "--ticks", type=int, help="Ticks that a sample is presented; as compiled by default."
    )(command)


def cost_options(command: Command) -> Command:
    """Give a command ``--costs`` and ``--timing``."""

    @click.option("--costs", help="Cost set, or a TOML file with one; the target's default if not given.")
    @click.option(
        "--timing",
        type=click.Choice(TIMINGS),
        default="fast",
        show_default=True,
        help="Estimate a tick's length from counts, or simulate its queues event by event.",
    )
    @wraps(command)
    def wrapped(timing: str, **arguments: Any) -> Any:
        return command(detailed=timing == "detailed", **arguments)

    return wrapped  # type: ignore[return-value]


def data_options(command: Command) -> Command:
    """Give a command ``--data``, ``--samples`` and ``--threads``."""
    for option in (
        click.option("--threads", type=click.IntRange(1), help="Threads; all processors by default."),
        click.option("--samples", type=click.IntRange(1), help="The first samples only."),
        click.option("--data", type=PATH, required=True, help=".npz with x and perhaps y, or .npy with x."),
    ):
        command = option(command)
    return command
