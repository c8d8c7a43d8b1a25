"""The neuron of a TrueNorth core, as an operator of an INTEGER graph."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import numpy as np

from snnc.errors import GraphError, UsageError
from snnc.graph.neurons.base import Neuron, State, full
from snnc.graph.operators.base import Array, Level, Shape

from .limits import TRUENORTH
from .random import LEAK_DRAW, comparison_number, sequences, threshold_number

Mode = TypeVar("Mode", bound=Enum)


RANDOM_THRESHOLD = "random_threshold"
"""Name of the state variable that holds what a tick added to the threshold."""


class ResetMode(Enum):
    """What a spike does to the potential (gamma of Cassidy 2013).

    ``NORMAL`` sets it to the reset potential R, ``LINEAR`` takes the threshold away, ``NONE`` leaves it.
    """

    NORMAL = 0
    LINEAR = 1
    NONE = 2


class NegativeMode(Enum):
    """What happens below the negative threshold (kappa of Cassidy 2013).

    ``RESET``: the reset mode's mirror image, to -R, by adding the negative threshold, or nothing. ``SATURATE``: the
    potential stays at minus the negative threshold.
    """

    RESET = 0
    SATURATE = 1


@dataclass(frozen=True, eq=False)
class TrueNorthNeuron(Neuron):
    """A population of TrueNorth neurons.

    One tick, in integers (Cassidy 2013 as read by NeMo; the choices that no source settles are in ``limits``):

    1. V <- V + synaptic sum.
    2. V <- V + leak, with leak reversal V + sgn(V) * leak; a stochastic leak adds its sign with probability
       abs(leak) / 256. Then V saturates at 20 bits.
    3. eta: 0, or uniform over 0..2^mask_bits - 1.
    4. V >= threshold + eta: a spike, and V <- R, V - (threshold + eta) or V, by the reset mode.
    5. Else V < -negative_threshold (saturating) or V < -(negative_threshold + eta) (resetting): V <-
       -negative_threshold, or -R, V + (negative_threshold + eta) or V, by the reset mode.

    Its input is the synaptic sum of a tick. Stochastic *synapses* need a draw for each of them and exist in the core
    simulator only. With the seed and the streams of its program's neurons, and ``phase`` the chip tick of its first
    tick, a stochastic population draws the same numbers as on the simulated chip.

    Attributes:
        threshold: alpha, int64, scalar array or one that broadcasts to the population's shape, 0 to 2^18 - 1.
        negative_threshold: beta, like ``threshold``.
        reset: gamma.
        negative: kappa.
        reset_potential: R, like ``threshold``; +-(2^e - 1) with e from 0 to 19.
        leak: lambda, like ``threshold``, -256 to 255.
        leak_reversal: epsilon.
        stochastic_leak: c.
        mask_bits: width of the threshold's random part, 0 (none) to 18.
        initial_potential: like ``threshold``, 20 bits signed.
        seed: of the random numbers.
        stream: number of the first neuron's random stream; the others count on in flat order.
        phase: what is added to the tick to number the random numbers.

    Raises:
        UsageError U302: a mode that the chip has not.
        GraphError G104: a register out of its range.
    """

    threshold: Array
    negative_threshold: Array | None = None
    reset: ResetMode = ResetMode.LINEAR
    negative: NegativeMode = NegativeMode.SATURATE
    reset_potential: Array | None = None
    leak: Array | None = None
    leak_reversal: bool = False
    stochastic_leak: bool = False
    mask_bits: int = 0
    initial_potential: Array | None = None
    seed: int = 0
    stream: int = 0
    phase: int = 0

    levels = frozenset({Level.INTEGER})

    def __post_init__(self) -> None:
        object.__setattr__(self, "reset", _mode("reset", ResetMode, self.reset))
        object.__setattr__(self, "negative", _mode("negative", NegativeMode, self.negative))
        absent = {"negative_threshold": TRUENORTH.threshold}
        for name in ("threshold", "negative_threshold", "reset_potential", "leak", "initial_potential"):
            value = getattr(self, name)
            array = np.asarray(absent.get(name, 0) if value is None else value)
            if not np.issubdtype(array.dtype, np.integer):
                raise GraphError("G104", f"a TrueNorth neuron's {name} is an integer, not {array.dtype}")
            object.__setattr__(self, name, array.astype(np.int64))
        self._check_flags()
        self._check_registers()

    def _check_flags(self) -> None:
        """Raise UsageError U302 for a flag that is neither True nor False."""
        for name in ("leak_reversal", "stochastic_leak"):
            value = getattr(self, name)
            if not isinstance(value, bool | np.bool_):
                raise UsageError("U302", f"a TrueNorth neuron's {name} is True or False, not {value!r}")

    def _check_registers(self) -> None:
        limits = TRUENORTH
        for name, (low, high) in {
            "threshold": (0, limits.threshold),
            "negative_threshold": (0, limits.threshold),
            "leak": limits.leak,
            "initial_potential": limits.potential,
            "mask_bits": (0, limits.mask_bits),
            "seed": (0, 2**63 - 1),
            "stream": (0, 2**62),
            "phase": (0, 2**31 - 1),
        }.items():
            values = np.asarray(getattr(self, name))
            if values.size and (values.min() < low or values.max() > high):
                raise GraphError("G104", f"a TrueNorth neuron's {name} is {low} to {high}")
        if not is_reset_potential(self.reset_potential):  # type: ignore[arg-type]
            raise GraphError(
                "G104",
                f"a reset potential on TrueNorth is 2^e - 1 or -(2^e - 1), e from 0 to {limits.reset_exponent}",
                remedy="take 0, 1, 3, 7, 15, ... or their negatives",
            )

    @property
    def variables(self) -> tuple[str, ...]:  # type: ignore[override]
        """The potential, and where it is drawn the random part of the threshold."""
        return ("voltage", RANDOM_THRESHOLD) if self.mask_bits else ("voltage",)

    @property
    def is_stochastic(self) -> bool:
        """Whether a tick draws random numbers."""
        return self.stochastic_leak or self.mask_bits > 0

    @property
    def forgets(self) -> bool:
        """Whether the potential is 0 after every tick, whatever it was and whatever arrived."""
        at_zero = not (np.any(self.reset_potential) or np.any(self.negative_threshold) or self.mask_bits)
        return self.reset is ResetMode.NORMAL and at_zero and bool(np.all(np.asarray(self.threshold) <= 1))

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """The initial potential; with random numbers also the samples' indices and the tick."""
        voltage = full(self.initial_potential, shape, samples, np.dtype(np.int64))  # type: ignore[arg-type]
        state = {"voltage": voltage}
        if self.mask_bits:
            state[RANDOM_THRESHOLD] = np.zeros_like(voltage)
        if self.is_stochastic:
            state |= {"sample": np.asarray(samples, np.int64), "tick": np.zeros(len(samples), np.int64)}
        return state

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """Steps 1 to 5 of the class for int64 sums (samples, *shape)."""
        draws = self._sequences(state, current.shape[1:]) if self.is_stochastic else None
        eta = np.zeros((), np.int64)
        if draws is not None and self.mask_bits:
            eta = threshold_number(draws, self.mask_bits)
        v, spikes = self.update(state["voltage"] + current, self._leak(draws), eta)
        later = {"sample": state["sample"], "tick": state["tick"] + 1} if self.is_stochastic else {}
        drawn = {RANDOM_THRESHOLD: eta} if self.mask_bits else {}
        return {"voltage": v, **drawn, **later}, spikes

    def update(self, voltage: Array, leak: Array, eta: Array) -> tuple[Array, Array]:
        """Steps 2 to 5 of the class for what has been drawn.

        Args:
            voltage: int64, the potentials with the synaptic sum.
            leak: int64, what the leak adds; with leak reversal, to a positive potential.
            eta: int64, the random part of the threshold.

        Returns:
            The potentials and the spikes.
        """
        v = np.clip(voltage + (np.sign(voltage) * leak if self.leak_reversal else leak), *TRUENORTH.potential)
        spikes = v >= self.threshold + eta
        return np.where(spikes, self._after_spike(v, eta), self._after_silence(v, eta)), spikes

    def _sequences(self, state: State, shape: Shape) -> Array:
        streams = self.stream + np.arange(int(np.prod(shape))).reshape(shape)
        return sequences(self.seed, state["sample"], streams, self.phase + int(state["tick"][0]))

    def _leak(self, draws: Array | None) -> Array:
        leak = np.asarray(self.leak)
        if draws is not None and self.stochastic_leak:
            leak = np.sign(leak) * (np.abs(leak) >= comparison_number(draws, LEAK_DRAW))
        return leak

    def _after_spike(self, v: Array, eta: Array) -> Array:
        if self.reset is ResetMode.LINEAR:
            return np.asarray(v - self.threshold - eta)
        return v if self.reset is ResetMode.NONE else np.asarray(self.reset_potential)

    def _after_silence(self, v: Array, eta: Array) -> Array:
        beta = np.asarray(self.negative_threshold)
        if self.negative is NegativeMode.SATURATE:
            return np.asarray(np.maximum(v, -beta))
        if self.reset is ResetMode.NONE:
            return v
        beyond = v < -(beta + eta)
        mirrored = v + beta + eta if self.reset is ResetMode.LINEAR else -np.asarray(self.reset_potential)
        return np.where(beyond, mirrored, v)

    def charge(self, spikes: Array, voltage: Array) -> Array:
        """Exact for LINEAR resets without random threshold while nothing saturates or falls below beta."""
        taken = self.threshold if self.reset is ResetMode.LINEAR else 0
        return np.asarray(spikes * taken + voltage - np.asarray(self.initial_potential))


def _mode(name: str, kind: type[Mode], value: Mode | str | int) -> Mode:
    """A mode by itself, its name in lower case or its number."""
    for mode in kind:
        if value is mode or value in (mode.name.lower(), mode.value):
            return mode
    raise UsageError(
        "U302",
        f"{name} of a TrueNorth neuron cannot be {value!r}",
        remedy=f"choose from {', '.join(mode.name.lower() for mode in kind)}",
    )


def is_reset_potential(values: Array) -> bool:
    """Whether all values have the coding +-(2^e - 1) with e within its width."""
    magnitude = np.abs(np.asarray(values, np.int64))
    return bool(
        ((magnitude & (magnitude + 1)) == 0).all() and (magnitude < 2**TRUENORTH.reset_exponent).all()
    )
