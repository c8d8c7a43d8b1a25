"""The options of the compiler, each declared once: type, default, help and bounds.

The command line, ``snnc.compile``, ``docs/options.md``, the artefact and all checks read them here. A target that has
options of its own declares them in a subclass of ``CompileOptions``. Nothing heavy is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

from .choices import (
    BalancingMethod,
    Calibration,
    Initial,
    InputMode,
    PlacementMethod,
    PoolMethod,
    ReadBy,
    Reset,
)
from .errors import UsageError
from .fields import Option, UnfitValueError, option, settle

RECORDABLE = ("spikes", "voltage", "current", "output")
"""What a run on any chip can record: three of each population, and the decoded output after every tick."""


@dataclass(frozen=True)
class CompileOptions:
    """What a user may choose when compiling for any target; an Enum may be given as its text.

    Raises UsageError U302 for a word that is no choice and U303 for a number out of its range.
    """

    ticks: int = option(64, "Ticks that a sample is presented.", least=1, shown="64; 1 for step activations")
    reset: Reset = option(
        Reset.SUBTRACT, "What a spike takes from the potential: the threshold, or all of it."
    )
    input: InputMode = option(
        InputMode.NEURONS,
        "Samples become spikes of neurons on the chip, currents by the host, or Poisson spikes.",
    )
    weight_bits: int | None = option(None, "Largest width of a weight.", least=1, shown="the target's own")
    balance: BalancingMethod = option(
        BalancingMethod.AUTO, "Method of threshold balancing, see `snnc passes`."
    )
    percentile: float = option(99.9, "Of the percentile method.", above=0, most=100)
    per_channel: bool = option(
        True, "One scale a channel, or one a layer.", flags="--per-channel/--per-layer"
    )
    initial: Initial = option(
        Initial.BALANCED,
        "Initial potential: half a threshold, zero, or less than half where spikes arrive (balanced).",
    )
    calibrate: Calibration = option(
        Calibration.ACTIVATIONS,
        "With calibration samples, fit to the ANN's activations alone, or also to the spikes that really arrive.",
    )
    max_pool: PoolMethod = option(
        PoolMethod.EXACT, "Maximum by further neurons, average instead, or gates that no chip has."
    )
    readout: ReadBy = option(
        ReadBy.POTENTIAL, "The answer is the last layer's potential, or its spike count."
    )
    max_chips: int | None = option(
        None, "Refuse a network that needs more chips.", least=1, shown="any number"
    )
    placement: PlacementMethod = option(
        PlacementMethod.TRAFFIC,
        "Cores are placed to keep messages short, along a curve, or row by row in dataflow order.",
    )

    def __post_init__(self) -> None:
        settle(self, refusal)


class Choices(TypedDict, total=False):
    """The keywords of ``snnc.compile`` for type checkers, which cannot read them off ``CompileOptions``.

    A test holds the two together. Options of a target's own are keywords too, unknown to type checkers: give them as
    ``**own`` with ``own: dict[str, Any]`` where one looks.
    """

    ticks: int | None
    reset: Reset | str
    input: InputMode | str
    weight_bits: int | None
    balance: BalancingMethod | str
    percentile: float
    per_channel: bool
    initial: Initial | str
    calibrate: Calibration | str
    max_pool: PoolMethod | str
    readout: ReadBy | str
    max_chips: int | None
    placement: PlacementMethod | str


SEED = Option("seed", int, 0, "Of everything random.", least=0)
"""The seed of a compilation, which is no choice of how, so that it stands beside the options."""


def checked(option: Option, value: Any) -> Any:
    """``value`` in the option's own type; raises UsageError U302 or U303."""
    try:
        return option.checked(value)
    except UnfitValueError as unfit:
        raise refusal(unfit) from None


def refusal(unfit: UnfitValueError) -> UsageError:
    """The error U302 or U303 for a value that an option cannot have."""
    option, value = unfit.option, unfit.value
    if option.choices:
        return UsageError(
            "U302", f"{option.name} cannot be {value!r}", remedy=f"choose from {', '.join(option.choices)}"
        )
    return UsageError(
        "U303",
        f"{option.name} is {option.takes}, not {value!r}",
        remedy=f"its default is {option.default_text}",
    )
