"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from .console import Console

Command = TypeVar("Command", bound=Callable[..., Any])

RESETS = ("subtract", "zero")
INPUTS = ("neurons", "host", "poisson")
INITIALS = ("balanced", "half", "zero")
MAX_POOLS = ("exact", "average", "gate")
READOUTS = ("potential", "count")
PLACEMENTS = ("traffic", "curve", "rows")
TIMINGS = ("fast", "detailed")
RECORDABLE = ("spikes", "voltage", "current", "output")


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


class NameList(click.ParamType[tuple[str, ...]]):
    """Names from a list of choices, with commas between them."""

    name = "name,..."

    def __init__(self, choices: tuple[str, ...]) -> None:
        self.choices = choices

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names."""
        names = tuple(filter(None, str(value).split(",")))
        for name in names:
            if name not in self.choices:
                self.fail(f"{name!r} is not one of {', '.join(self.choices)}", param, ctx)
        return names


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
    """Give a command the options that say what is compiled, and how."""
    for option in reversed(_MODEL_OPTIONS):
        command = option(command)
    return command


def _choice(name: str, values: Sequence[str], default: str, text: str) -> Callable[[Command], Command]:
    """An option that is one of a few words."""
    return click.option(name, type=click.Choice(values), default=default, show_default=True, help=text)


_MODEL_OPTIONS = (
    click.option("--target", default="loihi", show_default=True, help="Chip, see `snnc targets`."),
    click.option(
        "--ticks",
        type=int,
        default=None,
        show_default="64; 1 for step activations",
        help="Ticks that a sample is presented.",
    ),
    _choice(
        "--reset", RESETS, "subtract", "What a spike takes from the potential: the threshold, or all of it."
    ),
    _choice(
        "--input",
        INPUTS,
        "neurons",
        "Samples become spikes of neurons on the chip, currents by the host, or Poisson spikes.",
    ),
    click.option("--weight-bits", type=int, help="Largest width of a weight; the target's own by default."),
    click.option(
        "--balance",
        default="auto",
        show_default=True,
        help="Method of threshold balancing, see `snnc passes`.",
    ),
    click.option(
        "--percentile", type=float, default=99.9, show_default=True, help="Of the percentile method."
    ),
    click.option(
        "--per-channel/--per-layer",
        default=True,
        show_default=True,
        help="One scale a channel, or one a layer.",
    ),
    _choice("--initial", INITIALS, "balanced", "Initial potential: half a threshold, or zero."),
    _choice(
        "--max-pool",
        MAX_POOLS,
        "exact",
        "Maximum by further neurons, average instead, or gates that no chip has.",
    ),
    _choice(
        "--readout", READOUTS, "potential", "The answer is the last layer's potential, or its spike count."
    ),
    click.option("--max-chips", type=int, help="Refuse a network that needs more chips."),
    _choice(
        "--placement",
        PLACEMENTS,
        "traffic",
        "Cores are placed to keep messages short, along a curve, or row by row.",
    ),
    click.option(
        "--copies",
        type=int,
        help="Take weights as probabilities of connections: draw so many networks, which vote (TrueNorth).",
    ),
    click.option(
        "--input-shape",
        type=IntegerList(),
        help="Sizes of one sample, e.g. 3,224,224, where the model leaves them open.",
    ),
)


def ticks_option(command: Command) -> Command:
    """Give a command ``--ticks``, the artefact's own by default."""
    return click.option(
        "--ticks", type=int, help="Ticks that a sample is presented; as compiled by default."
    )(command)


def cost_options(command: Command) -> Command:
    """Give a command ``--costs`` and ``--timing``."""

    @click.option("--costs", help="Cost set, or a TOML file with one; the target's default if not given.")
    @_choice(
        "--timing",
        TIMINGS,
        "fast",
        "Estimate a tick's length from counts, or simulate its queues event by event.",
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
