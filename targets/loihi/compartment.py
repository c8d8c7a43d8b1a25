"""The neuron arithmetic of a Loihi core, as an operator of an INTEGER graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snnc.errors import GraphError
from snnc.graph.neurons.base import Neuron, Reset, State, as_reset, full
from snnc.graph.operators.base import Array, Level, Shape
from snnc.targets.program_checks import within

from .limits import CURRENT_BITS, DECAY_UNIT, LARGEST_POTENTIAL, LOIHI, SYNAPTIC_SUM_BITS, UNIT

PROFILE = ("current_decay", "voltage_decay", "refractory")
"""The registers of a compartment that a core keeps in a table of profiles."""


@dataclass(frozen=True, eq=False)
class LoihiCompartment(Neuron):
    """A population of neurons made of one Loihi compartment (reset to zero) or two (reset by subtraction).

    One tick, all in integers (nengo-loihi and lava-nc agree bit for bit; hardware-facts, section 2):

    1. q: sum of the synaptic input, wrapped to 21 bits and sign.
    2. u <- sgn(u) * ((abs(u) * (4096 - current_decay)) >> 12) + q, wrapped to 23 bits and sign.
    3. v <- sgn(v) * ((abs(v) * (4096 - voltage_decay)) >> 12) + u + bias, clipped to [v_min, v_max].
    4. While refractory v is held at 0.
    5. A spike where v > threshold; then v is 0 for ``refractory`` ticks counted from the spike's own.

    Reset by subtraction takes two compartments. The first integrates and never fires; the second has no memory,
    takes the first one's potential by a join and fires above the threshold; its spike comes back to the first
    through a synapse of weight ``-reset_charge``, one tick later and so before the next comparison. The
    inhibition is part of q, wraps and all. The reported voltage has the pending inhibition taken away already.

    The last input of a ``driven`` population is a bias current that the host sets, part of ``bias`` in step 3;
    its other inputs, if there are any, are synaptic.

    Attributes:
        threshold: int64, multiple of 64, scalar array or one that broadcasts to the population's shape.
        reset: to zero or by subtraction.
        reset_charge: int64 like ``threshold``, multiple of 64; used by subtraction only.
        current_decay: 1..4096, the 12-bit register plus 1; 4096 forgets the current in one tick; int64 like
            ``threshold``, or one number.
        voltage_decay: 0..4095, the 12-bit register; 0 is no leak; like ``current_decay``.
        bias: int64 like ``threshold``; each is mantissa * 2^exponent within the registers' range.
        refractory: ticks, 1 (no pause) to 63; like ``current_decay``.
        v_min, v_max: bounds of the potential.
        initial_voltage: int64 like ``threshold``, set by the host before a sample.
        driven: whether the last input is a bias current.
    """

    threshold: Array
    reset: Reset = Reset.ZERO
    reset_charge: Array | None = None
    current_decay: int | Array = DECAY_UNIT
    voltage_decay: int | Array = 0
    bias: Array | None = None
    refractory: int | Array = 1
    v_min: int = -(2**23) + 1
    v_max: int = 2**23 - 1
    initial_voltage: Array | None = None
    driven: bool = False

    variables = ("voltage", "current", "pause", "fired")
    levels = frozenset({Level.INTEGER})

    def __post_init__(self) -> None:
        as_reset(self)
        for name in ("threshold", "reset_charge", "bias", "initial_voltage"):
            value = getattr(self, name)
            array = np.zeros((), np.int64) if value is None else np.asarray(value)
            if not np.issubdtype(array.dtype, np.integer):
                raise GraphError("G104", f"a Loihi compartment's {name} is an integer, not {array.dtype}")
            if not array.size:
                raise GraphError(
                    "G104", f"a Loihi compartment's {name} holds nothing", remedy="give a number"
                )
            object.__setattr__(self, name, array.astype(np.int64))
        for name in PROFILE:
            object.__setattr__(self, name, self._profile_register(name))
        self._check_registers()

    def _profile_register(self, name: str) -> int | Array:
        """One number where there is one, else int64."""
        register = np.asarray(getattr(self, name))
        if not register.size or not np.issubdtype(register.dtype, np.integer):
            raise GraphError("G104", f"a Loihi compartment's {name} is an integer, not {register.dtype}")
        return int(register.flat[0]) if register.size == 1 else register.astype(np.int64)

    def _check_registers(self) -> None:
        current_decay, voltage_decay, refractory = (np.asarray(getattr(self, name)) for name in PROFILE)
        assert self.reset_charge is not None
        if (self.threshold % UNIT).any() or (self.reset_charge % UNIT).any():
            raise GraphError("G104", f"thresholds and reset charges on Loihi are multiples of {UNIT}")
        if self.threshold.min() < 0 or self.threshold.max() > LOIHI.threshold_mantissa * UNIT:
            raise GraphError("G104", f"a threshold on Loihi is 0 to {LOIHI.threshold_mantissa * UNIT}")
        if not (within(current_decay, 1, DECAY_UNIT) and within(voltage_decay, 0, DECAY_UNIT - 1)):
            raise GraphError(
                "G104", f"on Loihi current_decay is 1 to {DECAY_UNIT}, voltage_decay 0 to {DECAY_UNIT - 1}"
            )
        if not -LARGEST_POTENTIAL <= self.v_min <= 0 <= self.v_max <= LARGEST_POTENTIAL:
            raise GraphError("G104", f"a potential on Loihi is bounded within 0 and +-{LARGEST_POTENTIAL}")
        assert self.initial_voltage is not None
        if np.abs(self.initial_voltage).max(initial=0) > LARGEST_POTENTIAL:
            raise GraphError("G104", f"an initial potential on Loihi is at most {LARGEST_POTENTIAL}")
        if not within(refractory, 1, LOIHI.refractory):
            raise GraphError("G104", f"a refractory period on Loihi is 1 to {LOIHI.refractory} ticks")
        memoryless = bool((current_decay == DECAY_UNIT).all() and (refractory == 1).all())
        if self.reset is Reset.SUBTRACT and not memoryless:
            raise GraphError(
                "G104",
                "reset by subtraction on Loihi needs a current without memory and no refractory pause",
                remedy="reset to zero, or set current_decay to 4096 and refractory to 1",
            )

    def start(self, shape: Shape, samples: Array, dtype: np.dtype) -> State:
        """The initial potential, no current, nothing pending."""
        kind = np.dtype(np.int64)
        return {
            "voltage": full(self.initial_voltage, shape, samples, kind),  # type: ignore[arg-type]
            "current": full(0, shape, samples, kind),
            "pause": full(0, shape, samples, kind),
            "fired": full(False, shape, samples, np.dtype(bool)),
        }

    def receive(self, state: State, inputs: Sequence[Array]) -> tuple[State, Array]:
        """One tick of steps 1 to 5 of the class, for int64 inputs (samples, *shape)."""
        none = np.zeros_like(state["voltage"])
        synaptic = inputs[:-1] if self.driven else inputs
        drive = inputs[-1] if self.driven else none
        return self._tick(state, np.asarray(sum(synaptic, none)), np.asarray(drive, np.int64))

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One tick with synaptic input alone."""
        return self._tick(state, current, np.zeros((), np.int64))

    def _tick(self, state: State, synaptic: Array, drive: Array) -> tuple[State, Array]:
        subtract = self.reset is Reset.SUBTRACT
        owed = state["fired"] * self.reset_charge if subtract else np.zeros((), np.int64)
        q = wrap(synaptic - owed, SYNAPTIC_SUM_BITS)
        u = wrap(decayed(state["current"], self.current_decay) + q, CURRENT_BITS)
        held = decayed(state["voltage"] + owed, self.voltage_decay)
        v = np.clip(held + u + self.bias + drive, self.v_min, self.v_max)
        v = np.where(state["pause"] > 0, 0, v)
        spikes = (v > self.threshold) & (state["pause"] == 0)
        v = v - spikes * self.reset_charge if subtract else np.where(spikes, 0, v)
        pause = np.where(spikes, self.refractory - 1, np.maximum(state["pause"] - 1, 0))
        return {"voltage": v, "current": u, "pause": pause, "fired": spikes}, spikes

    def charge(self, spikes: Array, voltage: Array) -> Array:
        """Exact for reset by subtraction while nothing saturates; a reset to zero loses what it takes away."""
        taken = self.reset_charge if self.reset is Reset.SUBTRACT else 0
        return np.asarray(spikes * taken + voltage - self.initial_voltage)


def wrap(value: Array, bits: int) -> Array:
    """Two's complement wrap-around to ``bits`` magnitude bits and a sign."""
    half = 2**bits
    return np.asarray(((value + half) & (2 * half - 1)) - half)


def decayed(value: Array, decay: int | Array) -> Array:
    """What a 12-bit decay leaves, rounded towards zero."""
    if not np.any(decay):
        return value
    return np.asarray(np.sign(value) * ((np.abs(value) * (DECAY_UNIT - decay)) >> 12))
