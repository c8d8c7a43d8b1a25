"""Synapse formats of a Loihi core: how a weight is stored, what it stands for, and what a list of them costs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from snnc.graph.operators.base import Array

from .limits import UNIT

WEIGHT_BITS = (1, 2, 3, 4, 5, 6, 8)
"""Widths of a stored weight; there is no 7 (nengo-loihi)."""

INDEX_BITS = (6, 7, 8, 9, 10, 11, 12)
"""Widths of a stored compartment index (nengo-loihi)."""

EXPONENTS = range(-8, 8)
"""Weight exponents (brian2-loihi; nengo-loihi starts at -7)."""

BLOCK_SYNAPSES = 64
BLOCK_HEADER_BITS = 10
WORD_BITS = 64


class Sign(Enum):
    """Signs that the weights of a list may have."""

    MIXED = "mixed"
    EXCITATORY = "excitatory"
    INHIBITORY = "inhibitory"


@dataclass(frozen=True)
class SynapseFormat:
    """How the synapses of a list are stored.

    Attributes:
        weight_bits: one of ``WEIGHT_BITS``; the low ``8 - weight_bits`` (mixed: one more) bits of the mantissa
            are 0 (brian2-loihi; nengo-loihi ``shift_bits``).
        exponent: weight exponent, one of ``EXPONENTS``.
        sign: mixed, or one sign for all.
        delay_bits: width of a stored delay, 0 where no synapse of the list has one.
        index_bits: width of a stored compartment index, 0 for a dense list.
    """

    weight_bits: int = 8
    exponent: int = 0
    sign: Sign = Sign.MIXED
    delay_bits: int = 0
    index_bits: int = 0

    @property
    def mantissa_step(self) -> int:
        """Mantissas are multiples of this."""
        return int(2 ** (8 - self.weight_bits + (self.sign is Sign.MIXED)))

    @property
    def mantissa_range(self) -> tuple[int, int]:
        """Smallest and largest mantissa: mixed -256..254, one-signed up to 255, in steps of ``mantissa_step``."""
        step = self.mantissa_step
        if self.sign is Sign.MIXED:
            return -256, 256 - step
        largest = 256 - step
        return (0, largest) if self.sign is Sign.EXCITATORY else (-largest, 0)

    def effective(self, mantissas: Array) -> Array:
        """Weights in units of the potential, floor(mantissa * 2^exponent) * 64, int64."""
        scaled = np.asarray(mantissas, np.int64)
        shifted = scaled << self.exponent if self.exponent >= 0 else scaled >> -self.exponent
        return np.asarray(shifted * UNIT)

    def list_bits(self, synapses: int) -> int:
        """Synaptic memory of a list, in bits.

        Blocks of at most 64 synapses with a header of 10 bits, each rounded up to words of 64 bits
        (nengo-loihi ``SynapseConfig.bits_per_axon``).
        """
        each = self.weight_bits + self.delay_bits + self.index_bits
        full, rest = divmod(synapses, BLOCK_SYNAPSES)
        words = full * -(-(BLOCK_SYNAPSES * each + BLOCK_HEADER_BITS) // WORD_BITS)
        if rest:
            words += -(-(rest * each + BLOCK_HEADER_BITS) // WORD_BITS)
        return words * WORD_BITS


def encode(weights: Array, *, weight_bits: int = 8) -> tuple[Array, SynapseFormat] | None:
    """The narrowest format (without index and delay) that holds effective weights exactly, and the mantissas.

    Args:
        weights: effective weights of one list or group, multiples of 64.
        weight_bits: largest width to use.

    Returns:
        Mantissas (int16, the shape of ``weights``) and their format, or None where none fits.
    """
    units, remainder = np.divmod(np.asarray(weights, np.int64), UNIT)
    if remainder.any():
        return None
    lowest, highest = int(units.min(initial=0)), int(units.max(initial=0))
    sign = Sign.EXCITATORY if lowest >= 0 else Sign.INHIBITORY if highest <= 0 else Sign.MIXED
    for width in WEIGHT_BITS:
        if width > weight_bits:
            break
        for exponent in EXPONENTS:
            form = SynapseFormat(width, exponent, sign)
            mantissas = units << -exponent if exponent < 0 else units >> exponent
            low, high = form.mantissa_range
            if mantissas.min(initial=0) < low or mantissas.max(initial=0) > high:
                continue
            if not (mantissas % form.mantissa_step).any() and (form.effective(mantissas) == weights).all():
                return mantissas.astype(np.int16), form
    return None


def index_bits_for(largest: int) -> int:
    """The narrowest index width that can hold the compartment index ``largest``."""
    return next(bits for bits in INDEX_BITS if largest < 2**bits)
